// @ts-check

/**
 * Refuses words that the options ban. foundry.yaml: `plugins: { __name__: { banned: [cigarette] } }`
 * `isolated: true` in plugin.yaml runs it in a process of its own, so that a crash or a loop without end harms nobody else.
 *
 * @import { GatePlugin } from 'persona-foundry/plugin'
 */

/** @type {GatePlugin} */
const gate = {
  kind: 'gate',
  name: '__short__',
  version: '0.1.0',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: { banned: { type: 'array', items: { type: 'string', minLength: 1 } } },
  },
  open(options) {
    const banned = /** @type {string[]} */ (options['banned'] ?? [])
    return {
      beforeDispatch({ positive }) {
        const found = banned.find(word => positive.some(({ text }) => text.toLowerCase().includes(word.toLowerCase())))
        return found === undefined ? { verdict: 'pass' } : { verdict: 'refuse', reason: `"${found}" is banned` }
      },
    }
  },
}
export default gate
