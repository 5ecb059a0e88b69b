import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { failure, type FoundryError, reasonOf } from '../errors.js'
import { removeFile, syncData, syncFolder, syncHandle, writeAll } from '../files/durable.js'
import { failpoint } from '../files/failpoint.js'
import { segmentPath, type ChainLink, type SegmentHeader } from './journal-files.js'
import { encodeFrames } from './journal-frames.js'

/** The segment that is being written. Its failures say what to do: FILE_WRITE_FAILED try again, JOURNAL_BROKEN stop. */
export interface Segment {
  first: number
  path: string
  handle: FileHandle
  /** Durable bytes. */
  sizeBytes: number
  /** Over those bytes. */
  hash: Hash
}

/** A new segment, with its header durable. */
export async function createSegment(
  folder: string,
  first: number,
  { epoch, previous }: { epoch: number; previous: ChainLink },
): Promise<Segment> {
  const header: SegmentHeader = {
    format: 'foundry-journal/1',
    epoch,
    previousSequence: previous.sequence,
    previousHash: previous.hash,
  }
  const path = segmentPath(folder, first)
  const handle = await openNew(path)
  const bytes = encodeFrames([JSON.stringify(header)], first)
  try {
    await writeAll(handle, bytes, 0)
  } catch (error) {
    await handle.close()
    await removeFile(path)
    throw writeFailed(path, error)
  }
  try {
    await syncHandle(handle)
    await syncFolder(folder)
  } catch (error) {
    await handle.close()
    throw broken(reasonOf(error), error)
  }
  return { first, path, handle, sizeBytes: bytes.length, hash: createHash('sha256').update(bytes) }
}

/** Adds whole frames, durable once this has answered. A write that fails leaves nothing behind. */
export async function appendToSegment(segment: Segment, bytes: Buffer): Promise<void> {
  await write(segment, bytes)
  try {
    await failpoint('sync')
    await syncData(segment.handle)
  } catch (error) {
    // The system has dropped what it could not write: a second sync would succeed and lie.
    throw broken(reasonOf(error), error)
  }
  segment.hash.update(bytes)
  segment.sizeBytes += bytes.length
}

/** The failure after which nothing is written any more. */
export function broken(reason: string, cause?: unknown): FoundryError {
  return failure('JOURNAL_BROKEN', { reason }, cause)
}

async function write({ path, handle, sizeBytes }: Segment, bytes: Buffer): Promise<void> {
  try {
    await failpoint('journal')
    await writeAll(handle, bytes, sizeBytes)
  } catch (error) {
    // A half record with a good one behind it would be taken for damage, so it goes before anything else is tried.
    try {
      await handle.truncate(sizeBytes)
      await syncData(handle)
    } catch (second) {
      throw broken(reasonOf(second), second)
    }
    throw writeFailed(path, error)
  }
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx')
  } catch (error) {
    // Whoever made this file writes to the same journal.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw broken('another process writes to it', error)
    throw writeFailed(path, error)
  }
}

function writeFailed(file: string, error: unknown): FoundryError {
  return failure('FILE_WRITE_FAILED', { file, reason: (error as NodeJS.ErrnoException).code ?? reasonOf(error) }, error)
}
