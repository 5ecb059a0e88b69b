import type { Fragment } from '../schema/run.js'

/** What a fragment is for, most important first. Where room is short the last go first. */
export const wordRanks = [
  'prompt',
  'identity',
  'framing',
  'subject',
  'slider',
  'palette',
  'finish',
  'tone',
  'style',
] as const
export type WordRank = (typeof wordRanks)[number]

export type RankedFragment = Fragment & { rank: WordRank }

/** Whether a fragment is less important than those of the given rank. */
export function isBelow(fragment: RankedFragment, rank: WordRank): boolean {
  return wordRanks.indexOf(fragment.rank) > wordRanks.indexOf(rank)
}
