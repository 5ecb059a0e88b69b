import type { ServerEntry, ServerMode } from '../schema/config.js'
import { afterFailure, afterRest, type Health, wellHealth } from './choose-health.js'
import { lackOfLabels } from './lacks.js'
import { isQuiet } from './quiet-hours.js'
import type { RunGroup } from './run-backlog.js'
import type { ServerState } from './worker-host.js'

/** What a server was found unable to render is asked again after this long. */
const unfitMsMax = 60_000
/** After a job was too large for its memory, a server gets one at a time for this long. */
const carefulMs = 10 * 60_000
/** An account that may not render is tried again, with one job, after this long. */
const lockedOutMs = 5 * 60_000

/** Whether a server gets jobs, and which: what the operator wants of it, its hours, its failures, and what it lacks. */
export class Fitness {
  mode: ServerMode = 'active'
  private health: Health = wellHealth
  private carefulUntil = 0
  private lockout: { reason: string; until: number } | undefined
  /** Why groups cannot be rendered here, by what they need, and until when that is believed. */
  private readonly unfit = new Map<string, { reason: string; until: number }>()

  constructor(private readonly entry: ServerEntry) {}

  /** It has failed since its last picture. */
  get hasFailed(): boolean {
    return this.health.failed.length > 0
  }

  /** Jobs that it gets at once. */
  get depth(): number {
    return performance.now() < this.carefulUntil ? 1 : this.entry.depth
  }

  /** Whether it takes a job, with so many on it. */
  isTaking(activeCount: number): boolean {
    if (this.mode !== 'active' || this.isQuiet()) return false
    if (this.lockout && (performance.now() < this.lockout.until || activeCount > 0)) return false
    this.health = afterRest(this.health, performance.now())
    return this.health.state === 'well' || (this.health.state === 'tried' && activeCount === 0)
  }

  /** Why it cannot render a group, as far as that was found out. */
  whyUnfit(group: RunGroup): string | undefined {
    const lack = lackOfLabels(this.entry.labels ?? [], group.labels)
    if (lack !== undefined) return lack
    const known = this.unfit.size > 0 ? this.unfit.get(needsOf(group)) : undefined
    return known && performance.now() < known.until ? known.reason : undefined
  }

  /** It does not get what it cannot render. Answers whether the reason is news. */
  hold(group: RunGroup, reason: string): boolean {
    const isNews = ![...this.unfit.values()].some(each => each.reason === reason)
    this.unfit.set(needsOf(group), { reason, until: performance.now() + unfitMsMax })
    return isNews
  }

  /** It may be another server by now. */
  forgetLacks(): void {
    this.unfit.clear()
  }

  /** What it has done wrong, and what it lacked, counts no more. */
  forgive(): void {
    this.proveWell()
    this.carefulUntil = 0
    this.unfit.clear()
  }

  /** One good picture is enough. */
  proveWell(): void {
    this.lockout = undefined
    this.health = wellHealth
  }

  /** Its account may not render now. Answers whether that is news. */
  lockOut(reason: string): boolean {
    const isNews = this.lockout === undefined
    this.lockout = { reason, until: performance.now() + lockedOutMs }
    return isNews
  }

  beCareful(): void {
    this.carefulUntil = performance.now() + carefulMs
  }

  /** A job failed that may be the server's fault. Milliseconds that it rests for that, if others are there to work. */
  blame(job: string, reason: string, hasOthers: boolean): number | undefined {
    const now = performance.now()
    const after = afterFailure(this.health, { job, reason, now })
    const isNews = after.state === 'sick' && this.health.state !== 'sick'
    if (after.state === 'sick' && !hasOthers) return undefined
    this.health = after
    return isNews ? Math.round(after.until - now) : undefined
  }

  /** Why it gets no jobs, or not all of them, in one sentence. */
  avoided(state: ServerState, reason = 'no answer'): string | undefined {
    if (state === 'unreachable') return `It is not reachable: ${reason}`
    if (this.mode === 'paused') return 'It was paused; "foundry servers resume" lets it work again'
    if (this.mode === 'draining') return 'It is being drained; "foundry servers resume" lets it work again'
    if (this.isQuiet()) return 'These are its quiet hours'
    if (this.lockout) return describeLockout(this.lockout, this.entry.name)
    const { state: health, until, reason: failure = '' } = this.health
    const restSeconds = Math.max(0, Math.ceil((until - performance.now()) / 1000))
    if (health === 'sick') return `It failed several jobs in a row and is tried again in ${restSeconds} s: ${failure}`
    if (health === 'tried') return `It failed several jobs in a row and gets one job to prove itself: ${failure}`
    const [lack] = [...this.unfit.values()].filter(each => performance.now() < each.until)
    if (lack) return `It cannot render everything: ${lack.reason}`
    return this.depth < this.entry.depth ? 'It ran out of memory and gets one job at a time' : undefined
  }

  /** Milliseconds until it is tried again, while it rests after failures or its account may not render. */
  get restMs(): number | undefined {
    const { state, until } = this.health
    const restMs = Math.max(state === 'sick' ? until : 0, this.lockout?.until ?? 0) - performance.now()
    return restMs > 0 ? restMs : undefined
  }

  private isQuiet(): boolean {
    const { quietHours } = this.entry
    if (!quietHours || quietHours.length === 0) return false
    const now = new Date()
    return isQuiet(quietHours, { day: now.getDay(), minute: now.getHours() * 60 + now.getMinutes() })
  }
}

/** What a check of a job is about. */
function needsOf({ modelSet, work, loras }: RunGroup): string {
  return [modelSet, work, ...loras].join(' ')
}

function describeLockout({ reason, until }: { reason: string; until: number }, server: string): string {
  const seconds = Math.ceil((until - performance.now()) / 1000)
  const when = seconds > 0 ? `in ${seconds} s` : 'with one job'
  return `Its account may not render: ${reason}. It is tried again ${when}, or at once after "foundry servers forgive ${server}"`
}
