import type { Fragment } from '../schema/run.js'

/** The prompt as one text. Fragments without text (private ones not yet filled in) leave no gap. */
export function joinWords(fragments: readonly Fragment[]): string {
  return fragments
    .map(({ text }) => text)
    .filter(Boolean)
    .join(', ')
}

/** The fragments with the private texts put in, by source; each text is cleaned like a description. */
export function fillPrivate(
  fragments: readonly Fragment[],
  textBySource: Readonly<Record<string, string>>,
): Fragment[] {
  return fragments.map(fragment => {
    const text =
      fragment.private && Object.hasOwn(textBySource, fragment.source) ? textBySource[fragment.source] : undefined
    return text === undefined ? fragment : { ...fragment, text: cleanDescription(text) }
  })
}

/** Free text of a person: its parentheses are parentheses, not weights, so they are escaped the way ComfyUI reads. */
export function cleanDescription(text: string): string {
  return cleanWords(text).replaceAll(/\\?([()])/g, '\\$1')
}

/** One line without control characters, doubled spaces, or punctuation that would meet the joining comma. */
export function cleanWords(text: string): string {
  return text
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .replace(/^[ ,;]+/, '')
    .replace(/[ ,;.]+$/, '')
}

/** Words that a picture is rendered without, and why. */
export interface DroppedWords {
  text: string
  source: string
  reason: string
}

/**
 * The fragments without phrases that came before, in this or an earlier fragment, whatever their case. Private text is left
 * whole: what a picture repeats of it would tell about it. A fragment of which nothing is left goes.
 */
export function dropRepeats<F extends Fragment>(fragments: readonly F[]): { fragments: F[]; dropped: DroppedWords[] } {
  const saidBy = new Map<string, string>()
  const dropped: DroppedWords[] = []
  const kept = fragments.flatMap(fragment => {
    if (fragment.private) return [fragment]
    const fresh = splitPhrases(fragment.text).filter(phrase => {
      const key = phrase.toLowerCase()
      const first = saidBy.get(key)
      if (first === undefined) saidBy.set(key, fragment.source)
      else dropped.push({ text: phrase, source: fragment.source, reason: `said already by ${first}` })
      return first === undefined
    })
    return fresh.length === 0 ? [] : [{ ...fragment, text: fresh.join(', ') }]
  })
  return { fragments: kept, dropped }
}

/** The phrases between commas. A comma inside of weighting parentheses, as in `(red, blue:1.2)`, separates nothing. */
export function splitPhrases(text: string): string[] {
  const phrases: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    const isEscaped = text[i - 1] === '\\'
    if (char === '(' && !isEscaped) depth++
    else if (char === ')' && !isEscaped) depth = Math.max(0, depth - 1)
    else if (char === ',' && depth === 0) {
      phrases.push(text.slice(start, i))
      start = i + 1
    }
  }
  phrases.push(text.slice(start))
  return phrases.map(cleanWords).filter(Boolean)
}
