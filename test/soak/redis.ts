import { setTimeout as sleep } from 'node:timers/promises'
import type { Claim, QueueEngine } from '../../src/plugins/contract.js'
import { openBullmq } from '../plugins/engine-bullmq/open-bullmq.js'
import { redisProgram, RedisServer } from '../plugins/engine-bullmq/redis-server.js'
import { makeJob, smallGraph } from '../plugins/provider-comfyui/make-job.js'
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

function wholeJobs(count: number) {
  return Array.from({ length: count }, (_, at) => makeJob({ id: `j${at}`, graph: smallGraph(1), isPrivate: false }))
}

/** Three kills while many pull: nothing is lost, and what is finished comes no second time. */
async function kill(fsync: string): Promise<void> {
  const { redis, end } = await start('--appendfsync', fsync)
  const { engine } = await openBullmq({ url: redis.url })
  const pulls = new Map<string, number>()
  const finished = new Set<string>()
  let pulledAt = 0
  let isOffered = false
  const offer = async () => {
    const jobs = wholeJobs(killedJobs)
    for (let at = 0; at < jobs.length; at += 50) await persist(() => engine.offer('a', jobs.slice(at, at + 50)))
    isOffered = true
  }
  const work = async () => {
    // What Redis forgot, the owner offers again.
    while (!isOffered || finished.size < killedJobs) {
      const claim = await persist(() => engine.claim('a'))
      if (!claim) {
        await sleep(20)
        if (isOffered) await offerLost(engine, finished)
        continue
      }
      pulledAt = performance.now()
      pulls.set(claim.job.id, (pulls.get(claim.job.id) ?? 0) + 1)
      await sleep(renderMs)
      await persist(() => engine.finish(claim))
      finished.add(claim.job.id)
    }
  }
  const all = [offer(), ...Array.from({ length: workers }, work)]
  const resumedMs: number[] = []
  for (let time = 0; time < 3; time++) {
    await sleep(1500)
    await redis.kill()
    await sleep(500)
    await redis.start()
    const upAt = performance.now()
    while (pulledAt < upAt && finished.size < killedJobs && performance.now() < upAt + 20_000) await sleep(10)
    resumedMs.push(Math.round(pulledAt - upAt))
  }
  await Promise.all(all)
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

/** Asks until there is an answer. */
async function persist<Value>(ask: () => Promise<Value>): Promise<Value> {
  for (;;) {
    try {
      return await ask()
    } catch {
      await sleep(50)
    }
  }
}
