import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisServer, redisProgram } from '../plugins/engine-bullmq/redis-server.js'
import { randomNumbers } from '../recovery/processes.js'
import { freeze, renderWithWorkers } from '../recovery/workers.js'

/** Workers, Redis and owner of a long run, each killed again and again: `node dist/test/soak/workers.js [SEED]`. */
const seed = Number(process.argv[2] ?? Date.now() % 1_000_000)
const slots = 3000
const kills = 30
const heldMax = 10
/** Longer than a worker may be silent. */
const frozenMs = 15_000
const closers: (() => Promise<void>)[] = []

if (redisProgram === undefined)
  console.log(JSON.stringify({ soak: 'workers', skipped: 'no redis-server is installed' }))
else {
  const folder = mkdtempSync(join(tmpdir(), 'foundry-soak-'))
  const redis = await RedisServer.start({ teardown: close => closers.push(close) })
  const random = randomNumbers(seed)
  const killed = { worker: 0, redis: 0, owner: 0, emptied: 0, frozen: 0 }
  const begin = performance.now()
  const { facts, renders, ended } = await renderWithWorkers(folder, {
    slots,
    jobMs: 100,
    redisUrl: redis.url,
    extra: kills * heldMax,
    async meanwhile({ workers, startWorker, owner, startOwner, done }) {
      for (let kill = 1; kill <= kills; kill++) {
        await done(Math.floor((kill * slots) / (kills + 2)))
        const what = (['worker', 'redis', 'owner', 'emptied', 'frozen'] as const)[random(5)] ?? 'redis'
        killed[what]++
        if (what === 'worker') {
          const name = `w${1 + random(3)}`
          await workers.get(name)?.kill()
          await startWorker(name)
        } else if (what === 'owner') {
          await owner().kill()
          await startOwner()
        } else if (what === 'redis') {
          await redis.kill()
          await sleep(random(2000))
          await redis.start()
        } else if (what === 'frozen') await freeze(workers.get(`w${1 + random(3)}`), frozenMs)
        else await redis.command('FLUSHALL')
      }
    },
  })
  const { problems, done } = facts
  const seconds = Math.round((performance.now() - begin) / 1000)
  console.log(JSON.stringify({ soak: 'workers', seed, killed, done, renders, lost: ended.length, seconds, problems }))
  for (const close of closers) await close()
  if (problems.length === 0 && done === slots) rmSync(folder, { recursive: true })
  else process.exitCode = 1
}
