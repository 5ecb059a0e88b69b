import type { Loaded } from '../../src/farm/choose-group.js'
import type { Clock } from './clock.js'
import type { SimulatedAttempt } from './lane.js'
import type { Random } from './random.js'
import type { Scenario, ServerPlan } from './scenario.js'

export type Outcome = 'done' | 'out-of-memory' | 'node-error'

export interface RenderHost {
  clock: Clock
  random: Random
  scenario: Pick<Scenario, 'outOfMemory' | 'jitter'>
  begun(attempt: SimulatedAttempt): void
  ended(attempt: SimulatedAttempt, outcome: Outcome): void
  /** It answers no more. */
  gone(server: number): void
  /** It answers again; a new one has nothing of what was on it. */
  back(server: number, isNew: boolean): void
  broken(problem: string): void
}

/** What a job that fails does so of the time of a good one; a sick server is quicker. */
const failsAfter = 0.5
const sickMs = 50
const restartMs = 15_000

/** A server as it is, whatever the farm knows of it: renders one job at a time, in the order in which they were sent. */
export class RenderServer {
  readonly queue: SimulatedAttempt[] = []
  swaps = 0
  patches = 0
  private loaded: Loaded | undefined
  private isAway = false
  private isNew = false
  private awayUntil = 0
  private sickUntil = 0
  /** What ended while nobody heard it. */
  private unheard: { attempt: SimulatedAttempt; outcome: Outcome }[] = []
  /** What is due for an earlier turn is void. */
  private turn = 0

  constructor(
    private readonly index: number,
    private readonly plan: ServerPlan,
    private readonly host: RenderHost,
  ) {}

  submit(attempt: SimulatedAttempt): void {
    if (this.isAway) this.host.broken(`${this.plan.name} was sent a job while it was away`)
    if (this.queue.length >= this.plan.depth) this.host.broken(`${this.plan.name} has more jobs than places`)
    this.queue.push(attempt)
    if (this.queue.length === 1) this.begin()
  }

  /** Ends a job that runs or waits here. */
  cancel(attempt: SimulatedAttempt): void {
    const at = this.queue.indexOf(attempt)
    if (at < 0) return
    this.queue.splice(at, 1)
    if (at === 0) this.begin()
  }

  /** What ended while it was away, told once. */
  tell(): { attempt: SimulatedAttempt; outcome: Outcome }[] {
    return this.unheard.splice(0)
  }

  /** The models are given back. */
  free(): void {
    this.loaded = undefined
  }

  fallIll(ms: number): void {
    this.sickUntil = this.host.clock.now + ms
  }

  leave(ms: number): void {
    this.awayUntil = Math.max(this.awayUntil, this.host.clock.now + ms)
    this.host.clock.at(this.awayUntil, () => this.comeBack())
    if (this.isAway) return
    this.isAway = true
    this.host.gone(this.index)
  }

  crash(ms: number): void {
    this.queue.length = 0
    this.unheard.length = 0
    this.turn++
    this.loaded = undefined
    this.isNew = true
    this.leave(ms)
  }

  private comeBack(): void {
    if (!this.isAway || this.host.clock.now < this.awayUntil) return
    const { isNew } = this
    this.isAway = false
    this.isNew = false
    this.host.back(this.index, isNew)
  }

  private begin(): void {
    const turn = ++this.turn
    const attempt = this.queue[0]
    if (!attempt) return
    const { clock, random, scenario } = this.host
    const { lane, poison } = attempt.job
    attempt.begunAt = clock.now
    this.host.begun(attempt)
    if (clock.now < this.sickUntil) {
      clock.after(sickMs, () => this.end(turn, 'node-error'))
      return
    }
    const jitter = random.between(1 - scenario.jitter, 1 + scenario.jitter)
    const ms = this.load(lane) + lane.jobMs * this.plan.slowness * jitter
    if (poison === 'crashes') clock.after(ms * failsAfter, () => turn === this.turn && this.crash(restartMs))
    else if (poison === 'fails') clock.after(ms * failsAfter, () => this.end(turn, 'node-error'))
    else if (random.hits(scenario.outOfMemory)) clock.after(ms * failsAfter, () => this.end(turn, 'out-of-memory'))
    else clock.after(ms, () => this.end(turn, 'done'))
  }

  /** Milliseconds. */
  private load(wanted: Loaded): number {
    const { loaded } = this
    this.loaded = wanted
    if (loaded?.modelSet !== wanted.modelSet) {
      this.swaps++
      return this.plan.swapMs
    }
    if (wanted.loras.join() === loaded.loras.join()) return 0
    this.patches++
    return this.plan.patchMs
  }

  private end(turn: number, outcome: Outcome): void {
    if (turn !== this.turn) return
    const attempt = this.queue.shift()
    if (!attempt) return
    this.begin()
    if (this.isAway) this.unheard.push({ attempt, outcome })
    else this.host.ended(attempt, outcome)
  }
}
