/**
 * A queue name may hold no colon, an id neither a colon nor digits alone. Both are written as in a URL, behind a letter, so that
 * any lane and any id has a name of its own.
 */
export function queueOf(lane: string): string {
  return `q-${encodeURIComponent(lane)}`
}

/** The lane of a queue that `queueOf` has named. */
export function laneOf(queue: string): string {
  return decodeURIComponent(queue.slice(2))
}

/** The id of a job, as BullMQ takes it. */
export function keyOf(job: string): string {
  return `j-${encodeURIComponent(job)}`
}
