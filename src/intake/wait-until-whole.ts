import type { FileStamp } from '../files/read-bounded.js'
import type { DropFile } from '../library/drop.js'

export interface StillFile extends DropFile {
  /** For how long it has not changed while it was watched. */
  stillMs: number
}

/**
 * Pure: for how many milliseconds a drop must be left alone until it is known to be whole, it and every file that it names;
 * 0 when it is. Half a JSON document does not parse, but half a YAML document or text may read well, so that needs its own
 * closing line or `quietMs` without a change. A named file that had not changed for so long when the drop was written is
 * known as well: both times are of the same clock. What does not parse may be half-written, until it has been quiet.
 */
export function waitUntilWhole([drop, ...named]: readonly StillFile[], quietMs: number): number {
  if (!drop) return 0
  const waits = named.map(file => (isOlder(file.stamp, drop.stamp, quietMs) ? 0 : waitOf(file, quietMs)))
  return Math.max(waitOf(drop, quietMs), ...waits)
}

function waitOf({ isClosed, stillMs }: StillFile, quietMs: number): number {
  return isClosed ? 0 : Math.max(0, quietMs - stillMs)
}

function isOlder(named: FileStamp | undefined, drop: FileStamp | undefined, byMs: number): boolean {
  if (!named || !drop || named.dev !== drop.dev) return false
  return BigInt(drop.mtimeNs) - BigInt(named.mtimeNs) >= BigInt(Math.ceil(byMs)) * 1_000_000n
}
