import type { Price } from '../schema/trace.js'
import type { Spend } from '../schema/run-manifest.js'

/** What pictures cost together, by currency. Those whose price nobody knows are counted, and never taken for nothing. */
export function addUp(priced: Iterable<{ price: Price; pictures: number }>): Spend[] {
  const sums = new Map<string, Spend>()
  for (const { price, pictures } of priced) {
    const { currency, amount } = price
    const sum = sums.get(currency) ?? { currency, pictures: 0, unknown: 0 }
    sum.pictures += pictures
    if (amount === undefined) sum.unknown += pictures
    else sum.amount = toMicros((sum.amount ?? 0) + amount * pictures)
    sums.set(currency, sum)
  }
  return [...sums.values()]
}

/** What was paid for the pictures of a run. */
export function spendOf(done: Iterable<{ price?: Price }>): Spend[] {
  const priced: { price: Price; pictures: number }[] = []
  for (const { price } of done) if (price) priced.push({ price, pictures: 1 })
  return addUp(priced)
}

/** Sums of binary fractions end in noise. */
function toMicros(amount: number): number {
  return Math.round(amount * 1e6) / 1e6
}
