import fs, { type Stats } from 'node:fs'
import * as aside from 'node:fs/promises'
import { promisify } from 'node:util'
import { isMainThread } from 'node:worker_threads'

/** A file that is open for writing, or a folder for syncing. */
export interface OpenFile {
  write(
    bytes: Uint8Array,
    offset: number,
    lengthBytes: number,
    position: number | null,
  ): Promise<{ bytesWritten: number }>
  sync(): Promise<void>
  close(): Promise<void>
}

/** The calls that writing files takes, as those of `node:fs/promises`. */
interface SystemCalls {
  open(path: string, flags: string, mode?: number): Promise<OpenFile>
  link(from: string, to: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  mkdir(path: string): Promise<unknown>
  stat(path: string): Promise<Stats>
}

const sync = promisify(fs.fsync)

/** Made at once, but for the sync, which waits for the disk. */
const atOnce: SystemCalls = {
  open: async (path, flags, mode) => openAtOnce(fs.openSync(path, flags, mode)),
  link: async (from, to) => fs.linkSync(from, to),
  rename: async (from, to) => fs.renameSync(from, to),
  unlink: async path => fs.unlinkSync(path),
  mkdir: async path => fs.mkdirSync(path),
  stat: async path => fs.statSync(path),
}

function openAtOnce(file: number): OpenFile {
  return {
    write: async (bytes, offset, lengthBytes, position) => ({
      bytesWritten: fs.writeSync(file, bytes, offset, lengthBytes, position),
    }),
    sync: () => sync(file),
    close: async () => fs.closeSync(file),
  }
}

/**
 * The event loop never waits for a disk. A thread that has nothing else to do may: a call that is made at once takes a fifth of the
 * processor time of one that is handed to another thread.
 */
export const systemCalls: SystemCalls = isMainThread ? aside : atOnce
