import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

// A frame is one record on one line: `<length> <crc> <sequence> <json>\n`. Length and CRC-32 are eight lower-case
// hexadecimal digits each and cover `<sequence> <json>` in UTF-8. No byte of a frame can change unnoticed.

const prefixSizeBytes = 18
const chunkSizeBytes = 1024 * 1024
const space = 0x20
const newline = 0x0a

export interface Frame {
  sequence: number
  /** The record's JSON text in UTF-8; only valid until the next frame. */
  json: Buffer
  /** Where the frame begins in its file. */
  offset: number
}

/** The frames of some JSON texts, numbered from `sequence` on. */
export function encodeFrames(texts: readonly string[], sequence: number): Buffer {
  const heads = texts.map((_text, at) => `${sequence + at} `)
  const lengths = texts.map((text, at) => (heads[at] ?? '').length + Buffer.byteLength(text))
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + prefixSizeBytes + length + 1, 0))
  let at = 0
  for (const [index, text] of texts.entries()) {
    const start = at + prefixSizeBytes
    const end = start + (lengths[index] ?? 0)
    bytes.write((heads[index] ?? '') + text, start, 'utf8')
    bytes.write(`${toHex(end - start)} ${toHex(crc32(bytes.subarray(start, end)))} `, at, 'latin1')
    bytes[end] = newline
    at = end + 1
  }
  return bytes
}

/**
 * Reads frames from the start of a file until one is bad, `visit` answers false, or `end` is reached.
 * Answers how far the frames were good; `reason` is there when something other than `end` or `visit` ended it.
 */
export async function scanFrames(
  handle: FileHandle,
  { end, hash, visit }: { end: number; hash?: Hash; visit: (frame: Frame) => boolean },
): Promise<{ offset: number; reason?: string }> {
  const incomplete = 'the last record is incomplete'
  let bytes: Buffer = Buffer.allocUnsafe(Math.min(chunkSizeBytes, end))
  let offset = 0
  let filled = 0
  while (offset + filled < end) {
    const room = Math.min(bytes.length, end - offset) - filled
    const added = await readInto(handle, bytes.subarray(filled, filled + room), offset + filled)
    if (added === 0) return { offset, reason: incomplete }
    filled += added
    const { used, ended, reason, needed } = visitFrames(bytes.subarray(0, filled), offset, visit)
    hash?.update(bytes.subarray(0, used))
    offset += used
    if (ended) return reason === undefined ? { offset } : { offset, reason }
    if (offset + needed > end) return { offset, reason: incomplete }
    bytes = carryOver(bytes, used, { filled, needed })
    filled -= used
  }
  return { offset }
}

/** Whether a good frame begins anywhere from `from` on, in a file of `end` bytes: what tells damage from a torn tail. */
export async function hasFrameFrom(handle: FileHandle, from: number, end: number): Promise<boolean> {
  const whole = Buffer.allocUnsafe(Math.max(0, end - from))
  const bytes = whole.subarray(0, await readInto(handle, whole, from))
  for (let at = 0; at + prefixSizeBytes < bytes.length; at++)
    if (bytes[at + 8] === space && bytes[at + 17] === space && parseFrame(bytes, at).kind === 'good') return true
  return false
}

type Parsed =
  | { kind: 'good'; sequence: number; jsonStart: number; jsonEnd: number }
  | { kind: 'partial'; needed: number }
  | { kind: 'bad'; reason: string }

interface Visited {
  /** Bytes of good and visited frames. */
  used: number
  ended: boolean
  reason?: string
  /** Bytes that the next, incomplete frame has at least; 0 when there is none. */
  needed: number
}

function visitFrames(bytes: Buffer, fileOffset: number, visit: (frame: Frame) => boolean): Visited {
  let used = 0
  while (used < bytes.length) {
    const parsed = parseFrame(bytes, used)
    if (parsed.kind === 'bad') return { used, ended: true, reason: parsed.reason, needed: 0 }
    if (parsed.kind === 'partial') return { used, ended: false, needed: parsed.needed }
    const json = bytes.subarray(parsed.jsonStart, parsed.jsonEnd)
    const wantsMore = visit({ sequence: parsed.sequence, json, offset: fileOffset + used })
    used = parsed.jsonEnd + 1
    if (!wantsMore) return { used, ended: true, needed: 0 }
  }
  return { used, ended: false, needed: 0 }
}

function parseFrame(bytes: Buffer, at: number): Parsed {
  const start = at + prefixSizeBytes
  if (start > bytes.length) return { kind: 'partial', needed: prefixSizeBytes }
  const length = parseHex(bytes, at)
  const sum = parseHex(bytes, at + 9)
  if (length < 0 || sum < 0 || bytes[at + 8] !== space || bytes[at + 17] !== space)
    return { kind: 'bad', reason: 'no record begins here' }
  const end = start + length
  if (end + 1 > bytes.length) return { kind: 'partial', needed: end + 1 - at }
  if (bytes[end] !== newline) return { kind: 'bad', reason: 'the record does not end where it says' }
  if (crc32(bytes.subarray(start, end)) !== sum) return { kind: 'bad', reason: 'the checksum differs' }
  let sequence = 0
  let digit = start
  while (digit < end && bytes[digit] !== space) sequence = sequence * 10 + (bytes[digit++] ?? 0) - 0x30
  return { kind: 'good', sequence, jsonStart: digit + 1, jsonEnd: end }
}

/** Eight lower-case hexadecimal digits as a number, or -1: upper case would let a flipped bit pass. */
function parseHex(bytes: Buffer, at: number): number {
  let value = 0
  for (let index = at; index < at + 8; index++) {
    const byte = bytes[index] ?? 0
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1
    if (digit < 0) return -1
    value = value * 16 + digit
  }
  return value
}

function toHex(value: number): string {
  return value.toString(16).padStart(8, '0')
}

/** The unread rest moved to the start of a buffer that has room for the frame it begins. */
function carryOver(bytes: Buffer, used: number, { filled, needed }: { filled: number; needed: number }): Buffer {
  const roomy = needed > bytes.length ? Buffer.allocUnsafe(needed) : bytes
  bytes.copy(roomy, 0, used, filled)
  return roomy
}

async function readInto(handle: FileHandle, bytes: Buffer, position: number): Promise<number> {
  let filled = 0
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}
