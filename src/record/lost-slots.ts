import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { failure, reasonOf } from '../errors.js'
import { linkFirst, makeFolder, syncFolder } from '../files/durable.js'
import { traceFile } from './run-folder.js'
import type { DoneSlot, RunState } from './state.js'

/** A slot whose picture was committed, and lies there whole no longer. */
export interface LostSlot {
  ordinal: number
  /** What is missing, as a path under the run folder. */
  file: string
  reason: string
  /** The picture as a path under the run folder, where one lies there that is not whole or has no trace. */
  rest: string | undefined
}

/** Files that are asked for at the same time. */
const looksMax = 64

/** Done slots whose picture or trace is gone or cut, by existence and size alone: `verify` reads the bytes. */
export async function findLostSlots(runFolder: string, run: RunState): Promise<LostSlot[]> {
  const entries = [...run.done].sort(([a], [b]) => a - b)
  const lost: LostSlot[] = []
  for (let at = 0; at < entries.length; at += looksMax) {
    const page = entries.slice(at, at + looksMax)
    const found = await Promise.all(page.map(([ordinal, done]) => findLoss(runFolder, ordinal, done)))
    lost.push(...found.filter(each => each !== undefined))
  }
  return lost
}

async function findLoss(runFolder: string, ordinal: number, done: DoneSlot): Promise<LostSlot | undefined> {
  const { file } = done
  const trace = traceFile(file)
  const [imageBytes, traceBytes] = await Promise.all([file, trace].map(each => sizeOf(join(runFolder, each))))
  if (imageBytes === undefined) return { ordinal, file, reason: `${file} is missing`, rest: undefined }
  if (imageBytes !== done.sizeBytes)
    return { ordinal, file, reason: `${file} has ${imageBytes} bytes, not ${done.sizeBytes}`, rest: file }
  if (!traceBytes) return { ordinal, file: trace, reason: `${trace} is missing`, rest: file }
  return undefined
}

/** Bytes of a file. Undefined only where nothing lies: a disk that does not answer has lost nothing. Throws FILE_UNREADABLE. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw failure(
      'FILE_UNREADABLE',
      { file: path, reason: (error as NodeJS.ErrnoException).code ?? reasonOf(error) },
      error,
    )
  }
}

/**
 * Moves what is left of a lost slot's picture out of the way of the one that is rendered next. Answers its name among the
 * orphans. Throws FILE_WRITE_FAILED.
 */
export async function setAside(image: string, orphans: string, name: string): Promise<string> {
  await makeFolder(orphans)
  const kept = join(orphans, `${name}-${randomUUID()}.png`)
  await linkFirst(image, kept)
  await syncFolder(orphans)
  await syncFolder(dirname(image))
  return basename(kept)
}
