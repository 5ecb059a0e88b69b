// @ts-check

/**
 * Logs how many pictures each run has given.
 * `isolated: true` in plugin.yaml runs it in a process of its own, so that a crash or a loop without end harms nobody else.
 *
 * @import { ObserverPlugin } from 'persona-foundry/plugin'
 */

/** @type {ObserverPlugin} */
const observer = {
  kind: 'observer',
  name: '__short__',
  version: '0.1.0',
  options: { type: 'object', additionalProperties: false },
  open(options, { log }) {
    /** @type {Map<unknown, number>} */
    const pictures = new Map()
    return {
      told({ kind, run }) {
        if (kind === 'slot-done') pictures.set(run, (pictures.get(run) ?? 0) + 1)
        if (kind !== 'run-finished') return
        log.info({ run, pictures: pictures.get(run) ?? 0 }, 'run observed')
        pictures.delete(run)
      },
    }
  },
}
export default observer
