import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isTemporary } from '../files/durable.js'

/** Removes what a crash left in the staging folder, but for pictures of `jobs`, which can still be adopted. */
export async function sweepStaging(folder: string, jobs: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!jobs.has(name.split('-')[0] ?? '')) await discard(join(folder, name))
  }
}

/** Removes half-made files of an earlier process from a folder, and with `recursive` from those in it. */
export async function sweepTemporaries(folder: string, { recursive = false } = {}): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive }).catch(() => [])) {
    if (entry.isFile() && isTemporary(entry.name)) await discard(join(entry.parentPath, entry.name))
  }
}

async function discard(path: string): Promise<void> {
  // What cannot be removed harms nobody, and is met again at the next start.
  await unlink(path).catch(() => undefined)
}
