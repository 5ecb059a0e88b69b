import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { noOdds } from './fake-server.js'
import { chanceOf, ended, openFarm } from './open-farm.js'

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
