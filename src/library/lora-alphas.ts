import type { FileHandle } from 'node:fs/promises'
import type { SafetensorsHeader, SafetensorsTensor } from './safetensors-header.js'

/** Scalars lie close together mostly: one reading serves all of a stretch. */
const windowBytes = 64 * 1024
const lengthBytes = 8

/**
 * The values of all `….alpha` of a file by the name of their module; those of a type that is no number, or of more than one
 * element, are left out. Reads at most 64 KiB at once.
 */
export async function readAlphas(handle: FileHandle, header: SafetensorsHeader): Promise<Map<string, number>> {
  const scalars = [...header.tensors].filter(isAlpha).sort(([, a], [, b]) => a.begin - b.begin)
  const alphaByModule = new Map<string, number>()
  const window = Buffer.alloc(windowBytes)
  const offset = lengthBytes + header.headerBytes
  let windowAt = 0
  let windowEnd = 0
  for (const [name, { dtype, begin, end }] of scalars) {
    if (end > windowEnd) {
      windowAt = begin
      windowEnd = begin + (await handle.read(window, 0, windowBytes, offset + begin)).bytesRead
      if (end > windowEnd) break
    }
    alphaByModule.set(name.slice(0, -alphaSuffix.length), decode(window.subarray(begin - windowAt), dtype))
  }
  return alphaByModule
}

const alphaSuffix = '.alpha'

function isAlpha([name, { dtype, shape }]: [string, SafetensorsTensor]): boolean {
  return name.endsWith(alphaSuffix) && dtype in decoders && shape.every(size => size === 1)
}

function decode(bytes: Buffer, dtype: string): number {
  return decoders[dtype]?.(bytes) ?? Number.NaN
}

/** Without a prototype: a dtype of a file may have any name. */
const decoders: Readonly<Record<string, (bytes: Buffer) => number>> = Object.assign(
  Object.create(null) as Record<string, (bytes: Buffer) => number>,
  {
    F16: (bytes: Buffer) => halfToNumber(bytes.readUInt16LE()),
    // The upper half of a single-precision number.
    BF16: (bytes: Buffer) => Buffer.from([0, 0, bytes.readUInt8(0), bytes.readUInt8(1)]).readFloatLE(),
    F32: (bytes: Buffer) => bytes.readFloatLE(),
    F64: (bytes: Buffer) => bytes.readDoubleLE(),
    I64: (bytes: Buffer) => Number(bytes.readBigInt64LE()),
    I32: (bytes: Buffer) => bytes.readInt32LE(),
    I16: (bytes: Buffer) => bytes.readInt16LE(),
    U8: (bytes: Buffer) => bytes.readUInt8(),
  },
)

/** IEEE 754 half precision: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
