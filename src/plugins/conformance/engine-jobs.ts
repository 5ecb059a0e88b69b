import { strict as assert } from 'node:assert'
import type { Claim, Job, QueueEngine } from '../contract.js'
import { sampleJob } from './sample-job.js'

const sample = sampleJob(1, { renderer: 'sample' })

/** A whole job, as the farm offers it. */
export function wholeJob(id: string): Job {
  return { ...structuredClone(sample), id }
}

/** Whole jobs named by numbers. */
export function wholeJobs(count: number, prefix = 'j'): Job[] {
  return Array.from({ length: count }, (_, at) => wholeJob(`${prefix}${at}`))
}

/** Claims a job of a lane that has one. */
export async function claimOne(engine: QueueEngine, lane: string): Promise<Claim> {
  const claim = await engine.claim(lane)
  assert.ok(claim, `there is nothing to claim in ${lane}`)
  return claim
}

/** Claims until the lane is empty. */
export async function claimAll(engine: QueueEngine, lane: string): Promise<Claim[]> {
  const claims: Claim[] = []
  for (;;) {
    const claim = await engine.claim(lane)
    if (!claim) return claims
    claims.push(claim)
  }
}

export function idsOf(claims: readonly Claim[]): string[] {
  return claims.map(claim => claim.job.id)
}
