import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { waitAtMost } from '../files/within-time.js'
import type { Job } from '../plan/job.js'
import { type Attempt, type Probe, type QueueEngine, RenderFailure } from '../plugins/contract.js'
import type { Ledger } from '../record/ledger.js'
import type { References } from '../record/references.js'
import type { SharedStorage } from '../record/shared-storage.js'
import type { Lease } from '../record/state.js'
import type {
  Alive,
  AliveAnswer,
  Hello,
  HelloAnswer,
  Leave,
  LeaseAnswer,
  LeaseWish,
  UnfitAnswer,
  UnfitReport,
} from '../schema/work.js'
import type { Attempts } from './attempts.js'
import type { Desk } from './desk.js'
import { failedOn } from './failed-on.js'
import { EngineWindow, type Offered } from './engine-window.js'
import { describeLacks, type Lack, lackOfLabels } from './lacks.js'
import { RemoteAttempts } from './remote-attempts.js'
import { fullName, RemoteWorkers, silentMsMax } from './remote-workers.js'
import type { RemoteOutlook, ServerStand } from './outlook.js'
import type { RunGroup } from './run-backlog.js'
import { Signal } from './signal.js'
import type { ServerStatus } from './worker-host.js'

/** The farm of the owner, which knows the servers here. */
export interface FarmSide {
  /** Looks for work here. */
  wake(): void
  /** Servers may have come. */
  came(): void
  renderers(): ReadonlySet<string>
  /** Whether the limits of the home allow one more job with these tags. */
  isAllowed(tags: readonly string[]): boolean
  placesOf(run: string): number
  /** Servers here that may render a group some day, each with why it cannot now. */
  lacksOf(group: RunGroup): Lack[]
  /** Servers here that take jobs of a renderer now. */
  takingOf(renderer: string): number
}

export interface RemoteWorkOptions {
  attempts: Attempts
  desk: Desk
  ledger: Ledger
  log: Logger
  storage: SharedStorage
  references: References
  engine: {
    name: string
    home: string
    /** As workers are told them: without secrets. */
    options: Record<string, unknown>
    open(): Promise<QueueEngine>
  }
}

const tickMs = 250
const offerAgainMs = 3000
const openAgainMs = 2000
const openMsMax = 2000
const closeMsMax = 2000
const probeEveryMs = 50
/** How long a sign of life waits for something to stop. */
const answerMsMax = 1500
/** Jobs that are offered or leased at once, at least, and for each place that workers have told of. */
const windowMin = 16
const windowPerPlace = 4
/** What a server was found unable to render is believed so long. */
const lackMsMax = 90_000
const lackLanesMax = 1000

/**
 * What workers on other machines render for this home. They get jobs through the engine, and everything that counts from here: the
 * lease before they begin, the commit of what they have put into the storage.
 */
export class RemoteWork implements RemoteOutlook {
  private readonly attempts: RemoteAttempts
  private readonly workers = new RemoteWorkers()
  private readonly window: EngineWindow
  private farm: FarmSide | undefined
  private engine: QueueEngine | undefined
  private opening: Promise<void> | undefined
  private readonly lacks = new Map<string, Map<string, { reason: string; until: number }>>()
  private state: 'idle' | 'working' | 'pausing' | 'stopped' = 'idle'
  private ticking: NodeJS.Timeout | undefined
  private tick: Promise<void> | undefined
  private readonly cancelled = new Signal()
  private readonly end = new AbortController()
  private offeredAt = 0
  private offering: Promise<void> | undefined
  /** What is being answered: it is written to its end before the journal closes. */
  private readonly underWay = new Set<Promise<unknown>>()
  private openedAt = -openAgainMs

  constructor(private readonly options: RemoteWorkOptions) {
    const { attempts, desk, ledger, log, storage, references } = options
    this.window = new EngineWindow({
      desk,
      log,
      engine: () => this.engine,
      renderers: () => this.farm?.renderers() ?? new Set(),
      mayOffer: group => this.mayOffer(group),
      room: () => this.room(),
      placesOf: run => this.placesOf(run) + (this.farm?.placesOf(run) ?? 0),
    })
    this.attempts = new RemoteAttempts({
      attempts,
      desk,
      ledger,
      log,
      storage,
      references,
      window: this.window,
      hasFailedOn: (job, server) => this.hasFailedOn(job, server),
    })
  }

  join(farm: FarmSide): void {
    this.farm = farm
  }

  /** Takes up what earlier owners have leased to workers, and begins to offer. Throws what is wrong with the options of the engine. */
  async start(leftovers: readonly { job: Job; attempt: Attempt; lease: Lease }[]): Promise<void> {
    this.attempts.takeUp(leftovers)
    if (this.state !== 'idle') return
    this.state = 'working'
    void this.sweepStorage()
    // One that is away must not keep the rest waiting.
    await waitAtMost(this.openEngine(), openMsMax)
    this.ticking = setInterval(() => {
      this.tick ??= this.look().finally(() => {
        this.tick = undefined
      })
    }, tickMs)
  }

  wake(): void {
    if (this.state === 'working') this.window.wake()
  }

  /** Nothing more is begun; what workers have goes on. */
  pause(): void {
    if (this.state !== 'stopped') this.state = 'pausing'
  }

  /** Takes back what nobody has begun. Workers keep the rest for the next owner. */
  async stop(): Promise<void> {
    this.state = 'stopped'
    this.end.abort()
    clearInterval(this.ticking)
    await this.tick
    await Promise.allSettled(this.underWay)
    await this.opening?.catch(() => undefined)
    await this.window.close(closeMsMax)
    await this.engine?.close()
  }

  /** Throws WORKER_EXISTS, STORAGE_MISSING for a worker that has another folder, OWNER_STARTING. */
  async hello({ proof, ...said }: Hello): Promise<HelloAnswer> {
    this.checkOpen()
    const { storage, engine, log } = this.options
    await storage.read(proof)
    await storage.remove(proof.name)
    this.workers.hello(said)
    log.info({ worker: said.worker, servers: said.servers.length }, 'worker is here')
    this.lacks.clear()
    this.farm?.came()
    const { name, home, options } = engine
    return { ...this.answer(said), engine: { name, home, options } }
  }

  /** Answers when there is something to stop, at the latest after a moment: whoever asks asks again. */
  async alive(said: Alive): Promise<AliveAnswer> {
    this.checkOpen()
    if (!this.workers.alive(said)) return { isKnown: false, cancel: [], others: {} }
    this.wake()
    const answer = this.answer(said)
    if (answer.cancel.length > 0) return answer
    await this.cancelled.wait(answerMsMax, this.end.signal)
    return this.answer(said)
  }

  /** A worker ends. */
  async leave({ worker, epoch }: Leave): Promise<void> {
    if (!this.workers.isKnown(worker, epoch)) return
    this.workers.forget(worker)
    this.options.log.info({ worker }, 'worker has left')
    await this.attempts.lose(worker, new RenderFailure('withdrawn', `${worker} has ended`))
  }

  async lease(wish: LeaseWish): Promise<LeaseAnswer> {
    if (this.state !== 'working') throw failure('OWNER_STARTING', {})
    if (!this.workers.isKnown(wish.worker, wish.epoch)) throw failure('WORKER_UNKNOWN', { worker: wish.worker })
    const answer = await this.track(this.attempts.lease(wish))
    this.wake()
    return answer
  }

  /** Takes what a worker tells of an attempt. */
  async report(take: (attempts: RemoteAttempts) => Promise<void>): Promise<void> {
    if (this.state === 'idle') throw failure('OWNER_STARTING', {})
    this.checkOpen()
    await this.track(take(this.attempts))
    this.wake()
  }

  /** What no server can render fails; what this one cannot is left to the others. */
  async unfit({ worker, server, job: id, cause, message }: UnfitReport): Promise<UnfitAnswer> {
    const offered = this.window.find(id)
    if (!offered) return { isGone: true }
    const { desk, log } = this.options
    if (cause === 'invalid-graph') {
      this.window.take(id)
      await desk.refuse(offered.job, message)
      return { isGone: true }
    }
    const { group } = offered
    const known = this.lacks.get(group.lane) ?? new Map<string, { reason: string; until: number }>()
    if (this.lacks.size >= lackLanesMax) this.lacks.clear()
    this.lacks.set(group.lane, known.set(fullName(worker, server), { reason: message, until: now() + lackMsMax }))
    log.warn({ worker, server, run: group.run, reason: message }, 'server cannot render this')
    const lacks = [...(this.farm?.lacksOf(group) ?? []), ...this.lacksOf(group)]
    if (lacks.some(({ reason }) => reason === undefined)) return { isGone: false }
    await this.failGroup(offered, lacks)
    return { isGone: true }
  }

  /** What of a group workers cannot render, by server. */
  lacksOf(group: RunGroup): Lack[] {
    const known = this.lacks.get(group.lane)
    return this.workers
      .statuses()
      .filter(({ renderer }) => renderer === undefined || renderer === group.renderer)
      .map(({ name, labels }) => {
        const lack = known?.get(name)
        const found = lack && now() < lack.until ? lack.reason : undefined
        return { name, reason: lackOfLabels(labels, group.labels) ?? found }
      })
  }

  /** Whether a server of a worker takes jobs of a group, but for those where it has failed. */
  mayTry(group: RunGroup, failed: ReadonlySet<string>): boolean {
    const taking = new Set(this.workers.ready(group.renderer).map(({ name }) => name))
    return this.lacksOf(group).some(({ name, reason }) => reason === undefined && taking.has(name) && !failed.has(name))
  }

  /** Gives a job that no worker has begun to a server here that is free. */
  withdraw(takes: (group: RunGroup) => boolean): Offered | undefined {
    return this.window.withdraw(takes)
  }

  cancel(isMeant: (job: Job, attempt: number) => boolean): void {
    this.window.drop(({ job }) => isMeant(job, 0))
    this.attempts.cancel(isMeant)
    this.cancelled.notify()
  }

  async giveUp(isMeant: (job: Job) => boolean): Promise<void> {
    this.window.drop(({ job }) => isMeant(job))
    await this.attempts.giveUp(isMeant)
  }

  placesOf(run: string): number {
    return this.window.placesOf(run) + this.attempts.placesOf(run)
  }

  jobsOf(tag: string): number {
    return this.window.jobsOf(tag) + this.attempts.jobsOf(tag)
  }

  stands(group: RunGroup | Pick<RunGroup, 'renderer'>): ServerStand[] {
    const lacks = new Map('lane' in group ? this.lacksOf(group).map(({ name, reason }) => [name, reason] as const) : [])
    const taking = new Set(this.workers.ready(group.renderer).map(({ name }) => name))
    const fit = this.workers.statuses().filter(each => each.renderer === undefined || each.renderer === group.renderer)
    return fit.map(({ name, avoided, modelSet, depth, jobs }) => {
      const unfit = lacks.get(name)
      return {
        server: name,
        isTaking: taking.has(name),
        ...(avoided !== undefined && { avoided }),
        ...(unfit !== undefined && { unfit }),
        isHot: 'lane' in group && modelSet === group.modelSet,
        depth,
        runs: jobs.map(({ run }) => run),
      }
    })
  }

  isOffered(run: string, ordinal: number): boolean {
    return this.window.has(run, ordinal)
  }

  /** Servers of workers that take jobs of a renderer. */
  takingOf(renderer: string): number {
    return this.workers.ready(renderer).length
  }

  statuses(): ServerStatus[] {
    return this.workers.statuses()
  }

  probes(): Probe[] {
    return this.workers.probes()
  }

  /** Resolves with true once a server of a worker is there, with false after the limit. */
  async firstProbe(limitMs: number): Promise<boolean> {
    const until = now() + limitMs
    while (this.probes().length === 0 && now() < until && this.state !== 'stopped')
      await sleep(probeEveryMs, undefined, { ref: false })
    return this.probes().length > 0
  }

  private answer(said: Alive): AliveAnswer {
    const own = new Set(said.servers.map(({ name }) => fullName(said.worker, name)))
    const others: Record<string, number> = {}
    for (const renderer of this.farm?.renderers() ?? []) {
      const there = this.workers.ready(renderer).filter(({ name }) => !own.has(name)).length
      others[renderer] = there + (this.farm?.takingOf(renderer) ?? 0)
    }
    return { isKnown: true, cancel: this.attempts.told(said), others }
  }

  /** Failures of the options are told; what may be there later is tried again. */
  private openEngine(): Promise<void> {
    this.openedAt = now()
    const { engine, log } = this.options
    this.opening ??= engine
      .open()
      .then(async opened => {
        this.engine = opened
        // What an earlier owner has offered is not known here: it comes again in the order of now.
        await opened.drain().catch((error: unknown) => log.debug({ reason: reasonOf(error) }, 'engine not emptied'))
        log.info({ engine: engine.name }, 'engine reached')
        this.wake()
      })
      .catch((error: unknown) => {
        if (!mayComeLater(error)) {
          log.error({ engine: engine.name, reason: reasonOf(error) }, 'engine cannot be used')
          throw error
        }
        log.warn({ engine: engine.name, reason: reasonOf(error) }, 'engine not reached, tried again')
      })
      .finally(() => {
        this.opening = undefined
      })
    return this.opening
  }

  private async sweepStorage(): Promise<void> {
    const { storage, log } = this.options
    try {
      const swept = await storage.sweep()
      if (swept > 0) log.warn({ files: swept }, 'old files removed from the storage')
    } catch (error) {
      log.error({ reason: reasonOf(error) }, 'the storage cannot be read now')
    }
  }

  private async look(): Promise<void> {
    const { log } = this.options
    try {
      if (!this.engine && now() - this.openedAt > openAgainMs) void this.openEngine().catch(() => undefined)
      for (const worker of this.workers.silent()) {
        this.workers.forget(worker)
        log.warn({ worker }, 'worker is silent, what it had is rendered by others')
        await this.attempts.lose(worker, lostWith(worker))
      }
      await this.attempts.loseUntold()
      if (now() - this.offeredAt > offerAgainMs) this.offerAgain()
      this.wake()
    } catch (error) {
      log.error({ reason: reasonOf(error) }, 'workers could not be looked after')
      // What failed once fails as often as it is tried.
      await sleep(openAgainMs)
    }
  }

  /** Nothing waits for an engine that is away. */
  private offerAgain(): void {
    this.offering ??= this.window.offerAgain().finally(() => {
      this.offeredAt = now()
      this.offering = undefined
    })
  }

  private room(): number {
    if (this.state !== 'working') return 0
    const places = this.workers.ready().reduce((sum, { depth }) => sum + depth, 0)
    // Without a worker nothing is offered: servers here would only have to take it back.
    const most = places === 0 ? 0 : Math.max(windowMin, windowPerPlace * places)
    return most - this.window.size - this.attempts.size
  }

  private mayOffer(group: RunGroup): boolean {
    const { farm, options } = this
    return !options.desk.isFull(group.run) && farm?.isAllowed(group.tags) === true && this.mayTry(group, new Set())
  }

  /** A job goes to a server that it has not failed on, while there is one. */
  private hasFailedOn({ id: job, run, slot }: Job, server: string): boolean {
    const state = this.options.ledger.state.runs.get(run)
    const group = this.window.find(job)?.group
    if (!state || !group) return false
    const failed = failedOn(state, slot.ordinal)
    return failed.has(server) && this.mayTry(group, failed)
  }

  private async failGroup({ job, group }: Offered, lacks: readonly Lack[]): Promise<void> {
    const { desk } = this.options
    this.window.take(job.id)
    // Those of the group that are offered wait again, and fail with it.
    this.window.drop(offered => offered.group === group)
    await desk.failGroup(group, job, describeLacks(lacks))
  }

  private track<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const tracked = answer.finally(() => this.underWay.delete(tracked))
    this.underWay.add(tracked)
    return tracked
  }

  private checkOpen(): void {
    if (this.state === 'stopped') throw failure('OWNER_STARTING', {})
  }
}

function lostWith(worker: string): RenderFailure {
  return new RenderFailure('lost', `${worker} has said nothing for ${silentMsMax / 1000} s`)
}

/** A mistake in the options stays one; what is away comes back. */
export function mayComeLater(error: unknown): boolean {
  return error instanceof FoundryError && /_(UNREACHABLE|AWAY)$/.test(error.code)
}

function now(): number {
  return performance.now()
}
