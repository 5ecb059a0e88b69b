import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { failure } from '../errors.js'
import { openRegular, sameStamp, stampAt, type FileStamp } from '../files/read-bounded.js'

export interface WeightsHash {
  /** SHA-256 of the whole file, 64 hex: the same file. */
  sha256: string
  /**
   * SHA-256 of what follows the header, 64 hex: the same weights, whatever their metadata (AutoV3, `sshs_model_hash`).
   * Absent where the file does not begin with the length of a header.
   */
  tensorSha256?: string
  sizeBytes: number
}

const chunkBytes = 1 << 20
const lengthBytes = 8

/**
 * Both hashes of a file in one reading, in pieces. `stamp` is that of the file as it was hashed.
 * Throws FILE_NOT_REGULAR, FILE_UNREADABLE, FILE_CHANGED_WHILE_READ.
 */
export async function hashSafetensors(path: string): Promise<{ hash: WeightsHash; stamp: FileStamp }> {
  const { handle, stamp } = await openRegular(path, { sizeBytesMax: Number.MAX_SAFE_INTEGER })
  try {
    const hash = await hashChunks(handle, stamp.sizeBytes)
    if (hash.sizeBytes !== stamp.sizeBytes || !sameStamp(stamp, await stampAt(path)))
      throw failure('FILE_CHANGED_WHILE_READ', { file: path })
    return { hash, stamp }
  } finally {
    await handle.close()
  }
}

async function hashChunks(handle: FileHandle, sizeBytesMax: number): Promise<WeightsHash> {
  const whole = createHash('sha256')
  const tensors = createHash('sha256')
  const chunk = Buffer.allocUnsafe(chunkBytes)
  let tensorsAt = Infinity
  let sizeBytes = 0
  while (sizeBytes <= sizeBytesMax) {
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, sizeBytes)
    if (bytesRead === 0) break
    if (sizeBytes === 0) tensorsAt = startOfTensors(chunk.subarray(0, bytesRead), sizeBytesMax)
    whole.update(chunk.subarray(0, bytesRead))
    updateFrom(tensors, { bytes: chunk.subarray(0, bytesRead), skip: tensorsAt - sizeBytes })
    sizeBytes += bytesRead
  }
  const hash = { sha256: whole.digest('hex'), sizeBytes }
  return Number.isFinite(tensorsAt) ? { ...hash, tensorSha256: tensors.digest('hex') } : hash
}

function startOfTensors(firstBytes: Buffer, sizeBytes: number): number {
  if (firstBytes.length < lengthBytes) return Infinity
  const at = firstBytes.readBigUInt64LE() + BigInt(lengthBytes)
  return at <= BigInt(sizeBytes) ? Number(at) : Infinity
}

function updateFrom(hash: Hash, { bytes, skip }: { bytes: Buffer; skip: number }): void {
  if (skip < bytes.length) hash.update(bytes.subarray(Math.max(0, skip)))
}
