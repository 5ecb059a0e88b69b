import { FoundryError } from '../errors.js'
import type { FoundryEvent } from './events.js'
import { type Journal, openJournal } from './journal.js'
import { applyEvent, emptyState, type FoundryState } from './state.js'
import { fromSnapshot, toSnapshot } from './state-snapshot.js'

export type LedgerListener = (event: FoundryEvent, sequence: number) => void

/** The journal and the state that follows from it. What `append` answered is durable and applied, in order. */
export interface Ledger {
  readonly state: FoundryState
  readonly journal: Journal
  append(...events: FoundryEvent[]): Promise<void>
  /** Is told every event after it was applied. Answers how to stop. */
  listen(listener: LedgerListener): () => void
  /** The events of one run, the oldest first. */
  eventsOf(run: string): AsyncIterable<{ event: FoundryEvent; sequence: number }>
  /** Events after a sequence number, up to now. */
  since(sequence: number): AsyncIterable<{ event: FoundryEvent; sequence: number }>
  close(): Promise<void>
}

export interface LedgerOptions {
  epoch: number
  /** Events after which closing takes a snapshot; the default keeps a start short without writing much. */
  snapshotAfter?: number
  checkEpoch?: () => Promise<void>
  onBroken?: (error: Error) => void
}

export async function openLedger(folder: string, options: LedgerOptions): Promise<Ledger> {
  const state = emptyState()
  const listeners = new Set<LedgerListener>()
  const spans = new Map<string, Span>()
  let snapshotAt = 0
  let applied = 0
  const take = (event: FoundryEvent, sequence: number) => {
    applyEvent(state, event)
    if ('run' in event) remember(spans, event, sequence)
  }
  const journal = await openJournal(folder, {
    ...options,
    // Events in the journal were written by `append` below; its frames are checksummed.
    onRecord: (event, sequence) => take(event as FoundryEvent, sequence),
    onSnapshot: (snapshot, sequence) => {
      fromSnapshot(state, snapshot)
      snapshotAt = sequence
    },
  })
  applied = journal.sequence
  return {
    state,
    journal,
    async append(...events) {
      const last = await journal.append(events)
      events.forEach((event, at) => {
        const sequence = last - events.length + 1 + at
        take(event, sequence)
        for (const listener of listeners) listener(event, sequence)
      })
      applied = last
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async *eventsOf(run) {
      const span = spans.get(run)
      if (!span) return
      if (span.events) {
        for (const each of [...span.events]) yield each
        return
      }
      for await (const each of readPages(journal, span.first, span.last)) {
        if ('run' in each.event && each.event.run === run) yield each
      }
    },
    since: sequence => readPages(journal, sequence + 1, journal.sequence),
    async close() {
      // The events of runs that go on are still needed one by one; those of finished runs stand in their folders.
      const isQuiet = [...state.runs.values()].every(run => run.finished)
      if (isQuiet && applied - snapshotAt >= (options.snapshotAfter ?? snapshotAfterDefault)) {
        // It only makes the next start shorter: a disk that is full does without.
        await journal.snapshot(toSnapshot(state), applied).catch(passDiskFull)
      }
      await journal.close()
    },
  }
}

function passDiskFull(error: unknown): void {
  if (!(error instanceof FoundryError) || error.code !== 'FILE_WRITE_FAILED') throw error
}

const snapshotAfterDefault = 50_000

const pageSize = 5000

/** The journal answers a bounded number of records at a time. */
async function* readPages(
  journal: Journal,
  first: number,
  last: number,
): AsyncIterable<{ event: FoundryEvent; sequence: number }> {
  let next = first
  while (next <= last) {
    const from = next
    for await (const { event, sequence } of journal.read(from, pageSize)) {
      if (sequence > last) return
      next = sequence + 1
      // Written by `append`; the frames are checksummed.
      yield { event: event as FoundryEvent, sequence }
    }
    if (next === from) return
  }
}

/** Where the events of a run lie; the events themselves while they are few, so that short runs cost no reading. */
interface Span {
  first: number
  last: number
  events: { event: FoundryEvent; sequence: number }[] | undefined
}

const eventsKeptMax = 1000

function remember(spans: Map<string, Span>, event: FoundryEvent & { run: string }, sequence: number): void {
  const span = spans.get(event.run) ?? { first: sequence, last: sequence, events: [] }
  span.last = sequence
  span.events?.push({ event, sequence })
  if (event.kind === 'run-finished' || (span.events?.length ?? 0) > eventsKeptMax) span.events = undefined
  if (event.kind === 'run-removed') spans.delete(event.run)
  else spans.set(event.run, span)
}

export async function* eventsOnly<Event>(entries: AsyncIterable<{ event: Event }>): AsyncIterable<Event> {
  for await (const { event } of entries) yield event
}
