import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { failure, reasonOf } from '../errors.js'
import type { Job } from '../plan/job.js'
import type { Probe } from '../plugins/contract.js'
import type { ModelUse } from '../schema/trace.js'
import { chooseLane } from './choose-lane.js'
import { describeTried } from './describe-tried.js'
import type { Desk } from './desk.js'
import { type Claim, isLaneOf, type QueueEngine } from './engine.js'
import { identifyModels } from './identify-models.js'
import { ServerWorker } from './server-worker.js'
import type { ServerOptions, ServerStatus } from './worker-host.js'

export interface FarmOptions {
  servers: readonly ServerOptions[]
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
/** Once a server of drafts has answered, others are given this long to be real ones. */
const realAnswerMsMax = 3000

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
      server =>
        new ServerWorker(server, {
          desk: options.desk,
          log: options.log,
          claim: server => this.claim(server),
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

  /**
   * Asks every server once: resolves as soon as one of those that render new runs has answered, and with false when all were
   * asked in vain.
   */
  firstAnswer(): Promise<boolean> {
    this.firstLook ??= this.lookForOne()
    return this.firstLook
  }

  /**
   * What new runs are rendered by: what the servers that answered are. Where drafts and others are listed together, the others
   * count, also while they are away. Undefined before the first answer that decides.
   */
  renderer(): string | undefined {
    const known = this.workers.flatMap(worker => worker.probe?.renderer ?? [])
    const real = known.find(each => each !== 'draft')
    if (real !== undefined || this.candidates().every(worker => worker.probe === undefined)) return real
    return known[0]
  }

  /** Takes up what an earlier process left, then works until `stop`. Asked again, it takes up what has come since. */
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

  /** Waits no longer for the ends of the jobs that are meant. */
  async giveUp(isMeant: (job: Job) => boolean): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.giveUp(isMeant)))
  }

  /** Whether drafts and others are listed together: a run is of one renderer, and its jobs go nowhere else. */
  isMixed(): boolean {
    const known = new Set(this.workers.map(worker => worker.renderer === 'draft'))
    return known.size > 1
  }

  /** Renders a job on the first reachable server of its renderer, outside of any run: nothing is journaled. */
  async renderOnce(job: Job): Promise<{ bytes: Buffer; server: string; submittedSha256: string }> {
    const fit = () => this.workers.find(each => each.state === 'ready' && each.renderer === job.target.renderer)
    if (!fit()) await this.look()
    const worker = fit()
    if (!worker) throw failure('SERVER_NONE', { tried: this.tried() })
    return worker.renderOnce(job)
  }

  /** What the servers that answered render. */
  renderers(): Set<string> {
    return new Set(this.workers.flatMap(worker => worker.probe?.renderer ?? []))
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

  /** How sure the identity of these models is, as the first reachable server of a renderer tells it. Throws SERVER_NONE. */
  identify(models: readonly { folder: string; name: string }[], renderer: string): ModelUse[] {
    const probe = this.workers.find(worker => worker.probe?.renderer === renderer)?.probe
    if (!probe) throw failure('SERVER_NONE', { tried: this.tried() })
    return identifyModels(models, probe, this.options.modelSha256)
  }

  /** The servers that may render new runs, with what is known of why they do not answer. */
  tried(): string[] {
    return this.candidates().map(worker => describeTried(worker.status()))
  }

  /** Of the servers that may render new runs. */
  addresses(): string[] {
    return this.candidates().map(worker => worker.entry.url ?? worker.entry.name)
  }

  /** Servers that may render new runs: of those listed as drafts and others, the others. */
  private candidates(): readonly ServerWorker[] {
    const others = this.options.servers.flatMap(({ renderer }, at) =>
      renderer === 'draft' ? [] : (this.workers[at] ?? []),
    )
    return others.length > 0 ? others : this.workers
  }

  private async lookForOne(): Promise<boolean> {
    const candidates = this.candidates()
    for (const worker of this.workers) if (!candidates.includes(worker)) void worker.look()
    const looks = candidates.map(worker => worker.look())
    const real = firstOf(looks, probe => probe.renderer !== 'draft')
    if (!(await firstOf(looks, () => true))) return false
    // An address does not tell that drafts are behind it: another one may be real.
    await Promise.race([real, sleep(realAnswerMsMax, undefined, { ref: false })])
    return true
  }

  private async claim(server: { hot: string | undefined; renderer: string }): Promise<Claim | undefined> {
    const lane = chooseLane(await this.options.engine.counts(), server)
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
    const ready = this.workers.filter(worker => worker.state === 'ready')
    for (const renderer of new Set(ready.flatMap(worker => worker.renderer ?? []))) {
      if (this.isStopped) return
      const lanes = [...(await this.options.engine.counts())].filter(([lane]) => isLaneOf(lane, renderer))
      const waiting = lanes.reduce((sum, [, count]) => sum + count, 0)
      if (waiting > this.windowMax / 2) continue
      await this.options.engine.offer(await this.options.desk.feed(this.windowMax - waiting, renderer))
    }
  }
}

/** Resolves as soon as one answer is meant, and with false when none of them was. */
function firstOf(looks: readonly Promise<Probe | undefined>[], isMeant: (probe: Probe) => boolean): Promise<boolean> {
  const answers = looks.map(async look => {
    const probe = await look
    if (!probe || !isMeant(probe)) throw new RangeError('another one')
  })
  return Promise.any(answers).then(
    () => true,
    () => false,
  )
}
