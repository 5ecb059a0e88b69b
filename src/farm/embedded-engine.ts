import type { Job } from '../plan/job.js'
import type { Claim, QueueEngine } from '../plugins/contract.js'

interface Offered {
  job: Job
  /** Grows with every job that is offered. */
  order: number
}

/** The engine that needs nothing: lanes in memory. A claim is lost only by releasing or finishing it. */
export function createEmbeddedEngine(): QueueEngine {
  const lanes = new Map<string, Offered[]>()
  const waiting = new Set<string>()
  const claims = new Map<string, Offered & { token: string }>()
  let offers = 0
  let claimed = 0

  function put(lane: string, offered: Offered, where: 'push' | 'unshift'): void {
    const jobs = lanes.get(lane)
    if (jobs) jobs[where](offered)
    else lanes.set(lane, [offered])
    waiting.add(offered.job.id)
  }

  function take(isMeant: (job: Job) => boolean): Job[] {
    const taken: Job[] = []
    for (const [lane, jobs] of lanes) {
      const kept = jobs.filter(({ job }) => !isMeant(job) || !taken.push(job))
      if (kept.length > 0) lanes.set(lane, kept)
      else lanes.delete(lane)
    }
    for (const job of taken) waiting.delete(job.id)
    return taken
  }

  /** Ends a claim, where it is still one. */
  function end(claim: Claim): Offered | undefined {
    const held = claims.get(claim.job.id)
    if (held?.token !== claim.token) return undefined
    claims.delete(claim.job.id)
    return held
  }

  return {
    async offer(lane, jobs) {
      for (const job of jobs)
        if (!waiting.has(job.id) && !claims.has(job.id)) put(lane, { job, order: ++offers }, 'push')
    },
    async claim(lane) {
      const jobs = lanes.get(lane)
      const offered = jobs?.shift()
      if (jobs?.length === 0) lanes.delete(lane)
      if (!offered) return undefined
      const { job } = offered
      const token = String(++claimed)
      waiting.delete(job.id)
      claims.set(job.id, { ...offered, token })
      return { job, lane, token }
    },
    async extend(claim) {
      return claims.get(claim.job.id)?.token === claim.token
    },
    async finish(claim) {
      end(claim)
    },
    async release(claim) {
      const held = end(claim)
      if (held) put(claim.lane, held, 'unshift')
    },
    async cancel(jobs) {
      const wanted = new Set(jobs)
      return take(job => wanted.has(job.id)).map(job => job.id)
    },
    async counts() {
      const orderOf = (jobs: readonly Offered[]) => jobs[0]?.order ?? 0
      const byAge = [...lanes].sort(([, one], [, other]) => orderOf(one) - orderOf(other))
      return new Map(byAge.map(([lane, jobs]) => [lane, jobs.length]))
    },
    async drain() {
      return take(() => true)
    },
    async close() {
      lanes.clear()
      waiting.clear()
      claims.clear()
    },
  }
}
