import { constants, type BigIntStats } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { realInside } from './confined-path.js'

/** What tells one version of a file from another. Times and inodes exceed 2^53, hence strings. */
export interface FileStamp {
  sizeBytes: number
  mtimeNs: string
  ino: string
  dev: string
}

export interface ReadBounds {
  /** Larger files are refused unread. */
  sizeBytesMax: number
  /** Where the file must really lie, symbolic links resolved. Without it the caller vouches for the path. */
  root?: string
}

/**
 * A whole regular file, proven not to have changed meanwhile. Never waits on a pipe, never reads a device.
 * Throws FILE_TOO_LARGE, FILE_NOT_REGULAR, FILE_CHANGED_WHILE_READ, FILE_UNREADABLE and, with a root, PATH_ESCAPES.
 */
export async function readBounded(path: string, bounds: ReadBounds): Promise<{ bytes: Buffer; stat: FileStamp }> {
  const { handle, stamp } = await openRegular(path, bounds)
  try {
    // One byte more than expected, so that a file that grows is noticed.
    const buffer = Buffer.allocUnsafe(stamp.sizeBytes + 1)
    const sizeBytes = await readFully(handle, buffer)
    if (sizeBytes !== stamp.sizeBytes || !sameStamp(stamp, await stampAt(path)))
      throw failure('FILE_CHANGED_WHILE_READ', { file: path })
    return { bytes: buffer.subarray(0, sizeBytes), stat: stamp }
  } catch (error) {
    throw unreadable(path, error)
  } finally {
    await handle.close()
  }
}

export function sameStamp(a: FileStamp | undefined, b: FileStamp | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    a.sizeBytes === b.sizeBytes &&
    a.mtimeNs === b.mtimeNs &&
    a.ino === b.ino &&
    a.dev === b.dev
  )
}

/** The stamp of what lies at a path, links followed; undefined when nothing can be seen there. */
export async function stampAt(path: string): Promise<FileStamp | undefined> {
  try {
    return toStamp(await stat(path, { bigint: true }))
  } catch {
    // Whatever hides the file, the caller compares the answer with an earlier stamp and finds it different.
    return undefined
  }
}

/** A regular file opened for reading, not yet read; the caller closes the handle. */
export async function openRegular(
  path: string,
  { sizeBytesMax, root }: ReadBounds,
): Promise<{ handle: FileHandle; stamp: FileStamp }> {
  const handle = await openWithoutWaiting(path, root)
  try {
    const found = await handle.stat({ bigint: true })
    if (!found.isFile()) throw failure('FILE_NOT_REGULAR', { file: path })
    const stamp = toStamp(found)
    if (stamp.sizeBytes > sizeBytesMax)
      throw failure('FILE_TOO_LARGE', { file: path, sizeBytes: stamp.sizeBytes, sizeBytesMax })
    return { handle, stamp }
  } catch (error) {
    await handle.close()
    throw unreadable(path, error)
  }
}

async function openWithoutWaiting(path: string, root: string | undefined): Promise<FileHandle> {
  // Windows lacks these flags, and has no such pipes and terminals in its folders.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)
  try {
    if (root === undefined) return await open(path, flags)
    // Links are resolved already, so one met now was put there since.
    return await open(await realInside(root, path), flags | (constants.O_NOFOLLOW ?? 0))
  } catch (error) {
    // A socket cannot be opened, and says so in this way.
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') throw failure('FILE_NOT_REGULAR', { file: path }, error)
    throw unreadable(path, error)
  }
}

/** Fills the buffer from the start of the file; returns the bytes read, fewer than asked for at the end of the file. */
async function readFully(handle: FileHandle, buffer: Buffer): Promise<number> {
  let sizeBytes = 0
  while (sizeBytes < buffer.length) {
    const { bytesRead } = await handle.read(buffer, sizeBytes, buffer.length - sizeBytes, sizeBytes)
    if (bytesRead === 0) break
    sizeBytes += bytesRead
  }
  return sizeBytes
}

function toStamp(found: BigIntStats): FileStamp {
  return {
    sizeBytes: Number(found.size),
    mtimeNs: String(found.mtimeNs),
    ino: String(found.ino),
    dev: String(found.dev),
  }
}

function unreadable(file: string, error: unknown): FoundryError {
  return error instanceof FoundryError
    ? error
    : failure('FILE_UNREADABLE', { file, reason: systemReason(error) }, error)
}

/** The system's code where there is one: its message would repeat the path. */
function systemReason(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? reasonOf(error)
}
