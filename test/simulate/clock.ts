interface Due {
  at: number
  turn: number
  act(): void
}

/** Simulated time: what is due happens in order, and between two events no time passes. */
export class Clock {
  now = 0
  private turns = 0
  /** A binary heap, the next one first. */
  private readonly due: Due[] = []

  at(ms: number, act: () => void): void {
    const entry = { at: Math.max(ms, this.now), turn: this.turns++, act }
    let hole = this.due.push(entry) - 1
    while (hole > 0) {
      const above = (hole - 1) >> 1
      const other = this.due[above]
      if (!other || isBefore(other, entry)) break
      this.due[hole] = other
      hole = above
    }
    this.due[hole] = entry
  }

  after(ms: number, act: () => void): void {
    this.at(this.now + ms, act)
  }

  /** Until nothing is due any more. */
  run(afterEach: () => void): void {
    for (let next = this.take(); next; next = this.take()) {
      this.now = next.at
      next.act()
      afterEach()
    }
  }

  private take(): Due | undefined {
    const first = this.due[0]
    const last = this.due.pop()
    if (!first || !last || this.due.length === 0) return first
    let hole = 0
    for (;;) {
      const left = this.due[2 * hole + 1]
      if (!left) break
      const right = this.due[2 * hole + 2]
      const isRight = right !== undefined && isBefore(right, left)
      const next = isRight ? right : left
      if (!isBefore(next, last)) break
      this.due[hole] = next
      hole = 2 * hole + (isRight ? 2 : 1)
    }
    this.due[hole] = last
    return first
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.at < other.at || (one.at === other.at && one.turn < other.turn)
}
