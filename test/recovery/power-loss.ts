import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sha256 } from '../../src/files/hash.js'
import type { FoundryEvent } from '../../src/record/events.js'
import { replayJournal } from '../../src/record/journal-replay.js'
import { readRunFile, runFiles, traceFile } from '../../src/record/run-folder.js'
import { plainNode } from '../plain-node.js'
import { type Ignored, type Leaves, LossyDisk, writeFiles } from './lossy-disk.js'
import { randomNumbers } from './processes.js'
import type { DiskCall } from './record-disk.js'

export interface Recording {
  /** What lay in the folder before. */
  before: string
  calls: DiskCall[]
}

export interface Losses {
  /** Power losses that were looked at. */
  losses: number
  /** Records that had been told to be durable by the last of them. */
  told: number
  problems: string[]
}

/** Runs a program on a folder and records what it asks of the disk. `place` also keeps the folder as it was before. */
export async function recordDisk(
  place: string,
  { mode, folder, order }: { mode: 'render' | 'journal'; folder: string; order?: string },
): Promise<Recording> {
  const before = join(place, 'before')
  mkdirSync(folder, { recursive: true })
  cpSync(folder, before, { recursive: true })
  const calls = join(place, 'calls.jsonl')
  const [recorder, program] = ['./record-disk.js', './power-loss-child.js'].map(each => new URL(each, import.meta.url))
  const args = ['--import', String(recorder), fileURLToPath(program ?? ''), mode, folder, ...(order ? [order] : [])]
  const child = spawn(...plainNode(args), {
    stdio: 'inherit',
    env: { ...process.env, FOUNDRY_DISK_FOLDER: folder, FOUNDRY_DISK_CALLS: calls },
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`the recorded program ended with ${code}`)
  const lines = readFileSync(calls, 'utf8').split('\n').filter(Boolean)
  return { before, calls: lines.map(line => JSON.parse(line) as DiskCall) }
}

export interface LossOptions {
  /** Where what a loss leaves is laid out: the folder that was recorded, which goes aside. */
  folder: string
  seed: number
  /** Of the moments between two answers, one in so many is tried with losses by chance. */
  every: number
  ignored?: Ignored
  /** The folder of the journal in it, and whether the rest is a home. */
  journal: string
  isHome: boolean
  /** Called with some of what losses leave. */
  recover?: (at: number) => Promise<string[]>
  recoverEvery?: number
}

/**
 * Cuts the power at every moment of a recording: with all that is unsynced gone, and here and there with other parts of it. What had been
 * told to be durable must be there each time.
 */
export async function cutPower({ before, calls }: Recording, options: LossOptions): Promise<Losses> {
  const { folder, seed, every, ignored, recover, recoverEvery = Infinity } = options
  const disk = new LossyDisk(before, ignored)
  const random = randomNumbers(seed)
  const told = new Map<number, string>()
  const problems: string[] = []
  const aside = `${folder}-aside`
  renameSync(folder, aside)
  mkdirSync(folder)
  let laid = new Map<string, Buffer>()
  let losses = 0
  for (const [at, call] of calls.entries()) {
    disk.apply(call)
    if (call.op === 'told') told.set(call.sequence, JSON.stringify(call.event))
    // Between these nothing becomes safe, and nothing is told.
    const isTurn = call.op === 'told' || call.op === 'sync-ended'
    const kinds: Leaves[] = isTurn ? ['nothing'] : []
    if (at % every === 0) kinds.push('entries', 'bytes', 'all', { random }, { random })
    for (const leaves of kinds) {
      const files = disk.after(leaves)
      writeFiles(folder, files, laid)
      laid = files
      losses++
      const kind = typeof leaves === 'string' ? leaves : 'some'
      const found = await check(told, options)
      if (recover && losses % recoverEvery === 0) {
        found.push(...(await recover(losses)))
        rmSync(folder, { recursive: true })
        mkdirSync(folder)
        laid = new Map()
      }
      problems.push(...found.map(each => `call ${at} (${call.op}), ${kind} of the unsynced left: ${each}`))
    }
  }
  rmSync(folder, { recursive: true })
  renameSync(aside, folder)
  return { losses, told: told.size, problems }
}

async function check(told: ReadonlyMap<number, string>, { folder, journal, isHome }: LossOptions): Promise<string[]> {
  const problems: string[] = []
  const events = new Map<number, unknown>()
  let through = 0
  const replay = await replayJournal(join(folder, journal), {
    epoch: Infinity,
    onRecord: (event, sequence) => void events.set(sequence, event),
    onSnapshot: (_state, sequence) => (through = sequence),
  })
  if (replay.damage && !replay.damage.isTail) problems.push(`the journal is refused: ${replay.damage.reason}`)
  for (const [sequence, text] of told)
    if (sequence > through && JSON.stringify(events.get(sequence)) !== text) problems.push(`record ${sequence} is lost`)
  if (isHome) for (const event of events.values()) problems.push(...(await lackOf(event as FoundryEvent, folder)))
  return problems
}

/** What an event promises to be on the disk, and is not. */
async function lackOf(event: FoundryEvent, home: string): Promise<string[]> {
  if (!('run' in event)) return []
  const runFolder = join(home, 'runs', event.run)
  const isAt = (path: string, hash: string) =>
    existsSync(join(runFolder, path)) && sha256(readFileSync(join(runFolder, path))) === hash
  if (event.kind === 'run-accepted')
    return readRunFile(runFolder).then(
      () => [],
      () => [`${runFiles.run} of an accepted run is lost`],
    )
  if (event.kind === 'slot-done')
    return [
      ...(isAt(event.file, event.sha256) ? [] : [`the picture of slot ${event.slot} is lost`]),
      ...(isAt(traceFile(event.file), event.traceSha256) ? [] : [`the trace of slot ${event.slot} is lost`]),
    ]
  if (event.kind === 'run-finished' && event.reportSha256 !== undefined)
    return isAt(runFiles.report, event.reportSha256) ? [] : ['the report is lost']
  return []
}
