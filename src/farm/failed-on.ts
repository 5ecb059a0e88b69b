import type { RunState } from '../record/state.js'
import { isSuspect } from './choose-next-step.js'

/** Servers that a slot has failed, or taken down, since an operator last asked for it. */
export function failedOn(state: RunState, ordinal: number): ReadonlySet<string> {
  const outcomes = (state.failures.get(ordinal) ?? []).slice(state.forgiven.get(ordinal) ?? 0)
  return new Set(outcomes.filter(({ outcome }) => isSuspect(outcome)).map(({ server }) => server))
}
