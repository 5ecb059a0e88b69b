import type { Claim, QueueEngine } from '../../src/plugins/contract.js'
import { wholeJobs } from '../../src/plugins/conformance/engine-jobs.js'
import { killRedis, persist } from '../plugins/engine-bullmq/kill-redis.js'
import { openBullmq } from '../plugins/engine-bullmq/open-bullmq.js'
import { redisProgram, RedisServer } from '../plugins/engine-bullmq/redis-server.js'
import { beginSoak } from './begin.js'

/** An engine on a Redis that is killed, and on one that is emptied, with very many jobs: `node dist/test/soak/redis.js`. */
const soak = beginSoak('redis')
const killedJobs = 10_000
const emptiedJobs = 100_000
const pulledMsMax = 5000
const refilledMsMax = 60_000
const workers = 8
const renderMs = 8

if (redisProgram === undefined) soak.tell('skipped', true, { reason: 'no redis-server is installed' })
else {
  for (const fsync of ['everysec', 'always']) await kill(fsync)
  await empty()
}
soak.end()

/** Three kills while many pull: nothing is lost, and what is finished comes no second time. */
async function kill(fsync: string): Promise<void> {
  const { redis, end } = await start('--appendfsync', fsync)
  const { engine } = await openBullmq({ url: redis.url })
  const often = { offered: 50, offerMs: 0, workers, renderMs, upMs: 1500, awayMs: 500 }
  // What Redis forgot, the owner offers again.
  const onEmpty = (finished: ReadonlySet<string>) => offerLost(engine, finished)
  const { pulls, resumedMs } = await killRedis({ redis, engine, jobs: wholeJobs(killedJobs), onEmpty, ...often })
  const again = [...pulls.values()].filter(count => count > 1).length
  // What Redis had not written within its second is offered again; with `always` there is no such thing.
  const isGood =
    pulls.size === killedJobs &&
    resumedMs.every(ms => ms >= 0 && ms <= pulledMsMax) &&
    (fsync !== 'always' || again <= workers)
  soak.tell(`killed, ${fsync}`, isGood, { jobs: pulls.size, again, resumedMs })
  await engine.close()
  await end()
}

async function offerLost(engine: QueueEngine, finished: ReadonlySet<string>): Promise<void> {
  const counts = await persist(() => engine.counts())
  if ((counts.get('a') ?? 0) > 0) return
  const lost = wholeJobs(killedJobs).filter(({ id }) => !finished.has(id))
  if (lost.length > 0) await persist(() => engine.offer('a', lost.slice(0, 50)))
}

/** Everything is offered again, but for what is done. */
async function empty(): Promise<void> {
  const { redis, end } = await start()
  const { engine } = await openBullmq({ url: redis.url })
  const jobs = wholeJobs(emptiedJobs)
  const offer = async (wanted: typeof jobs) => {
    for (let at = 0; at < wanted.length; at += 500) await engine.offer('a', wanted.slice(at, at + 500))
  }
  await offer(jobs.slice(0, 1000))
  const done = new Set<string>()
  for (let at = 0; at < 100; at++) {
    const claim = await engine.claim('a')
    if (!claim) break
    await engine.finish(claim)
    done.add(claim.job.id)
  }
  await redis.command('FLUSHALL')
  const begin = performance.now()
  await offer(jobs.filter(({ id }) => !done.has(id)))
  const refilledMs = performance.now() - begin
  const claims: Claim[] = []
  for (let at = 0; at < 200; at++) {
    const claim = await engine.claim('a')
    if (claim) claims.push(claim)
  }
  const rerun = claims.filter(({ job }) => done.has(job.id)).length
  const waiting = (await engine.counts()).get('a')
  const isGood = refilledMs <= refilledMsMax && rerun === 0 && claims.length === 200
  soak.tell('emptied', isGood, { jobs: emptiedJobs, refilledMs: Math.round(refilledMs), rerun, waiting })
  await engine.close()
  await end()
}

async function start(...options: string[]): Promise<{ redis: RedisServer; end(): Promise<void> }> {
  const ends: (() => Promise<void>)[] = []
  const redis = await RedisServer.start({ teardown: (end: () => Promise<void>) => void ends.push(end) }, options)
  return { redis, end: async () => void (await Promise.all(ends.map(end => end()))) }
}
