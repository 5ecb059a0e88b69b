import { isUtf8 } from 'node:buffer'
import type { Problem } from '../errors.js'
import type { DocumentFormat, Place, Reading, Target, ValuePath } from './document-contract.js'
import { PROBLEMS_MAX } from './document-contract.js'
import { locateInJson, parseJson } from './document-json.js'
import { readYaml } from './document-yaml.js'

/** A file's text as a value that still knows where each part of it stands. */
export interface ParsedDocument {
  file: string
  format: DocumentFormat
  /** Undefined where the text leaves open what is meant. */
  value: unknown
  problems: Problem[]
  locate(path: ValuePath, part?: Target['part']): Place | undefined
  /** Places of many values, found in one pass over the text. */
  locateAll(targets: readonly Target[]): (Place | undefined)[]
  /** How a YAML scalar is written, e.g. `0123` for the number 123. */
  sourceOf(path: ValuePath): string | undefined
}

export const JSON_SIZE_BYTES_MAX = 8 * 2 ** 20
/** YAML costs far more time per byte than JSON, so less of it is read. */
export const YAML_SIZE_BYTES_MAX = 512 * 2 ** 10

/**
 * Reads strict JSON or YAML 1.2 (core schema, one document, no merge keys, no unknown tags).
 * All mistakes are reported together; the value is given as long as none of them leaves it in doubt.
 */
export function parseDocument(
  source: string | Uint8Array,
  { file, format }: { file: string; format: DocumentFormat },
): ParsedDocument {
  const decoded = decode(source, format)
  if ('problem' in decoded) return unreadable({ file, format, problem: { ...decoded.problem, file } })
  const { text } = decoded
  const lineStarts = lazily(() => findLineStarts(text))
  const placeAt = (offset: number) => toPlace(lineStarts(), Math.min(offset, text.length))
  const reading = format === 'json' ? openJson(text) : readYaml(text)
  const locateAll = (targets: readonly Target[]) =>
    reading.locateAll(targets).map(offset => (offset === undefined ? undefined : placeAt(offset)))
  return {
    file,
    format,
    value: reading.value,
    problems: capProblems(
      reading.problems
        .toSorted((a, b) => a.offset - b.offset)
        .map(({ offset, ...problem }) => ({ ...problem, file, ...placeAt(offset) })),
      file,
    ),
    locate: (path, part = 'value') => locateAll([{ path, part }])[0],
    locateAll,
    sourceOf: reading.sourceOf,
  }
}

/** The first 200 of a file's problems, and a last one that says that there are more. */
export function capProblems(problems: Problem[], file: string | undefined): Problem[] {
  if (problems.length < PROBLEMS_MAX) return problems
  const rest = problems.length - PROBLEMS_MAX
  return [
    ...problems.slice(0, PROBLEMS_MAX),
    {
      severity: 'error',
      code: 'DOCUMENT_PROBLEMS_MORE',
      message: rest > 0 ? `${rest} more problems are not listed` : 'more problems may follow that are not listed',
      ...(file !== undefined && { file }),
    },
  ]
}

function openJson(text: string): Reading {
  return {
    ...parseJson(text),
    locateAll: (targets: readonly Target[]) => locateInJson(text, targets),
    sourceOf: () => undefined,
  }
}

function decode(source: string | Uint8Array, format: DocumentFormat): { text: string } | { problem: Problem } {
  const sizeBytes = typeof source === 'string' ? Buffer.byteLength(source) : source.length
  const sizeBytesMax = format === 'json' ? JSON_SIZE_BYTES_MAX : YAML_SIZE_BYTES_MAX
  if (sizeBytes > sizeBytesMax)
    return refuse('DOCUMENT_TOO_LARGE', 'is too large to be read', {
      found: `${sizeBytes} bytes`,
      allowed: `at most ${sizeBytesMax} bytes${format === 'yaml' ? ', or the same as JSON' : ''}`,
    })
  const text = typeof source === 'string' ? source : decodeUtf8(source)
  if (typeof text !== 'string') return text
  const zero = text.indexOf('\0')
  if (zero >= 0) return refuse('DOCUMENT_ENCODING', `holds a zero character (${zero + 1}th): it is not a text file`)
  return { text: text.startsWith('\uFEFF') ? text.slice(1) : text }
}

function decodeUtf8(bytes: Uint8Array): string | { problem: Problem } {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  const [first, second] = bytes
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    return refuse('DOCUMENT_ENCODING', 'is UTF-16 text: save it as UTF-8')
  return refuse('DOCUMENT_ENCODING', `is not UTF-8 text: the first bad byte is at offset ${findBadByte(bytes)}`)
}

/** Halves the range: a prefix is good when it is UTF-8 once a cut character at its end is left out. */
function findBadByte(bytes: Uint8Array): number {
  const isGood = (length: number) => {
    for (let cut = 0; cut < 4 && cut <= length; cut++) if (isUtf8(bytes.subarray(0, length - cut))) return true
    return false
  }
  let good = 0
  let bad = bytes.length
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    if (isGood(middle)) good = middle
    else bad = middle
  }
  while (good > 0 && !isUtf8(bytes.subarray(0, good))) good--
  return good
}

function refuse(code: string, message: string, facts: Pick<Problem, 'found' | 'allowed'> = {}): { problem: Problem } {
  return { problem: { severity: 'error', code, message, ...facts } }
}

function unreadable(refused: { file: string; format: DocumentFormat; problem: Problem }): ParsedDocument {
  return {
    file: refused.file,
    format: refused.format,
    value: undefined,
    problems: [refused.problem],
    locate: () => undefined,
    locateAll: targets => targets.map(() => undefined),
    sourceOf: () => undefined,
  }
}

function findLineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function toPlace(lineStarts: readonly number[], offset: number): Place {
  let low = 0
  let high = lineStarts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((lineStarts[middle] ?? 0) <= offset) low = middle
    else high = middle
  }
  return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 }
}

function lazily<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined
  return () => (made ??= { value: make() }).value
}
