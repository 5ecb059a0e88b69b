import { type Group, type Loaded, type ServerView, switchMs } from './choose-group.js'
import type { ForecastInput, ForecastServer, RunForecast, TimeRange, WaitingGroup } from './forecast-shapes.js'
import type { Rate, Rates } from './speeds.js'
import { switchOf } from './switch-of.js'

/** A group in a play. */
export interface Waiting extends WaitingGroup {
  /** Names of servers that can render it. */
  fit: ReadonlySet<string>
  /** Groups that it stands for, which differ in their LoRAs alone. */
  kinds: number
}

/** Where nothing is known, all servers count as alike: shares and switches need no durations. */
export const unknownJobMs = 1000

/** One server as time goes by. */
export class Lane implements ServerView {
  loaded: Loaded | undefined
  readonly active = 0
  /** The group that it renders. */
  current: Waiting | undefined
  /** On the clock of the play, in milliseconds from now. */
  freeAt: number
  /** When it is asked what it takes next. */
  askAt: number
  now = 0
  private readonly own: Rates | undefined
  private readonly mates: readonly Rates[]
  private readonly spent = new Map<string, { rate: Rate; count: number }>()
  private readonly ends = new Map<string, TimeRange>()

  constructor(
    readonly server: ForecastServer,
    { servers, rates }: ForecastInput,
  ) {
    this.loaded = server.loaded
    this.freeAt = server.busyMs
    this.askAt = server.busyMs
    this.own = rates.find(each => each.server === server.name)
    const mates = new Set(servers.filter(each => each.renderer === server.renderer).map(each => each.name))
    this.mates = rates.filter(each => mates.has(each.server))
  }

  get name(): string {
    return this.server.name
  }

  get busyMs(): number {
    return Math.max(0, this.freeAt - this.now)
  }

  get swapMs(): number {
    return this.rateOf(rates => rates.models)?.ms ?? 0
  }

  get patchMs(): number {
    return this.rateOf(rates => rates.loras)?.ms ?? 0
  }

  jobMs(work: string): number | undefined {
    return this.rateOf(rates => rates.works[work])?.ms
  }

  takes(group: Group): boolean {
    // Only what waits here is ever chosen from.
    return (group as Waiting).fit.has(this.name)
  }

  /** Renders some of a group. */
  take(group: Waiting, count: number, run: RunForecast): void {
    const loadMs = switchMs(group, this)
    const needed = switchOf(group, this.loaded)
    if (needed !== 'none') this.load(run, needed)
    const kinds = Math.max(1, Math.ceil((group.kinds * count) / group.waiting))
    for (let more = 1; more < kinds; more++) this.load(run, 'loras')
    group.kinds = Math.max(1, group.kinds - kinds)
    const rate = this.rateOf(rates => rates.works[group.work])
    if (rate) this.spend(group.work, rate, count)
    else noteUnmeasured(run, group.work)
    const loadsMs = loadMs + (kinds - 1) * this.patchMs
    this.freeAt = Math.max(this.freeAt, this.now) + loadsMs + count * (rate?.ms ?? unknownJobMs)
    this.askAt = this.freeAt
    this.loaded = group
    this.current = group
    const workS = (loadsMs + count * (rate?.ms ?? 0)) / 1000
    const share = run.shares.find(each => each.server === this.name)
    if (share) {
      share.slots += count
      share.workS += workS
    } else run.shares.push({ server: this.name, slots: count, workS })
    this.noteEnd(run)
  }

  /** It was rendering this before the play began. */
  noteRunning(run: RunForecast, work: string): void {
    if (this.jobMs(work) === undefined) noteUnmeasured(run, work)
    this.noteEnd(run)
  }

  /** What it has now ends no sooner. */
  noteEnd({ run }: RunForecast): void {
    const offMs = Math.min(this.freeAt * offMax, this.offMs())
    this.ends.set(run, { lowS: (this.freeAt - offMs) / 1000, highS: (this.freeAt + offMs) / 1000 })
  }

  endOf(run: string): TimeRange | undefined {
    return this.ends.get(run)
  }

  private load(run: RunForecast, what: 'models' | 'loras'): void {
    run.switches[what]++
    const rate = this.rateOf(rates => rates[what])
    if (rate) this.spend(what, rate, 1)
    else run.unmeasured.loading = true
  }

  private spend(what: string, rate: Rate, count: number): void {
    const known = this.spent.get(what)
    if (known) known.count += count
    else this.spent.set(what, { rate, count })
  }

  /** Chance evens out over many jobs; an error of the mean adds up. */
  private offMs(): number {
    let squares = 0
    for (const { rate, count } of this.spent.values()) {
      const off = offOf(rate)
      squares += count * off ** 2 + (count * off) ** 2 / Math.min(rate.count, freshMax)
    }
    return Math.sqrt(squares)
  }

  /** Its own, else the mean of those that have one. */
  private rateOf(pick: (rates: Rates) => Rate | undefined): Rate | undefined {
    const own = this.own && pick(this.own)
    if (own) return own
    const known = this.mates.flatMap(each => pick(each) ?? [])
    if (known.length === 0) return undefined
    const mean = (each: (rate: Rate) => number) => known.reduce((sum, rate) => sum + each(rate), 0) / known.length
    const ms = mean(rate => rate.ms)
    // Another machine: it may differ as they do among each other, and counts as measured once.
    return {
      ms,
      count: 1,
      spreadMs: Math.max(
        mean(rate => rate.spreadMs),
        mean(rate => Math.abs(rate.ms - ms)),
      ),
    }
  }
}

/** No range is wider than this part of the time to either side. */
const offMax = 0.9
/** A moving mean remembers some so many measurements. */
const freshMax = 7
/** Measured less often, nothing is known of the spread. */
const spreadCountMin = 3
const unknownSpread = 0.5
/** Twice the standard deviation, from the mean distance. */
const offPerSpread = 2.5
/** Machines are never more regular than that over time. */
const offMin = 0.05

function offOf({ ms, count, spreadMs }: Rate): number {
  const known = Math.max(spreadMs * offPerSpread, ms * offMin)
  return count >= spreadCountMin ? known : Math.max(known, ms * unknownSpread)
}

function noteUnmeasured({ unmeasured: { works } }: RunForecast, work: string): void {
  if (!works.includes(work)) works.push(work)
}
