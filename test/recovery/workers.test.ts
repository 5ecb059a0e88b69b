import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { needsRedis, RedisServer } from '../plugins/engine-bullmq/redis-server.js'
import { freeze, renderWithWorkers, type WorkersCase } from './workers.js'

const elsewhereMsMax = 20_000
/** Of one worker: on its server, and on their way to the owner. */
const heldMax = 10

t.setTimeout(300_000)
// They wait most of the time.
t.jobs = 2

t.test('three workers render every picture once, each its share', { ...needsRedis }, async t => {
  const slots = 60
  const { renders, stored, facts } = await check(t, { slots, jobMs: 40 })
  t.equal(facts.renders, slots)
  for (const [name, count] of Object.entries(renders)) t.ok(count >= slots / 6, `${name} rendered ${count}`)
  t.strictSame(stored, [])
})

t.test('what a killed worker had is rendered by others within 20 s', { ...needsRedis }, async t => {
  let killedAt = 0
  const { leases, ended, facts } = await check(t, {
    slots: 40,
    jobMs: 400,
    extra: heldMax,
    async meanwhile({ workers, done, busy }) {
      await done(10)
      await busy('w1')
      killedAt = Date.now()
      await workers.get('w1')?.kill()
    },
  })
  const lost = ended.filter(({ server, outcome }) => server.startsWith('w1/') && outcome === 'lost')
  t.ok(lost.length > 0, 'it had jobs')
  for (const { slot } of lost) {
    const again = leases.find(each => each.slot === slot && each.attempt === 2)
    t.match(again?.server, /^w[23]\//)
    const ms = (again?.at ?? Infinity) - killedAt
    t.ok(ms <= elsewhereMsMax, `slot ${slot} is with ${again?.server} ${ms} ms after the kill`)
  }
  t.equal(ended.length, lost.length)
  t.comment(
    `${lost.length} jobs were elsewhere within ${Math.max(...leases.filter(each => each.attempt === 2).map(each => each.at)) - killedAt} ms, ${facts.attempts} attempts`,
  )
})

t.test(
  'a worker that was frozen for 15 s brings what it has, and nothing is committed twice',
  { ...needsRedis },
  async t => {
    const { ended } = await check(t, {
      slots: 60,
      jobMs: 800,
      extra: heldMax,
      async meanwhile({ workers, done }) {
        await done(6)
        await freeze(workers.get('w1'), 15_000)
      },
    })
    t.ok(ended.some(({ server, outcome }) => server.startsWith('w1/') && outcome === 'lost'))
  },
)

t.test('a Redis that is killed three times and emptied once loses nothing', { ...needsRedis }, async t => {
  const redis = await RedisServer.start(t)
  await check(t, {
    slots: 120,
    jobMs: 120,
    redis,
    async meanwhile({ done }) {
      for (const count of [10, 30, 50]) {
        await done(count)
        await redis.kill()
        await sleep(500)
        await redis.start()
      }
      await done(70)
      await redis.command('FLUSHALL')
    },
  })
})

t.test('an owner that is killed finds its workers again', { ...needsRedis }, async t => {
  const { ended, facts } = await check(t, {
    slots: 80,
    jobMs: 150,
    async meanwhile({ owner, startOwner, done }) {
      for (const count of [10, 30]) {
        await done(count)
        await owner().kill()
        await sleep(1000)
        await startOwner()
      }
    },
  })
  t.equal(facts.owners, 3)
  t.strictSame(ended, [], 'no attempt was lost')
})

t.test('a server of the owner works as well, and takes back what no worker has begun', { ...needsRedis }, async t => {
  const { renders, sinceMs } = await check(t, { slots: 30, jobMs: 4000, ownJobMs: 40 })
  // Six jobs fit on the servers of the workers: without the other one, all would take 40 s.
  t.ok((renders['own'] ?? 0) >= 20, `${renders['own']} were rendered here`)
  t.ok(sinceMs < 30_000, `${Math.round(sinceMs)} ms`)
})

/** Renders with workers; nothing is lost, nothing committed twice. */
async function check(t: Test, wanted: Omit<WorkersCase, 'redisUrl'> & { redis?: RedisServer }) {
  const { redis = await RedisServer.start(t), ...rest } = wanted
  const found = await renderWithWorkers(join(t.testdir(), 'farm'), { ...rest, redisUrl: redis.url })
  const { facts, renders, sinceMs } = found
  t.strictSame(facts.problems, [])
  t.equal(facts.done, wanted.slots)
  t.comment(`${JSON.stringify(renders)}, ${facts.attempts} attempts, ${Math.round(sinceMs)} ms`)
  return found
}
