import { failure } from '../errors.js'

/** Values nested deeper than this are refused, and cycles with them. */
export const canonicalDepthMax = 256

type Path = (string | number)[]

/**
 * The canonical JSON text of a value (RFC 8785): members sorted by UTF-16 code units, no white space, shortest numbers.
 * Throws JSON_NOT_CANONICAL for whatever JSON cannot say exactly: undefined, functions, bigints, class instances, NaN,
 * infinities, lone surrogates, and integers beyond ±(2^53−1), which have lost digits already and belong into strings.
 */
export function canonicalJson(value: unknown): string {
  return write(value, [], 0)
}

function write(value: unknown, path: Path, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeString(value, path, depth)
    case 'number':
      return writeNumber(value, path, depth)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      if (depth === canonicalDepthMax) throw refusal(path, depth, `is nested deeper than ${canonicalDepthMax}`)
      return Array.isArray(value) ? writeArray(value, path, depth) : writeObject(value, path, depth)
    default:
      throw refusal(path, depth, `is of type ${typeof value}`)
  }
}

// Most strings of a graph are plain, and quoting them by hand takes half the time of JSON.stringify.
const needsCare = /["\\\u0000-\u001f\ud800-\udfff]/
const loneSurrogate = /\p{Surrogate}/u

function writeString(text: string, path: Path, depth: number): string {
  if (!needsCare.test(text)) return `"${text}"`
  if (loneSurrogate.test(text)) throw refusal(path, depth, 'holds a lone surrogate')
  return JSON.stringify(text)
}

function writeNumber(value: number, path: Path, depth: number): string {
  if (!Number.isFinite(value)) throw refusal(path, depth, `is ${value}`)
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw refusal(path, depth, `is ${value}, an integer beyond 2^53-1: write it as a string`)
  // A template would write -0 as "0" too, and so does JSON.
  return `${value}`
}

function writeArray(items: readonly unknown[], path: Path, depth: number): string {
  let text = '['
  for (let index = 0; index < items.length; index++) {
    path[depth] = index
    text += (index === 0 ? '' : ',') + write(items[index], path, depth + 1)
  }
  return `${text}]`
}

function writeObject(object: object, path: Path, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) throw refusal(path, depth, 'is not a plain object')
  const members = object as Record<string, unknown>
  let text = '{'
  for (const key of sorted(Object.keys(members))) {
    path[depth] = key
    text += `${text === '{' ? '' : ','}${writeString(key, path, depth + 1)}:${write(members[key], path, depth + 1)}`
  }
  return `${text}}`
}

// Members are few and nearly always in order already; the sort of the language makes copies even then.
function sorted(keys: string[]): string[] {
  if (keys.length > insertedMax) return keys.sort()
  for (let from = 1; from < keys.length; from++) {
    const key = keys[from] as string
    let at = from
    // Like the default sort, this compares UTF-16 code units, which is what the RFC asks for.
    for (; at > 0 && (keys[at - 1] as string) > key; at--) keys[at] = keys[at - 1] as string
    keys[at] = key
  }
  return keys
}
const insertedMax = 40

function refusal(path: Path, depth: number, problem: string) {
  const place = path.slice(0, depth).join('.') || 'the whole value'
  return failure('JSON_NOT_CANONICAL', { reason: `${place} ${problem}` })
}
