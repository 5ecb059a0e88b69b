import type { Group } from '../../src/farm/choose-group.js'
import type { Switch } from '../../src/farm/speeds.js'
import type { Arrival, GroupPlan } from './scenario.js'

export type JobState = 'waiting' | 'delayed' | 'running' | 'done' | 'failed' | 'cancelled'

/** One simulated job. */
export interface SimulatedJob {
  id: number
  lane: Lane
  arrivedAt: number
  /** Since when it waits for a place. */
  waitsSince: number
  /** When it was rendered first, -1 before. */
  begunAt: number
  state: JobState
  attempts: number
  current: SimulatedAttempt | undefined
  charged: number
  ended: number
  /** Servers that it is suspected on. */
  failedOn: readonly number[]
  poison: Arrival['poison']
}

export interface SimulatedAttempt {
  job: SimulatedJob
  number: number
  /** Its index. */
  server: number
  /** What the farm expects that the server has to load first. */
  loads: Switch
  /** When rendering began, -1 before. */
  begunAt: number
  /** The farm counts on it no more. */
  isGivenUp: boolean
}

/** Waiting jobs of one group, in the order of their arrival; those that wait again go first. */
export class Lane implements Group {
  readonly run: string
  readonly band: number
  readonly weight: number
  readonly modelSet: string
  readonly loras: readonly string[]
  readonly work: string
  readonly jobMs: number
  waiting = 0
  isCancelled = false
  /** When a job of it was last taken. */
  takenAt = 0
  /** Since when something of it waits without a break. */
  waitsSince = 0
  private again: SimulatedJob[] = []
  private jobs: SimulatedJob[] = []
  private next = 0

  constructor(
    readonly lane: string,
    readonly index: number,
    plan: GroupPlan,
  ) {
    const { run, band, weight, modelSet, loras, work, jobMs } = plan
    this.run = run
    this.band = band
    this.weight = weight
    this.modelSet = modelSet
    this.loras = loras
    this.work = work
    this.jobMs = jobMs
  }

  /** The later of the arrival of its oldest job and the moment when one of it was last taken. */
  get since(): number {
    return Math.max(this.oldest?.waitsSince ?? 0, this.takenAt)
  }

  get oldest(): SimulatedJob | undefined {
    this.prune()
    return this.again.at(-1) ?? this.jobs[this.next]
  }

  put(job: SimulatedJob, now: number, isNew: boolean): void {
    job.state = 'waiting'
    job.waitsSince = now
    if (this.waiting === 0) this.waitsSince = now
    this.waiting++
    if (isNew) this.jobs.push(job)
    else this.again.push(job)
  }

  /** Whether a fit job waits: those that were never tried always are. */
  hasFor(isFit: (job: SimulatedJob) => boolean): boolean {
    const again = this.again.filter(job => job.state === 'waiting')
    return this.waiting > again.length || again.some(isFit)
  }

  /** The first job that is fit. */
  take(now: number, isFit: (job: SimulatedJob) => boolean): SimulatedJob | undefined {
    this.prune()
    for (const [jobs, step, from] of [
      [this.again, -1, this.again.length - 1],
      [this.jobs, 1, this.next],
    ] as const) {
      for (let at = from; at >= 0 && at < jobs.length; at += step) {
        const job = jobs[at]
        if (job?.state !== 'waiting' || !isFit(job)) continue
        this.waiting--
        this.takenAt = now
        job.state = 'running'
        return job
      }
    }
    return undefined
  }

  /** It needs no place any more. */
  drop(job: SimulatedJob): void {
    if (job.state === 'waiting') this.waiting--
  }

  first(count: number): SimulatedJob[] {
    this.prune()
    const jobs = [...this.again.toReversed(), ...this.jobs.slice(this.next, this.next + count)]
    return jobs.filter(job => job.state === 'waiting').slice(0, count)
  }

  all(): SimulatedJob[] {
    return [...new Set([...this.again, ...this.jobs.slice(this.next)])].filter(job => job.state === 'waiting')
  }

  /** Forgets at the front what waits no more. */
  private prune(): void {
    while (this.again.length > 0 && this.again.at(-1)?.state !== 'waiting') this.again.pop()
    while (this.next < this.jobs.length && this.jobs[this.next]?.state !== 'waiting') this.next++
    if (this.next < 1024 || this.next * 2 < this.jobs.length) return
    this.jobs = this.jobs.slice(this.next)
    this.next = 0
  }
}
