import type { Problem } from '../errors.js'
import { scanKeys, type DuplicateKey } from './safetensors-keys.js'

/** Where one tensor lies and how it is shaped. `begin` and `end` (exclusive) count from the first byte after the header. */
export interface SafetensorsTensor {
  dtype: string
  shape: readonly number[]
  begin: number
  end: number
}

export interface SafetensorsHeader {
  /** Length of the header's text, padding included: tensors begin at `8 + headerBytes` of the file. */
  headerBytes: number
  /** Bytes of all tensors together: the file has `8 + headerBytes + dataBytes`. */
  dataBytes: number
  /** A Map, because any text may be the name of a tensor, `__proto__` too. */
  tensors: ReadonlyMap<string, SafetensorsTensor>
  /** Without a prototype, for the same reason. */
  metadata: Readonly<Record<string, string>>
}

/** How many mistakes of one kind are named: a damaged header could have a million. */
const problemsMax = 20

const openingBrace = 0x7b

/**
 * The header from its `bytes` alone; `dataBytes` is what follows it in the file. The first step that finds an error is the last one taken.
 * What the reference reader tolerates although the format forbids it is a warning where every reader understands
 * the same by it, and an error where they differ.
 */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  { dataBytes }: { dataBytes: number },
): { header?: SafetensorsHeader; problems: Problem[] } {
  const read = parseObject(bytes)
  if ('error' in read) return { problems: [read.error] }
  const { object, warnings } = read
  const { metadata, problem } = readMetadata(object['__metadata__'])
  if (problem) return { problems: [problem] }
  const { tensors, errors } = readTensors(object)
  if (errors.length > 0) return { problems: errors }
  const error = findLayoutError(tensors, dataBytes)
  if (error) return { problems: [error] }
  return { header: { headerBytes: bytes.length, dataBytes, tensors, metadata }, problems: warnings }
}

/** An error in a safetensors file; the message goes on from the name of the file. */
export function refuse(code: string, message: string): Problem {
  return { severity: 'error', code, message }
}

type Parsed = { error: Problem } | { object: Record<string, unknown>; warnings: Problem[] }

function parseObject(bytes: Uint8Array): Parsed {
  if (bytes.length < 2) return { error: refuse('SAFETENSORS_HEADER_INVALID', 'the header is shorter than {}') }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return { error: refuse('SAFETENSORS_HEADER_INVALID', 'the header is not UTF-8') }
  }
  // The scan comes first: it bounds the depth of what the parser is given.
  const scan = scanKeys(text)
  if (scan.problem !== undefined) return { error: refuse('SAFETENSORS_HEADER_INVALID', scan.problem) }
  let object: unknown
  try {
    object = JSON.parse(text)
  } catch {
    return { error: refuse('SAFETENSORS_HEADER_INVALID', 'the header is not JSON') }
  }
  if (!isObject(object)) return { error: refuse('SAFETENSORS_HEADER_INVALID', 'the header is not a JSON object') }
  const duplicate = scan.duplicates.find(each => !each.isHarmless)
  if (duplicate) return { error: duplicateProblem(duplicate) }
  const duplicates = scan.duplicates.slice(0, problemsMax).map(duplicateProblem)
  return { object, warnings: bytes[0] === openingBrace ? duplicates : [spaceBeforeHeader, ...duplicates] }
}

const spaceBeforeHeader: Problem = {
  severity: 'warning',
  code: 'SAFETENSORS_HEADER_PADDED',
  message: 'the header begins with white space: the format wants { as its first byte',
}

function readMetadata(found: unknown): { metadata: Record<string, string>; problem?: Problem } {
  const metadata = Object.create(null) as Record<string, string>
  if (found === undefined || found === null) return { metadata }
  if (!isObject(found)) return { metadata, problem: metadataProblem('__metadata__') }
  for (const [key, value] of Object.entries(found)) {
    if (typeof value !== 'string') return { metadata, problem: metadataProblem(`__metadata__.${shorten(key)}`) }
    metadata[key] = value
  }
  return { metadata }
}

function metadataProblem(path: string): Problem {
  return { ...refuse('SAFETENSORS_METADATA_INVALID', 'metadata maps strings to strings only'), path }
}

function readTensors(object: Record<string, unknown>): {
  tensors: Map<string, SafetensorsTensor>
  errors: Problem[]
} {
  const tensors = new Map<string, SafetensorsTensor>()
  const errors: Problem[] = []
  for (const [name, entry] of Object.entries(object)) {
    if (name === '__metadata__') continue
    const tensor = readTensor(entry)
    if (typeof tensor !== 'string') tensors.set(name, tensor)
    else if (errors.push({ ...refuse('SAFETENSORS_TENSOR_INVALID', tensor), path: shorten(name) }) >= problemsMax) break
  }
  return { tensors, errors }
}

/** The tensor, or what is wrong with it. */
function readTensor(entry: unknown): SafetensorsTensor | string {
  if (!isObject(entry)) return 'is not an object'
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string') return 'dtype is not a string'
  if (!Array.isArray(shape) || !shape.every(isSize)) return 'shape is not a list of whole numbers from 0'
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize))
    return 'data_offsets is not a pair of whole numbers from 0'
  const [begin = 0, end = 0] = offsets
  if (end < begin) return `data_offsets end (${end}) before they begin (${begin})`
  const bits = bitsByDtype.get(dtype)
  if (bits === undefined) return `dtype "${shorten(dtype)}" is unknown: it cannot be validated`
  const sizeBits = multiply(shape, bits)
  if (sizeBits === undefined) return `shape [${shorten(shape.join(', '))}] has more elements than can be counted`
  if (sizeBits % 8 !== 0) return `shape [${shape.join(', ')}] of ${dtype} is not a whole number of bytes`
  if (sizeBits / 8 !== end - begin)
    return `shape [${shorten(shape.join(', '))}] of ${dtype} needs ${sizeBits / 8} bytes, data_offsets hold ${end - begin}`
  return { dtype, shape, begin, end }
}

const bitsByDtype: ReadonlyMap<string, number> = new Map(
  Object.entries({
    4: ['F4'],
    6: ['F6_E2M3', 'F6_E3M2'],
    8: ['BOOL', 'U8', 'I8', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'],
    16: ['I16', 'U16', 'F16', 'BF16'],
    32: ['I32', 'U32', 'F32'],
    64: ['C64', 'F64', 'I64', 'U64'],
  }).flatMap(([bits, dtypes]) => dtypes.map(dtype => [dtype, Number(bits)] as const)),
)

function multiply(shape: readonly number[], bits: number): number | undefined {
  let product = 1
  for (const size of shape) {
    product *= size
    if (!Number.isSafeInteger(product)) return undefined
  }
  return Number.isSafeInteger(product * bits) ? product * bits : undefined
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** The format forbids a name that stands twice, and JSON.parse keeps the last one without a word. */
function duplicateProblem({ path, isHarmless }: DuplicateKey): Problem {
  const problem = { ...refuse('SAFETENSORS_KEY_DUPLICATE', 'stands twice in the header'), path: shorten(path) }
  return isHarmless ? { ...problem, severity: 'warning' } : problem
}

/** Tensors cover the bytes after the header whole: no hole, no overlap, nothing behind the last one. */
function findLayoutError(tensors: ReadonlyMap<string, SafetensorsTensor>, dataBytes: number): Problem | undefined {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  for (const [name, { begin, end }] of inOrder) {
    if (begin !== covered) {
      const message = `begins at byte ${begin}, the tensor before it ends at ${covered}`
      return { ...refuse('SAFETENSORS_LAYOUT_INVALID', message), path: shorten(name) }
    }
    covered = end
  }
  if (covered === dataBytes) return undefined
  return refuse(
    'SAFETENSORS_LAYOUT_INVALID',
    `tensors end at byte ${covered} of the ${dataBytes} that follow the header`,
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const shownMax = 120

function shorten(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}
