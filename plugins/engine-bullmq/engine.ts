import { randomUUID } from 'node:crypto'
import type { Job as Stored } from 'bullmq'
import type { Claim, EngineHost, Job, QueueEngine } from '../../src/plugins/contract.js'
import { idleSince, type Lanes, lockMs } from './lanes.js'
import { keyOf, laneOf, queueOf } from './names.js'
import { isNumbered, type RedisLink } from './redis-link.js'
import { findScript, surveyScript } from './scripts.js'

/** Jobs that one question is about: more would keep Redis from its other clients. */
const partMax = 200
const eventsMax = 1000

export interface EngineParts {
  link: RedisLink
  lanes: Lanes
  prefix: string
  log: EngineHost['log']
}

/**
 * The verbs of an engine, each a call of BullMQ: jobs lie whole in the queue of their lane, oldest first, and a claim is a lock with
 * a token of its own. Of a finished job nothing is kept, so that it can be offered again.
 */
export function createEngine({ link, lanes, prefix, log }: EngineParts): QueueEngine {
  const lanesKey = `${prefix}:lanes`
  const held = new Map<string, Stored<Job>>()
  let offeredAt = 0

  /** For each id the queue that has it, or nothing. */
  async function find(ids: readonly string[]): Promise<string[]> {
    return link.ask(async () => {
      return (await link.client.eval(findScript, 1, lanesKey, prefix, ...ids.map(keyOf))) as string[]
    })
  }

  /** Lanes with their waiting jobs, the one with the oldest first. */
  async function survey(): Promise<{ lane: string; waiting: number }[]> {
    const before = idleSince(Date.now())
    const found = await link.ask(async () => {
      return (await link.client.eval(surveyScript, 1, lanesKey, prefix, before)) as [string, number, string][]
    })
    return found
      .sort(([, , one], [, , other]) => Number(one) - Number(other))
      .map(([queue, waiting]) => ({ lane: laneOf(queue), waiting }))
  }

  async function offerPart(lane: string, jobs: readonly Job[]): Promise<void> {
    await link.ask(() => link.client.zadd(lanesKey, Date.now(), queueOf(lane)))
    const { queue } = lanes.open(lane)
    // BullMQ would note it once, and keep ten times as much after Redis was emptied.
    await link.ask(() => link.client.hset(queue.toKey('meta'), 'opts.maxLenEvents', eventsMax))
    const found = await find(jobs.map(job => job.id))
    const fresh = jobs.filter((_, at) => found[at] === '')
    // Lanes are told apart by the time of their oldest job, so no two offers have the same.
    offeredAt = Math.max(Date.now(), offeredAt + 1)
    const timestamp = offeredAt
    const stored = fresh.map(data => ({ name: 'job', data, opts: { jobId: keyOf(data.id), timestamp } }))
    await link.ask(() => queue.addBulk(stored))
  }

  /** Those that were there and that nobody has claimed. */
  async function remove<Item>(items: readonly Item[], act: (item: Item) => Promise<number>): Promise<Item[]> {
    const removed = await link.ask(() => Promise.all(items.map(act)))
    return items.filter((_, at) => removed[at] === 1)
  }

  async function drainLane(lane: string): Promise<Job[]> {
    const { queue } = lanes.open(lane)
    const drained: Job[] = []
    for (;;) {
      const waiting = await link.ask(() => queue.getJobs(['wait'], 0, partMax - 1, true))
      const taken = await remove(waiting, job => queue.remove(keyOf(job.data.id)))
      if (taken.length === 0) return drained
      drained.push(...taken.map(job => job.data))
    }
  }

  /** Ends a claim. A lost one is told in the log, and never tried again: its job may be with another by now. */
  async function end(claim: Claim, act: (stored: Stored<Job>) => Promise<unknown>): Promise<void> {
    const stored = held.get(claim.token)
    if (!stored) return
    try {
      await link.ask(() => act(stored))
    } catch (error) {
      if (!isNumbered(error)) throw error
      log.warn({ job: claim.job.id, lane: claim.lane, code: error.code }, 'claim was lost before its end')
    }
    held.delete(claim.token)
  }

  return {
    async offer(lane, jobs) {
      for (const part of parts(jobs)) await offerPart(lane, part)
    },
    async claim(lane) {
      const token = randomUUID()
      const next = () => lanes.open(lane).worker.getNextJob(token, { block: false })
      const stored: Stored<Job> | undefined = await link.ask(next)
      if (!stored) return undefined
      held.set(token, stored)
      return { job: stored.data, lane, token }
    },
    async extend(claim) {
      const stored = held.get(claim.token)
      if (!stored) return false
      const isKept = (await link.ask(() => stored.extendLock(claim.token, lockMs))) === 1
      if (!isKept) held.delete(claim.token)
      return isKept
    },
    finish: claim => end(claim, stored => stored.moveToCompleted(null, claim.token, false)),
    release: claim => end(claim, stored => stored.moveToWait(claim.token)),
    async cancel(jobs) {
      const taken: string[] = []
      for (const part of parts(jobs)) {
        const found = await find(part)
        const known = part.flatMap((job, at) => (found[at] ? [{ job, lane: laneOf(found[at]) }] : []))
        const removed = await remove(known, ({ job, lane }) => lanes.open(lane).queue.remove(keyOf(job)))
        taken.push(...removed.map(({ job }) => job))
      }
      return taken
    },
    async counts() {
      const found = await survey()
      // Opened, a lane has its dead claims returned, also those of processes that are gone.
      for (const { lane } of found) lanes.open(lane)
      await lanes.closeIdle(lane => found.some(each => each.lane === lane))
      return new Map(found.filter(({ waiting }) => waiting > 0).map(({ lane, waiting }) => [lane, waiting]))
    },
    async drain() {
      const drained: Job[] = []
      for (const { lane, waiting } of await survey()) if (waiting > 0) drained.push(...(await drainLane(lane)))
      return drained
    },
    async close() {
      await Promise.all([link.close(), lanes.close()])
    },
  }
}

function* parts<Item>(items: readonly Item[]): Iterable<readonly Item[]> {
  for (let at = 0; at < items.length; at += partMax) yield items.slice(at, at + partMax)
}
