import type { Group, Loaded, ServerView } from '../../src/farm/choose-group.js'
import { type Health, wellHealth } from '../../src/farm/choose-health.js'
import type { Speeds, Switch } from '../../src/farm/speeds.js'
import type { Clock } from './clock.js'
import type { Lane, SimulatedAttempt, SimulatedJob } from './lane.js'
import type { ServerPlan } from './scenario.js'

interface WorkerHost {
  speeds: Speeds
  clock: Clock
  /** Whether the job may be tried on the server, after what it did elsewhere. */
  isFit(job: SimulatedJob, worker: Worker): boolean
}

/** A server as the farm sees it. */
export class Worker implements ServerView {
  readonly name: string
  loaded: Loaded | undefined
  health: Health = wellHealth
  isAway = false
  /** Counts how often it went away. */
  absences = 0
  /** What the farm believes to be on it. */
  readonly current: SimulatedAttempt[] = []
  /** Given up while it was away; it may still have them. */
  givenUp: SimulatedAttempt[] = []

  constructor(
    readonly index: number,
    private readonly plan: ServerPlan,
    private readonly host: WorkerHost,
  ) {
    this.name = plan.name
  }

  get active(): number {
    return this.current.length
  }

  get isOpen(): boolean {
    return !this.isAway && this.health.state !== 'sick'
  }

  get hasPlace(): boolean {
    return this.isOpen && this.active < (this.health.state === 'tried' ? 1 : this.plan.depth)
  }

  get busyMs(): number {
    return this.current.reduce((sum, attempt) => sum + this.leftMs(attempt), 0)
  }

  get swapMs(): number {
    return this.host.speeds.switchMs(this.name, 'models')
  }

  get patchMs(): number {
    return this.host.speeds.switchMs(this.name, 'loras')
  }

  jobMs(work: string): number | undefined {
    return this.host.speeds.jobMs(this.name, work)
  }

  /** The models. */
  has({ modelSet }: Loaded): boolean {
    return this.plan.modelSets?.has(modelSet) ?? true
  }

  /** Only what waits there and may be tried here: another server would wait in vain for this one to do it. */
  takes(group: Group): boolean {
    // Only lanes of the simulation are ever chosen from.
    return this.has(group) && (group as Lane).hasFor(job => this.host.isFit(job, this))
  }

  switchTo({ modelSet, loras }: Lane): Switch {
    if (this.loaded?.modelSet !== modelSet) return 'models'
    return this.loaded.loras.join() === loras.join() ? 'none' : 'loras'
  }

  /** Jobs that wait here, with the time until they would have ended. */
  *unstarted(): Generator<{ attempt: SimulatedAttempt; group: Lane; endsInMs: number }> {
    let endsInMs = 0
    for (const attempt of this.current) {
      endsInMs += this.leftMs(attempt)
      if (attempt.begunAt < 0) yield { attempt, group: attempt.job.lane, endsInMs }
    }
  }

  private leftMs({ job, loads, begunAt }: SimulatedAttempt): number {
    const jobMs = this.jobMs(job.lane.work)
    if (jobMs === undefined) return 0
    const ms = jobMs + (loads === 'none' ? 0 : this.host.speeds.switchMs(this.name, loads))
    return begunAt < 0 ? ms : Math.max(0, begunAt + ms - this.host.clock.now)
  }
}
