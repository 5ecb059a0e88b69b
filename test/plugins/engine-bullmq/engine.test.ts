import { strict as assert } from 'node:assert'
import t from 'tap'
import type { QueueEngine } from '../../../src/plugins/contract.js'
import { claimAll, wholeJobs } from '../../../src/plugins/conformance/engine-jobs.js'
import { testEngine } from '../../conformance/suites.js'
import { openBullmq } from './open-bullmq.js'
import { needsRedis, RedisServer } from './redis-server.js'

if (needsRedis.skip) {
  t.test('engine-bullmq keeps every promise of an engine', needsRedis, async () => undefined)
} else {
  const redis = await RedisServer.start(t, ['--appendfsync', 'everysec'])
  let homes = 0
  const nextHome = () => `home-${++homes}`
  const open = async (home = nextHome()): Promise<QueueEngine> => (await openBullmq({ url: redis.url }, home)).engine

  // That a claim which nobody extends comes back is asked of killed processes, in crash.test.ts.
  testEngine('engine-bullmq', async () => {
    const home = nextHome()
    const engine = await open(home)
    const opened = [engine]
    return {
      engine,
      async reopen() {
        const other = await open(home)
        opened.push(other)
        return other
      },
      close: async () => void (await Promise.all(opened.map(each => each.close()))),
    }
  })

  t.test('engine-bullmq keeps homes apart, and answers nothing once it is closed', async t => {
    const [one, other] = [await open('h1'), await open('h2')]
    await one.offer('a', wholeJobs(2))
    t.strictSame(await other.counts(), new Map())
    for (const engine of [one, other]) await engine.close()
    await t.rejects(one.counts(), { code: 'BULLMQ_CLOSED' })
  })

  t.test('engine-bullmq needs one connection for any number of lanes', async t => {
    const count = async () => String(await redis.command('CLIENT', 'LIST')).split('name=foundry ').length - 1
    const before = await count()
    const engine = await open()
    for (let lane = 0; lane < 20; lane++) await engine.offer(`lane/${lane}`, wholeJobs(1, `${lane}-`))
    t.equal((await count()) - before, 1)
    await engine.close()
    t.equal(await count(), before)
  })

  t.test('engine-bullmq keeps nothing of what has ended but a bounded stream of events', async t => {
    const home = nextHome()
    const engine = await open(home)
    for (let round = 0; round < 5; round++) {
      await engine.offer('a', wholeJobs(400))
      await Promise.all((await claimAll(engine, 'a')).map(claim => engine.finish(claim)))
    }
    const keys = (await redis.command('KEYS', `foundry:${home}:*`)) as string[]
    t.ok(keys.length < 10, keys.join(' '))
    // Redis trims whole nodes of a hundred.
    const events = Number(await redis.command('XLEN', `foundry:${home}:q-a:events`))
    t.ok(events > 0 && events <= 1200, `${events} events`)
    await engine.close()
  })

  t.test('engine-bullmq forgets a lane that nobody has offered to for an hour', async t => {
    const home = nextHome()
    const engine = await open(home)
    await engine.offer('old', wholeJobs(1))
    await engine.offer('kept', wholeJobs(1, 'k'))
    const claim = await engine.claim('old')
    assert(claim)
    const age = (lane: string) => redis.command('ZADD', `foundry:${home}:lanes`, '1', `q-${lane}`)
    for (const lane of ['old', 'kept']) await age(lane)
    await engine.counts()
    t.equal((await lanesOf()).length, 2, 'one has a claim, the other a job')
    await engine.finish(claim)
    await engine.counts()
    t.strictSame(await lanesOf(), ['q-kept'])
    t.strictSame(await redis.command('KEYS', `foundry:${home}:q-old:*`), [])
    await engine.close()

    async function lanesOf() {
      return (await redis.command('ZRANGE', `foundry:${home}:lanes`, '0', '-1')) as string[]
    }
  })

  t.test('engine-bullmq takes a prefix', async t => {
    const { engine } = await openBullmq({ url: redis.url, prefix: 'own:prefix' })
    await engine.offer('a', wholeJobs(1))
    t.equal(await redis.command('EXISTS', 'own:prefix:q-a:j-j0'), 1)
    await engine.close()
  })

  t.test('engine-bullmq takes the database of its url', async t => {
    const { engine } = await openBullmq({ url: `${redis.url}/3`, prefix: 'third' })
    await engine.offer('a', wholeJobs(1))
    t.equal(await redis.command('EXISTS', 'third:q-a:j-j0'), 0)
    t.match(await redis.command('INFO', 'keyspace'), /db3:/)
    t.equal((await engine.claim('a'))?.job.id, 'j0')
    await engine.close()
  })

  t.test('engine-bullmq claims fast from many lanes', async t => {
    const engine = await open()
    const lanes = Array.from({ length: 50 }, (_, at) => `default/comfyui/${at}`)
    const jobs = new Map(lanes.map(lane => [lane, wholeJobs(100, `${lane}-`)]))
    const offering = performance.now()
    for (const [lane, own] of jobs) await engine.offer(lane, own)
    t.comment(`5,000 jobs offered in ${Math.round(performance.now() - offering)} ms`)
    const tookMs: number[] = []
    for (let round = 0; round < 20; round++) {
      for (const lane of lanes) {
        const begin = performance.now()
        await engine.claim(lane)
        tookMs.push(performance.now() - begin)
      }
    }
    tookMs.sort((one, other) => one - other)
    const at = (part: number) => (tookMs[Math.floor(tookMs.length * part)] ?? 0).toFixed(2)
    t.comment(`claim from 50 lanes with 5,000 jobs: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`)
    t.equal(
      [...(await engine.counts()).values()].reduce((sum, count) => sum + count, 0),
      4000,
    )
    await engine.close()
  })
}
