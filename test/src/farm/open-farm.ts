import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import sharp from 'sharp'
import { server } from '../../../src/config/server-entry.js'
import { failure } from '../../../src/errors.js'
import { Attempts, type AttemptsHost } from '../../../src/farm/attempts.js'
import { Desk } from '../../../src/farm/desk.js'
import { createEmbeddedEngine } from '../../../src/farm/embedded-engine.js'
import { Farm } from '../../../src/farm/farm.js'
import type { Limits } from '../../../src/farm/limits.js'
import type { Connection } from '../../../src/plugins/contract.js'
import { type Ledger, openLedger } from '../../../src/record/ledger.js'
import { openPictures } from '../../../src/record/pictures.js'
import { type RunState, settledState } from '../../../src/record/state.js'
import type { ServerEntry } from '../../../src/schema/config.js'
import type { RunFile } from '../../../src/schema/run.js'
import { samplePlan, sampleSeries } from '../plan/sample-plan.js'
import { acceptedRun } from '../record/sample-run.js'
import { FakeServer, noOdds, type Odds } from './fake-server.js'

const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, at) => (at * 7919) % 251))
export const picture = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
  .png()
  .toBuffer()
const endLimitMs = 40_000

/** Numbers from 0 to below 1, the same for the same seed. */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

interface FarmWish {
  folder: string
  seed: number
  /** May be changed while the farm works. */
  odds?: Odds
  jobMs?: number
  attemptsMax?: number
  limits?: Limits
  /** By name, what else than usual its entry says, and how its connection differs from that of the fake server. */
  servers?: Record<string, FakeOf>
}

interface Accepted {
  isBroken?: boolean
  renderer?: string
  labels?: string[]
}

interface FakeOf extends Partial<ServerEntry> {
  with?: (connection: Connection) => Partial<Connection>
}

/** Desk, farm and one fake server on a real ledger, in a folder. */
export async function openFarm(
  t: { teardown(end: () => Promise<void>): void },
  { folder, seed, odds = noOdds, jobMs = 4, attemptsMax = 4, limits = {}, servers = { gpu: {} } }: FarmWish,
) {
  mkdirSync(folder, { recursive: true })
  const ledger = await openLedger(join(folder, 'journal'), { epoch: 1 })
  /** How many of the next appends find the disk full. */
  const disk = { full: 0 }
  const guarded: Ledger = {
    ...ledger,
    get state() {
      return ledger.state
    },
    async append(...events) {
      if (disk.full > 0) {
        disk.full--
        throw failure('FILE_WRITE_FAILED', { file: 'journal', reason: 'ENOSPC' })
      }
      await ledger.append(...events)
    },
  }
  const log = pino({ level: 'silent' })
  const files = new Map<string, RunFile>()
  const fake = new FakeServer({
    chance: chanceOf(seed),
    odds,
    picture,
    jobMs,
    isDone: job => ledger.state.runs.get(job.run)?.done.has(job.slot.ordinal) ?? false,
  })
  const pictures = openPictures()
  t.teardown(() => pictures.close())
  const host: AttemptsHost = {
    ledger: guarded,
    log,
    version: '1',
    attemptsMax,
    runFolder: run => join(folder, 'runs', run),
    staging: join(folder, 'staging'),
    orphans: join(folder, 'orphans'),
    readRun: async run => {
      const file = files.get(run)
      if (!file) throw failure('FILE_UNREADABLE', { file: 'run.json', reason: 'ENOENT' })
      return { file, plugins: [] }
    },
    privateTexts: async () => new Map(),
    identify: (models, renderer) => farm.identify(models, renderer),
    thumbnail: (run, slot) => join(folder, 'thumbnails', run, `${slot}.jpg`),
    pictures,
    finish: async run => {
      await sleep(1)
      const state = settledState(run)
      await guarded.append({ kind: 'run-finished', at: Date.now(), run: run.accepted.run, state })
    },
    freed: () => farm.wake(),
    superseded: (job, newer) => void farm.supersede(job, newer),
  }
  const desk = new Desk(host)
  const attempts = new Attempts(host, desk)
  const options = Object.entries(servers).map(([name, { with: differ, ...entry }]) => {
    const usual = fake.connection()
    const connection = { ...usual, ...differ?.(usual) }
    return { entry: server({ name, url: `http://${name}`, depth: 3, ...entry }), connection }
  })
  const farm: Farm = new Farm({
    servers: options,
    desk,
    attempts,
    limits,
    engine: createEmbeddedEngine(),
    log,
    modelSha256: {},
    progress: () => undefined,
  })
  t.teardown(async () => {
    await farm.stop(0)
    await ledger.close()
  })
  return {
    ledger,
    desk,
    attempts,
    farm,
    fake,
    disk,
    async accept(
      run: string,
      count: number,
      { isBroken = false, renderer = 'draft', labels }: Accepted = {},
    ): Promise<RunState> {
      const plan = samplePlan(sampleSeries({ subject: run, count }))
      const id = { $schema: 'run/1' as const, id: run, key: run, version: 'v', kind: 'render-order' as const }
      const file: RunFile = { ...id, acceptedAt: '2026-01-01T00:00:00.000Z', slots: count, plan }
      if (!isBroken) files.set(run, file)
      await ledger.append(
        acceptedRun({ at: Date.now(), run, key: run, renderer, slots: count, ...(labels && { labels }) }),
      )
      farm.wake()
      const state = ledger.state.runs.get(run)
      if (!state) throw new Error('not accepted')
      return state
    },
  }
}

/** Resolves when the runs have ended. */
export async function ended(...runs: RunState[]): Promise<void> {
  const giveUpAt = performance.now() + endLimitMs
  while (runs.some(run => !run.finished)) {
    if (performance.now() > giveUpAt) throw new Error(`open: ${runs.map(run => JSON.stringify(run.counts)).join(' ')}`)
    await sleep(5)
  }
}
