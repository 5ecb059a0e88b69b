import { createHash, hash, webcrypto } from 'node:crypto'
import { failure } from '../errors.js'
import { sha256Text } from '../schema/text-forms.js'
import { canonicalJson } from './canonical-json.js'
import { openRegular, sameStamp, stampAt } from './read-bounded.js'

const chunkSizeBytes = 1 << 20
/** A tenth of a millisecond: what handing it over takes. */
const feltSizeBytesMin = 100_000
const sha256Form = new RegExp(sha256Text.pattern)

/** SHA-256 of bytes, or of a string's UTF-8, as 64 lower-case hexadecimal digits. */
export function sha256(bytes: string | Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

/** Whether a text is a SHA-256 as `sha256` writes it. */
export function isSha256(text: string): boolean {
  return sha256Form.test(text)
}

/**
 * The same as `sha256`, beside the event loop where the bytes are so many that hashing them would be felt; such bytes must not
 * lie in shared memory, for which it rejects.
 */
export async function sha256Aside(bytes: Uint8Array): Promise<string> {
  if (bytes.length <= feltSizeBytesMin) return sha256(bytes)
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')
}

/** SHA-256 of a value's canonical JSON. Throws JSON_NOT_CANONICAL. */
export function hashJson(value: unknown): string {
  return sha256(canonicalJson(value))
}

/**
 * SHA-256 and size of a regular file, read in pieces, so that weights of any size can be hashed.
 * Throws FILE_TOO_LARGE, FILE_NOT_REGULAR, FILE_UNREADABLE, FILE_CHANGED_WHILE_READ.
 */
export async function sha256File(
  path: string,
  { sizeBytesMax = Number.MAX_SAFE_INTEGER }: { sizeBytesMax?: number } = {},
): Promise<{ sha256: string; sizeBytes: number }> {
  const { handle, stamp } = await openRegular(path, { sizeBytesMax })
  try {
    const running = createHash('sha256')
    const chunk = Buffer.allocUnsafe(Math.min(chunkSizeBytes, stamp.sizeBytes + 1))
    let sizeBytes = 0
    while (sizeBytes <= stamp.sizeBytes) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, sizeBytes)
      if (bytesRead === 0) break
      running.update(chunk.subarray(0, bytesRead))
      sizeBytes += bytesRead
    }
    if (sizeBytes !== stamp.sizeBytes || !sameStamp(stamp, await stampAt(path)))
      throw failure('FILE_CHANGED_WHILE_READ', { file: path })
    return { sha256: running.digest('hex'), sizeBytes }
  } finally {
    await handle.close()
  }
}
