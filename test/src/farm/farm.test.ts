import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import sharp from 'sharp'
import t from 'tap'
import { server } from '../../../src/config/config.js'
import { failure } from '../../../src/errors.js'
import { Desk } from '../../../src/farm/desk.js'
import { createEmbeddedEngine } from '../../../src/farm/embedded-engine.js'
import { Farm } from '../../../src/farm/farm.js'
import { type Ledger, openLedger } from '../../../src/record/ledger.js'
import { openPictures } from '../../../src/record/pictures.js'
import { type RunState, settledState } from '../../../src/record/state.js'
import type { RunFile } from '../../../src/schema/run.js'
import { samplePlan, sampleSeries } from '../plan/sample-plan.js'
import { FakeServer, noOdds, type Odds } from './fake-server.js'

const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, at) => (at * 7919) % 251))
const picture = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
  .png()
  .toBuffer()
const endLimitMs = 40_000

/** Numbers from 0 to below 1, the same for the same seed. */
function chanceOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

interface Options {
  folder: string
  seed: number
  /** May be changed while the farm works. */
  odds?: Odds
  jobMs?: number
  attemptsMax?: number
}

/** Desk, farm and one fake server on a real ledger, in a folder. */
async function openFarm(
  t: { teardown(end: () => Promise<void>): void },
  { folder, seed, odds = noOdds, jobMs = 4, attemptsMax = 4 }: Options,
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
  const desk: Desk = new Desk({
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
    thumbnail: (run, slot) => join(folder, 'thumbnails', run, `${slot}.webp`),
    pictures,
    finish: async run => {
      await sleep(1)
      const state = settledState(run)
      await guarded.append({ kind: 'run-finished', at: Date.now(), run: run.accepted.run, state })
    },
    freed: () => farm.wake(),
  })
  const entry = server({ name: 'gpu', url: 'http://gpu', depth: 3 })
  const farm: Farm = new Farm({
    servers: [{ entry, connection: fake.connection() }],
    desk,
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
    farm,
    fake,
    disk,
    async accept(run: string, count: number, { isBroken = false } = {}): Promise<RunState> {
      const plan = samplePlan(sampleSeries({ subject: run, count }))
      const id = { $schema: 'run/1' as const, id: run, key: run, version: 'v', kind: 'render-order' as const }
      const file: RunFile = { ...id, acceptedAt: '2026-01-01T00:00:00.000Z', slots: count, plan }
      if (!isBroken) files.set(run, file)
      await ledger.append({
        kind: 'run-accepted',
        at: Date.now(),
        run,
        nonce: 'n',
        key: run,
        version: 'v',
        dropKind: 'render-order',
        drop: '/d',
        dropSha256: 'd'.repeat(64),
        files: {},
        renderer: 'draft',
        slots: count,
        skipped: [],
        fresh: false,
        by: 'test',
      })
      farm.wake()
      const state = ledger.state.runs.get(run)
      if (!state) throw new Error('not accepted')
      return state
    },
  }
}

async function ended(...runs: RunState[]): Promise<void> {
  const giveUpAt = performance.now() + endLimitMs
  while (runs.some(run => !run.finished)) {
    if (performance.now() > giveUpAt) throw new Error(`open: ${runs.map(run => JSON.stringify(run.counts)).join(' ')}`)
    await sleep(5)
  }
}

t.jobs = 8
const folder = t.testdir()

const seed = Number(process.env['FOUNDRY_TEST_SEED'] ?? 20_260_101)
for (let at = 0; at < 6; at++) {
  t.test(`every picture is committed once whatever a server and an operator do, seed ${seed + at}`, async t => {
    const odds = { fails: 0.1, unanswered: 0.05, vanishes: 0.01, unreachable: 0.02, deserts: 0.02, forgets: 0.01 }
    const open = await openFarm(t, { folder: join(folder, String(at)), seed: seed + at, odds, attemptsMax: 50 })
    const { ledger, farm, desk, fake, disk } = open
    const chance = chanceOf(seed - at)
    await farm.start()
    const runs = [await open.accept('one', 25), await open.accept('two', 15)]
    for (let act = 0; act < 12; act++) {
      await sleep(chance() * 60)
      const run = runs[act % 2]
      if (!run || run.finished) continue
      const { run: id } = run.accepted
      if (chance() < 0.2) disk.full = 1
      else if (!run.isCancelled && chance() < 0.4) {
        await ledger.append({ kind: 'run-cancelled', at: Date.now(), run: id, by: 'test' })
        await farm.cancel(job => job.run === id)
        await desk.review(id)
      } else if (run.counts.failed + run.counts.cancelled > 0) {
        await ledger.append({ kind: 'run-retried', at: Date.now(), run: id, by: 'test' })
        await desk.review(id)
        farm.wake()
      }
    }
    for (const run of runs) {
      if (run.counts.cancelled === 0 && !run.isCancelled) continue
      await ended(run)
      await ledger.append({ kind: 'run-retried', at: Date.now(), run: run.accepted.run, by: 'test' })
      await desk.review(run.accepted.run)
      farm.wake()
    }
    await ended(...runs)
    t.strictSame(fake.wrongs, [])
    t.strictSame(
      runs.map(run => run.counts.done),
      [25, 15],
    )
    t.strictSame(
      runs.map(run => run.leases.size),
      [0, 0],
    )
    t.strictSame(readdirSync(join(folder, String(at), 'staging')), [])
  })
}

t.test('a single job that fails is tried again without anybody calling', async t => {
  const open = await openFarm(t, {
    folder: join(folder, 'single'),
    seed: 1,
    odds: { ...noOdds, fails: 1 },
    attemptsMax: 3,
  })
  await open.farm.start()
  const run = await open.accept('one', 1)
  await ended(run)
  t.match(run.counts, { failed: 1 })
  t.ok((run.attempts[0] ?? 0) >= 3, 'attempts that the server spoilt come on top')
})

t.test('a run that cannot be read fails alone, and those before and after it are rendered', async t => {
  const open = await openFarm(t, { folder: join(folder, 'broken'), seed: 1 })
  const before = await open.accept('before', 2)
  const broken = await open.accept('broken', 2, { isBroken: true })
  const after = await open.accept('after', 2)
  await open.farm.start()
  await ended(before, after)
  t.equal(broken.counts.failed, 2)
  t.match([...broken.reasons.values()], [/run\.json/, /run\.json/])
})

t.test('an attempt that was never sent is sent once the server is there, as the same attempt', async t => {
  const odds = { ...noOdds }
  const { fake, farm, ...open } = await openFarm(t, { folder: join(folder, 'away'), seed: 1, odds })
  await farm.start()
  await open.accept('first', 1)
  await sleep(50)
  odds.unreachable = 0.8
  const run = await open.accept('one', 3)
  await sleep(600)
  odds.unreachable = 0
  await ended(run)
  t.equal(run.attempts.reduce((sum, each) => sum + each, 0) - [...run.failures.values()].flat().length, 3)
  t.strictSame(fake.wrongs, [])
})

t.test('a farm that is stopped while the disk is full leaves its jobs for the next start', async t => {
  const open = await openFarm(t, { folder: join(folder, 'full'), seed: 1 })
  await open.farm.start()
  const run = await open.accept('one', 5)
  open.disk.full = 1_000_000
  await sleep(100)
  const begin = performance.now()
  await open.farm.stop(50)
  t.ok(performance.now() - begin < 1000, 'it does not wait for the disk')
  t.notOk(run.finished)
})
