import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { needsRedis, RedisServer } from '../plugins/engine-bullmq/redis-server.js'
import { openWorkersFarm, renderWithWorkers } from './workers.js'

/** A worker is silent for 12 s before it is given up. */
const elsewhereMsMax = 30_000
/** Of one worker: on its server, and on their way to the owner. */
const heldMax = 10
const slots = { shared: 24, redis: 36, owner: 20, dead: 18 }

t.setTimeout(175_000)
// They wait most of the time.
t.jobs = 2
const folder = t.testdir()

t.test('three workers lose nothing, whatever befalls them, Redis and their owner', { ...needsRedis }, async t => {
  const redis = await RedisServer.start(t)
  const farm = await openWorkersFarm(join(folder, 'farm'), { jobMs: 250, redisUrl: redis.url })
  t.teardown(() => {
    if (!t.passing()) console.error(farm.said())
    return farm.end()
  })
  const { owner, workers, done } = farm

  farm.drop('shared', slots.shared)
  await farm.finished('shared-')

  await farm.setPace(120)
  farm.drop('redis', slots.redis)
  for (const count of [4, 10, 16]) {
    await done(count, 'redis-')
    await redis.kill()
    await sleep(500)
    await redis.start()
  }
  await done(22, 'redis-')
  await redis.command('FLUSHALL')
  await farm.finished('redis-')

  farm.drop('owner', slots.owner)
  for (const count of [3, 9]) {
    await done(count, 'owner-')
    await owner().kill()
    await sleep(500)
    await farm.startOwner()
  }
  await farm.finished('owner-')

  await farm.setPace(600)
  farm.drop('dead', slots.dead)
  await done(3, 'dead-')
  await Promise.all([farm.busy('w1'), farm.busy('w2')])
  const killedAt = Date.now()
  await workers.get('w1')?.kill()
  workers.get('w2')?.child.kill('SIGSTOP')
  await farm.givenUp('w2')
  workers.get('w2')?.child.kill('SIGCONT')
  await farm.finished('dead-')

  const { facts, leases, ended, again, stored } = await farm.stop(2 * heldMax)
  t.strictSame(facts.problems, [])
  t.equal(facts.done, slots.shared + slots.redis + slots.owner + slots.dead)
  t.equal(facts.owners, 3)

  for (const name of ['w1', 'w2', 'w3']) {
    const its = leases.filter(({ run, server }) => run.startsWith('shared-') && server.startsWith(`${name}/`))
    t.ok(its.length >= slots.shared / 6, `${name} had ${its.length} of the shared pictures`)
  }
  for (const [run, count] of Object.entries(again))
    if (!run.startsWith('dead-')) t.equal(count, 0, `${run} is rendered once`)
  t.strictSame(
    ended.filter(({ run }) => run.startsWith('shared-')),
    [],
  )
  // An owner that dies between the lease and its answer leaves one that no worker knows of.
  t.strictSame(
    ended.filter(({ run, message }) => run.startsWith('owner-') && !message.includes('does not know of it')),
    [],
    'no attempt that a worker had was lost while its owner was away',
  )

  const lost = ended.filter(({ run, outcome }) => run.startsWith('dead-') && outcome === 'lost')
  t.ok(
    lost.some(({ server }) => server.startsWith('w2/')),
    'the worker that stood still had jobs',
  )
  const ofDead = lost.filter(({ server }) => server.startsWith('w1/'))
  t.ok(ofDead.length > 0, 'the worker that was killed had jobs')
  for (const { run, slot } of ofDead) {
    const next = leases.find(each => each.run === run && each.slot === slot && each.attempt === 2)
    t.match(next?.server, /^w[23]\//)
    const ms = (next?.at ?? Infinity) - killedAt
    t.ok(ms <= elsewhereMsMax, `slot ${slot} is with ${next?.server} ${ms} ms after the kill`)
  }
  t.comment(`${lost.length} jobs were lost, ${JSON.stringify(again)} rendered again`)
  t.strictSame(
    stored.filter(path => !ofDead.some(({ server }) => path.includes(server))),
    [],
  )
})

t.test('a server of the owner works as well, and takes back what no worker has begun', { ...needsRedis }, async t => {
  const redis = await RedisServer.start(t)
  const slots = 16
  const { renders, facts } = await renderWithWorkers(join(folder, 'own'), {
    slots,
    names: ['w1'],
    jobMs: 6000,
    ownJobMs: 40,
    redisUrl: redis.url,
  })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, slots)
  // Two jobs fit on the server of the worker: whatever else was offered to it came back.
  t.ok((renders['own'] ?? 0) >= slots - 4, JSON.stringify(renders))
  t.ok((renders['w1'] ?? 0) > 0, JSON.stringify(renders))
})
