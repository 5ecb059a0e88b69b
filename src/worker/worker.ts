import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { chooseLane } from '../farm/choose-lane.js'
import { mayComeLater } from '../farm/remote-work.js'
import { whyLeft } from '../farm/room.js'
import type { RunGroup } from '../farm/run-backlog.js'
import { ServerWorker } from '../farm/server-worker.js'
import { pause } from '../farm/signal.js'
import { Speeds } from '../farm/speeds.js'
import type { Given, ServerOptions } from '../farm/worker-host.js'
import { affinityOfJob } from '../plan/affinity.js'
import type { Job } from '../plan/job.js'
import type { Probe, QueueEngine, RenderFailure } from '../plugins/contract.js'
import { openPictures } from '../record/pictures.js'
import type { SharedStorage } from '../record/shared-storage.js'
import type { AliveAnswer, HelloAnswer, UnfitAnswer } from '../schema/work.js'
import { Claims } from './claims.js'
import { isAway, type OwnerLink } from './owner-link.js'
import { RemoteBook } from './remote-book.js'

export interface WorkerOptions {
  name: string
  link: OwnerLink
  storage: SharedStorage
  servers: readonly ServerOptions[]
  /** Opens the engine that the owner has told of. */
  openEngine(told: HelloAnswer['engine']): Promise<QueueEngine>
  log: Logger
}

export interface RunningWorker {
  /** Rejects when the worker cannot go on. */
  broken: Promise<never>
  /** Lets what runs end within the limit, gives back the rest. */
  stop(limitMs: number): Promise<void>
}

/** Between an answer and the next sign of life: the owner takes its time to answer. */
const alivePauseMs = 250
/** The owner is there when it has answered so lately; otherwise nothing is claimed. */
const ownerHeardMsMax = 6000
const lookEveryMs = 250
const retryMs = 1000
/** Another process may have had the name until a moment ago. */
const nameMsMax = 20_000
/** How long a lane is left alone whose job a server cannot render, and one whose job another shall try. */
const unfitMs = 60_000
const elsewhereMs = 2000
const leaveMsMax = 3000
const lanesTriedMax = 16

/**
 * Renders for the owner of a home on the servers of this machine: claims jobs from the engine by lane, asks the owner for a lease,
 * and reports. Resolves once owner and engine were reached.
 */
export async function startWorker(options: WorkerOptions, signal: AbortSignal): Promise<RunningWorker> {
  const worker = new RemoteWorker(options)
  try {
    await worker.start(signal)
  } catch (error) {
    await worker.stop(0)
    throw error
  }
  return worker
}

class RemoteWorker implements RunningWorker {
  readonly broken: Promise<never>
  private breakDown: (error: unknown) => void = () => undefined
  private readonly epoch = randomUUID()
  private readonly abort = new AbortController()
  private readonly pictures = openPictures()
  private readonly book: RemoteBook
  private readonly workers: readonly ServerWorker[]
  private readonly speeds = new Speeds()
  /** Until when lanes are left alone, by server and lane. */
  private readonly left = new Map<string, number>()
  /** What the owner has heard of what servers are and have. */
  private readonly shown = new Map<string, Probe>()
  private others: AliveAnswer['others'] = {}
  private heardAt = -Infinity
  private claims: Claims | undefined
  private beating: Promise<void> | undefined
  private looking: NodeJS.Timeout | undefined

  constructor(private readonly options: WorkerOptions) {
    const { name: worker, link, storage, log, servers } = options
    const { epoch, pictures } = this
    const { signal } = this.abort
    const claimOf = (job: string) => this.claims?.tokenOf(job)
    this.book = new RemoteBook({ worker, epoch, link, storage, pictures, log, signal, claimOf })
    this.workers = servers.map(server => this.employ(server))
    this.broken = new Promise((_, reject) => {
      this.breakDown = reject
    })
    this.broken.catch(() => undefined)
  }

  async start(signal: AbortSignal): Promise<void> {
    const stop = () => this.abort.abort()
    signal.addEventListener('abort', stop, { once: true })
    await Promise.all(this.workers.map(each => each.presence.look()))
    const told = await this.sayHello()
    this.claims = new Claims(await this.openEngine(told.engine), this.options.log)
    signal.removeEventListener('abort', stop)
    for (const each of this.workers) each.start([])
    this.beating = this.beat()
    this.looking = setInterval(() => {
      for (const each of this.workers) each.wake()
    }, lookEveryMs)
  }

  async stop(limitMs: number): Promise<void> {
    clearInterval(this.looking)
    const { name: worker, link } = this.options
    // An owner that is away is not waited for.
    const limit = setTimeout(() => this.abort.abort(), limitMs + leaveMsMax)
    await Promise.all(this.workers.map(each => each.leave(limitMs)))
    clearTimeout(limit)
    this.abort.abort()
    await this.beating
    if (this.claims) {
      await link.ask('leave', { worker, epoch: this.epoch }, AbortSignal.timeout(leaveMsMax)).catch(() => undefined)
      await this.claims.close()
    }
    await this.pictures.close()
  }

  private employ(server: ServerOptions): ServerWorker {
    const { log } = this.options
    const worker: ServerWorker = new ServerWorker(server, {
      attempts: this.book,
      log,
      speeds: this.speeds,
      claim: () => this.claim(worker),
      steal: () => Promise.resolve(false),
      finish: async claim => {
        if (!this.book.isForOthers(claim.job.id)) return this.claims?.finish(claim)
        this.leave(worker, claim.lane, elsewhereMs)
        return this.claims?.release(claim)
      },
      hasOthers: () => this.hasOthers(worker),
      whySpared: () => undefined,
      changed: () => undefined,
      progress: () => undefined,
    })
    return worker
  }

  private hasOthers(worker: ServerWorker): boolean {
    const { renderer } = worker
    const isOther = (each: ServerWorker) => each !== worker && each.renderer === renderer && each.isTaking()
    return this.workers.some(isOther) || (renderer !== undefined && (this.others[renderer] ?? 0) > 0)
  }

  /** The next job for a server, which it was found able to render. */
  private async claim(worker: ServerWorker): Promise<Given | undefined> {
    const { claims } = this
    const { renderer } = worker
    if (!claims || renderer === undefined || performance.now() - this.heardAt > ownerHeardMsMax) return undefined
    const waiting = new Map(await claims.counts())
    for (let tries = 0; tries < lanesTriedMax && worker.isTaking(); tries++) {
      const lane = chooseLane(waiting, {
        renderer,
        modelSet: worker.loaded?.modelSet,
        active: worker.jobs.length,
        isLeft: lane => performance.now() < (this.left.get(`${worker.entry.name} ${lane}`) ?? 0),
      })
      if (lane === undefined) return undefined
      const claim = await claims.claim(lane)
      waiting.delete(lane)
      if (!claim) continue
      const group = groupOf(claim.job, lane)
      // An earlier attempt of it, which the owner has given up, is still here; or another server has more room.
      if (this.book.isOpen(claim.job.id) || whyLeft(worker, this.workers, group) !== undefined) {
        this.leave(worker, lane, elsewhereMs)
        await claims.release(claim)
        continue
      }
      const lack = await worker.check(claim.job).catch((error: unknown) => {
        void claims.release(claim)
        throw error
      })
      if (!lack) {
        worker.loaded = group
        return { claim, group }
      }
      const isGone = await this.tellUnfit(worker, group, { job: claim.job, lack })
      await (isGone ? claims.finish(claim) : claims.release(claim))
    }
    return undefined
  }

  /** Whether nobody needs the job any more; otherwise the lane is left to others. */
  private async tellUnfit(
    worker: ServerWorker,
    group: RunGroup,
    { job, lack }: { job: Job; lack: RenderFailure },
  ): Promise<boolean> {
    const { name, link, log } = this.options
    const { reason: cause, message } = lack
    this.leave(worker, group.lane, unfitMs)
    if (cause !== 'invalid-graph' && cause !== 'missing-model' && cause !== 'missing-node') {
      worker.presence.lost(message)
      return false
    }
    if (cause !== 'invalid-graph') worker.fitness.hold(group, message)
    const said = { worker: name, server: worker.entry.name, job: job.id, cause, message }
    return link.ask<UnfitAnswer>('unfit', said).then(
      ({ isGone }) => isGone,
      (error: unknown) => {
        log.warn({ reason: reasonOf(error) }, 'the owner was not told')
        return false
      },
    )
  }

  private leave(worker: ServerWorker, lane: string, forMs: number): void {
    const now = performance.now()
    for (const [key, until] of this.left) if (until < now) this.left.delete(key)
    this.left.set(`${worker.entry.name} ${lane}`, now + forMs)
  }

  /** Signs of life, until it stops. */
  private async beat(): Promise<void> {
    const { signal } = this.abort
    let isAnswered = true
    while (!signal.aborted) {
      const reason = await this.sayAlive().then(
        () => undefined,
        (error: unknown) => {
          if (isFatal(error)) this.breakDown(error)
          return reasonOf(error)
        },
      )
      if (reason !== undefined && isAnswered) this.options.log.warn({ reason }, 'the owner does not answer')
      isAnswered = reason === undefined
      await pause(isAnswered ? alivePauseMs : retryMs, signal)
    }
  }

  private async sayAlive(): Promise<void> {
    const { link } = this.options
    const news = this.workers.filter(each => this.shown.get(each.entry.name) !== each.presence.probe)
    const probes = this.probesOf(news)
    const answer = await link.ask<AliveAnswer>('alive', this.said(probes), this.abort.signal)
    if (!answer.isKnown) return this.heard(await this.hello())
    for (const [server, probe] of probes) this.shown.set(server, probe)
    return this.heard(answer)
  }

  private async heard({ cancel, others }: AliveAnswer): Promise<void> {
    this.heardAt = performance.now()
    this.others = others
    const meant = new Map(this.book.stop(cancel).map(({ job, attempt }) => [job, attempt]))
    if (meant.size === 0) return
    await Promise.all(this.workers.map(each => each.cancel((job, attempt) => meant.get(job.id) === attempt)))
  }

  /** Until the owner is there. Throws what waiting does not mend. */
  private async sayHello(): Promise<HelloAnswer> {
    const { link, log } = this.options
    const { signal } = this.abort
    const since = performance.now()
    for (let told = ''; ;) {
      try {
        const answer = await this.hello()
        await this.heard(answer)
        return answer
      } catch (error) {
        const code = error instanceof FoundryError ? error.code : ''
        const isPassing =
          isAway(error) ||
          code === 'STORAGE_AWAY' ||
          (code === 'WORKER_EXISTS' && performance.now() - since < nameMsMax)
        if (signal.aborted || !isPassing) throw error
        if (told !== code) log.warn({ reason: reasonOf(error) }, 'waiting for the owner')
        told = code
        await pause(retryMs, signal)
        if (signal.aborted) throw failure('INTERRUPTED', { what: `Waiting for ${link.url}` })
      }
    }
  }

  private async hello(): Promise<HelloAnswer> {
    const { link, storage } = this.options
    const proof = await storage.prove()
    const probes = this.probesOf(this.workers)
    try {
      const answer = await link.ask<HelloAnswer>('hello', { ...this.said(probes), proof }, this.abort.signal)
      for (const [server, probe] of probes) this.shown.set(server, probe)
      return answer
    } finally {
      await storage.remove(proof.name)
    }
  }

  /** Waits for an engine that is away. Throws what is wrong with its options. */
  private async openEngine(told: HelloAnswer['engine']): Promise<QueueEngine> {
    const { signal } = this.abort
    for (;;) {
      try {
        return await this.options.openEngine(told)
      } catch (error) {
        if (!mayComeLater(error) || signal.aborted) throw error
        this.options.log.warn({ reason: reasonOf(error) }, 'waiting for the engine')
        await pause(retryMs, signal)
      }
    }
  }

  private probesOf(workers: readonly ServerWorker[]): Map<string, Probe> {
    return new Map(workers.flatMap(({ entry, presence: { probe } }) => (probe ? [[entry.name, probe] as const] : [])))
  }

  /** Its servers and attempts; with what the servers have, where that is news. */
  private said(probes: ReadonlyMap<string, Probe>) {
    const servers = this.workers.map(each => {
      // What a server's address is here says nothing to anybody elsewhere; speeds are of use here alone.
      const { url: _url, speeds: _speeds, ...status } = each.status()
      const probe = probes.get(each.entry.name)
      return { ...status, ...(probe && { probe: shownProbe(probe) }) }
    })
    return { worker: this.options.name, epoch: this.epoch, servers, attempts: this.book.attempts() }
  }
}

function shownProbe({ renderer, version, models, modelSizes, queueRemaining, tookMs }: Probe) {
  return { renderer, ...(version !== undefined && { version }), models, modelSizes, queueRemaining, tookMs }
}

/** What a job needs, as the choice and the speeds of a server know it. */
function groupOf(job: Job, lane: string): RunGroup {
  const { run, target, modelSet, models } = job
  return {
    lane,
    run,
    renderer: target.renderer,
    band: 0,
    weight: 1,
    modelSet,
    models: models.map(model => model.name),
    ...affinityOfJob(job),
    labels: [],
    waiting: 0,
    since: 0,
  }
}

/** What waiting does not mend. */
function isFatal(error: unknown): boolean {
  return error instanceof FoundryError && ['USAGE_INVALID', 'ENGINE_NONE', 'WORKER_EXISTS'].includes(error.code)
}
