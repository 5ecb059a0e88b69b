import type { Logger } from 'pino'
import { failure, reasonOf } from '../errors.js'
import type { Job } from '../plan/job.js'
import type { Connection, Probe } from '../plugins/contract.js'
import type { ServerEntry } from '../schema/config.js'
import type { ModelUse } from '../schema/trace.js'
import { chooseLane } from './choose-lane.js'
import type { Desk } from './desk.js'
import type { Claim, QueueEngine } from './engine.js'
import { identifyModels } from './identify-models.js'
import { type ServerStatus, ServerWorker } from './server-worker.js'

export interface FarmOptions {
  servers: readonly { entry: ServerEntry; connection: Connection }[]
  desk: Desk
  engine: QueueEngine
  log: Logger
  /** SHA-256 by model name, where the user has proven them. */
  modelSha256: Readonly<Record<string, string>>
  progress(job: Job, server: string, value: number, max: number): void
}

/** Jobs that the engine holds ahead of the servers: enough that no place starves, few enough to stay in order. */
const windowPerPlace = 4
const windowMin = 16
const refillRetryMs = 1000

/** Jobs meet servers: keeps the engine's window filled from the desk, and every server busy from the window. */
export class Farm {
  private readonly workers: readonly ServerWorker[]
  private readonly windowMax: number
  private refilling: Promise<void> | undefined
  private isRefillWanted = false
  private firstLook: Promise<boolean> | undefined
  private isStopped = false

  constructor(private readonly options: FarmOptions) {
    const places = options.servers.reduce((sum, { entry }) => sum + entry.depth, 0)
    this.windowMax = Math.max(windowMin, places * windowPerPlace)
    this.workers = options.servers.map(
      ({ entry, connection }) =>
        new ServerWorker(entry, connection, {
          desk: options.desk,
          log: options.log,
          claim: hot => this.claim(hot),
          finish: claim => options.engine.finish(claim),
          release: claim => options.engine.release(claim),
          changed: () => this.wake(),
          progress: options.progress,
        }),
    )
  }

  /** Probes every server once; answers those that are there. */
  async look(): Promise<Probe[]> {
    const probes = await Promise.all(this.workers.map(worker => worker.look()))
    return probes.filter(probe => probe !== undefined)
  }

  /** Asks every server once: resolves as soon as one has answered, and with false when all were asked in vain. */
  firstAnswer(): Promise<boolean> {
    this.firstLook ??= this.lookForOne()
    return this.firstLook
  }

  /** What the servers that answered are; a real one among them counts more than drafts. Undefined before the first answer. */
  renderer(): string | undefined {
    const known = this.workers.flatMap(worker => worker.probe?.renderer ?? [])
    return known.find(each => each !== 'draft') ?? known[0]
  }

  /** Takes up what an earlier process left, then works until `stop`. */
  async start(): Promise<void> {
    const leftovers = await this.options.desk.recover()
    const names = new Set(this.workers.map(worker => worker.entry.name))
    for (const worker of this.workers) {
      // A lease of a server that is no longer configured is asked of the first one, which does not know it: lost, rendered anew.
      const isOwn = (server: string) =>
        server === worker.entry.name || (!names.has(server) && worker === this.workers[0])
      worker.start(leftovers.filter(({ lease }) => isOwn(lease.server)))
    }
    this.wake()
  }

  /** Looks for work: called when something was accepted, settled or freed. */
  wake(): void {
    if (this.isStopped) return
    void this.refill().then(
      () => this.workers.forEach(worker => worker.wake()),
      error => {
        this.options.log.error({ reason: reasonOf(error) }, 'no jobs could be made')
        setTimeout(() => this.wake(), refillRetryMs).unref()
      },
    )
  }

  /** Stops everything that is under way for the jobs that are meant. */
  async cancel(isMeant: (job: Job) => boolean): Promise<void> {
    const jobs = await this.options.engine.drain()
    for (const job of jobs.filter(isMeant)) this.options.desk.release(job)
    await this.options.engine.offer(jobs.filter(job => !isMeant(job)))
    await Promise.all(this.workers.map(worker => worker.cancel(isMeant)))
    this.wake()
  }

  /** Renders a job on the first reachable server, outside of any run: nothing is journaled. */
  async renderOnce(job: Job): Promise<{ bytes: Buffer; server: string; submittedSha256: string }> {
    if (!this.workers.some(worker => worker.state === 'ready')) await this.look()
    const worker = this.workers.find(each => each.state === 'ready')
    if (!worker) throw failure('SERVER_NONE', { tried: this.addresses() })
    return worker.renderOnce(job)
  }

  /** Gives running jobs `limitMs` to end; those that do not are found again at the next start. */
  async stop(limitMs: number): Promise<void> {
    this.isStopped = true
    const { desk } = this.options
    const halt = setTimeout(() => desk.halt(), limitMs)
    await Promise.all(this.workers.map(worker => worker.stop(limitMs)))
    clearTimeout(halt)
    desk.halt()
    await this.refilling?.catch(() => undefined)
    await desk.idle()
  }

  status(): ServerStatus[] {
    return this.workers.map(worker => worker.status())
  }

  /** How sure the identity of these models is, as the first reachable server tells it. Throws SERVER_NONE. */
  identify(models: readonly { folder: string; name: string }[]): ModelUse[] {
    const probe = this.workers.find(worker => worker.probe)?.probe
    if (!probe) throw failure('SERVER_NONE', { tried: this.addresses() })
    return identifyModels(models, probe, this.options.modelSha256)
  }

  addresses(): string[] {
    return this.workers.map(worker => worker.entry.url ?? worker.entry.name)
  }

  private async lookForOne(): Promise<boolean> {
    const answers = this.workers.map(async worker => {
      if (!(await worker.look())) throw failure('SERVER_NONE', { tried: [worker.entry.name] })
    })
    return Promise.any(answers).then(
      () => true,
      () => false,
    )
  }

  private async claim(hot: string | undefined): Promise<Claim | undefined> {
    const lane = chooseLane(await this.options.engine.counts(), hot)
    const claim = lane === undefined ? undefined : await this.options.engine.claim(lane)
    if (claim) void this.refill().catch(() => this.wake())
    return claim
  }

  /** One refill at a time; asked for while one goes on, another follows, since that one may have looked already. */
  private refill(): Promise<void> {
    this.isRefillWanted = true
    this.refilling ??= this.refillWhileWanted()
    return this.refilling
  }

  private async refillWhileWanted(): Promise<void> {
    try {
      while (this.isRefillWanted) {
        this.isRefillWanted = false
        await this.offerMore()
      }
    } finally {
      this.refilling = undefined
    }
  }

  /** Servers that are all away leave the jobs unmade. */
  private async offerMore(): Promise<void> {
    if (this.isStopped || !this.workers.some(worker => worker.state === 'ready')) return
    const waiting = [...(await this.options.engine.counts()).values()].reduce((sum, count) => sum + count, 0)
    if (waiting > this.windowMax / 2) return
    await this.options.engine.offer(await this.options.desk.feed(this.windowMax - waiting))
  }
}
