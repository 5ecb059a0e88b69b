import type { RenderCause } from '../plugins/contract.js'

/**
 * What follows a failed attempt.
 * `again`: a new attempt · `ask`: the server is asked where the attempt is, nothing is sent twice ·
 * `fail`: the job fails at once, since it would fail anywhere · `hold`: a human must decide.
 */
export type NextStep = 'again' | 'ask' | 'fail' | 'hold'

const stepByCause: Record<RenderCause, NextStep> = {
  'out-of-memory': 'again',
  'node-error': 'again',
  'bad-output': 'again',
  'no-output': 'again',
  'too-fast': 'again',
  interrupted: 'again',
  withdrawn: 'again',
  crashed: 'again',
  silent: 'again',
  lost: 'again',
  refused: 'again',
  unreachable: 'ask',
  'unknown-outcome': 'ask',
  'missing-model': 'fail',
  'missing-node': 'fail',
  'invalid-graph': 'fail',
  moderated: 'fail',
  'in-doubt': 'hold',
  'locked-out': 'again',
}

/** Causes that say nothing about the job: they do not use up its attempts. */
const isServerFault: ReadonlySet<RenderCause> = new Set([
  'lost',
  'unreachable',
  'unknown-outcome',
  'interrupted',
  'withdrawn',
  'crashed',
  'silent',
  'in-doubt',
  'locked-out',
])

/** Attempts of a slot that may end without a picture, whatever the causes: beyond, the job itself is suspected. */
export const attemptsEndedMax = 20
/** Servers that a job may fail or crash: beyond, it is the job. */
export const serversFailedMax = 3

/** How often a slot was tried since it was planned or an operator asked for it again, the attempt that just ended included. */
export interface Tries {
  /** Attempts that ended by a fault of the job. */
  charged: number
  /** All attempts that ended. */
  ended: number
  /** Different servers that it failed on, or that went down or silent while they rendered it. */
  servers: number
}

/** Pure: what follows an attempt that ended by `cause`. */
export function chooseNextStep(cause: RenderCause, { charged, ended, servers }: Tries, attemptsMax: number): NextStep {
  const step = stepByCause[cause]
  if (step === 'fail' || step === 'hold') return step
  const isPoison = isSuspect(cause) && servers >= serversFailedMax
  const isSpent = ended >= attemptsEndedMax || (isCharged(cause) && charged >= attemptsMax)
  return isPoison || isSpent ? 'fail' : step
}

/** Attempts that ended so are no tries: they were taken back, or kept from beginning by something that has nothing to do with them. */
export function isTry(cause: string): boolean {
  return cause !== 'withdrawn' && cause !== 'locked-out'
}

export function isCharged(cause: string): boolean {
  return !isServerFault.has(cause as RenderCause)
}

/** Whether the job may have done it: by its own fault, or as the one that was rendered when the server went. */
export function isSuspect(cause: string): boolean {
  return isCharged(cause) || cause === 'crashed' || cause === 'silent'
}

/** Milliseconds before a job is tried again: none after the first fault of a server, else doubling from 200 ms, at most 10 s. */
export function retryDelayMs({ charged, ended }: Pick<Tries, 'charged' | 'ended'>): number {
  const step = Math.max(charged, ended - 1)
  return step <= 0 ? 0 : Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** (step - 1))
}
const retryDelayMsMin = 200
export const retryDelayMsMax = 10_000
