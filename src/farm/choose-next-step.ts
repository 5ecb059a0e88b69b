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

/** Pure: `charged` counts the attempts that ended by a fault of the job, this one included. */
export function chooseNextStep(cause: RenderCause, charged: number, attemptsMax: number): NextStep {
  const step = stepByCause[cause]
  return step === 'again' && !isServerFault.has(cause) && charged >= attemptsMax ? 'fail' : step
}

export function isCharged(cause: string): boolean {
  return !isServerFault.has(cause as RenderCause)
}

/** Milliseconds before a job is tried again: doubling from 200 ms, at most 10 s. */
export function retryDelayMs(charged: number): number {
  return Math.min(retryDelayMsMax, 200 * 2 ** Math.max(0, charged - 1))
}
export const retryDelayMsMax = 10_000
