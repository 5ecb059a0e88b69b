import { open, readFile, rename, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { failure, reasonOf } from '../errors.js'
import { replaceFile, syncFolder, syncHandle } from '../files/durable.js'
import { listJournal, segmentPath, writeHead } from './journal-files.js'
import { replayJournal, type Damage } from './journal-replay.js'

export interface Repair {
  /** Records that the journal still has, not counting those that a snapshot stands for. */
  recordsKept: number
  bytesSetAside: number
  /** Names of the files, in the journal's folder, that now hold those bytes. */
  files: string[]
  /** What was wrong; undefined when nothing was. */
  reason?: string
}

/**
 * Makes a damaged journal usable: everything from the first damage on is moved into `<segment>.damaged-<n>`, nothing is
 * deleted. What happened after the damage is then unknown to the foundry. Throws FILE_WRITE_FAILED.
 */
export async function repairJournal(folder: string): Promise<Repair> {
  const replay = await replayJournal(folder, {
    epoch: Infinity,
    onRecord() {},
    onSnapshot() {},
  })
  const repair: Repair = { recordsKept: replay.recordCount, bytesSetAside: 0, files: [] }
  if (!replay.damage) return repair
  try {
    const aside = await setAside(folder, replay.damage)
    await writeHead(folder, (await listJournal(folder)).segments.at(-1) ?? 0)
    return { ...repair, ...aside, reason: replay.damage.reason }
  } catch (error) {
    throw failure('FILE_WRITE_FAILED', { file: folder, reason: reasonOf(error) }, error)
  }
}

async function setAside(folder: string, damage: Damage): Promise<{ bytesSetAside: number; files: string[] }> {
  const { segments } = await listJournal(folder)
  const files: string[] = []
  let bytesSetAside = 0
  for (const first of segments.filter(each => each >= damage.segment)) {
    const path = segmentPath(folder, first)
    const aside = await freeName(`${path}.damaged-`)
    const offset = first === damage.segment ? damage.offset : 0
    bytesSetAside += (await stat(path)).size - offset
    if (offset === 0) await rename(path, aside)
    else await splitFile(path, offset, aside)
    files.push(basename(aside))
  }
  await syncFolder(folder)
  return { bytesSetAside, files }
}

async function splitFile(path: string, offset: number, aside: string): Promise<void> {
  await replaceFile(aside, (await readFile(path)).subarray(offset))
  const handle = await open(path, 'r+')
  try {
    await handle.truncate(offset)
    await syncHandle(handle)
  } finally {
    await handle.close()
  }
}

async function freeName(prefix: string): Promise<string> {
  let number = 1
  while (await isThere(`${prefix}${number}`)) number++
  return `${prefix}${number}`
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
