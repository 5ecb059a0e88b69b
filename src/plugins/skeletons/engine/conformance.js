// @ts-check
import { openEngine } from './index.js'

/**
 * What `foundry plugins test` opens for each of its checks: an empty engine, and what can be done to it. What is left out skips the
 * checks that need it. An engine that outlives its process also has `reopen`, a second one of the same home.
 *
 * @returns {Promise<import('persona-foundry/conformance').EngineSubject>}
 */
export default async function open() {
  let now = 0
  const engine = openEngine(() => now)
  return {
    engine,
    passTime: async ms => void (now += ms),
    close: () => engine.close(),
  }
}
