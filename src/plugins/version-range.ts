/** Semantic Versioning 2.0.0, and the ranges that npm writes: https://semver.org, https://github.com/npm/node-semver. */
interface Version {
  numbers: readonly [number, number, number]
  /** What stands behind the `-`, by its dots. */
  before: readonly string[]
}

interface Comparator {
  operator: '>=' | '<'
  version: Version
}

/**
 * Whether a version lies in a range: `^1.2.0`, `~1.2`, `>=1 <3`, `1.x`, `*`, joined by ` ` (all) and `||` (any). A version before a
 * release (`1.0.0-rc.1`) only lies in ranges that name one of the same three numbers. Undefined where the range is none.
 */
export function isInRange(version: string, range: string): boolean | undefined {
  const ways = range.split('||').map(parseAll)
  const found = parseVersion(version)
  if (ways.some(way => way === undefined)) return undefined
  return found !== undefined && ways.some(way => way !== undefined && isWithin(found, way))
}

function isWithin(found: Version, way: readonly Comparator[]): boolean {
  const isMeant = way.some(
    ({ version: { numbers, before } }) =>
      before.length > 0 && before[0] !== '' && compareNumbers(numbers, found.numbers) === 0,
  )
  if (found.before.length > 0 && !isMeant) return false
  return way.every(({ operator, version }) => {
    const order = compare(found, version)
    return operator === '>=' ? order >= 0 : order < 0
  })
}

function parseAll(text: string): Comparator[] | undefined {
  const words = text
    .trim()
    .replaceAll(/([<>=^~])\s+/g, '$1')
    .split(/\s+/)
  const parsed = words.map(parseComparator)
  return parsed.some(each => each === undefined) ? undefined : parsed.flatMap(each => each ?? [])
}

const comparatorForm =
  /^(\^|~|>=|<=|>|<|=|)(?:v?(\d{1,9}|[xX*])(?:\.(\d{1,9}|[xX*]))?(?:\.(\d{1,9}|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)$/

/** What is left out of a version is any: `1.2` is all from 1.2.0 to before 1.3.0. */
function parseComparator(word: string): Comparator[] | undefined {
  const [, operator = '', ...parts] = comparatorForm.exec(word) ?? []
  if (parts.length === 0) return undefined
  const [major, minor, last] = parts.slice(0, 3).map(part => (/^\d+$/.test(part ?? '') ? Number(part) : undefined))
  const patch = minor === undefined ? undefined : last
  const before = parts[3] === undefined ? [] : parts[3].split('.')
  if (major === undefined) return operator === '' || operator === '>=' ? [] : undefined
  const from: Version = { numbers: [major, minor ?? 0, patch ?? 0], before }
  const given = [major, minor, patch].filter(each => each !== undefined).length
  const next = { operator: '<', version: raise(from, Math.min(given, 3) - 1) } as const
  const atLeast = { operator: '>=', version: from } as const
  switch (operator) {
    case '^':
      return [atLeast, { operator: '<', version: raise(from, caretPlace(from.numbers, given)) }]
    case '~':
      return [atLeast, { operator: '<', version: raise(from, given === 1 ? 0 : 1) }]
    case '>=':
      return [atLeast]
    case '>':
      return [{ operator: '>=', version: given === 3 ? after(from) : raise(from, given - 1, []) }]
    case '<':
      return [{ operator: '<', version: from }]
    case '<=':
      return [given === 3 ? { operator: '<', version: after(from) } : next]
    default:
      return given === 3 ? [atLeast, { operator: '<', version: after(from) }] : [atLeast, next]
  }
}

/** `^` lets everything behind the first number that is not 0 grow. */
function caretPlace(numbers: Version['numbers'], given: number): number {
  const place = numbers.findIndex(each => each > 0)
  return place < 0 ? given - 1 : Math.min(place, given - 1)
}

/** The first version with a higher number at a place; before all that come before its release, unless told otherwise. */
function raise({ numbers }: Version, place: number, before: readonly string[] = ['']): Version {
  const [major, minor, patch] = numbers
  if (place <= 0) return { numbers: [major + 1, 0, 0], before }
  return place === 1 ? { numbers: [major, minor + 1, 0], before } : { numbers: [major, minor, patch + 1], before }
}

/** The first version behind this one. */
function after({ numbers, before }: Version): Version {
  return before.length === 0 ? raise({ numbers, before }, 2) : { numbers, before: [...before, ''] }
}

function parseVersion(text: string): Version | undefined {
  const [, ...parts] =
    /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/.exec(text) ?? []
  if (parts.length === 0) return undefined
  const [major = 0, minor = 0, patch = 0] = parts.slice(0, 3).map(Number)
  return { numbers: [major, minor, patch], before: parts[3] === undefined ? [] : parts[3].split('.') }
}

function compare(a: Version, b: Version): number {
  return compareNumbers(a.numbers, b.numbers) || compareBefore(a.before, b.before)
}

function compareNumbers(a: Version['numbers'], b: Version['numbers']): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}

/** A release comes behind all that came before it; numbers come before words. */
function compareBefore(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [left, right] = [a[at], b[at]]
    if (left === undefined || right === undefined) return a.length - b.length
    const order = comparePart(left, right)
    if (order !== 0) return order
  }
  return 0
}

function comparePart(a: string, b: string): number {
  if (a === b) return 0
  // The empty part, which nobody can write, stands before everything.
  if (a === '' || b === '') return a === '' ? -1 : 1
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)]
  if (isNumberA && isNumberB) return Number(a) - Number(b)
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1
  return a < b ? -1 : 1
}
