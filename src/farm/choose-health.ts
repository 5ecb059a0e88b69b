/**
 * Pure: the circuit breaker of a server. `well`: takes jobs · `sick`: takes none until its time is over · `tried`: takes one, and
 * that one decides. Failures of one job count once: a job that breaks every server makes none of them sick.
 */
export interface Health {
  state: 'well' | 'sick' | 'tried'
  /** Jobs that failed since the last picture. */
  failed: readonly string[]
  /** Why it is sick. */
  reason: string | undefined
  /** Milliseconds on the farm's clock: when it is tried again. */
  until: number
  /** How often it was found sick since the last picture: each time it rests longer. */
  times: number
}

export const wellHealth: Health = { state: 'well', failed: [], reason: undefined, until: 0, times: 0 }

/** Different jobs that may fail in a row. */
const failedMax = 3
const restMsMin = 30_000
const restMsMax = 15 * 60_000

/** What fails on a server that is sick already was sent before, and says nothing new. */
export function afterFailure(
  health: Health,
  { job, reason, now }: { job: string; reason: string; now: number },
): Health {
  if (health.state === 'sick') return health
  const failed = health.failed.includes(job) ? health.failed : [...health.failed, job]
  if (health.state !== 'tried' && failed.length < failedMax) return { ...health, failed }
  const restMs = Math.min(restMsMax, restMsMin * 2 ** health.times)
  return { state: 'sick', failed, reason, until: now + restMs, times: health.times + 1 }
}

/** A sick server that has rested gets one job. */
export function afterRest(health: Health, now: number): Health {
  return health.state === 'sick' && now >= health.until ? { ...health, state: 'tried' } : health
}
