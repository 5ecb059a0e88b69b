import type { Problem } from '../errors.js'
import { detectors } from './privacy-detectors.js'
import type { PrivateKind } from './privacy-kinds.js'

export type { PrivateKind } from './privacy-kinds.js'

export interface Finding {
  kind: PrivateKind
  count: number
}

/**
 * Replaces what looks like personal data by its kind in brackets. Patterns only: names of people are not recognised. A text that
 * holds some only once it is spelled plainly, as a number in fullwidth digits, comes back spelled so.
 * Time grows linearly with the text, whatever it holds.
 */
export function redact(text: string): { text: string; found: Finding[] } {
  const counts = new Map<PrivateKind, number>()
  const clean = replaceAll(text, counts)
  const plain = spellPlainly(clean)
  const cleanest = plain === clean ? clean : replaceAll(plain, counts)
  const found = [...counts].map(([kind, count]) => ({ kind, count }))
  return { text: cleanest === plain ? clean : cleanest, found }
}

function replaceAll(text: string, counts: Map<PrivateKind, number>): string {
  return detectors.reduce((rest, { kind, replace }) => {
    const mark = (marked: PrivateKind = kind) => {
      counts.set(marked, (counts.get(marked) ?? 0) + 1)
      return `[${marked}]`
    }
    return replace(rest, mark)
  }, text)
}

/** Without what nobody sees, each digit, letter, dash and space as a keyboard writes it. */
function spellPlainly(text: string): string {
  return text
    .normalize('NFKC')
    .replaceAll(/\p{Cf}/gu, '')
    .replaceAll(/\p{Pd}/gu, '-')
    .replaceAll(/[\s\p{Cc}]/gu, ' ')
}

/** A problem without what it quotes of personal data, in what was found as in the name of a field. */
export function redactProblem(problem: Problem): Problem {
  const { message, path, found } = problem
  return {
    ...problem,
    message: redact(message).text,
    ...(path !== undefined && { path: redact(path).text }),
    ...(found !== undefined && { found: redact(found).text }),
  }
}

/** What personal data a text holds, by kind. */
export function scan(text: string): Finding[] {
  return redact(text).found
}
