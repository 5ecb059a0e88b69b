import { describeProblem } from '../errors.js'
import { affinityOfJob } from '../plan/affinity.js'
import type { Job } from '../plan/job.js'
import type { JobProblem, RenderFailure } from '../plugins/contract.js'
import type { RunState } from '../record/state.js'
import type { Price } from '../schema/trace.js'
import type { Attempts } from './attempts.js'
import type { Desk } from './desk.js'
import type { ForecastServer, RunForecast, WaitingGroup } from './forecast-shapes.js'
import { forecast } from './forecast.js'
import { exceededLimit, type Limits } from './limits.js'
import { whyLeft } from './room.js'
import type { RunGroup, SlotStand } from './run-backlog.js'
import type { ServerWorker } from './server-worker.js'
import type { Speeds } from './speeds.js'

export interface OutlookHost {
  workers(): readonly ServerWorker[]
  desk: Desk
  attempts: Attempts
  speeds: Speeds
  limits: Limits
  /** Jobs with a tag, here and at workers on other machines. */
  jobsOf(tag: string): number
  /** What is known of workers on other machines; absent where there are none. */
  remote: RemoteOutlook | undefined
}

export interface RemoteOutlook {
  stands(group: RunGroup | Pick<RunGroup, 'renderer'>): ServerStand[]
  /** Whether one of its servers takes jobs of a group, but for those where it has failed. */
  mayTry(group: RunGroup, failed: ReadonlySet<string>): boolean
  /** Whether a slot waits for a worker to begin it. */
  isOffered(run: string, ordinal: number): boolean
}

/** What a server lacks for a job. */
export interface JobLacks {
  server: string
  /** Each problem in one sentence, as the provider tells it. */
  problems: string[]
}

/** How a server stands to a group. */
export interface ServerStand {
  server: string
  isTaking: boolean
  /** Why it gets no jobs, or not some of them. */
  avoided?: string
  /** Why it cannot render the group. */
  unfit?: string
  /** A named limit that keeps the group from running there. */
  limit?: { name: string; most: number; underWay: number; isOfServer: boolean }
  /** It has the models of the group loaded. */
  isHot: boolean
  depth: number
  /** Runs of the jobs on it, the same one as often as it has jobs. */
  runs: string[]
}

/** A job on a server. */
export interface JobStand {
  server: string
  attempt: number
  /** Absent until it has begun. */
  sinceMs?: number
  /** What such a job usually takes there. */
  usualMs?: number
  value?: number
  max?: number
}

const keptMsMin = 1000
/** Of the process's time. */
const shareMax = 0.02
/** For those who look often: a rough play is enough. */
const glanceStepsMax = 200
const lookMsMax = 3000

/** What the farm can tell of what is to come, and of why something waits. Changes nothing. */
export class Outlook {
  private cached: { until: number; runs: ReadonlyMap<string, RunForecast> } | undefined

  constructor(private readonly host: OutlookHost) {}

  /** What becomes of the runs under way. As of now, or of a moment ago. */
  runs(): ReadonlyMap<string, RunForecast> {
    const now = performance.now()
    if (!this.cached || now > this.cached.until) {
      const runs = this.forecast([], glanceStepsMax)
      // What costs much is looked at less often.
      const keptMs = Math.max(keptMsMin, (performance.now() - now) / shareMax)
      this.cached = { until: now + keptMs, runs: new Map(runs.map(each => [each.run, each])) }
    }
    return this.cached.runs
  }

  /** What becomes of more groups behind all that waits already. `lacks` are reasons by lane, then server. */
  plan(
    groups: readonly WaitingGroup[],
    lacks: ReadonlyMap<string, ReadonlyMap<string, string>>,
  ): ReadonlyMap<string, RunForecast> {
    return new Map(this.forecast(groups, undefined, lacks).map(each => [each.run, each]))
  }

  /** Gives servers that were not heard yet a moment to answer. */
  async settle(): Promise<void> {
    const unknown = this.host.workers().filter(each => each.presence.state === 'unknown')
    await Promise.all(unknown.map(each => each.presence.look(lookMsMax)))
  }

  /** What each server of the job's renderer that answers lacks for it; those that lack nothing are left out. */
  async lacks(job: Job): Promise<JobLacks[]> {
    const fit = this.host.workers().filter(each => each.presence.isReady && each.renderer === job.target.renderer)
    const lacks = await Promise.all(
      fit.map(async worker => {
        // Whatever keeps it from being asked is told by the state of the server.
        const failure = await worker.check(job).catch(() => undefined)
        return failure ? [{ server: worker.entry.name, problems: problemsOf(failure) }] : []
      }),
    )
    return lacks.flat()
  }

  /** What a picture of a job costs on the first server of its renderer that has a price for it. */
  priceOf(job: Job): Price | undefined {
    for (const worker of this.of(job.target.renderer)) {
      const price = worker.connection.priceOf?.(job)
      if (price) return price
    }
    return undefined
  }

  /** What an hour of a server costs, where the configuration says so. */
  pricePerHour(server: string): number | undefined {
    return this.host.workers().find(each => each.entry.name === server)?.entry.pricePerHour
  }

  /** Servers of a renderer that get no jobs now, with the reason of each. */
  away(renderer: string): { server: string; reason: string }[] {
    return this.of(renderer).flatMap(worker => {
      if (worker.isTaking()) return []
      return [{ server: worker.entry.name, reason: worker.status().avoided ?? 'It was not heard yet' }]
    })
  }

  /** Without a group, which is known of runs that are looked at, only how the servers of its renderer are. */
  stands(group: RunGroup | Pick<RunGroup, 'renderer'>): ServerStand[] {
    const here = this.of(group.renderer).map(worker => this.standOf(worker, 'lane' in group ? group : undefined))
    return [...here, ...(this.host.remote?.stands(group) ?? [])]
  }

  /** Why a server leaves some of what waits to others, in one sentence. */
  whySpared(worker: ServerWorker): string | undefined {
    const waiting = worker.room.isTight ? this.host.desk.backlog() : []
    const same = waiting.filter(group => group.renderer === worker.renderer)
    const [why] = same.flatMap(group => whyLeft(worker, this.host.workers(), group) ?? [])
    return why && `It is spared what is too large for it: ${why}`
  }

  /** Where a slot of a run is being rendered. */
  jobOf(run: string, ordinal: number): JobStand | undefined {
    for (const worker of this.host.workers()) {
      const active = worker.jobs.find(({ job }) => job.run === run && job.slot.ordinal === ordinal)
      if (!active) continue
      const { name } = worker.entry
      const { startedAt, value, max, attempt } = active
      const usualMs = this.host.speeds.jobMs(name, affinityOfJob(active.job).work)
      return {
        server: name,
        attempt: attempt.number,
        ...(startedAt !== undefined && { sinceMs: performance.now() - startedAt }),
        ...(usualMs !== undefined && { usualMs }),
        ...(value !== undefined && max !== undefined && { value, max }),
      }
    }
    return undefined
  }

  slotStand(run: RunState, ordinal: number): SlotStand {
    const stand = this.host.desk.standOf(run, ordinal)
    const isOffered = this.host.remote?.isOffered(run.accepted.run, ordinal) ?? false
    return { ...stand, isTaken: stand.isTaken && !isOffered }
  }

  /** Milliseconds until a slot that has failed is tried again; undefined for one that does not rest. */
  restMs(run: string, ordinal: number): number | undefined {
    return this.host.attempts.restMs(run, ordinal)
  }

  /** What else waits now, of what some server can render. */
  others(run: string, renderer: string): RunGroup[] {
    const others = this.host.desk.backlog().filter(group => group.run !== run && group.renderer === renderer)
    const taking = this.of(renderer).filter(worker => worker.isTaking())
    return others.filter(
      group =>
        taking.some(worker => this.whyUnfit(worker, group) === undefined) || this.host.remote?.mayTry(group, new Set()),
    )
  }

  private of(renderer: string): ServerWorker[] {
    return this.host.workers().filter(each => each.renderer === undefined || each.renderer === renderer)
  }

  private forecast(
    more: readonly WaitingGroup[],
    stepsMax?: number,
    lacks: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(),
  ): RunForecast[] {
    const { desk, speeds, limits } = this.host
    const now = performance.now()
    const planned = new Set(more.map(({ run }) => run))
    const waiting = desk.backlog().filter(({ run }) => !planned.has(run))
    const groups = [...waiting.map(each => ({ ...each, since: each.since - now })), ...more]
    const lackOf = (group: WaitingGroup, server: string) => lacks.get(group.lane)?.get(server)
    const whyUnfit = (worker: ServerWorker) => (group: WaitingGroup) =>
      lackOf(group, worker.entry.name) ??
      this.whyUnfit(worker, group, other => lackOf(group, other.entry.name) === undefined)
    const taking = this.host.workers().filter(each => each.isTaking())
    const servers = taking.flatMap(worker => toServer(worker, whyUnfit(worker)))
    return forecast({ groups, servers, rates: speeds.export(), limits, ...(stepsMax !== undefined && { stepsMax }) })
  }

  private standOf(worker: ServerWorker, group: RunGroup | undefined): ServerStand {
    const { avoided } = worker.status()
    const unfit = group && this.whyUnfit(worker, group)
    const limit = group && this.limitOf(worker, group)
    return {
      server: worker.entry.name,
      isTaking: worker.isTaking(),
      ...(avoided !== undefined && { avoided }),
      ...(unfit !== undefined && { unfit }),
      ...(limit && { limit }),
      isHot: group !== undefined && worker.loaded?.modelSet === group.modelSet,
      depth: worker.fitness.depth,
      runs: worker.jobs.map(({ job }) => job.run),
    }
  }

  /** Why a server does not render a group as things stand. `mayRun` is told more that keeps another from it. */
  private whyUnfit(worker: ServerWorker, group: RunGroup, mayRun?: Parameters<typeof whyLeft>[3]): string | undefined {
    const neverOf = (limits: Limits) => exceededLimit(limits, group.tags, () => 0)
    const never = neverOf(this.host.limits) ?? neverOf(worker.entry.limits ?? {})
    if (never !== undefined) return `The limit "${never}" is 0`
    return worker.fitness.whyUnfit(group) ?? whyLeft(worker, this.host.workers(), group, mayRun)
  }

  private limitOf(worker: ServerWorker, { tags }: RunGroup): ServerStand['limit'] {
    const here = (tag: string) => worker.jobsOf(tag)
    const find = (limits: Limits, underWay: (tag: string) => number, isOfServer: boolean) => {
      const name = exceededLimit(limits, tags, underWay)
      const most = name === undefined ? undefined : limits[name]
      return name !== undefined && most !== undefined ? { name, most, underWay: underWay(name), isOfServer } : undefined
    }
    return find(this.host.limits, tag => this.host.jobsOf(tag), false) ?? find(worker.entry.limits ?? {}, here, true)
  }
}

function toServer(worker: ServerWorker, whyUnfit: ForecastServer['whyUnfit']): ForecastServer[] {
  const { entry, renderer, loaded, jobs } = worker
  if (renderer === undefined) return []
  const { busyMs } = worker.view(() => true)
  const running = jobs.map(({ job }) => ({ run: job.run, work: affinityOfJob(job).work }))
  return [{ name: entry.name, renderer, loaded, busyMs, running, limits: entry.limits ?? {}, whyUnfit }]
}

function problemsOf(failure: RenderFailure): string[] {
  const { problems } = failure.details
  // A failed check carries its problems.
  const listed = Array.isArray(problems) ? (problems as JobProblem[]).map(describeProblem) : []
  return listed.length > 0 ? listed : [failure.message]
}
