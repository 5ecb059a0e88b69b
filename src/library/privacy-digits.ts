import type { PrivateKind } from './privacy-kinds.js'

export interface DigitPart {
  text: string
  /** Undefined for digits that say nothing about a person: dates, times, sizes, amounts. */
  kind?: PrivateKind
}

/** Digits and separators, cut into parts. A card or a date may stand beside other digits. */
export function classifyDigits(text: string, hasPhoneWord: boolean): DigitPart[] {
  if (isStamp(text) || isDecimal(text)) return [{ text }]
  const date = /^(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2}))(?!\d)/.exec(text)?.[0]
  if (date !== undefined && !isShapedId(text))
    return [{ text: date }, ...classifyRest(text.slice(date.length), hasPhoneWord)]
  const card = findCard(text)
  if (card)
    return [
      ...classifyRest(text.slice(0, card.start), hasPhoneWord),
      { text: text.slice(card.start, card.end), kind: 'card' },
      ...classifyRest(text.slice(card.end), hasPhoneWord),
    ]
  const kind = kindOfDigits(text, hasPhoneWord)
  return [kind ? { text, kind } : { text }]
}

/** What is left beside a card or a date: separators stay, digits are judged by themselves. */
function classifyRest(text: string, hasPhoneWord: boolean): DigitPart[] {
  const [, before = '', digits = '', behind = ''] = /^([^\d+(]*)(.*?)(\D*)$/s.exec(text) ?? []
  if (digits.replaceAll(/\D/g, '').length < SHORT_MAX) return text === '' ? [] : [{ text }]
  return [{ text: before }, ...classifyDigits(digits, hasPhoneWord), { text: behind }]
}

/** Fewer digits are a year, an amount, a size. */
const SHORT_MAX = 6
const LONG_MIN = 9

function kindOfDigits(text: string, hasPhoneWord: boolean): PrivateKind | undefined {
  const digits = text.replaceAll(/\D/g, '')
  const groups = text.split(/\D+/).filter(Boolean)
  if (isShapedId(text)) return 'id'
  if (isThousands(text)) return undefined
  const isPhoneLength = digits.length >= 7 && digits.length <= 15
  if (isPhoneLength && (hasPhoneWord || isShapedPhone(text, digits, groups))) return 'phone'
  return digits.length >= 12 || (groups.length === 1 && digits.length >= LONG_MIN) ? 'number' : undefined
}

/** US SSN and EIN, Brazilian CPF, Danish CPR. */
function isShapedId(text: string): boolean {
  return /^(?:\d{3}[- ]\d{2}[- ]\d{4}|\d{2}-\d{7}|\d{3}\.\d{3}\.\d{3}-\d{2}|\d{6}-\d{4})$/.test(text)
}

/** `1 250 000`, `1.250.000`: amounts end in full groups of three and start with a short one, or are round. */
function isThousands(text: string): boolean {
  if (!/^[1-9]\d{0,2}(?:([ .])\d{3})(?:\1\d{3}){1,4}$/.test(text)) return false
  return !/^\d{3}[ .]\d{3}[ .]\d{3}$/.test(text) || /000$/.test(text)
}

/** `20260114-101500`: a date, and maybe a time, as file names carry them. */
function isStamp(text: string): boolean {
  return /^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[-. ]?\d{4}(?:\d{2}){0,1})?$/.test(text)
}

/** `3.14159265358979` */
function isDecimal(text: string): boolean {
  return /^(?:0|[1-9]\d{0,2})\.\d{5,}$/.test(text)
}

function isShapedPhone(text: string, digits: string, groups: readonly string[]): boolean {
  if (/^\(?(?:\+|00)/.test(text)) return digits.length >= 8
  const shape = groups.map(group => group.length).join('-')
  if (/\(\d{2,5}\)/.test(text)) return true
  if (text.startsWith('0')) return digits.length >= 9 && digits.length <= 12 && groups.length <= 6
  return /^(?:1-)?3-3-4$|^(?:3-3-3|5-5|3-2-2-2|2-2-2-2|3-4-4)$/.test(shape) || /^[2-9]\d{2}-\d{4}$/.test(text)
}

interface Span {
  start: number
  end: number
}

/** Groups that follow each other and make a valid card number of 13 to 19 digits. */
function findCard(text: string): Span | undefined {
  const groups = [...text.matchAll(/\d+/g)].map(({ 0: digits, index }) => ({ digits, index }))
  for (let first = 0; first < groups.length; first++) {
    // Cards are printed in groups of four and more; digit by digit only where nothing else stands beside them.
    if (first > 0 && (groups[first]?.digits.length ?? 0) < 4) continue
    let digits = ''
    for (const { digits: more, index } of groups.slice(first)) {
      digits += more
      if (digits.length > 19) break
      if (digits.length >= 13 && /^[2-6]/.test(digits) && hasLuhnChecksum(digits))
        return { start: groups[first]?.index ?? 0, end: index + more.length }
    }
  }
  return undefined
}

function hasLuhnChecksum(digits: string): boolean {
  let sum = 0
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place])
    const doubled = place % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
