// @ts-check

/**
 * Keeps jobs and claims in memory. Put what your processes share in the place of the two maps (a database, a queue), and keep the
 * promises: `foundry plugins test` holds this plugin to each of them. foundry.yaml: `engine: { name: __short__ }`
 *
 * @import { Claim, EnginePlugin, Job, QueueEngine } from 'persona-foundry/plugin'
 * @typedef {{ job: Job, lane: string, order: number }} Waiting one that was offered first has the lower order
 * @typedef {Waiting & { token: string, lostAt: number }} Held
 */

/** The farm extends a claim every 4 s: two in a row may come to nothing. */
const claimMs = 12_000

/** @type {EnginePlugin} */
const engine = {
  kind: 'engine',
  name: '__short__',
  version: '0.1.0',
  options: { type: 'object', additionalProperties: false },
  open: async () => openEngine(),
}
export default engine

/**
 * @param {() => number} [now] milliseconds; a test has a clock of its own
 * @returns {QueueEngine}
 */
export function openEngine(now = () => performance.now()) {
  /** @type {Map<string, Waiting>} by the id of the job */
  const waiting = new Map()
  /** @type {Map<string, Held>} by the id of the job */
  const held = new Map()
  let offers = 0
  let claims = 0

  /** What nobody has extended waits again, where it stood. */
  function takeBack() {
    for (const claim of held.values()) if (claim.lostAt <= now()) putBack(claim)
  }

  /** @param {Held} claim */
  function putBack({ job, lane, order }) {
    held.delete(job.id)
    waiting.set(job.id, { job, lane, order })
  }

  /** @param {Claim} claim @returns {Held | undefined} nothing where it was lost */
  function heldBy({ job, token }) {
    takeBack()
    const claim = held.get(job.id)
    return claim?.token === token ? claim : undefined
  }

  const inOrder = () => [...waiting.values()].sort((one, other) => one.order - other.order)

  return {
    async offer(lane, jobs) {
      for (const job of jobs)
        if (!waiting.has(job.id) && !held.has(job.id)) waiting.set(job.id, { job, lane, order: ++offers })
    },
    async claim(lane) {
      takeBack()
      const head = inOrder().find(each => each.lane === lane)
      if (!head) return undefined
      const { job } = head
      const token = String(++claims)
      waiting.delete(job.id)
      held.set(job.id, { ...head, token, lostAt: now() + claimMs })
      return { job, lane, token }
    },
    async extend(claim) {
      const own = heldBy(claim)
      if (own) own.lostAt = now() + claimMs
      return own !== undefined
    },
    async finish(claim) {
      if (heldBy(claim)) held.delete(claim.job.id)
    },
    async release(claim) {
      const own = heldBy(claim)
      if (own) putBack(own)
    },
    async cancel(jobs) {
      takeBack()
      return jobs.filter(id => waiting.delete(id))
    },
    async counts() {
      takeBack()
      /** @type {Map<string, number>} */
      const counts = new Map()
      for (const { lane } of inOrder()) counts.set(lane, (counts.get(lane) ?? 0) + 1)
      return counts
    },
    async drain() {
      takeBack()
      const jobs = inOrder().map(({ job }) => job)
      waiting.clear()
      return jobs
    },
    async close() {
      waiting.clear()
      held.clear()
    },
  }
}
