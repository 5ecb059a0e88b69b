import type { Logger } from 'pino'
import { reasonOf } from '../errors.js'
import type { Job } from '../plan/job.js'
import type { Claim, QueueEngine } from '../plugins/contract.js'
import { chooseGroup, type FarmView, type ServerView } from './choose-group.js'
import { chooseSteal } from './choose-steal.js'
import { countLoaded } from './count-loaded.js'
import type { Desk } from './desk.js'
import { describeLacks, type Lack } from './lacks.js'
import { exceededLimit, type Limits } from './limits.js'
import type { RemoteWork } from './remote-work.js'
import { whyLeft } from './room.js'
import type { RunGroup } from './run-backlog.js'
import type { ServerWorker } from './server-worker.js'
import type { Given, Waiting } from './worker-host.js'

interface AllotmentHost {
  desk: Desk
  engine: QueueEngine
  log: Logger
  limits: Limits
  /** What workers on other machines do; absent where there are none. */
  remote?: RemoteWork
  workers(): readonly ServerWorker[]
  /** What the servers that answered render. */
  renderers(): Set<string>
  isStopped(): boolean
  /** Looks for work everywhere. */
  wake(): void
}

const wakeRetryMs = 1000

/** Which job a free place gets next, of all that waits here and at the wrong server. */
export class Allotment {
  constructor(private readonly host: AllotmentHost) {}

  /** The next job for a server, which it was found able to render. */
  async claim(worker: ServerWorker): Promise<Given | undefined> {
    const { desk, engine } = this.host
    const left = new Set<string>()
    for (;;) {
      const groups = await this.groups(worker, left)
      if (this.host.isStopped() || !worker.isTaking()) return undefined
      // From the choice to its mark no other server chooses: they see what this one is about to load.
      const group = chooseGroup(groups, this.viewOf(worker), this.farmView(worker)) as RunGroup | undefined
      if (!group) return this.withdraw(worker)
      const before = worker.loaded
      worker.loaded = group
      worker.chosen = group
      const job = await desk.take(group, failedOn => this.mayTry(worker, group, failedOn))
      if (job && (await this.isFit(worker, group, job))) {
        await engine.offer(group.lane, [job])
        const claim = await engine.claim(group.lane)
        if (claim) return { claim, group }
        desk.release(job)
      }
      worker.loaded = before
      worker.chosen = undefined
      left.add(group.lane)
    }
  }

  /** Ends a claim. Whoever was kept from working by a bound, which counted the job, looks again. */
  async finish(claim: Claim): Promise<void> {
    const { desk, engine, limits, workers, wake } = this.host
    await engine.finish(claim)
    const isLimited = hasLimits(limits) || workers().some(({ entry }) => hasLimits(entry.limits))
    if (isLimited || desk.isBounded(claim.job.run)) wake()
  }

  /** Gets a job for an idle server that waits on another, where it would have to wait longer. */
  async steal(worker: ServerWorker): Promise<boolean> {
    if (this.host.isStopped() || !worker.isTaking()) return false
    const view = this.viewOf(worker)
    const waiting = this.othersOf(worker).flatMap(other =>
      other.waiting().flatMap(each => (this.maySteal(worker, each) ? [{ ...each, other }] : [])),
    )
    const found = chooseSteal(waiting, view)
    return found !== undefined && (await found.other.withdraw(found.active, worker.entry.name))
  }

  /** Whether another server of its renderer takes jobs. */
  hasOthers(worker: ServerWorker): boolean {
    const { remote } = this.host
    if (this.othersOf(worker).some(other => other.isTaking())) return true
    return worker.renderer !== undefined && remote !== undefined && remote.takingOf(worker.renderer) > 0
  }

  /** Whether the limits of the home allow one more job with these tags. */
  isAllowed(tags: readonly string[]): boolean {
    return exceededLimit(this.host.limits, tags, tag => this.jobsOf(tag)) === undefined
  }

  /** Jobs with a tag, here and at workers on other machines. */
  jobsOf(tag: string): number {
    return this.host.workers().reduce((sum, each) => sum + each.jobsOf(tag), this.host.remote?.jobsOf(tag) ?? 0)
  }

  /** Places that a run has here. */
  placesOf(run: string): number {
    return this.host.workers().reduce((sum, each) => sum + each.placesOf(run), 0)
  }

  /** Servers that may render a group some day, each with why it cannot now. */
  lacksOf(group: RunGroup): Lack[] {
    const possible = this.host.workers().filter(each => each.renderer === undefined || each.renderer === group.renderer)
    return possible.map(each => ({ name: each.entry.name, reason: each.fitness.whyUnfit(group) }))
  }

  /** For a server here that has nothing to do: a job that waits for workers on other machines. */
  private async withdraw(worker: ServerWorker): Promise<Given | undefined> {
    const { engine, remote } = this.host
    const found = worker.jobs.length > 0 ? undefined : remote?.withdraw(group => this.mayRun(worker, group))
    if (!found) return undefined
    const { job, group } = found
    worker.loaded = group
    worker.chosen = group
    if (!(await this.isFit(worker, group, job))) return undefined
    await engine.offer(group.lane, [job])
    const claim = await engine.claim(group.lane)
    return claim && { claim, group }
  }

  /** Groups that the server may be asked to render now, but for what it was found unable to. */
  private async groups(worker: ServerWorker, left: ReadonlySet<string>): Promise<RunGroup[]> {
    try {
      const groups = await this.host.desk.groups(this.host.renderers(), this.labels())
      return groups.filter(group => group.renderer === worker.renderer && !left.has(group.lane))
    } catch (error) {
      this.host.log.error({ reason: reasonOf(error) }, 'no jobs could be made')
      setTimeout(() => this.host.wake(), wakeRetryMs).unref()
      return []
    }
  }

  /** Of each server that takes jobs, each list once; unknown where others work as well. */
  private labels(): string[][] | undefined {
    if (this.host.remote) return undefined
    const lists = new Map<string, string[]>()
    for (const worker of this.host.workers()) {
      const { labels = [] } = worker.entry
      if (worker.isTaking()) lists.set(labels.join(' '), labels)
    }
    return [...lists].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, labels]) => labels)
  }

  /**
   * A job that has failed before goes to a server where it has not, while there is one, and to one that fails nothing: a server
   * that fails everything at once always has a place free.
   */
  private mayTry(worker: ServerWorker, group: RunGroup, failedOn: ReadonlySet<string>): boolean {
    if (failedOn.size === 0) return true
    const others = this.othersOf(worker).filter(
      other => !failedOn.has(other.entry.name) && other.isTaking() && this.isFor(other, group),
    )
    if (failedOn.has(worker.entry.name))
      return others.length === 0 && this.host.remote?.mayTry(group, failedOn) !== true
    return !worker.fitness.hasFailed || others.every(other => other.fitness.hasFailed)
  }

  /** Whether the server can render the job. What none can render fails; what this one cannot is left to the others. */
  private async isFit(worker: ServerWorker, group: RunGroup, job: Job): Promise<boolean> {
    const { desk, log } = this.host
    const lack = await worker.check(job).catch(error => {
      desk.release(job)
      throw error
    })
    if (!lack) return true
    if (lack.reason === 'invalid-graph') await desk.refuse(job, lack.message)
    else if (lack.reason === 'missing-model' || lack.reason === 'missing-node') {
      if (worker.fitness.hold(group, lack.message))
        log.warn({ server: worker.entry.name, run: job.run, reason: lack.message }, 'server cannot render this')
      await this.leaveToOthers(group, job)
    } else {
      desk.release(job)
      worker.presence.lost(lack.message)
    }
    return false
  }

  /** A server that is away may come back with what the others lack; where none is away, the jobs fit nowhere. */
  private async leaveToOthers(group: RunGroup, job: Job): Promise<void> {
    const { desk } = this.host
    const lacks = [...this.lacksOf(group), ...(this.host.remote?.lacksOf(group) ?? [])]
    if (lacks.some(({ reason }) => reason === undefined)) {
      desk.release(job)
      return
    }
    await desk.failGroup(group, job, describeLacks(lacks))
  }

  private maySteal(worker: ServerWorker, { active, group }: Waiting): boolean {
    return this.mayRun(worker, group) && this.mayTry(worker, group, this.host.desk.failedOn(active.job))
  }

  private viewOf(worker: ServerWorker): ServerView {
    const mayTry = (group: RunGroup) => this.host.desk.hasFor(group, failed => this.mayTry(worker, group, failed))
    return worker.view(group => this.mayRun(worker, group) && mayTry(group))
  }

  private mayRun(worker: ServerWorker, group: RunGroup): boolean {
    if (worker.renderer !== group.renderer || !this.isFor(worker, group)) return false
    if (this.host.desk.isFull(group.run)) return false
    return (
      this.isAllowed(group.tags) &&
      exceededLimit(worker.entry.limits ?? {}, group.tags, tag => worker.jobsOf(tag)) === undefined
    )
  }

  /** Whether it can render a group, as far as one knows, and nobody has more room for it. */
  private isFor(worker: ServerWorker, group: RunGroup): boolean {
    return worker.fitness.whyUnfit(group) === undefined && whyLeft(worker, this.host.workers(), group) === undefined
  }

  /** As the choice sees the farm; what it may need of it is found out when it asks. */
  private farmView(worker: ServerWorker): FarmView {
    const same = this.host.workers().filter(each => each.renderer === worker.renderer)
    const places = new Map<string, number>()
    const taking = same.filter(each => each === worker || each.isTaking())
    let views: ServerView[] | undefined
    const lookAtAll = () => {
      views ??= taking.map(each => this.viewOf(each))
      return views[Symbol.iterator]()
    }
    return {
      now: performance.now(),
      placesOf: run => {
        const known = places.get(run) ?? this.placesOf(run) + (this.host.remote?.placesOf(run) ?? 0)
        places.set(run, known)
        return known
      },
      serversWith: loaded => countLoaded(same, loaded),
      servers: { length: taking.length, [Symbol.iterator]: lookAtAll },
    }
  }

  private othersOf(worker: ServerWorker): ServerWorker[] {
    return this.host.workers().filter(other => other !== worker && other.renderer === worker.renderer)
  }
}

function hasLimits(limits: Limits | undefined): boolean {
  for (const _ in limits) return true
  return false
}
