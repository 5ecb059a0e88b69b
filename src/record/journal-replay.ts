import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { failure, type FoundryError } from '../errors.js'
import { chainStart, listJournal, readHead, segmentPath, type ChainLink, type SegmentHeader } from './journal-files.js'
import { hasFrameFrom, scanFrames, type Frame } from './journal-frames.js'
import { readSnapshot } from './journal-snapshot.js'

export interface ReplayHooks {
  /** A segment of a later epoch than this one refuses the whole replay. */
  epoch: number
  onRecord(event: unknown, sequence: number): void
  /** Without it snapshots are passed over, and every segment must still be there. */
  onSnapshot?: (state: unknown, sequence: number) => void
}

export interface Replay {
  /** Where the good part ends. */
  end: ChainLink
  /** Records given to `onRecord`. */
  recordCount: number
  /** First sequences of the segments read, the damaged one among them. */
  segments: number[]
  damage?: Damage
}

export interface Damage {
  /** First sequence of the damaged segment. */
  segment: number
  /** Bytes before this one are good. */
  offset: number
  sizeBytes: number
  reason: string
  /** True for what a crash leaves: nothing good follows, so nothing is lost that was ever acknowledged. */
  isTail: boolean
}

/**
 * Replays the newest whole snapshot and the segments after it, up to their end or the first damage. Changes nothing.
 * Throws HOME_OWNERSHIP_LOST when a later epoch has written.
 */
export async function replayJournal(folder: string, hooks: ReplayHooks): Promise<Replay> {
  const { segments: present } = await listJournal(folder)
  const snapshot = hooks.onSnapshot && (await readSnapshot(folder))
  if (snapshot) hooks.onSnapshot?.(JSON.parse(snapshot.state), snapshot.sequence)
  const {
    segment: firstSegment,
    previous,
    sequence: known,
  } = snapshot ?? { segment: 1, previous: chainStart, sequence: 0 }
  const segments = present.filter(first => first >= firstSegment)
  const replay: Replay = { end: previous, recordCount: 0, segments }
  for (const first of segments) {
    const read = await readSegment(segmentPath(folder, first), first, replay.end, { ...hooks, known })
    replay.recordCount += read.recordCount
    replay.end = read.end
    if (read.damage) {
      const isTail = read.damage.isTail && first === segments.at(-1)
      return { ...replay, damage: { ...read.damage, isTail } }
    }
  }
  const newest = await readHead(folder)
  if (newest <= (present.at(-1) ?? 0)) return replay
  const reason = 'the segment is missing'
  return { ...replay, damage: { segment: newest, offset: 0, sizeBytes: 0, reason, isTail: false } }
}

/** The failure that says a damage. */
export function corruptionOf(folder: string, { segment, offset, reason }: Damage): FoundryError<'JOURNAL_CORRUPT'> {
  return failure('JOURNAL_CORRUPT', { segment: basename(segmentPath(folder, segment)), offset, reason })
}

interface SegmentRead {
  end: ChainLink
  recordCount: number
  damage?: Damage
}

async function readSegment(
  path: string,
  first: number,
  previous: ChainLink,
  hooks: ReplayHooks & { known: number },
): Promise<SegmentRead> {
  const handle = await open(path)
  try {
    const sizeBytes = (await handle.stat()).size
    const hash = createHash('sha256')
    const reader = new SegmentReader(first, previous, hooks)
    const scan = await scanFrames(handle, { end: sizeBytes, hash, visit: frame => reader.visit(frame) })
    const end = reader.hasHeader ? { sequence: reader.sequence, hash: hash.digest('hex') } : previous
    const { recordCount, mismatch } = reader
    if (mismatch) return { end, recordCount, damage: { segment: first, sizeBytes, isTail: false, ...mismatch } }
    const reason = scan.reason ?? (reader.hasHeader ? undefined : 'the segment is empty')
    if (reason === undefined) return { end, recordCount }
    const isTail = !(await hasFrameFrom(handle, scan.offset + 1, sizeBytes))
    return { end, recordCount, damage: { segment: first, offset: scan.offset, sizeBytes, reason, isTail } }
  } finally {
    await handle.close()
  }
}

/** Checks what each frame of a segment says against what must come next. */
class SegmentReader {
  /** Of the last good frame. */
  sequence = 0
  recordCount = 0
  hasHeader = false
  /** A good frame in the wrong place, which no crash can leave. */
  mismatch: { offset: number; reason: string } | undefined

  constructor(
    private readonly first: number,
    private readonly previous: ChainLink,
    private readonly hooks: ReplayHooks & { known: number },
  ) {}

  visit(frame: Frame): boolean {
    const reason = this.hasHeader ? this.visitRecord(frame) : this.visitHeader(frame)
    if (reason !== undefined) this.mismatch = { offset: frame.offset, reason }
    return reason === undefined
  }

  private visitHeader({ sequence, json }: Frame): string | undefined {
    const header = parse(json) as SegmentHeader | undefined
    if (header?.format !== 'foundry-journal/1') return 'it does not begin with the header of a segment'
    if (sequence !== this.first) return `it is the segment of record ${sequence} under another name`
    const { sequence: expected, hash } = this.previous
    if (header.previousSequence !== expected || sequence !== expected + 1)
      return `it follows record ${header.previousSequence}, but record ${expected} is the last before it`
    if (header.previousHash !== hash) return 'the segment before it is not the one it was written after'
    if (header.epoch > this.hooks.epoch)
      throw failure('HOME_OWNERSHIP_LOST', { home: 'the journal', epoch: this.hooks.epoch, found: header.epoch })
    this.hasHeader = true
    this.sequence = sequence
    return undefined
  }

  private visitRecord({ sequence, json }: Frame): string | undefined {
    if (sequence !== this.sequence + 1) return `record ${sequence} follows record ${this.sequence}`
    const event = parse(json)
    if (event === undefined) return `record ${sequence} is not JSON`
    this.sequence = sequence
    if (sequence <= this.hooks.known) return undefined
    this.recordCount++
    this.hooks.onRecord(event, sequence)
    return undefined
  }
}

function parse(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString('utf8'))
  } catch {
    // The caller names the record.
    return undefined
  }
}
