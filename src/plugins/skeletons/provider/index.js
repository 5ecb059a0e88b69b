// @ts-check
import { hashJson, RenderFailure } from 'persona-foundry/plugin'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Speaks to the little renderer in server.js. Change what is said on the wire, and keep the promises: `foundry plugins test` holds
 * this plugin to each of them.
 *
 * @import { Connection, Job, Provider, RenderEvent, ServerEntry } from 'persona-foundry/plugin'
 */

const pollMs = 50

/** @type {Provider} */
const provider = {
  kind: 'provider',
  name: '__short__',
  version: '0.1.0',
  options: { type: 'object' },
  open: async server => connect(server),
}
export default provider

/**
 * @param {ServerEntry} entry
 * @returns {Connection}
 */
function connect({ url = '', timeoutSeconds }) {
  const closing = new AbortController()

  /** @param {string} path @param {AbortSignal} signal @param {RequestInit} [init] */
  async function ask(path, signal, init = {}) {
    const limit = AbortSignal.timeout(timeoutSeconds * 1000)
    try {
      return await fetch(new URL(path, url), { ...init, signal: AbortSignal.any([signal, limit, closing.signal]) })
    } catch (error) {
      if (signal.aborted) throw error
      // Whoever was never reached took nothing; after that nobody can tell whether a job was taken.
      const wasReached = codeOf(error) !== 'ECONNREFUSED' && init.method === 'POST'
      throw new RenderFailure(wasReached ? 'unknown-outcome' : 'unreachable', `${url} does not answer`, {}, error)
    }
  }

  /** @param {string} id @param {AbortSignal} signal @returns {Promise<{ state: string, file?: string }>} */
  async function look(id, signal) {
    const answer = await ask(`/jobs/${id}`, signal)
    return answer.status === 404 ? { state: 'unknown' } : /** @type {any} */ (await answer.json())
  }

  return {
    async probe(signal) {
      const begin = performance.now()
      const { queue } = /** @type {{ queue: number }} */ (await (await ask('/about', signal)).json())
      const tookMs = performance.now() - begin
      return { renderer: '__short__', models: {}, modelSizes: {}, queueRemaining: queue, tookMs }
    },
    async check(job) {
      return problemsOf(job)
    },
    async submit(job, { promptId }, signal) {
      const body = JSON.stringify({ id: promptId, width: job.width, height: job.height, seed: job.slot.seed })
      const answer = await ask('/jobs', signal, { method: 'POST', body })
      if (!answer.ok) throw new RenderFailure('invalid-graph', `${url} refuses the job: ${await answer.text()}`)
      return { promptId, submittedSha256: hashJson(job.graph), sizeBytes: Buffer.byteLength(body) }
    },
    /** @returns {AsyncIterable<RenderEvent>} */
    async *follow({ promptId }, signal) {
      const end = AbortSignal.any([signal, closing.signal])
      let isStarted = false
      while (!end.aborted) {
        const { state, file } = await look(promptId, end).catch(error => {
          if (end.aborted) return { state: 'left', file: undefined }
          throw error
        })
        if (state === 'left') return
        if (state !== 'queued' && state !== 'unknown' && !isStarted) {
          isStarted = true
          yield { kind: 'started', at: Date.now() }
        }
        if (state === 'done') {
          const outputs = file === undefined ? [] : [{ filename: file, subfolder: '', type: 'output' }]
          if (outputs.length === 0) {
            yield failed('no-output', 'It ended without a picture')
            return
          }
          for (const output of outputs) yield { kind: 'output', output }
          yield { kind: 'finished', outputs, timings: {} }
          return
        }
        if (state === 'failed') return yield failed('node-error', 'It could not be rendered')
        if (state === 'cancelled') return yield failed('interrupted', 'It was cancelled')
        if (state === 'unknown') return yield failed('lost', 'The server no longer knows it')
        await sleep(pollMs, undefined, { signal: end }).catch(() => undefined)
      }
    },
    async fetch({ filename }, signal) {
      const answer = await ask(`/files/${encodeURIComponent(filename)}`, signal)
      if (!answer.ok) throw new RenderFailure('no-output', `${url} has no file ${filename}`)
      // A picture that is cut short in transfer rejects here, since its length was told.
      const bytes = await answer.arrayBuffer().catch(error => {
        throw new RenderFailure('no-output', 'The picture is cut short', {}, error)
      })
      return Buffer.from(bytes)
    },
    async find({ promptId }, signal) {
      const { state } = await look(promptId, signal)
      if (state === 'queued' || state === 'running') return state
      return state === 'unknown' ? 'unknown' : 'done'
    },
    async cancel({ promptId }, signal) {
      try {
        const answer = await ask(`/jobs/${promptId}`, signal, { method: 'DELETE' })
        if (answer.status === 404) return 'unknown'
        return /** @type {{ was: string }} */ (await answer.json()).was === 'done' ? 'ran' : 'gone'
      } catch (error) {
        if (error instanceof RenderFailure) return 'unknown'
        throw error
      }
    },
    async close() {
      closing.abort()
    },
  }
}

/** @param {import('persona-foundry/plugin').RenderCause} reason @param {string} message @returns {RenderEvent} */
function failed(reason, message) {
  return { kind: 'failed', failure: new RenderFailure(reason, message) }
}

/** @param {Job} job @returns {import('persona-foundry/plugin').JobProblem[]} */
function problemsOf({ width, height }) {
  if (width <= 2048 && height <= 2048) return []
  const message = 'The picture is larger than this server renders'
  return [{ severity: 'error', code: 'SIZE_TOO_LARGE', message, found: `${width}×${height}`, allowed: '2048×2048' }]
}

/** @param {unknown} error @returns {unknown} */
function codeOf(error) {
  const cause = error instanceof Error ? error.cause : undefined
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
}
