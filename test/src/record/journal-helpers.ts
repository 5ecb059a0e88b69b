import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openJournal, type Journal, type JournalOptions } from '../../../src/record/journal.js'

export interface Opened {
  journal: Journal
  /** What the replay gave, in order. */
  events: unknown[]
  sequences: number[]
  state: unknown
}

/** Opens a journal and keeps what it replays. */
export async function reopen(folder: string, options: Partial<JournalOptions> = {}): Promise<Opened> {
  const opened: Omit<Opened, 'journal'> = { events: [], sequences: [], state: undefined }
  const journal = await openJournal(folder, {
    epoch: 1,
    onRecord(event, sequence) {
      opened.events.push(event)
      opened.sequences.push(sequence)
    },
    onSnapshot(state) {
      opened.state = state
    },
    ...options,
  })
  return Object.assign(opened, { journal })
}

/** Opens, closes at once, and answers what was replayed. */
export async function replayed(folder: string, options: Partial<JournalOptions> = {}): Promise<Opened> {
  const opened = await reopen(folder, options)
  await opened.journal.close()
  return opened
}

/** Every file of a folder, by name, as text whose characters are the bytes. */
export function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort()
  return Object.fromEntries(names.map(name => [name, readFileSync(join(folder, name), 'latin1')]))
}

export function segmentsOf(folder: string): string[] {
  return Object.keys(filesOf(folder)).filter(name => name.endsWith('.journal'))
}

/** Events numbered from `from` to `to`, both included, of uneven lengths and with letters of several bytes. */
export function numbered(from: number, to: number): { number: number; words: string }[] {
  return Array.from({ length: to - from + 1 }, (_, at) => ({ number: from + at, words: 'é€'.repeat((from + at) % 4) }))
}
