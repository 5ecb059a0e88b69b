import { detectors } from './privacy-detectors.js'
import type { PrivateKind } from './privacy-kinds.js'

export type { PrivateKind } from './privacy-kinds.js'

export interface Finding {
  kind: PrivateKind
  count: number
}

/**
 * Replaces what looks like personal data by its kind in brackets. Patterns only: names of people are not recognised.
 * Time grows linearly with the text, whatever it holds.
 */
export function redact(text: string): { text: string; found: Finding[] } {
  const counts = new Map<PrivateKind, number>()
  const clean = detectors.reduce((rest, { kind, replace }) => {
    const mark = (marked: PrivateKind = kind) => {
      counts.set(marked, (counts.get(marked) ?? 0) + 1)
      return `[${marked}]`
    }
    return replace(rest, mark)
  }, text)
  return { text: clean, found: [...counts].map(([kind, count]) => ({ kind, count })) }
}

/** What personal data a text holds, by kind. */
export function scan(text: string): Finding[] {
  return redact(text).found
}
