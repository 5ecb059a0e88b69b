/** Numbers by chance that a seed repeats (mulberry32). */
export class Random {
  private state: number

  constructor(readonly seed: number) {
    this.state = seed >>> 0
  }

  /** From 0 to below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  hits(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  /** Between two arrivals that know nothing of each other. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  /** An index, by the sums of weights up to each. */
  pick(sums: readonly number[]): number {
    const at = this.next() * (sums.at(-1) ?? 0)
    const found = sums.findIndex(sum => at < sum)
    return found < 0 ? sums.length - 1 : found
  }
}

/** Sums of the weights 1, 1/2, 1/3, …: what is asked for most is asked for much more than the rest. */
export function zipfSums(count: number): number[] {
  let sum = 0
  return Array.from({ length: count }, (_, index) => (sum += 1 / (index + 1)))
}
