import { removeFile, replaceFile } from '../files/durable.js'
import type { ChainLink } from './journal-files.js'
import { listJournal, readFrames, segmentPath, snapshotPath } from './journal-files.js'
import { encodeFrames } from './journal-frames.js'

/** What a snapshot knows besides the state: where the replay goes on. */
interface SnapshotHeader {
  format: 'foundry-snapshot/1'
  /** First sequence of the segment to read next, whose records up to the snapshot's own sequence are skipped. */
  segment: number
  /** What the header of that segment says of the one before. */
  previous: ChainLink
}

export interface Snapshot {
  /** The state follows from all records up to this one. */
  sequence: number
  segment: number
  previous: ChainLink
  /** JSON. */
  state: string
}

/** Writes a snapshot, then removes what the snapshot before it no longer needs: two complete ways back always exist. */
export async function writeSnapshot(folder: string, { sequence, segment, previous, state }: Snapshot): Promise<void> {
  const header: SnapshotHeader = { format: 'foundry-snapshot/1', segment, previous }
  await replaceFile(snapshotPath(folder, sequence), encodeFrames([JSON.stringify(header), state], sequence))
  await removeOutdated(folder, sequence)
}

/** The newest snapshot that is whole. A damaged one is passed over: the segments it would replace are still there. */
export async function readSnapshot(folder: string): Promise<Snapshot | undefined> {
  const { snapshots } = await listJournal(folder)
  for (const sequence of snapshots.reverse()) {
    const snapshot = await readOne(folder, sequence)
    if (snapshot) return snapshot
  }
  return undefined
}

async function readOne(folder: string, sequence: number): Promise<Snapshot | undefined> {
  const parts: string[] = []
  const isWhole = await readFrames(snapshotPath(folder, sequence), (json, number) => {
    if (number === sequence + parts.length) parts.push(json)
  })
  const [head, state] = parts
  if (!isWhole || head === undefined || state === undefined) return undefined
  // Checksummed, and of the format that is compared.
  const header = JSON.parse(head) as SnapshotHeader
  if (header.format !== 'foundry-snapshot/1') return undefined
  return { sequence, segment: header.segment, previous: header.previous, state }
}

async function removeOutdated(folder: string, newest: number): Promise<void> {
  const { segments, snapshots } = await listJournal(folder)
  const keptSequence = snapshots.filter(sequence => sequence < newest).at(-1)
  const kept = keptSequence === undefined ? undefined : await readOne(folder, keptSequence)
  if (!kept) return
  for (const sequence of snapshots.filter(each => each < kept.sequence))
    await removeFile(snapshotPath(folder, sequence))
  for (const first of segments.filter(each => each < kept.segment)) await removeFile(segmentPath(folder, first))
}
