import type { RunState } from '../record/state.js'
import { isSuspect } from './choose-next-step.js'

/** How the attempts of a slot have ended since an operator last asked for it, those with a picture left out. */
export function failuresOf(state: RunState, ordinal: number): readonly { outcome: string; server: string }[] {
  return (state.failures.get(ordinal) ?? []).slice(state.forgiven.get(ordinal) ?? 0)
}

/** Servers that a slot has failed, or taken down, since an operator last asked for it. */
export function failedOn(state: RunState, ordinal: number): ReadonlySet<string> {
  const suspect = failuresOf(state, ordinal).filter(({ outcome }) => isSuspect(outcome))
  return new Set(suspect.map(({ server }) => server))
}
