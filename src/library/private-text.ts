import { sha256 } from '../files/hash.js'
import type { Fragment } from '../schema/run.js'
import { type PrivateKind, redact } from './privacy.js'

/** Words derived from a transcript: redacted, bounded, and represented elsewhere by their hash only. */
export interface PrivateText {
  text: string
  /** Of `text`. */
  sha256: string
  /** What stood in the place of its bracketed kinds; told only where the gate is set to reject. */
  rejected?: PrivateKind[]
}

/** What happens to personal data: replaced by its kind, refused, or left as it is. */
export type PrivacyMode = 'redact' | 'reject' | 'off'

export const PERSONA_LENGTH_MAX = 1500
export const BACKDROP_LENGTH_MAX = 400
/** More of a text is never looked at. */
const SOURCE_LENGTH_MAX = 32_768

/** What is asked of a backdrop, in front of the words of its call. */
export const backdropRequest: Fragment = {
  text: 'the setting or environment of the following conversation, as a backdrop without people',
  source: 'backdrop request',
}

/** A persona's description: Markdown made plain, at most 1,500 characters; undefined when no words are left. */
export function toPersonaText(markdown: string, mode: PrivacyMode = 'redact'): PrivateText | undefined {
  return toPrivateText(toPlainWords(markdown.slice(0, SOURCE_LENGTH_MAX)), PERSONA_LENGTH_MAX, mode)
}

/** The first 400 characters of what was said; undefined when nothing was. */
export function toBackdropText(transcript: string, mode: PrivacyMode = 'redact'): PrivateText | undefined {
  const words = transcript.slice(0, SOURCE_LENGTH_MAX).replaceAll(timeMark, '')
  return toPrivateText(words, BACKDROP_LENGTH_MAX, mode)
}

/** `[00:00:01.000 - 00:00:05.400]` at the start of a line: no words of anybody. */
const timeMark =
  /^[ \t]{0,8}[[(]\d[\d:., \t]{0,20}s?(?:[ \t]{0,2}(?:-|–|-->|to)[ \t]{0,2}\d[\d:., \t]{0,20}s?)?[\])][ \t]{0,8}/gm

function toPrivateText(words: string, lengthMax: number, mode: PrivacyMode): PrivateText | undefined {
  const { text: clean, found } = mode === 'off' ? { text: words, found: [] } : redact(words)
  const text = cutAtWord(clean.replaceAll(/\s+/g, ' ').trim(), lengthMax)
  if (text === '') return undefined
  // What lies behind the cut is not sent, so nothing there is refused.
  const kept = found.map(({ kind }) => kind).filter(kind => text.includes(`[${kind}]`))
  return { text, sha256: sha256(text), ...(mode === 'reject' && kept.length > 0 && { rejected: kept }) }
}

/** At most `lengthMax` characters. Only a word longer than half of that is cut through. */
export function cutAtWord(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text
  const end = text.lastIndexOf(' ', lengthMax)
  const cut = text.slice(0, end > lengthMax / 2 ? end : lengthMax).trimEnd()
  // Half of a character that takes two UTF-16 units is no text.
  return cut.replace(/[\uD800-\uDBFF]$/, '')
}

/** Headings, lists, links, emphasis, tables and HTML are taken off; what they hold stays, one sentence a line. */
export function toPlainWords(markdown: string): string {
  return withoutComments(markdown.replace(/^\uFEFF?---\r?\n[^]{0,8192}?\n---[ \t]*(?:\r?\n|$)/, ''))
    .split(/\r?\n/)
    .map(toPlainLine)
    .filter(line => line !== '')
    .map((line, index, lines) => (index < lines.length - 1 && !/[.,:;!?…]$/.test(line) ? `${line}.` : line))
    .join(' ')
}

function withoutComments(markdown: string): string {
  let words = ''
  let done = 0
  for (let open = markdown.indexOf('<!--'); open >= 0; open = markdown.indexOf('<!--', done)) {
    const end = markdown.indexOf('-->', open)
    words += markdown.slice(done, open)
    if (end < 0) return words
    done = end + 3
  }
  return words + markdown.slice(done)
}

/** Repetitions are bounded or of single characters, so that time grows linearly with the line. */
function toPlainLine(spaced: string): string {
  const line = spaced.replaceAll(/\s+/g, ' ')
  // Rules, underlined headings, lines between rows of a table, and fences.
  if (/^[ |:=*_-]*$/.test(line) || /^ ?(?:```|~~~)/.test(line)) return ''
  const isHeading = /^ ?#{1,6} /.test(line)
  const words = line
    .replace(/^ ?(?:> ?){0,4}(?:#{1,6} |[-*+] (?:\[[ xX]\] )?|\d{1,4}[.)] )?/, '')
    .replaceAll(/!\[[^\]\n]{0,500}\]\([^)\n]{0,1000}\)/g, '')
    .replaceAll(/\[([^\]\n]{1,500})\](?:\([^)\n]{0,1000}\)|\[[^\]\n]{0,200}\])/g, '$1')
    .replaceAll(/<(https?:\/\/[^\s>]{1,500})>/g, '$1')
    .replaceAll(/<\/?[a-z][^<>\n]{0,500}>/gi, '')
    .replaceAll(/(?<![\p{L}\p{N}])_{1,3}([^_\n]{1,500})_{1,3}(?![\p{L}\p{N}])/gu, '$1')
    .replaceAll(/\\([\\`*_{}[\]()#+.!|>~-])/g, '$1')
    .replaceAll(/\*+|`+|~~+/g, '')
    .replaceAll(/ ?\| ?/g, ', ')
    .replace(/^[ ,]{1,20}|[ ,#]{1,20}$/g, '')
  return isHeading && words !== '' && !/[.,:;!?…]$/.test(words) ? `${words}:` : words
}
