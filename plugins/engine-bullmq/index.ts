import type { EnginePlugin } from '../../src/plugins/contract.js'
import { optionsSchema } from './options.js'

/** Jobs and claims in Redis or Valkey, through BullMQ: any number of processes claim from one home. */
const engine: EnginePlugin = {
  kind: 'engine',
  name: 'bullmq',
  version: '1.0.0',
  options: optionsSchema,
  async open(options, host) {
    // Loaded only where it is wanted: every command finds the plugins, few need a queue.
    const { openEngine } = await import('./open-engine.js')
    return openEngine(options, host)
  },
}
export default engine
