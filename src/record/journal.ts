import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { makeFolder, removeFile, syncFolder, syncHandle } from '../files/durable.js'
import { listJournal, segmentPath, writeHead, type ChainLink } from './journal-files.js'
import { encodeFrames } from './journal-frames.js'
import { readRecords, type JournalRecord } from './journal-read.js'
import { corruptionOf, replayJournal, type Replay, type ReplayHooks } from './journal-replay.js'
import { appendToSegment, broken, createSegment, type Segment } from './journal-segment.js'
import { writeSnapshot } from './journal-snapshot.js'

export interface JournalOptions extends ReplayHooks {
  /** Throws when somebody else owns the home by now; asked before writing. */
  checkEpoch?: () => Promise<void>
  /** Called once, when nothing can be written any more: the process should end and recover by replay. */
  onBroken?: (error: FoundryError) => void
  /** A segment that has grown to this size is followed by another. */
  segmentSizeBytes?: number
}

/** Longer records are refused. */
export const recordSizeBytesMax = 16 * 1024 * 1024
/** What may wait to be written. More means a disk that no longer answers. */
export const pendingSizeBytesMax = 256 * 1024 * 1024
const segmentSizeBytesDefault = 64 * 1024 * 1024
/** A group of appends shares one write and one sync. It closes at this size, */
const groupSizeBytes = 256 * 1024
/** and under load groups start this far apart, after a burst that may run ahead of that pace. */
const groupMs = 2
const burstMs = 20
const epochCheckMs = 500

/**
 * Opens the journal in a folder, made if missing: replays it, cuts off what a crash left half-written at its end, and is
 * then ready to append. Throws JOURNAL_CORRUPT, having changed nothing, when anything else than its end is damaged.
 */
export async function openJournal(folder: string, options: JournalOptions): Promise<Journal> {
  await makeFolder(folder)
  const replay = await replayJournal(folder, options)
  if (replay.damage && !replay.damage.isTail) throw corruptionOf(folder, replay.damage)
  await settleTail(folder, replay)
  const { segments } = await listJournal(folder)
  return new Journal(folder, options, replay, segments[0])
}

/** Truth as an append-only list of records. What `append` has answered survives the loss of power. */
export class Journal {
  /** Bytes that a crash had left half-written, cut off when the journal was opened. */
  readonly droppedBytes: number
  /** Records replayed when it was opened, not counting what a snapshot held. */
  readonly replayedCount: number
  #sequence: number
  #firstSequence: number
  #previous: ChainLink
  #segment: Segment | undefined
  #waiting: Append[] = []
  #waitingSizeBytes = 0
  #nextGroupAt = -Infinity
  #epochCheckedAt = -Infinity
  #isFlushing = false
  #isClosed = false
  #broken: FoundryError | undefined
  /** Everything that touches files happens here, one after the other. */
  #work: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly folder: string,
    private readonly options: JournalOptions,
    { end, recordCount, damage }: Replay,
    firstSequence: number | undefined,
  ) {
    this.droppedBytes = damage ? damage.sizeBytes - damage.offset : 0
    this.replayedCount = recordCount
    this.#sequence = end.sequence
    this.#previous = end
    this.#firstSequence = firstSequence ?? end.sequence + 1
  }

  /** Of the last durable record. */
  get sequence(): number {
    return this.#sequence
  }

  /** Of the oldest record that can still be read; snapshots let go of older ones. */
  get firstSequence(): number {
    return this.#firstSequence
  }

  /**
   * Adds events, kept in order and next to each other. Answers the sequence of the last one, once all are durable.
   * Rejects with FILE_WRITE_FAILED when none was kept and a later try may succeed (a full disk); with JOURNAL_BROKEN or
   * HOME_OWNERSHIP_LOST when nothing is written any more.
   */
  async append(events: readonly object[]): Promise<number> {
    this.#assertOpen()
    if (events.length === 0) return this.#sequence
    const texts = events.map(event => JSON.stringify(event))
    let wholeSizeBytes = 0
    for (const text of texts) {
      const sizeBytes = Buffer.byteLength(text)
      if (sizeBytes > recordSizeBytesMax)
        throw failure('FILE_TOO_LARGE', { file: 'A journal record', sizeBytes, sizeBytesMax: recordSizeBytesMax })
      wholeSizeBytes += sizeBytes
    }
    return this.#enqueue(texts, wholeSizeBytes)
  }

  /**
   * Keeps a state, as it is at this moment, from which the next start replays. It must follow from exactly the records
   * up to `sequence`. Older segments are let go of once the snapshot before this one does not need them either.
   */
  async snapshot(state: object, sequence = this.#sequence): Promise<void> {
    this.#assertOpen()
    const text = JSON.stringify(state)
    const from = this.#position()
    assert(sequence >= from.segment - 1 && sequence <= this.#sequence, 'a snapshot is of the records just written')
    await this.#exclusively(async () => {
      this.#assertUnbroken()
      await this.#finishSegment()
      const start = sequence === this.#sequence ? this.#position() : from
      await writeSnapshot(this.folder, { sequence, ...start, state: text })
      const { segments } = await listJournal(this.folder)
      this.#firstSequence = segments[0] ?? this.#sequence + 1
    })
  }

  /** Durable records from a sequence on, at most `limit` (and 10,000). See `readRecords`. */
  read(from: number, limit: number): AsyncIterable<JournalRecord> {
    return readRecords(this.folder, { from, through: this.#sequence, limit })
  }

  /** Writes what was appended before, then takes no more. */
  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#waiting.length > 0) await this.#exclusively(() => Promise.resolve())
    await this.#exclusively(() => this.#finishSegment())
  }

  #enqueue(texts: string[], sizeBytes: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ texts, sizeBytes, resolve, reject })
      this.#waitingSizeBytes += sizeBytes
      if (this.#waitingSizeBytes > pendingSizeBytesMax)
        this.#break(broken('more waits to be written than is kept waiting'))
      else this.#flushSoon()
    })
  }

  #flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    void this.#exclusively(async () => {
      await this.#gather()
      this.#isFlushing = false
      const group = this.#takeGroup()
      if (this.#waiting.length > 0) this.#flushSoon()
      if (group.length > 0) await this.#commit(group)
    })
  }

  /** An append waits for no more than its own turn of the event loop, but under load it waits for company. */
  async #gather(): Promise<void> {
    const waitMs = this.#nextGroupAt - performance.now()
    await (waitMs > 0 && this.#waitingSizeBytes < groupSizeBytes ? wait(Math.ceil(waitMs)) : nextTurn())
    this.#nextGroupAt = Math.max(this.#nextGroupAt, performance.now() - burstMs) + groupMs
  }

  #takeGroup(): Append[] {
    let count = 0
    let sizeBytes = 0
    for (const append of this.#waiting) {
      if (sizeBytes >= groupSizeBytes) break
      sizeBytes += append.sizeBytes
      count++
    }
    this.#waitingSizeBytes -= sizeBytes
    return this.#waiting.splice(0, count)
  }

  async #commit(group: readonly Append[]): Promise<void> {
    try {
      this.#assertUnbroken()
      await this.#assertEpoch()
      const segment = await this.#openSegment()
      const bytes = encodeFrames(
        group.flatMap(append => append.texts),
        this.#sequence + 1,
      )
      await appendToSegment(segment, bytes)
    } catch (thrown) {
      const error = thrown instanceof FoundryError ? thrown : broken(reasonOf(thrown), thrown)
      if (error.code !== 'FILE_WRITE_FAILED') this.#break(error)
      for (const append of group) append.reject(error)
      return
    }
    for (const append of group) {
      this.#sequence += append.texts.length
      append.resolve(this.#sequence)
    }
  }

  async #assertEpoch(): Promise<void> {
    if (performance.now() - this.#epochCheckedAt < epochCheckMs) return
    await this.options.checkEpoch?.()
    this.#epochCheckedAt = performance.now()
  }

  async #openSegment(): Promise<Segment> {
    if (this.#segment && this.#segment.sizeBytes < (this.options.segmentSizeBytes ?? segmentSizeBytesDefault))
      return this.#segment
    await this.#finishSegment()
    const first = this.#sequence + 1
    const segment = await createSegment(this.folder, first, { epoch: this.options.epoch, previous: this.#previous })
    this.#segment = segment
    this.#sequence = first
    await writeHead(this.folder, first)
    return segment
  }

  async #finishSegment(): Promise<void> {
    if (!this.#segment) return
    const { handle, hash } = this.#segment
    this.#segment = undefined
    this.#previous = { sequence: this.#sequence, hash: hash.digest('hex') }
    await handle.close()
  }

  /** The segment that the next record goes to, and what its header says of the one before. */
  #position(): { segment: number; previous: ChainLink } {
    return { segment: this.#segment?.first ?? this.#sequence + 1, previous: this.#previous }
  }

  #break(error: FoundryError): void {
    if (this.#broken) return
    this.#broken = error
    for (const append of this.#waiting.splice(0)) append.reject(error)
    this.#waitingSizeBytes = 0
    this.options.onBroken?.(error)
  }

  #assertOpen(): void {
    this.#assertUnbroken()
    if (this.#isClosed) throw broken('it is closed')
  }

  #assertUnbroken(): void {
    if (this.#broken) throw this.#broken
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#work.then(task)
    this.#work = done.catch(() => undefined)
    return done
  }
}

interface Append {
  texts: string[]
  sizeBytes: number
  resolve: (sequence: number) => void
  reject: (error: FoundryError) => void
}

/** Cuts off a torn end, and makes durable what was replayed: its writer may have died before its sync. */
async function settleTail(folder: string, { segments, damage }: Replay): Promise<void> {
  const last = segments.at(-1)
  if (last === undefined) return
  const path = segmentPath(folder, last)
  if (damage?.offset === 0) return removeFile(path)
  const handle = await open(path, 'r+')
  try {
    if (damage) await handle.truncate(damage.offset)
    await syncHandle(handle)
    await syncFolder(folder)
  } finally {
    await handle.close()
  }
}
