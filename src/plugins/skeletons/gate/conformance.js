// @ts-check

/**
 * What `foundry plugins test` tries the gate with.
 *
 * @type {import('persona-foundry/conformance').GateSample}
 */
const sample = {
  options: { banned: ['cigarette'] },
  words: [
    { text: 'a keeper with a lantern', verdict: 'pass' },
    { text: 'a keeper with a Cigarette', verdict: 'refuse' },
  ],
}
export default sample
