import type { DispatchFacts, PictureFacts } from '../../../src/plugins/contract.js'

const slot = { run: 'r', slot: 's', subject: 'mara', template: 'tiny', view: 'front', seed: 7, renderer: 'draft' }

/** A job that gates are asked about. */
export const facts: DispatchFacts = {
  ...slot,
  family: 'sd15',
  workflow: 'small',
  width: 64,
  height: 64,
  positive: [{ text: 'a red coat, a red hat', source: 'persona.description' }],
  negative: [{ text: 'red', source: 'style' }],
  parameters: {},
  talents: [],
}
export const picture: PictureFacts = { ...slot, server: 'one', attempt: 1, bytes: Buffer.from('picture') }
