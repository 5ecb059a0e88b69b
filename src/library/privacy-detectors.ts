import { isIPv6 } from 'node:net'
import { classifyDigits } from './privacy-digits.js'
import type { PrivateKind } from './privacy-kinds.js'

/** Counts a finding and gives the words that replace it. */
export type Mark = (kind?: PrivateKind) => string

export interface Detector {
  kind: PrivateKind
  replace(text: string, mark: Mark): string
}

/**
 * In this order, so that what is longer and surer comes first: what one detector has replaced, none after it sees.
 * Every repetition in a pattern is bounded and starts at a rare character, which keeps the time linear.
 */
export const detectors: readonly Detector[] = [
  byPattern('url', /\b[a-z][a-z0-9+.-]{1,15}:\/\/[^\s/@:]{1,64}(?::[^\s/@]{0,64})?@[^\s"'<>]{1,400}/gi),
  { kind: 'email', replace: replaceEmails },
  { kind: 'email', replace: replaceSpokenEmails },
  byPattern('path', /\b[a-z]:\\(?:[^\s\\"'<>|]{1,100}\\?){1,20}/gi),
  byPattern('path', /(?<![\w.])\/(?:home|Users|mnt|media|Volumes)\/[^\s"'<>]{1,400}/g),
  byPattern('path', /(?<![\w./-])[\w./-]{1,200}\.(?:wav|mp3|m4a|flac|ogg|aac|wma|mp4|mov|mkv)\b/gi),
  { kind: 'iban', replace: replaceIbans },
  byPattern('id', /(?<![0-9a-f:-])[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?![0-9a-f:-])/gi),
  byPattern('ip', /(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\.?\w)/g),
  {
    kind: 'ip',
    replace: (text, mark) =>
      text.replaceAll(/(?<![\w:])[0-9a-f:]{3,39}(?:%\w{1,16})?(?![\w:])/gi, token => (isIPv6(token) ? mark() : token)),
  },
  { kind: 'address', replace: replaceAddresses },
  byPattern('id', /\b[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b/g),
  byPattern(
    'id',
    /\b(?:[A-Z]{1,3}-?\d{6,9}|\d{8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z]|[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z])\b/g,
  ),
  { kind: 'id', replace: replaceNamedIds },
  byPattern('number', /\d{20,}/g),
  { kind: 'number', replace: replaceDigits },
  byPattern(
    'number',
    /\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)(?:[\s,-]{1,3}(?:(?:double|triple) )?(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)){5,40}\b/gi,
  ),
]

function byPattern(kind: PrivateKind, pattern: RegExp): Detector {
  return { kind, replace: (text, mark) => text.replaceAll(pattern, () => mark()) }
}

/** Looks to both sides of every @, at most 64 characters before and 255 behind. */
function replaceEmails(text: string, mark: Mark): string {
  let clean = ''
  let done = 0
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const start = startOfLocalPart(text, at, Math.max(done, at - 64))
    if (start === at || !/[\p{L}\p{N}]/u.test(text[at + 1] ?? '')) continue
    const domain = /^(?:[\p{L}\p{N}-]{1,63}\.){1,8}[\p{L}-]{2,24}/u.exec(text.slice(at + 1, at + 256))?.[0]
    if (domain === undefined) continue
    clean += text.slice(done, start) + mark()
    done = at + 1 + domain.length
  }
  return clean + text.slice(done)
}

function startOfLocalPart(text: string, at: number, earliest: number): number {
  let start = at
  while (start > earliest && /[\p{L}\p{N}._%+'&*=?^~!#$/{}|-]/u.test(text[start - 1] ?? '')) start--
  return start
}

const spokenDomain =
  /(?:\bat\b|\(at\)|\[at\]) ?[\w-]{1,40} ?(?:\bdot\b|\(dot\)|\[dot\]|\.) ?(?:com|net|org|edu|gov|info|io|me|co|uk|de|fr|es|it|nl|eu|ca|au)\b/gi

/** `jane dot doe at gmail dot com`: the domain is found first, then the words before it. */
function replaceSpokenEmails(text: string, mark: Mark): string {
  let clean = ''
  let done = 0
  for (const { 0: domain, index } of text.matchAll(spokenDomain)) {
    const before = text.slice(Math.max(done, index - 200), index)
    const words = before.trimEnd().split(' ')
    let first = words.length - 1
    while (first >= 2 && first > words.length - 9 && /^(?:dot|underscore|dash)$/i.test(words[first - 1] ?? ''))
      first -= 2
    // A quotation or bracket may open in front of it.
    const [, opening = '', name = ''] = /^(["'«»„“”‘(<[]{0,3})(.*)$/s.exec(words[first] ?? '') ?? []
    const start = index - before.length + words.slice(0, first).join(' ').length + (first > 0 ? 1 : 0) + opening.length
    if (!/^[\w.+-]+$/.test(name)) continue
    clean += text.slice(done, start) + mark()
    done = index + domain.length
  }
  return clean + text.slice(done)
}

/** A country, two check digits, and 11 to 30 more; the longest beginning whose checksum fits is the number. */
function replaceIbans(text: string, mark: Mark): string {
  return text.replaceAll(/\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}/gi, candidate => {
    for (let length = candidate.length; length >= 15; length--) {
      const head = candidate.slice(0, length)
      const plain = head.replaceAll(/[ -]/g, '')
      if (plain.length >= 15 && /[A-Z0-9]$/i.test(head) && hasIbanChecksum(plain))
        return mark() + candidate.slice(length)
    }
    return candidate
  })
}

function hasIbanChecksum(iban: string): boolean {
  let rest = 0
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = parseInt(char, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

const streets =
  'Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Square|Sq|Terrace|Close|Crescent|Highway|Hwy|Parkway|Pkwy|Circle|Trail|Row|Mews'
const spokenStreet =
  /^(?:the|a|an|this|that|of|on|in|at|to|my|his|her|our|their|your|people|and|or|down|along|lane|is|was)$/i

const addressPatterns: readonly RegExp[] = [
  new RegExp(
    `\\b\\d{1,5}[A-Za-z]?,? (?:[NSEW]\\.? )?(?:(?:[A-Z][\\w'’.-]{0,30}|\\d{1,3}(?:st|nd|rd|th)) ){1,4}(?:${streets})\\b\\.?(?:,? (?:Apt|Suite|Unit|Flat|#)\\.? ?[\\w-]{1,8})?`,
    'g',
  ),
  /(?<![\p{L}\p{N}])\p{Lu}[\p{L}-]{1,40}(?:straße|strasse|str\.|gasse|weg|platz|allee|ufer|straat|laan|gracht|kade|plein|gatan|vej) ?\d{1,4} ?[a-z]?(?![\p{L}\p{N}])/gu,
  /(?<![\p{L}\p{N}])\d{1,4}(?: ?(?:bis|ter))?,? (?:rue|avenue|boulevard|place|chemin|impasse|allée|quai) (?:(?:de|du|des|la|le|les) |[dl]['’]){0,3}\p{Lu}[\p{L}'’-]{1,40}/gu,
  /(?<![\p{L}\p{N}])(?:Calle|Avenida|Av\.|Paseo|Plaza|Via|Viale|Piazza|Corso|Rua|Praça|ul\.|ulica) (?:(?:de|del|della|di|da|do|la|las|los) ){0,3}(?:\p{Lu}[\p{L}'’-]{0,40} ?){1,4},? ?(?:n[.º°]{0,2} ?)?\d{1,4}(?!\p{N})/gu,
  /\bP\.? ?O\.? Box \d{1,8}\b/gi,
  /\b(?:GIR ?0AA|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})\b/g,
  /\b(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]),? \d{5}(?:-\d{4})?\b/g,
  /(?<![\d-])\d{5}-\d{4}(?![\d-])/g,
]

function replaceAddresses(text: string, mark: Mark): string {
  const written = addressPatterns.reduce((rest, pattern) => rest.replaceAll(pattern, () => mark()), text)
  return written.replaceAll(
    /\b\d{1,5} ((?:[a-z'’-]{2,20} ){1,2})(?:street|avenue|boulevard|road|lane)\b/gi,
    (all, names: string) =>
      names
        .trim()
        .split(' ')
        .some(name => spokenStreet.test(name))
        ? all
        : mark(),
  )
}

/** `account number 12345`, `policy no. AB-1234`, `customer id: 98765`: the words stay, the id goes. */
function replaceNamedIds(text: string, mark: Mark): string {
  return text.replaceAll(
    /\b((?:account|acct|policy|member|membership|customer|client|patient|passport|licen[cs]e|ssn|social security|order|invoice|ticket|case|reference|booking|confirmation|tax|routing|sort code|employee|card|pin|cvv|cvc|date of birth|dob)(?: (?:number|no|id|code|#))?\.?(?:\s(?:is|was))?[\s:#=]{1,3})([A-Z0-9][A-Z0-9/-]{2,30})\b/gi,
    (all, words: string, id: string) => (/\d[^\d]{0,3}\d[^\d]{0,3}\d/.test(id) ? words + mark() : all),
  )
}

const phoneWords =
  /(?:\b(?:phone|tel|telephone|mobile|cell|fax|call|ring|dial|text|whatsapp|number|reach)\b|☎)[^\d\n]{0,20}$/i

/** Digits with at most two separators between them, judged by their groups. */
function replaceDigits(text: string, mark: Mark): string {
  return text.replaceAll(
    /(?<![\p{L}\p{N}#$€£]|\d[.,])(?:\+|\(\+?|00)?\d(?:[ .\-/()\u00a0\u2011]{0,2}\d){5,40}(?!\p{N}|(?!x\d|ext)\p{L})/gu,
    (candidate, offset: number) => {
      const hasPhoneWord = phoneWords.test(text.slice(Math.max(0, offset - 40), offset))
      return classifyDigits(candidate, hasPhoneWord)
        .map(part => (part.kind ? mark(part.kind) : part.text))
        .join('')
    },
  )
}
