import type { TimeRange } from './forecast-shapes.js'

/** When the last of them ends; undefined where there is none, or one is not known. */
export function lastEnd(ends: Iterable<TimeRange | undefined>): TimeRange | undefined {
  let last: TimeRange | undefined
  for (const end of ends) {
    if (!end) return undefined
    last = last ? { lowS: Math.max(last.lowS, end.lowS), highS: Math.max(last.highS, end.highS) } : end
  }
  return last
}
