import { createRedisBackend, Queue, type QueueBaseOptions, Worker } from 'bullmq'
import { type EngineHost, extendEveryMs, type Job, reasonOf } from '../../src/plugins/contract.js'
import { queueOf } from './names.js'
import { isAway, type RedisLink } from './redis-link.js'

/** A claim that nobody extends lives this long; the check that finds it comes as often as claims are extended. */
export const lockMs = 3 * extendEveryMs
/** Processes check in turn: one leaves it to the others for this long. A little less, or it would now and then be too early for itself. */
const checkedMs = extendEveryMs - 500

/** One lane as BullMQ has it: a queue, and a worker that runs nothing itself and returns what dead processes had claimed. */
export interface Lane {
  name: string
  queue: Queue<Job>
  worker: Worker<Job, null>
  usedAt: number
}

const idleMsMax = 60 * 60 * 1000

/** The lanes that this process deals with, over one connection. */
export class Lanes {
  private readonly byName = new Map<string, Lane>()
  private readonly backend: ReturnType<typeof createRedisBackend>
  private readonly options
  private readonly log: EngineHost['log']
  private isClosed = false

  constructor(link: RedisLink, prefix: string, host: EngineHost) {
    this.log = host.log
    this.options = {
      connection: link.client,
      prefix,
      // What the server is, is judged at the start.
      skipVersionCheck: true,
      skipMetasUpdate: true,
      autorun: false,
      skipLockRenewal: true,
      lockDuration: lockMs,
      stalledInterval: checkedMs,
      // How often a job is tried is not for a queue to say.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    } satisfies QueueBaseOptions & Record<string, unknown>
    // Lanes are siblings of this one: a worker on its own would open a second connection, to wait for jobs.
    this.backend = createRedisBackend('lanes', this.options)
    // The link tells what happens to the connection.
    this.backend.on('error', () => undefined)
  }

  /** Resolves once BullMQ has seen that Redis is there. */
  async ready(): Promise<void> {
    await this.backend.waitUntilReady()
  }

  open(name: string): Lane {
    const known = this.byName.get(name)
    if (known) {
      known.usedAt = Date.now()
      return known
    }
    const backendOf = (queue: string) => this.backend.forQueue(queue, this.options.prefix) as typeof this.backend
    const queue = new Queue<Job>(queueOf(name), this.options, backendOf)
    const worker = new Worker<Job, null>(
      queueOf(name),
      null,
      { ...this.options, stalledInterval: extendEveryMs },
      backendOf,
    )
    const failed = (error: unknown) => {
      if (!isAway(error)) this.log.warn({ lane: name, reason: reasonOf(error) }, 'lane failed')
    }
    queue.on('error', failed)
    worker.on('error', failed)
    worker.on('stalled', key => this.log.warn({ lane: name, key }, 'claim was not extended, its job waits again'))
    // In pull mode nobody else does.
    if (!this.isClosed) worker.startStalledCheckTimer().catch(failed)
    const lane = { name, queue, worker, usedAt: Date.now() }
    this.byName.set(name, lane)
    return lane
  }

  /** Closes the lanes that nobody has used for an hour, but those meant. */
  async closeIdle(isMeant: (lane: string) => boolean): Promise<void> {
    const before = Date.now() - idleMsMax
    await this.closeThose(lane => lane.usedAt < before && !isMeant(lane.name))
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.closeThose(() => true)
    await this.backend.close()
  }

  private async closeThose(isMeant: (lane: Lane) => boolean): Promise<void> {
    const meant = [...this.byName.values()].filter(isMeant)
    for (const { name } of meant) this.byName.delete(name)
    await Promise.all(meant.flatMap(({ queue, worker }) => [queue.close(), worker.close(true)]))
  }
}

/** Before this time an empty lane that was not offered to is forgotten. */
export function idleSince(now: number): number {
  return now - idleMsMax
}
