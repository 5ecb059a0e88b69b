/** The header's own nesting is {tensor: {field: [ ]}}; one level more is left for fields that nobody knows yet. */
const depthMax = 4

/** A name that stands twice in one object; `isHarmless` when no reader can understand it differently from another. */
export interface DuplicateKey {
  path: string
  isHarmless: boolean
}

interface Level {
  /** Names seen so far with the text of their values; absent in a list. */
  textByName?: Map<string, string>
  expectsName: boolean
  name: string
  valueAt: number
}

/**
 * What JSON.parse does not tell of a header: names that stand twice, numbers that are not written as whole numbers,
 * nesting, halves of surrogate pairs. It does not check the grammar: a text that is not JSON may give any answer, but gives one.
 */
export function scanKeys(text: string): { duplicates: DuplicateKey[]; problem?: string } {
  if (halfSurrogate.test(text)) return { duplicates: [], problem: 'the header holds half of a surrogate pair' }
  const duplicates: DuplicateKey[] = []
  const levels: Level[] = []
  for (let at = 0; at < text.length; at++) {
    const level = levels.at(-1)
    switch (text[at]) {
      case '"': {
        const end = endOfString(text, at)
        if (level?.expectsName) {
          level.name = decode(text.slice(at, end))
          level.valueAt = end
          level.expectsName = false
        }
        at = end - 1
        break
      }
      case '{':
      case '[':
        if (levels.length === depthMax) return { duplicates, problem: `the header nests deeper than ${depthMax}` }
        levels.push(openLevel(text[at] === '{'))
        break
      case ',':
      case '}':
      case ']':
        if (level) endValue(levels, { text, at, duplicates })
        if (text[at] !== ',') levels.pop()
        else if (level?.textByName) level.expectsName = true
        break
      case '.':
      case '-':
        return { duplicates, problem: 'the header holds a number that is not written as a whole number from 0' }
      case 'e':
      case 'E':
        if (isDigit(text[at - 1]))
          return { duplicates, problem: 'the header holds a number that is not written as a whole number from 0' }
        break
    }
  }
  return { duplicates }
}

/** An escaped half of a surrogate pair without its other half. */
const halfSurrogate =
  /\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]/

function openLevel(isObject: boolean): Level {
  const level = { expectsName: isObject, name: '', valueAt: -1 }
  return isObject ? { ...level, textByName: new Map<string, string>() } : level
}

interface Place {
  text: string
  at: number
  duplicates: DuplicateKey[]
}

/** Called where a value ends; an empty object ends without one. */
function endValue(levels: readonly Level[], { text, at, duplicates }: Place): void {
  const level = levels.at(-1)
  if (!level?.textByName || level.valueAt < 0) return
  const value = text.slice(level.valueAt, at).trim()
  const earlier = level.textByName.get(level.name)
  if (earlier !== undefined) {
    const path = levels.flatMap(each => (each.textByName ? [each.name] : []))
    const isMetadata = path[0] === '__metadata__'
    duplicates.push({
      path: path.join('.'),
      isHarmless: levels.length === 1 ? !isMetadata && earlier === value : isMetadata,
    })
  }
  level.textByName.set(level.name, value)
  level.valueAt = -1
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return Math.min(at + 1, text.length)
}

function decode(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return String(JSON.parse(quoted))
  } catch {
    // Not JSON: the parser that comes after the scan says so.
    return quoted
  }
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9'
}
