import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Claim, QueueEngine } from '../../../src/plugins/contract.js'
import { plainNode } from '../../plain-node.js'
import { claimAll, wholeJobs } from '../../../src/plugins/conformance/engine-jobs.js'
import { killRedis, persist } from './kill-redis.js'
import { openBullmq } from './open-bullmq.js'
import { needsRedis, RedisServer } from './redis-server.js'

/** Redelivery and restarts are mostly waiting. */
t.jobs = 4

t.test(
  'engine-bullmq gives the job of a killed process to another within 20 s',
  { ...needsRedis, buffered: true },
  async t => {
    const redis = await RedisServer.start(t)
    const { engine } = await openBullmq({ url: redis.url })
    await engine.offer('a', wholeJobs(1))
    const claimer = fileURLToPath(new URL('claimer.js', import.meta.url))
    const child = spawn(...plainNode([claimer, redis.url, 'a']), { stdio: ['ignore', 'pipe', 'inherit'] })
    t.equal(String(await once(child.stdout, 'data')).trim(), 'j0')
    // Until it has extended its claim once, so that this is what the job outlives.
    await sleep(6000)
    t.equal(await engine.claim('a'), undefined, 'a claim that is extended stays')
    child.kill('SIGKILL')
    const killedAt = performance.now()
    const claim = await until(() => engine.claim('a'), 30_000)
    const tookMs = performance.now() - killedAt
    t.comment(`a job of a killed process came back after ${(tookMs / 1000).toFixed(1)} s`)
    t.equal(claim?.job.id, 'j0')
    t.ok(tookMs <= 20_000, `${tookMs} ms`)
    await engine.close()
  },
)

t.test(
  'engine-bullmq loses nothing and doubles nothing while Redis is killed',
  { ...needsRedis, buffered: true },
  async t => {
    const redis = await RedisServer.start(t)
    const { engine } = await openBullmq({ url: redis.url })
    const jobs = wholeJobs(1500)
    const often = { offered: 10, offerMs: 20, workers: 4, renderMs: 5, upMs: 700, awayMs: 300 }
    const { pulls, resumedMs } = await killRedis({ redis, engine, jobs, ...often })
    t.comment(`pulls went on ${resumedMs.join(', ')} ms after Redis was up again`)
    t.ok(
      resumedMs.every(ms => ms >= 0 && ms <= 5000),
      `${resumedMs.join(', ')} ms`,
    )
    t.equal(pulls.size, jobs.length, 'nothing is lost')
    t.strictSame(
      [...pulls].filter(([, count]) => count !== 1),
      [],
      'nothing is rendered twice',
    )
    t.strictSame(await engine.counts(), new Map())
    await engine.close()
  },
)

t.test('engine-bullmq is filled again after Redis was emptied', { ...needsRedis, buffered: true }, async t => {
  const redis = await RedisServer.start(t)
  const { engine, logged } = await openBullmq({ url: redis.url })
  const jobs = wholeJobs(60)
  await engine.offer('a', jobs.slice(0, 30))
  await engine.offer('b', jobs.slice(30))
  const claims: Claim[] = []
  for (let at = 0; at < 10; at++) claims.push(await claimed(engine, 'a'))
  const done = claims.slice(0, 5)
  for (const claim of done) await engine.finish(claim)
  await redis.command('FLUSHALL')

  const [one, other, ...lost] = claims.slice(5)
  assert(one && other)
  t.equal(await engine.extend(one), false)
  await engine.finish(other)
  for (const claim of lost) await engine.release(claim)
  t.equal(logged.filter(line => line.includes('claim was lost')).length, 4)
  t.strictSame(await engine.counts(), new Map())
  t.equal(await engine.claim('a'), undefined)
  t.strictSame(await engine.cancel(['j20']), [])

  const left = jobs.filter(job => !done.some(claim => claim.job.id === job.id))
  await engine.offer('a', left.slice(0, 25))
  await engine.offer('b', left.slice(25))
  const again = [...(await claimAll(engine, 'a')), ...(await claimAll(engine, 'b'))]
  t.strictSame(
    again.map(claim => claim.job.id),
    left.map(job => job.id),
  )
  for (const claim of again) t.equal(await engine.extend(claim), true)
  await engine.close()
})

t.test(
  'engine-bullmq answers within its limit while Redis is away, and works again after',
  { ...needsRedis, buffered: true },
  async t => {
    const redis = await RedisServer.start(t)
    const { engine, logged } = await openBullmq({ url: redis.url, timeoutSeconds: 1 })
    await engine.offer('a', wholeJobs(6))
    const claim = await claimed(engine, 'a')

    await redis.kill()
    await until(async () => logged.find(line => line.includes('redis went away')), 20_000)
    const begin = performance.now()
    const questions: (() => Promise<unknown>)[] = [
      () => engine.offer('a', wholeJobs(1, 'k')),
      () => engine.claim('a'),
      () => engine.extend(claim),
      () => engine.finish(claim),
      () => engine.release(claim),
      () => engine.cancel(['j1']),
      () => engine.counts(),
      () => engine.drain(),
    ]
    await Promise.all(questions.map(ask => t.rejects(ask(), { code: 'BULLMQ_AWAY' })))
    const tookMs = performance.now() - begin
    t.ok(tookMs > 900 && tookMs < 8000, `${tookMs} ms`)
    await redis.start()
    t.strictSame([...(await persist(() => engine.counts()))], [['a', 5]], 'what was given up was not done later')
    t.equal(await engine.extend(claim), true)

    redis.freeze()
    await t.rejects(engine.claim('a'), { code: 'BULLMQ_AWAY' })
    redis.thaw()
    t.equal((await persist(() => engine.claim('a')))?.lane, 'a')
    const waiting = await engine.counts()
    redis.freeze()
    await t.rejects(engine.claim('a'), { code: 'BULLMQ_AWAY' })
    await redis.kill()
    await redis.start()
    t.strictSame(await persist(() => engine.counts()), waiting, 'what nobody waits for is not asked again')

    t.equal(logged.filter(line => line.includes('redis went away')).length, 3)
    await redis.kill()
    const closing = performance.now()
    const asked = t.rejects(engine.counts(), { code: 'BULLMQ_CLOSED' })
    await engine.close()
    await asked
    t.ok(performance.now() - closing < 8000, 'closes also while Redis is away')
  },
)

/** Asks until it is given something. */
async function until<Value>(ask: () => Promise<Value | undefined>, limitMs: number): Promise<Value | undefined> {
  const end = performance.now() + limitMs
  for (;;) {
    const value = await ask()
    if (value !== undefined || performance.now() > end) return value
    await sleep(50)
  }
}

async function claimed(engine: QueueEngine, lane: string): Promise<Claim> {
  const claim = await engine.claim(lane)
  assert(claim)
  return claim
}
