import fs from 'node:fs'
import disk, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { relative, resolve } from 'node:path'
import { threadId } from 'node:worker_threads'

/** What a program asked of the disk, in order; paths are relative to the recorded folder, handles are numbers. */
export type DiskCall =
  | { op: 'open'; handle: string; path: string; creates: boolean; truncates: boolean }
  | { op: 'write'; handle: string; at: number | null; bytes: string }
  | { op: 'truncate'; handle: string; length: number }
  /** A sync covers what was written before it began, once it has ended. */
  | { op: 'sync-began' | 'sync-ended'; handle: string; sync: number }
  | { op: 'link' | 'rename'; from: string; to: string }
  | { op: 'unlink' | 'mkdir'; path: string }
  | { op: 'copy'; from: string; to: string }
  | { op: 'file'; path: string; bytes: string }
  /** The program answered that this record is durable. */
  | { op: 'told'; sequence: number; event: unknown }

const folder = process.env['FOUNDRY_DISK_FOLDER'] ?? ''
const file = process.env['FOUNDRY_DISK_CALLS']
const { openSync, writeSync, fsync, closeSync, linkSync, renameSync, unlinkSync, mkdirSync } = fs
const log = file === undefined ? undefined : openSync(file, 'a')
let count = 0

/** Adds to the record: one write, so that threads do not mix. */
export function note(call: DiskCall): void {
  if (log !== undefined) writeSync(log, `${JSON.stringify(call)}\n`)
}

/**
 * `node --import record-disk.js`: writes down every change that this program asks of the disk under FOUNDRY_DISK_FOLDER, with its
 * syncs, into the file FOUNDRY_DISK_CALLS. Threads do the same.
 */
if (log !== undefined) {
  recordCalls()
  recordCallsAtOnce()
  syncBuiltinESMExports()
}

function pathOf(path: unknown): string {
  return relative(folder, resolve(String(path)))
}

function isInside(path: unknown): boolean {
  return !pathOf(path).startsWith('..')
}

/** Answers the name of the handle. */
function noteOpen(path: string, flags: string | number): string {
  const handle = `${threadId}.${++count}`
  const text = String(flags)
  note({ op: 'open', handle, path: pathOf(path), creates: /[wa]/.test(text), truncates: text.startsWith('w') })
  return handle
}

function noteWrite(handle: string, { bytes, at }: { bytes: Uint8Array; at: number | null }): void {
  note({ op: 'write', handle, at, bytes: Buffer.from(bytes).toString('base64') })
}

function recordCalls(): void {
  const { open, link, rename, unlink, mkdir, rm, copyFile, writeFile } = disk
  const patched = {
    async open(path: string, flags: string | number = 'r', mode?: number) {
      const handle = await open(path, flags, mode)
      return isInside(path) ? recordHandle(handle, noteOpen(path, flags)) : handle
    },
    async link(from: string, to: string) {
      await link(from, to)
      if (isInside(to)) note({ op: 'link', from: pathOf(from), to: pathOf(to) })
    },
    async rename(from: string, to: string) {
      await rename(from, to)
      if (isInside(to)) note({ op: 'rename', from: pathOf(from), to: pathOf(to) })
    },
    async unlink(path: string) {
      await unlink(path)
      if (isInside(path)) note({ op: 'unlink', path: pathOf(path) })
    },
    async rm(path: string, options?: object) {
      await rm(path, options)
      if (isInside(path)) note({ op: 'unlink', path: pathOf(path) })
    },
    async mkdir(path: string, options?: object) {
      const made = await mkdir(path, options)
      if (isInside(path)) note({ op: 'mkdir', path: pathOf(path) })
      return made
    },
    async copyFile(from: string, to: string, mode?: number) {
      await copyFile(from, to, mode)
      if (isInside(to)) note({ op: 'copy', from: pathOf(from), to: pathOf(to) })
    },
    async writeFile(path: string, bytes: string | Uint8Array, options?: object) {
      await writeFile(path, bytes, options)
      if (typeof path === 'string' && isInside(path))
        note({ op: 'file', path: pathOf(path), bytes: Buffer.from(bytes as Uint8Array).toString('base64') })
    },
  }
  Object.assign(disk, patched)
}

/** Calls that a thread makes without waiting; of the syncs that it waits for, those by number. */
function recordCallsAtOnce(): void {
  const names = new Map<number, string>()
  const patched = {
    openSync(path: string, flags: string | number = 'r', mode?: number) {
      const handle = openSync(path, flags, mode)
      if (isInside(path)) names.set(handle, noteOpen(path, flags))
      return handle
    },
    writeSync(handle: number, bytes: Uint8Array, offset: number, length: number, at: number | null) {
      const name = names.get(handle)
      if (name !== undefined) noteWrite(name, { bytes: bytes.subarray(offset, offset + length), at })
      return writeSync(handle, bytes, offset, length, at)
    },
    fsync(handle: number, done: (error: Error | null) => void) {
      const [name, number] = [names.get(handle), ++count]
      if (name !== undefined) note({ op: 'sync-began', handle: name, sync: number })
      fsync(handle, error => {
        if (name !== undefined && !error) note({ op: 'sync-ended', handle: name, sync: number })
        done(error)
      })
    },
    closeSync(handle: number) {
      names.delete(handle)
      closeSync(handle)
    },
    linkSync(from: string, to: string) {
      linkSync(from, to)
      if (isInside(to)) note({ op: 'link', from: pathOf(from), to: pathOf(to) })
    },
    renameSync(from: string, to: string) {
      renameSync(from, to)
      if (isInside(to)) note({ op: 'rename', from: pathOf(from), to: pathOf(to) })
    },
    unlinkSync(path: string) {
      unlinkSync(path)
      if (isInside(path)) note({ op: 'unlink', path: pathOf(path) })
    },
    mkdirSync(path: string, options?: object) {
      const made = mkdirSync(path, options)
      if (isInside(path)) note({ op: 'mkdir', path: pathOf(path) })
      return made
    },
  }
  Object.assign(fs, patched)
}

function recordHandle(handle: FileHandle, name: string): FileHandle {
  // The program writes through `write(buffer, offset, length, position)` alone.
  const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<{ bytesWritten: number }>
  const truncate = handle.truncate.bind(handle)
  const recordSync = (sync: () => Promise<void>) => async () => {
    const number = ++count
    note({ op: 'sync-began', handle: name, sync: number })
    await sync()
    note({ op: 'sync-ended', handle: name, sync: number })
  }
  return Object.assign(handle, {
    write(bytes: Uint8Array, offset: number, length: number, at: number | null) {
      noteWrite(name, { bytes: bytes.subarray(offset, offset + length), at })
      return write(bytes, offset, length, at)
    },
    async truncate(length: number) {
      await truncate(length)
      note({ op: 'truncate', handle: name, length })
    },
    sync: recordSync(handle.sync.bind(handle)),
    datasync: recordSync(handle.datasync.bind(handle)),
  })
}
