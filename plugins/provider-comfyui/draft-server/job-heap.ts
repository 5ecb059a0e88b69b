/** A pending or running job. */
export interface QueuedJob {
  number: number
  promptId: string
  graph: Record<string, unknown>
  extraData: Record<string, unknown>
  outputs: readonly string[]
}

/**
 * The pending jobs, smallest `(number, prompt id)` first, in the same binary heap as on the real server: `/queue` shows
 * the heap as it lies, and clients must not take that for the order of running.
 */
export class JobHeap {
  private items: QueuedJob[] = []

  get length(): number {
    return this.items.length
  }

  list(): readonly QueuedJob[] {
    return this.items
  }

  push(job: QueuedJob): void {
    this.items.push(job)
    this.rise(this.items.length - 1, 0)
  }

  pop(): QueuedJob | undefined {
    const last = this.items.pop()
    const first = this.items[0]
    if (last === undefined || first === undefined) return last
    this.items[0] = last
    this.sink(0)
    return first
  }

  /** Removes the first item with this id. */
  remove(promptId: string): boolean {
    const index = this.items.findIndex(each => each.promptId === promptId)
    if (index < 0) return false
    this.items.splice(index, 1)
    for (let at = (this.items.length >> 1) - 1; at >= 0; at--) this.sink(at)
    return true
  }

  clear(): void {
    this.items = []
  }

  private rise(from: number, top: number): void {
    const item = this.at(from)
    let at = from
    while (at > top) {
      const parent = (at - 1) >> 1
      if (!isBefore(item, this.at(parent))) break
      this.items[at] = this.at(parent)
      at = parent
    }
    this.items[at] = item
  }

  /** Moves the smaller child up all the way down, then lets the item rise from there: the order that heapq leaves. */
  private sink(top: number): void {
    const item = this.at(top)
    const end = this.items.length
    let at = top
    for (let child = 2 * at + 1; child < end; child = 2 * at + 1) {
      const right = child + 1
      const smaller = right < end && !isBefore(this.at(child), this.at(right)) ? right : child
      this.items[at] = this.at(smaller)
      at = smaller
    }
    this.items[at] = item
    this.rise(at, top)
  }

  private at(index: number): QueuedJob {
    return this.items[index] as QueuedJob // Every caller stays below the length.
  }
}

function isBefore(a: QueuedJob, b: QueuedJob): boolean {
  return a.number === b.number ? a.promptId < b.promptId : a.number < b.number
}
