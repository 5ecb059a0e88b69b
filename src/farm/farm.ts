import type { Logger } from 'pino'
import { failure } from '../errors.js'
import type { Job } from '../plan/job.js'
import type { Probe, QueueEngine } from '../plugins/contract.js'
import type { ServerMode } from '../schema/config.js'
import type { ModelUse } from '../schema/trace.js'
import { Allotment } from './allotment.js'
import type { Attempts } from './attempts.js'
import { describeTried } from './describe-tried.js'
import type { Desk } from './desk.js'
import { firstAnswer } from './first-answer.js'
import { identifyModels } from './identify-models.js'
import type { Lack } from './lacks.js'
import type { Limits } from './limits.js'
import { Outlook } from './outlook.js'
import type { FarmSide, RemoteWork } from './remote-work.js'
import { workerOf } from './remote-workers.js'
import type { RunGroup } from './run-backlog.js'
import { ServerWorker } from './server-worker.js'
import { Speeds } from './speeds.js'
import type { ServerOptions, ServerStatus } from './worker-host.js'

export interface FarmOptions {
  servers: readonly ServerOptions[]
  desk: Desk
  attempts: Attempts
  engine: QueueEngine
  log: Logger
  /** SHA-256 by model name, where the user has proven them. */
  modelSha256: Readonly<Record<string, string>>
  limits: Limits
  /** What workers on other machines do; absent where there are none. */
  remote?: RemoteWork
  progress(job: Job, server: string, value: number, max: number): void
}

/** Where no server answers here, workers on other machines are waited for. */
const remoteAnswerMsMax = 10_000
/** Descriptions of all node classes are some megabytes. */
const objectInfoMsMax = 60_000

/** Jobs meet servers: gives each free place what it had best render next, and takes back what waits at the wrong one. */
export class Farm implements FarmSide {
  readonly speeds = new Speeds()
  /** What is to come, and why something waits. */
  readonly outlook: Outlook
  private readonly allotment: Allotment
  private workers: readonly ServerWorker[]
  private firstLook: Promise<boolean> | undefined
  private isStarted = false
  private isStopped = false

  constructor(private readonly options: FarmOptions) {
    const { desk, attempts, limits } = options
    const { speeds } = this
    this.outlook = new Outlook({
      workers: () => this.workers,
      desk,
      attempts,
      speeds,
      limits,
      jobsOf: tag => this.allotment.jobsOf(tag),
      remote: options.remote,
    })
    this.allotment = new Allotment({
      ...options,
      workers: () => this.workers,
      renderers: () => this.renderers(),
      isStopped: () => this.isStopped,
      wake: () => this.wake(),
    })
    this.workers = options.servers.map(server => this.employ(server))
    options.remote?.join(this)
  }

  /** Probes every server once; answers those that are there. */
  async look(): Promise<Probe[]> {
    const probes = await Promise.all(this.workers.map(worker => worker.presence.look()))
    return probes.filter(probe => probe !== undefined)
  }

  /**
   * Asks every server once: resolves as soon as one of those that render new runs has answered, and with false when all were
   * asked in vain.
   */
  firstAnswer(): Promise<boolean> {
    const remote = () => this.options.remote?.firstProbe(remoteAnswerMsMax)
    this.firstLook ??= firstAnswer({ candidates: this.candidates(), all: this.workers, remote: remote() })
    return this.firstLook
  }

  /**
   * What new runs are rendered by: what the servers that answered are. Where drafts and others are listed together, the others
   * count, and of these the ones that cost nothing by the picture, also while they are away. Undefined before the first answer
   * that decides.
   */
  renderer(): string | undefined {
    const usual = this.usual().flatMap(worker => worker.presence.probe ?? [])
    const known = [...usual, ...(this.options.remote?.probes() ?? [])].map(probe => probe.renderer)
    return known.find(each => each !== 'draft') ?? known[0]
  }

  /** The same before the first answer, as far as the configuration tells. */
  expectedRenderer(): string | undefined {
    const [first] = this.usual()
    return first && (first.renderer ?? first.entry.provider)
  }

  /** Whether a server of a renderer is listed, there or not. */
  lists(renderer: string): boolean {
    const isListed = this.workers.some(({ renderer: own, entry }) => (own ?? entry.provider) === renderer)
    return isListed || this.renderers().has(renderer)
  }

  /** Takes up what an earlier process left, then works until `stop`. Asked again, it takes up what has come since. */
  async start(): Promise<void> {
    this.isStarted = true
    const { remote, desk } = this.options
    const found = await desk.recover()
    const isRemote = (server: string) => remote !== undefined && (workerOf(server) !== undefined || !this.workers[0])
    const leftovers = found.filter(({ lease }) => !isRemote(lease.server))
    const names = new Set(this.workers.map(worker => worker.entry.name))
    for (const worker of this.workers) {
      // A lease of a server that is no longer configured is asked of the first one of its renderer, which may have another name now,
      // or else of the first: that does not know it, so it is lost.
      const isOwn = ({ lease: { server }, job }: (typeof found)[number]) =>
        names.has(server) ? server === worker.entry.name : worker === this.heirOf(job)
      worker.start(leftovers.filter(isOwn))
    }
    await remote?.start(found.filter(({ lease }) => isRemote(lease.server)))
    this.wake()
  }

  /** Whether what waits is worked off. */
  get isWorking(): boolean {
    return this.isStarted && !this.isStopped
  }

  /** Looks for work: called when something was accepted or waits again. */
  wake(): void {
    if (this.isStopped) return
    for (const worker of this.workers) worker.wake()
    this.options.remote?.wake()
  }

  /** Stops everything that is under way for the jobs that are meant. */
  async cancel(isMeant: (job: Job) => boolean): Promise<void> {
    this.options.remote?.cancel(isMeant)
    await Promise.all(this.workers.map(worker => worker.cancel(isMeant)))
    this.wake()
  }

  /** A newer attempt of a job is not needed any more. */
  async supersede(meant: Job, newer: number): Promise<void> {
    const isIt = (job: Job, attempt: number) => job.id === meant.id && attempt === newer
    this.options.remote?.cancel(isIt)
    await Promise.all(this.workers.map(worker => worker.cancel(isIt)))
  }

  /** Waits no longer for the ends of the jobs that are meant. */
  async giveUp(isMeant: (job: Job) => boolean): Promise<void> {
    await Promise.all([...this.workers, this.options.remote].map(each => each?.giveUp(isMeant)))
  }

  /** A server more. It works at once, if the others do. */
  add(server: ServerOptions): void {
    const worker = this.employ(server)
    this.workers = [...this.workers, worker]
    this.firstLook = undefined
    if (this.isWorking) worker.start([])
  }

  /** A server less, once what it has has ended within the limit; what has not is lost to it and rendered elsewhere. */
  async remove(name: string, limitMs: number): Promise<void> {
    const worker = this.find(name)
    await worker.leave(limitMs)
    this.workers = this.workers.filter(each => each !== worker)
    this.speeds.forget(name)
    this.wake()
  }

  /** Waits until what a server has is committed or has failed, within the limit and while it is drained. Answers how many are not. */
  drained(name: string, limitMs: number): Promise<number> {
    const worker = this.find(name)
    return worker.ends(limitMs, () => worker.fitness.mode === 'draining')
  }

  /** Asks one server now. */
  async lookAt(name: string, limitMs: number): Promise<ServerStatus> {
    const worker = this.find(name)
    await worker.presence.look(limitMs)
    return worker.status()
  }

  setMode(name: string, mode: ServerMode): void {
    this.find(name).setMode(mode)
  }

  forgive(name: string): void {
    this.find(name).forgive()
  }

  has(name: string): boolean {
    return this.workers.some(worker => worker.entry.name === name)
  }

  /** Whether drafts and others are listed together: a run is of one renderer, and its jobs go nowhere else. */
  isMixed(): boolean {
    const known = new Set(this.workers.map(worker => worker.renderer === 'draft'))
    return known.size > 1
  }

  /**
   * Renders a job on the first reachable server of its renderer (or on the named one), outside of any run: nothing is journaled.
   */
  async renderOnce(job: Job, server?: string): Promise<{ bytes: Buffer; server: string; submittedSha256: string }> {
    const { renderer } = job.target
    const fit = () => this.answering(server).find(each => each.renderer === renderer)
    if (!fit()) await this.look()
    const worker = fit()
    if (!worker) throw failure('SERVER_NONE', { tried: this.tried() })
    return worker.renderOnce(job)
  }

  /**
   * What the node classes of a server are: of the named one, else of the first that answers and tells them. Undefined where none
   * does. Throws SERVER_UNKNOWN, and RenderFailure of a server that goes away meanwhile.
   */
  async objectInfo(
    server?: string,
  ): Promise<{ server: string; classes: Readonly<Record<string, unknown>> } | undefined> {
    if (server !== undefined) this.find(server)
    if (this.answering(server).length === 0) await this.look()
    for (const worker of this.answering(server)) {
      const classes = await worker.connection.objectInfo?.(AbortSignal.timeout(objectInfoMsMax))
      if (classes) return { server: worker.entry.name, classes }
    }
    return undefined
  }

  /** Servers of workers on other machines may have come. */
  came(): void {
    this.firstLook = undefined
    this.wake()
  }

  isAllowed(tags: readonly string[]): boolean {
    return this.allotment.isAllowed(tags)
  }

  placesOf(run: string): number {
    return this.allotment.placesOf(run)
  }

  lacksOf(group: RunGroup): Lack[] {
    return this.allotment.lacksOf(group)
  }

  takingOf(renderer: string): number {
    return this.workers.filter(each => each.renderer === renderer && each.isTaking()).length
  }

  /** What the servers that answered render. */
  renderers(): Set<string> {
    return new Set(this.probes().map(({ renderer }) => renderer))
  }

  /** Gives running jobs `limitMs` to end; those that do not are found again at the next start. */
  async stop(limitMs: number): Promise<void> {
    this.isStopped = true
    const { desk, remote } = this.options
    remote?.pause()
    const halt = setTimeout(() => desk.halt(), limitMs)
    await Promise.all(this.workers.map(worker => worker.stop(limitMs)))
    clearTimeout(halt)
    await remote?.stop()
    desk.halt()
    await desk.idle()
  }

  status(): ServerStatus[] {
    return [...this.workers.map(worker => worker.status()), ...(this.options.remote?.statuses() ?? [])]
  }

  /** How sure the identity of these models is, as the first reachable server of a renderer tells it. Throws SERVER_NONE. */
  identify(models: readonly { folder: string; name: string }[], renderer: string): ModelUse[] {
    const probe = this.probes().find(each => each.renderer === renderer)
    if (!probe) throw failure('SERVER_NONE', { tried: this.tried() })
    return identifyModels(models, probe, this.options.modelSha256)
  }

  /** The servers that may render new runs, with what is known of why they do not answer. */
  tried(): string[] {
    const { remote } = this.options
    const here = this.candidates().map(worker => describeTried(worker.status()))
    return remote?.probes().length === 0 ? [...here, 'workers: none has a server that answers'] : here
  }

  /** Of the servers that may render new runs. */
  addresses(): string[] {
    return this.candidates().map(worker => worker.entry.url ?? worker.entry.name)
  }

  private heirOf({ target }: Job): ServerWorker | undefined {
    const isFit = ({ renderer, entry }: ServerWorker) => (renderer ?? entry.provider) === target.renderer
    return this.workers.find(isFit) ?? this.workers[0]
  }

  private employ(server: ServerOptions): ServerWorker {
    const { attempts, log, progress } = this.options
    const worker: ServerWorker = new ServerWorker(server, {
      attempts,
      log,
      speeds: this.speeds,
      claim: () => this.allotment.claim(worker),
      steal: () => this.allotment.steal(worker),
      finish: claim => this.allotment.finish(claim),
      hasOthers: () => this.allotment.hasOthers(worker),
      whySpared: () => this.outlook.whySpared(worker),
      changed: () => this.wake(),
      progress,
    })
    return worker
  }

  private answering(name?: string): ServerWorker[] {
    return this.workers.filter(each => each.presence.isReady && (name === undefined || each.entry.name === name))
  }

  private find(name: string): ServerWorker {
    const worker = this.workers.find(each => each.entry.name === name)
    if (!worker) throw failure('SERVER_UNKNOWN', { server: name, known: this.workers.map(each => each.entry.name) })
    return worker
  }

  /** Servers that may render new runs: of those listed as drafts and others, the others. */
  private candidates(): readonly ServerWorker[] {
    const others = this.workers.filter(worker => !worker.isListedAsDraft)
    return others.length > 0 ? others : this.workers
  }

  /** Of these, those that cost nothing by the picture, where there are any: nobody pays without having asked for it. */
  private usual(): readonly ServerWorker[] {
    const candidates = this.candidates()
    const free = candidates.filter(worker => !worker.connection.isPaid)
    return free.length > 0 ? free : candidates
  }

  private probes(): Probe[] {
    return [...this.workers.flatMap(worker => worker.presence.probe ?? []), ...(this.options.remote?.probes() ?? [])]
  }
}
