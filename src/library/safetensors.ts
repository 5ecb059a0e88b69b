import type { FileHandle } from 'node:fs/promises'
import { failure, type Problem } from '../errors.js'
import { openRegular, sameStamp, stampAt } from '../files/read-bounded.js'
import { toFileProblem } from './file-problem.js'
import { parseSafetensorsHeader, refuse, type SafetensorsHeader } from './safetensors-header.js'

/** What kits may have: a LoRA's header has 50 KB to 2 MB, more only where a trainer stored its tag lists. */
export const headerBytesMaxDefault = 16 * 1024 * 1024

/** No reader of the format goes beyond this, whatever a caller asks for. */
export const headerBytesMaxHard = 100_000_000

/** The file begins with the length of its header, as a 64-bit number. */
const lengthBytes = 8

interface ReadHeader {
  header?: SafetensorsHeader
  problems: Problem[]
}

/**
 * Reads the header of a safetensors file in two positioned reads and never a tensor. Nothing is allocated by a number
 * of the file before that number is checked. All problems are returned; where one is an error there is no header.
 * `file` is the name that problems bear, by default the path. Throws nothing that the file could cause.
 */
export async function readSafetensorsHeader(
  path: string,
  { file = path, headerBytesMax = headerBytesMaxDefault }: { file?: string; headerBytesMax?: number } = {},
): Promise<ReadHeader> {
  try {
    const { problems, ...found } = await readFile(path, Math.min(headerBytesMax, headerBytesMaxHard))
    return { ...found, problems: problems.map(problem => ({ ...problem, file })) }
  } catch (thrown) {
    return { problems: [toFileProblem(thrown, file)] }
  }
}

async function readFile(path: string, headerBytesMax: number): Promise<ReadHeader> {
  const { handle, stamp } = await openRegular(path, { sizeBytesMax: Number.MAX_SAFE_INTEGER })
  try {
    const found = await readHeader(handle, { sizeBytes: stamp.sizeBytes, headerBytesMax })
    if (!sameStamp(stamp, await stampAt(path))) throw failure('FILE_CHANGED_WHILE_READ', { file: path })
    return found
  } finally {
    await handle.close()
  }
}

async function readHeader(
  handle: FileHandle,
  { sizeBytes, headerBytesMax }: { sizeBytes: number; headerBytesMax: number },
): Promise<ReadHeader> {
  if (sizeBytes < lengthBytes)
    return { problems: [refuse('SAFETENSORS_TOO_SMALL', `not a safetensors file (${sizeBytes} bytes are too few)`)] }
  // Compared as it stands: as a number it could be rounded to one that fits.
  const length = (await readAt(handle, { at: 0, sizeBytes: lengthBytes })).readBigUInt64LE()
  if (length > BigInt(headerBytesMax)) {
    const message = `not a safetensors file (header length ${length} exceeds the limit)`
    return { problems: [{ ...refuse('SAFETENSORS_HEADER_TOO_LARGE', message), allowed: `up to ${headerBytesMax}` }] }
  }
  const dataBytes = sizeBytes - lengthBytes - Number(length)
  if (dataBytes < 0) {
    const message = `not a whole safetensors file (header length ${length} exceeds its ${sizeBytes} bytes)`
    return { problems: [refuse('SAFETENSORS_TRUNCATED', message)] }
  }
  return parseSafetensorsHeader(await readAt(handle, { at: lengthBytes, sizeBytes: Number(length) }), { dataBytes })
}

/** What the file no longer has stays zero: the comparison of stamps reports the change. */
async function readAt(handle: FileHandle, { at, sizeBytes }: { at: number; sizeBytes: number }): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes)
  let filled = 0
  while (filled < sizeBytes) {
    const { bytesRead } = await handle.read(bytes, filled, sizeBytes - filled, at + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes
}
