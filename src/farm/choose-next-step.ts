import type { RenderCause } from '../plugins/contract.js'

/**
 * What follows a failed attempt.
 * `again`: a new attempt, counted · `ask`: the server is asked where the attempt is, nothing is sent twice ·
 * `fail`: the job fails at once, since it would fail anywhere.
 */
export type NextStep = 'again' | 'ask' | 'fail'

const stepByCause: Record<RenderCause, NextStep> = {
  'out-of-memory': 'again',
  'node-error': 'again',
  interrupted: 'again',
  'no-output': 'again',
  lost: 'again',
  refused: 'again',
  unreachable: 'ask',
  'unknown-outcome': 'ask',
  'missing-model': 'fail',
  'missing-node': 'fail',
  'invalid-graph': 'fail',
}

/** Causes that say nothing about the job: they do not use up its attempts. */
const isServerFault: ReadonlySet<RenderCause> = new Set(['lost', 'unreachable', 'unknown-outcome', 'interrupted'])

/** Attempts of a slot that may end without a picture, whatever the causes: beyond, the job itself is suspected. */
export const attemptsEndedMax = 20

/** How often a slot was tried since it was planned or an operator asked for it again, the attempt that just ended included. */
export interface Tries {
  /** Attempts that ended by a fault of the job. */
  charged: number
  /** All attempts that ended. */
  ended: number
}

/** Pure: what follows an attempt that ended by `cause`. */
export function chooseNextStep(cause: RenderCause, { charged, ended }: Tries, attemptsMax: number): NextStep {
  const step = stepByCause[cause]
  if (step !== 'again') return step
  return ended >= attemptsEndedMax || (isCharged(cause) && charged >= attemptsMax) ? 'fail' : 'again'
}

export function isCharged(cause: string): boolean {
  return !isServerFault.has(cause as RenderCause)
}

/** Milliseconds before a job is tried again: none after the first fault of a server, else doubling from 200 ms, at most 10 s. */
export function retryDelayMs({ charged, ended }: Tries): number {
  const step = Math.max(charged, ended - 1)
  return step === 0 ? 0 : Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** (step - 1))
}
const retryDelayMsMin = 200
export const retryDelayMsMax = 10_000
