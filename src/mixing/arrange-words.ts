/**
 * CLIP reads a prompt in chunks of 75 tokens, each chunk by itself: what defines the picture belongs together in the first,
 * and a fragment that is cut by a boundary loses force. T5 reads a prompt whole and needs none of this.
 */
import type { Problem } from '../errors.js'
import { isBelow, type RankedFragment } from './rank-words.js'

export const tokensPerChunk = 75
export const chunksMax = 3
/** What a private fragment is counted as while its text is absent: some 400 characters of prose. */
export const privateTokensAssumed = 100

/** What CLIP reads well of a prompt, about. */
export const tokensMax = tokensPerChunk * chunksMax

const tokensPerWord = 1.3

/**
 * The same fragments, in an order that suits the chunks; only those below the sliders are moved, and a long
 * prompt of the user goes behind identity and framing where these would leave the first chunk. What does not fit into three chunks is left out, least important first, and named in a warning.
 */
export function arrangeWords(
  fragments: readonly RankedFragment[],
  path: 'positive' | 'negative',
): { fragments: RankedFragment[]; leftOut: RankedFragment[]; problems: Problem[] } {
  const tokens = countTokens(fragments)
  const kept = keepWithinLimit(fragments)
  const leftOut = fragments.filter(fragment => !kept.includes(fragment))
  const problems = tokens > tokensMax ? [tooLong(leftOut, { tokens, path })] : []
  return { fragments: keepChunksWhole(openWithIdentity(kept)), leftOut, problems }
}

/** Tokens of a text, about, with the comma that follows it: 1.3 per word and 1 per comma. Weights are not words. */
export function estimateTokens(text: string): number {
  const words = text
    .replaceAll(/:-?[\d.]+\)|[(),]/g, ' ')
    .split(/\s+/)
    .filter(Boolean)
  const commas = text.split(',').length
  return words.length * tokensPerWord + commas
}

function countTokens(fragments: readonly RankedFragment[]): number {
  return fragments.reduce((sum, fragment) => sum + tokensOf(fragment), 0)
}

function tokensOf(fragment: RankedFragment): number {
  return isUnknown(fragment) ? privateTokensAssumed : estimateTokens(fragment.text)
}

function isUnknown({ text, private: isPrivate }: RankedFragment): boolean {
  return isPrivate === true && text === ''
}

function keepWithinLimit(fragments: readonly RankedFragment[]): RankedFragment[] {
  let kept = [...fragments]
  while (countTokens(kept) > tokensMax) {
    const least = kept.filter(fragment => isBelow(fragment, 'subject')).reduceRight(leastImportant, undefined)
    if (!least) break
    kept = kept.filter(fragment => fragment !== least)
  }
  return kept
}

function leastImportant(least: RankedFragment | undefined, fragment: RankedFragment): RankedFragment {
  return least === undefined || isBelow(fragment, least.rank) ? fragment : least
}

function openWithIdentity(fragments: readonly RankedFragment[]): RankedFragment[] {
  const opening = fragments.filter(({ rank }) => rank === 'identity' || rank === 'framing')
  const prompt = fragments.filter(({ rank }) => rank === 'prompt')
  if (countTokens([...prompt, ...opening]) <= tokensPerChunk) return [...fragments]
  const rest = fragments.filter(fragment => isBelow(fragment, 'framing'))
  return [...opening, ...prompt, ...rest]
}

/**
 * Where an important fragment would be cut by a boundary, less important ones come before it, so that one of them is cut
 * instead; unless all of them together do not reach the boundary. Behind a text of unknown length no boundary is known.
 */
function keepChunksWhole(fragments: readonly RankedFragment[]): RankedFragment[] {
  if (fragments.some(isUnknown)) return [...fragments]
  const arranged: RankedFragment[] = []
  let waiting = [...fragments]
  let filled = 0
  for (let first = waiting[0]; first; first = waiting[0]) {
    const room = tokensPerChunk - (filled % tokensPerChunk)
    const next = chooseNext(first, waiting, room)
    arranged.push(next)
    filled += tokensOf(next)
    waiting = waiting.filter(fragment => fragment !== next)
  }
  return arranged
}

function chooseNext(first: RankedFragment, waiting: readonly RankedFragment[], room: number): RankedFragment {
  if (!wouldBeCut(first, room)) return first
  const fillers = waiting.filter(isFiller)
  if (countTokens(fillers) < room) return first
  return fillers.find(fragment => tokensOf(fragment) >= room) ?? fillers[0] ?? first
}

// A fragment longer than a chunk is cut wherever it stands.
function wouldBeCut(fragment: RankedFragment, room: number): boolean {
  const tokens = tokensOf(fragment)
  return !isFiller(fragment) && tokens > room && tokens <= tokensPerChunk
}

function isFiller(fragment: RankedFragment): boolean {
  return isBelow(fragment, 'slider')
}

function tooLong(leftOut: readonly RankedFragment[], { tokens, path }: { tokens: number; path: string }): Problem {
  const left = leftOut.map(({ source }) => source)
  const effect = left.length > 0 ? `left out are the words of ${left.join(', ')}` : 'its end has little effect'
  return {
    severity: 'warning',
    code: 'PROMPT_TOO_LONG',
    message: `The ${path} prompt is longer than CLIP reads well: ${effect}`,
    path,
    found: `about ${Math.ceil(tokens)} tokens`,
    allowed: `${tokensMax} tokens`,
  }
}
