import type { Logger } from 'pino'
import { reasonOf } from '../errors.js'
import { waitAtMost } from '../files/within-time.js'
import type { Job } from '../plan/job.js'
import type { QueueEngine } from '../plugins/contract.js'
import { laneOf } from './choose-lane.js'
import { chooseOffer } from './choose-offer.js'
import type { Desk } from './desk.js'
import type { RunGroup } from './run-backlog.js'

/** A job that waits in the engine for a worker. */
export interface Offered {
  job: Job
  group: RunGroup
  lane: string
}

interface WindowHost {
  desk: Pick<Desk, 'groups' | 'take' | 'release'>
  log: Logger
  /** Absent while it could not be reached yet. */
  engine(): QueueEngine | undefined
  /** What all servers of the farm render. */
  renderers(): ReadonlySet<string>
  /** Whether one more job of the group may be begun by workers. */
  mayOffer(group: RunGroup): boolean
  /** Jobs that may be offered beside those that are. */
  room(): number
  /** Places that a run has, on all servers. */
  placesOf(run: string): number
}

/** Whoever wakes it, wakes it again. */
const retryMs = 1000

/**
 * The jobs that wait in the engine for workers: few, in fair order. What is remembered here is the truth, the engine an index of
 * it: whatever it lost is offered again, and what it still has of others is refused when a worker asks for it.
 */
export class EngineWindow {
  private readonly offered = new Map<string, Offered>()
  private filling: Promise<void> | undefined
  private isAsked = false
  /** After a failure, until when nothing is tried. */
  private restsUntil = 0
  private isClosed = false

  constructor(private readonly host: WindowHost) {}

  get size(): number {
    return this.offered.size
  }

  placesOf(run: string): number {
    return this.count(({ job }) => job.run === run)
  }

  jobsOf(tag: string): number {
    return this.count(({ group }) => group.tags.includes(tag))
  }

  has(run: string, ordinal: number): boolean {
    return this.count(({ job }) => job.run === run && job.slot.ordinal === ordinal) > 0
  }

  find(job: string): Offered | undefined {
    return this.offered.get(job)
  }

  /** Fills what is free. Never rejects. */
  wake(): void {
    if (performance.now() < this.restsUntil) return
    this.isAsked = true
    this.filling ??= this.fill().finally(() => {
      this.filling = undefined
    })
  }

  /** A worker has it now, or nobody is to have it: it is the caller's. The engine may still have it. */
  take(job: string): Offered | undefined {
    const offered = this.offered.get(job)
    this.offered.delete(job)
    return offered
  }

  /** Takes the job back that was offered last and that `takes` wants: a server here is free for it. */
  withdraw(takes: (group: RunGroup) => boolean): Offered | undefined {
    const found = [...this.offered.values()].findLast(({ group }) => takes(group))
    if (!found) return undefined
    this.offered.delete(found.job.id)
    void this.forget([found.job.id])
    return found
  }

  /** Takes back what is meant. The slots are no longer taken. */
  drop(isMeant: (offered: Offered) => boolean): void {
    const jobs = this.remove(isMeant)
    if (jobs.length > 0) void this.forget(jobs)
  }

  /** Offers all again that waits: an engine that was emptied or away has lost some. Of what it has, nothing changes. */
  async offerAgain(): Promise<void> {
    const moved = [...this.offered.values()].filter(({ group, lane }) => laneOf(group) !== lane)
    // Somebody has changed the priority of a run.
    if (moved.length > 0) await this.forget(moved.map(({ job }) => job.id))
    for (const offered of moved) offered.lane = laneOf(offered.group)
    await this.send([...this.offered.values()])
  }

  /** Takes back everything, within the limit: the next owner offers it again. */
  async close(limitMs: number): Promise<void> {
    this.isClosed = true
    await this.filling
    const jobs = this.remove(() => true)
    if (jobs.length === 0) return
    await waitAtMost(this.forget(jobs), limitMs)
  }

  private remove(isMeant: (offered: Offered) => boolean): string[] {
    const removed = [...this.offered.values()].filter(isMeant).map(({ job }) => job)
    for (const job of removed) this.offered.delete(job.id)
    for (const job of removed) this.host.desk.release(job)
    return removed.map(job => job.id)
  }

  private async fill(): Promise<void> {
    while (this.isAsked) {
      this.isAsked = false
      try {
        await this.fillOnce()
      } catch (error) {
        this.host.log.error({ reason: reasonOf(error), retryMs }, 'no jobs could be offered')
        this.restsUntil = performance.now() + retryMs
      }
    }
  }

  private async fillOnce(): Promise<void> {
    const { desk, renderers, mayOffer, room, placesOf } = this.host
    const left = new Set<string>()
    const fresh: Offered[] = []
    while (!this.isClosed && room() > 0) {
      const groups = await desk.groups(renderers())
      const group = chooseOffer(
        groups.filter(each => !left.has(each.lane) && mayOffer(each)),
        placesOf,
      )
      if (!group) break
      const job = await desk.take(group, () => true)
      if (!job) {
        left.add(group.lane)
        continue
      }
      const offered = { job, group, lane: laneOf(group) }
      this.offered.set(job.id, offered)
      fresh.push(offered)
    }
    await this.send(fresh)
  }

  /** What does not arrive is offered again later. */
  private async send(jobs: readonly Offered[]): Promise<void> {
    const engine = this.host.engine()
    const lanes = new Map<string, Job[]>()
    for (const { job, lane } of jobs.filter(each => this.offered.has(each.job.id)))
      lanes.set(lane, [...(lanes.get(lane) ?? []), job])
    try {
      for (const [lane, waiting] of lanes) await engine?.offer(lane, waiting)
    } catch (error) {
      this.host.log.warn({ reason: reasonOf(error), jobs: jobs.length }, 'jobs could not be offered, again later')
    }
  }

  /** What stays in the engine does no harm: a worker that claims it is told so. */
  private async forget(jobs: readonly string[]): Promise<void> {
    await this.host
      .engine()
      ?.cancel(jobs)
      .catch((error: unknown) => this.host.log.debug({ reason: reasonOf(error) }, 'jobs stay in the engine'))
  }

  private count(isMeant: (offered: Offered) => boolean): number {
    let jobs = 0
    for (const offered of this.offered.values()) if (isMeant(offered)) jobs++
    return jobs
  }
}
