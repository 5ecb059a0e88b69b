import { setTimeout as sleep } from 'node:timers/promises'
import type { Job, QueueEngine } from '../../../src/plugins/contract.js'
import type { RedisServer } from './redis-server.js'

const kills = 3
const pulledMsMax = 20_000

interface Kills {
  redis: RedisServer
  engine: QueueEngine
  jobs: readonly Job[]
  /** Jobs of one offer, and the wait between two. */
  offered: number
  offerMs: number
  workers: number
  renderMs: number
  /** How long Redis is up before each kill, and away after it. */
  upMs: number
  awayMs: number
  /** Called where all was offered and nothing can be claimed. */
  onEmpty?: (finished: ReadonlySet<string>) => Promise<void>
}

export interface Outlived {
  /** How often each job was claimed. */
  pulls: ReadonlyMap<string, number>
  /** How long after each start of Redis the first job was claimed; below 0 where none was. */
  resumedMs: readonly number[]
}

/** Kills Redis three times and starts it again, while jobs are offered and rendered, until all are finished. */
export async function killRedis(options: Kills): Promise<Outlived> {
  const { redis, engine, jobs, offered, offerMs, workers, renderMs, upMs, awayMs, onEmpty } = options
  const pulls = new Map<string, number>()
  const finished = new Set<string>()
  let pulledAt = 0
  let isOffered = false

  async function offer(): Promise<void> {
    for (let at = 0; at < jobs.length; at += offered) {
      await persist(() => engine.offer('a', jobs.slice(at, at + offered)))
      await sleep(offerMs)
    }
    isOffered = true
  }

  async function work(): Promise<void> {
    while (!isOffered || finished.size < jobs.length) {
      const claim = await persist(() => engine.claim('a'))
      if (!claim) {
        await sleep(20)
        if (isOffered) await onEmpty?.(finished)
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
  for (let kill = 0; kill < kills; kill++) {
    await sleep(upMs)
    await redis.kill()
    await sleep(awayMs)
    await redis.start()
    const upAt = performance.now()
    while (pulledAt < upAt && finished.size < jobs.length && performance.now() < upAt + pulledMsMax) await sleep(10)
    resumedMs.push(Math.round(pulledAt - upAt))
  }
  await Promise.all(all)
  return { pulls, resumedMs }
}

/** Asks until there is an answer. */
export async function persist<Value>(ask: () => Promise<Value>): Promise<Value> {
  for (;;) {
    try {
      return await ask()
    } catch {
      await sleep(50)
    }
  }
}
