import type { Job } from '../plan/job.js'
import { type Claim, laneOf, type QueueEngine } from './engine.js'

/** The engine that needs nothing: lanes in memory. Jobs of a lane are handed out in the order of offering. */
export function createEmbeddedEngine(): QueueEngine {
  const lanes = new Map<string, Job[]>()
  const claims = new Set<string>()

  function put(job: Job, where: 'push' | 'unshift'): void {
    const lane = laneOf(job)
    const jobs = lanes.get(lane)
    if (jobs) jobs[where](job)
    else lanes.set(lane, [job])
  }

  function take(keep: (job: Job) => boolean): Job[] {
    const taken: Job[] = []
    for (const [lane, jobs] of lanes) {
      const kept = jobs.filter(job => keep(job) || !taken.push(job))
      if (kept.length > 0) lanes.set(lane, kept)
      else lanes.delete(lane)
    }
    return taken
  }

  return {
    async offer(jobs) {
      for (const job of jobs) put(job, 'push')
    },
    async claim(lane) {
      const jobs = lanes.get(lane)
      const job = jobs?.shift()
      if (jobs?.length === 0) lanes.delete(lane)
      if (!job) return undefined
      claims.add(job.id)
      return { job, lane }
    },
    async extend(claim: Claim) {
      return claims.has(claim.job.id)
    },
    async finish(claim) {
      claims.delete(claim.job.id)
    },
    async release(claim) {
      if (claims.delete(claim.job.id)) put(claim.job, 'unshift')
    },
    async cancel(jobs) {
      const wanted = new Set(jobs)
      return take(job => !wanted.has(job.id)).map(job => job.id)
    },
    async counts() {
      return new Map([...lanes].map(([lane, jobs]) => [lane, jobs.length]))
    },
    async drain() {
      return take(() => false)
    },
  }
}
