import type { Target, TextProblem } from './document-contract.js'
import { DEPTH_MAX, PROBLEMS_MAX } from './document-contract.js'
import { formatPath } from './value-path.js'

/**
 * Strict JSON with places. The reader goes on after a mistake, so that a file with many shows them all;
 * `value` is undefined where a mistake leaves open what was meant.
 */
export function parseJson(text: string): { value: unknown; problems: TextProblem[] } {
  const reader = new JsonReader(text)
  const value = reader.readDocument()
  return { value: reader.isSound ? value : undefined, problems: reader.problems }
}

/** Offsets of keys or values, by one pass over the text. */
export function locateInJson(text: string, targets: readonly Target[]): (number | undefined)[] {
  const wanted = newSpot()
  const spots = targets.map(({ path }) =>
    path.reduce<Spot>((spot, part) => {
      const below = (spot.below ??= new Map<string | number, Spot>())
      const next = below.get(part) ?? newSpot()
      below.set(part, next)
      return next
    }, wanted),
  )
  new JsonReader(text).readDocument(wanted)
  return targets.map(({ part }, index) => (part === 'key' ? spots[index]?.key : undefined) ?? spots[index]?.value)
}

/** A value whose place is asked for, or a parent of one. */
interface Spot {
  key?: number
  value?: number
  below?: Map<string | number, Spot>
}

function newSpot(): Spot {
  return {}
}

class JsonReader {
  readonly problems: TextProblem[] = []
  isSound = true
  #at = 0
  #path: (string | number)[] = []
  #isEnded = false
  /** After a text that is not closed: the comma that it swallowed is not missed. */
  #isTorn = false

  constructor(readonly text: string) {}

  readDocument(wanted?: Spot): unknown {
    this.#skipBlank()
    if (this.#at >= this.text.length) {
      this.#doubt(0, 'is empty', { code: 'DOCUMENT_EMPTY' })
      return undefined
    }
    const value = this.#readValue(1, wanted)
    this.#skipBlank()
    if (this.#at < this.text.length && !this.#isFull())
      this.#doubt(this.#at, 'text follows the end of the document: a file holds one value', { found: this.#peek() })
    return value
  }

  #readValue(depth: number, spot?: Spot): unknown {
    if (spot) spot.value = this.#at
    const char = this.text[this.#at]
    if (char === '{' || char === '[') {
      if (depth > DEPTH_MAX) return this.#skipTooDeep()
      return char === '{' ? this.#readObject(depth, spot) : this.#readArray(depth, spot)
    }
    if (char === '"') return this.#readString()
    if (char === "'") return this.#readSingleQuoted()
    if (char !== undefined && /[-+.\d]/.test(char)) return this.#readNumber()
    return this.#readWord()
  }

  #readObject(depth: number, spot?: Spot): unknown {
    const open = this.#at++
    const object: Record<string, unknown> = {}
    for (let isAfterComma = false; ;) {
      this.#skipBlank()
      if (this.#isClosed('}', open, isAfterComma)) return object
      const keyAt = this.#at
      const key = this.#readKey()
      if (key === undefined) continue
      this.#path.push(key)
      this.#refuseKey(object, key, keyAt)
      const below = spot?.below?.get(key)
      if (below) below.key = keyAt
      this.#skipBlank()
      this.#takeColon()
      this.#skipBlank()
      const next = this.text[this.#at]
      if (next === ',' || next === '}' || next === ']') this.#doubt(keyAt, 'has no value')
      else if (next !== undefined) object[key] = this.#readValue(depth + 1, below)
      this.#path.pop()
      isAfterComma = this.#takeComma('}')
    }
  }

  #readArray(depth: number, spot?: Spot): unknown {
    const open = this.#at++
    const array: unknown[] = []
    for (let isAfterComma = false; ;) {
      this.#skipBlank()
      if (this.#isClosed(']', open, isAfterComma)) return array
      this.#path.push(array.length)
      array.push(this.#readValue(depth + 1, spot?.below?.get(array.length)))
      this.#path.pop()
      isAfterComma = this.#takeComma(']')
    }
  }

  /** Whether the container ends here: by its bracket, by a wrong one, or by the end of the text. */
  #isClosed(bracket: '}' | ']', open: number, isAfterComma: boolean): boolean {
    const char = this.text[this.#at]
    if (char === undefined) {
      if (!this.#isEnded) this.#incomplete(open, `the text ends before this "${this.text[open]}" is closed`)
      return true
    }
    if (char !== '}' && char !== ']') return false
    if (char !== bracket) this.#doubt(this.#at, `"${this.text[open]}" is closed by the wrong bracket`, { found: char })
    else if (isAfterComma) this.#remark(this.#at, 'a comma stands before the closing bracket: JSON allows none there')
    this.#at++
    return true
  }

  #readKey(): string | undefined {
    const char = this.text[this.#at]
    if (char === '"') return this.#readString()
    if (char === "'") return this.#readSingleQuoted()
    const word = this.#match(/[\p{L}\p{N}_$][\p{L}\p{N}_$.-]*/uy)
    if (word !== undefined) {
      this.#remark(this.#at - word.length, 'the name of a field stands in double quotes', { found: word })
      return word
    }
    this.#doubt(this.#at, 'the name of a field is expected', { found: this.#peek() })
    this.#skipUnit()
    return undefined
  }

  #refuseKey(object: object, key: string, offset: number): void {
    if (key === '__proto__') {
      this.#doubt(offset, 'this name is reserved', { code: 'DOCUMENT_KEY_RESERVED' })
    } else if (Object.hasOwn(object, key)) {
      this.#remark(offset, 'stands here more than once: keep one', { code: 'DOCUMENT_KEY_DUPLICATE' })
    }
  }

  #takeColon(): void {
    const char = this.text[this.#at]
    if (char === undefined) return
    if (char === ':') this.#at++
    else {
      this.#doubt(this.#at, 'a colon is expected between name and value', { found: this.#peek() })
      if (char === '=') this.#at++
    }
  }

  /** True after a comma. A missing one is reported and read as if it were there. */
  #takeComma(bracket: '}' | ']'): boolean {
    const end = this.#at
    this.#skipBlank()
    const char = this.text[this.#at]
    if (char === ',') {
      this.#at++
      this.#skipExtraCommas()
      return true
    }
    const isTorn = this.#isTorn
    this.#isTorn = false
    if (isTorn || char === undefined || char === '}' || char === ']') return false
    if (/["'{[\p{L}\p{N}_$+.-]/u.test(char)) this.#doubt(end, `a comma or "${bracket}" is expected`)
    else {
      this.#doubt(this.#at, `a comma or "${bracket}" is expected`, { found: this.#peek() })
      this.#skipUnit()
    }
    return false
  }

  #skipExtraCommas(): void {
    for (;;) {
      this.#skipBlank()
      if (this.text[this.#at] !== ',') return
      this.#doubt(this.#at++, 'a value is expected between two commas')
    }
  }

  #readString(): string {
    const open = this.#at
    const { text } = this
    let hasEscapes = false
    let at = open + 1
    for (; ; at++) {
      const code = text.charCodeAt(at)
      if (code === 0x22) break
      if (code === 0x5c) {
        hasEscapes = true
        this.#checkEscape(at)
        at++
      } else if (code < 0x20) {
        if (code === 0x0a || code === 0x0d) return this.#endString(open, at)
        this.#remark(at, 'a control character stands inside a text: write it as an escape such as \\t')
      } else if (Number.isNaN(code)) return this.#endString(open, text.length)
    }
    this.#at = at + 1
    const raw = text.slice(open + 1, at)
    return hasEscapes && this.isSound ? this.#unescape(open, raw) : raw
  }

  #endString(open: number, at: number): string {
    if (at >= this.text.length) this.#incomplete(open, 'the file ends before this text is closed')
    else this.#doubt(open, 'this text is not closed by a double quote on its line')
    this.#isTorn = true
    this.#at = at
    return this.text.slice(open + 1, at)
  }

  #checkEscape(at: number): void {
    const letter = this.text[at + 1] ?? ''
    const isGood =
      letter === 'u' ? /^[0-9A-Fa-f]{4}$/.test(this.text.slice(at + 2, at + 6)) : /["\\/bfnrt]/.test(letter)
    if (!isGood)
      this.#doubt(at, 'this escape is unknown: write a backslash as \\\\', { found: this.text.slice(at, at + 2) })
  }

  #unescape(open: number, raw: string): string {
    // Tabs and the like were remarked on already, but JSON.parse would refuse them.
    const value = JSON.parse(`"${raw.replaceAll(/[\u0000-\u001f]/g, ' ')}"`) as string
    if (/\p{Surrogate}/u.test(value))
      this.#doubt(open, 'this text holds half a character (a lone surrogate)', { code: 'DOCUMENT_ENCODING' })
    return value
  }

  #readSingleQuoted(): string {
    const open = this.#at
    const raw = this.#match(/'[^'\n]*'?/y) ?? ''
    if (raw.length > 1 && raw.endsWith("'")) this.#remark(open, 'text stands in double quotes in JSON')
    else this.#doubt(open, 'this text is not closed, and JSON wants double quotes')
    return raw.replaceAll("'", '')
  }

  #readNumber(): number {
    const open = this.#at
    const good = this.#match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.+-])/y)
    if (good !== undefined) {
      const value = Number(good)
      if (!Number.isFinite(value)) this.#doubt(open, 'this number is too large', { found: good })
      return value
    }
    const word = this.#match(/[-+.\w]+/y) ?? ''
    const value = Number(word)
    const advice = Number.isFinite(value) ? `: write ${value}` : ''
    this.#doubt(open, `this is not a JSON number${advice}`, { found: word })
    return value
  }

  #readWord(): unknown {
    const open = this.#at
    const word = this.#match(/[\p{L}_$][\p{L}\p{N}_$]*/uy)
    if (word === 'true' || word === 'false') return word === 'true'
    if (word === 'null') return null
    this.#doubt(open, adviceByWord.get(word?.toLowerCase() ?? '') ?? 'a value is expected here', {
      found: word ?? this.#peek(),
    })
    if (word === undefined && this.text[open] !== ',') this.#skipUnit()
    return null
  }

  /** Blanks, and comments, which JSON does not have. */
  #skipBlank(): void {
    const { text } = this
    for (;;) {
      const code = text.charCodeAt(this.#at)
      if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) this.#at++
      else if (code === 0x23 || (code === 0x2f && /[/*]/.test(text[this.#at + 1] ?? ''))) this.#skipComment()
      else return
    }
  }

  #skipComment(): void {
    this.#remark(this.#at, 'JSON has no comments: take it out, or write YAML')
    const isBlock = this.text[this.#at + 1] === '*'
    const end = this.text.indexOf(isBlock ? '*/' : '\n', this.#at + 1)
    this.#at = end < 0 ? this.text.length : end + (isBlock ? 2 : 1)
  }

  /** Passes over a container that is nested too deeply, by counting brackets outside of texts. */
  #skipTooDeep(): undefined {
    this.#doubt(this.#at, `is nested too deeply: at most ${DEPTH_MAX} levels are read`, { code: 'DOCUMENT_TOO_DEEP' })
    for (let open = 0; this.#at < this.text.length;) {
      const char = this.text[this.#at]
      if (char === '"') this.#readString()
      else this.#at++
      if (char === '[' || char === '{') open++
      else if ((char === ']' || char === '}') && --open === 0) return undefined
    }
    this.#isEnded = true
    return undefined
  }

  /** Passes over one unreadable character, whole even where it takes two UTF-16 units. */
  #skipUnit(): void {
    this.#at += this.#peek().length
  }

  #peek(): string {
    return String.fromCodePoint(this.text.codePointAt(this.#at) ?? 0x20)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  #incomplete(open: number, message: string): void {
    this.#doubt(open, message, { code: 'DOCUMENT_INCOMPLETE' })
    this.#isEnded = true
  }

  /** A mistake after which it is still plain what was meant. */
  #remark(offset: number, message: string, facts: Facts = {}): void {
    if (this.#isFull()) return
    const path = formatPath(this.#path)
    const { code = 'DOCUMENT_SYNTAX', found } = facts
    this.problems.push({
      severity: 'error',
      code,
      message,
      offset,
      ...(path && { path }),
      ...(found !== undefined && { found: found.length > 20 ? `${found.slice(0, 19)}…` : found }),
    })
    // Far more mistakes than anyone reads: the rest of the text is left unread.
    if (this.#isFull()) this.#giveUp()
  }

  #doubt(offset: number, message: string, facts: Facts = {}): void {
    this.isSound = false
    this.#remark(offset, message, facts)
  }

  #giveUp(): void {
    this.isSound = false
    this.#isEnded = true
    this.#at = this.text.length
  }

  #isFull(): boolean {
    return this.problems.length >= PROBLEMS_MAX
  }
}

type Facts = Partial<Pick<TextProblem, 'code' | 'found'>>

const adviceByWord = new Map(
  Object.entries({
    nan: 'JSON has no NaN: write a number',
    infinity: 'JSON has no Infinity: write a number',
    none: 'write null',
    undefined: 'write null',
    yes: 'write true',
    no: 'write false',
    true: 'write true in lower case',
    false: 'write false in lower case',
    null: 'write null in lower case',
  }),
)
