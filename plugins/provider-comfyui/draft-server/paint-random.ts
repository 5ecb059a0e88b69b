import { createHash } from 'node:crypto'

/** Numbers that follow from a text alone: the same text, the same numbers. */
export interface Random {
  /** Even in [min, max). */
  number(min: number, max: number): number
  pick<Item>(items: readonly [Item, ...Item[]]): Item
  chance(probability: number): boolean
}

/** A mulberry32 stream, started from the SHA-256 of `text`. */
export function createRandom(text: string): Random {
  let state = createHash('sha256').update(text).digest().readUInt32BE(0)
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    number: (min, max) => min + next() * (max - min),
    pick: items => items[Math.floor(next() * items.length)] ?? items[0],
    chance: probability => next() < probability,
  }
}
