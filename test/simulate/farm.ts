import type { FarmView, Loaded } from '../../src/farm/choose-group.js'
import { afterFailure, afterRest, wellHealth } from '../../src/farm/choose-health.js'
import { chooseNextStep, isCharged, isSuspect, retryDelayMs } from '../../src/farm/choose-next-step.js'
import { chooseSteal } from '../../src/farm/choose-steal.js'
import { Speeds } from '../../src/farm/speeds.js'
import type { RenderCause } from '../../src/plugins/contract.js'
import type { Checker, Counters } from './checker.js'
import type { Clock } from './clock.js'
import { type JobState, Lane, type SimulatedAttempt, type SimulatedJob } from './lane.js'
import { LoadedCounts } from './loaded-counts.js'
import type { Policy } from './policies.js'
import type { Outcome, RenderServer } from './render-server.js'
import type { Arrival, Scenario } from './scenario.js'
import { Worker } from './worker.js'

/** An unreachable server keeps its attempts for so long; one of a cancelled run less. */
const graceMs = 60_000
const cancelMsMax = 3000
/** Idle servers that got nothing look again. */
const lookMs = 250
/** Whenever something ends, idle servers look at once; beyond so many of them that takes too long to simulate. */
const wokenMax = 64

interface Parts {
  scenario: Scenario
  policy: Policy
  clock: Clock
  checker: Checker
  servers: readonly RenderServer[]
}

/** The farm around the choice: what servers tell goes in, attempts go out. It acts as the farm of the foundry, without waiting. */
export class SimulatedFarm implements FarmView {
  readonly lanes: readonly Lane[]
  readonly workers: readonly Worker[]
  servers: readonly Worker[] = []
  readonly speeds = new Speeds()
  readonly counters: Counters = {
    jobs: { waiting: 0, delayed: 0, running: 0, done: 0, failed: 0, cancelled: 0 },
    attempts: 0,
    adopted: 0,
    orphans: 0,
  }
  choices = 0
  steals = 0
  /** Attempts that ended by what counts as a fault of the job. */
  charged = 0
  /** Jobs that failed although nothing was wrong with them. */
  failedSound = 0
  /** The longest that a group of the first band waited. */
  longestWaitMs = 0
  lastEndAt = 0
  private readonly places = new Map<string, number>()
  private readonly loaded = new LoadedCounts()
  /** Servers to be asked for a job. */
  private readonly asking = new Set<Worker>()
  private readonly idle = new Set<Worker>()
  private readonly half = new Set<Worker>()
  /** Those where jobs wait behind others. */
  private readonly crowded = new Set<Worker>()
  private isLooking = false
  private jobs = 0

  constructor(private readonly parts: Parts) {
    const { scenario, clock } = parts
    this.lanes = scenario.groups.map((plan, index) => new Lane(`lane-${index}`, index, plan))
    const isFit = (job: SimulatedJob, worker: Worker) => this.isFit(job, worker)
    this.workers = scenario.servers.map((plan, index) => new Worker(index, plan, { speeds: this.speeds, clock, isFit }))
    for (const worker of this.workers) this.changed(worker)
    this.listOpen()
  }

  get now(): number {
    return this.parts.clock.now
  }

  placesOf(run: string): number {
    return this.places.get(run) ?? 0
  }

  serversWith(loaded: Loaded): { models: number; loras: number } {
    return this.loaded.of(loaded)
  }

  /** A job is accepted. */
  accept({ group, poison }: Arrival): void {
    const lane = this.lanes[group]
    if (!lane) return
    const job: SimulatedJob = {
      id: this.jobs++,
      lane,
      arrivedAt: this.now,
      waitsSince: this.now,
      begunAt: -1,
      state: 'delayed',
      attempts: 0,
      current: undefined,
      charged: 0,
      ended: 0,
      failedOn: none,
      poison,
    }
    this.parts.checker.accepted(job.id)
    this.counters.jobs.delayed++
    if (lane.isCancelled) this.settle(job, 'cancelled')
    else this.wait(job, true)
  }

  /** An operator stops a run. */
  cancel(run: string): void {
    for (const lane of this.lanes.filter(lane => lane.run === run)) {
      lane.isCancelled = true
      for (const job of lane.all()) this.settle(job, 'cancelled')
    }
    for (const worker of this.workers) {
      for (const attempt of worker.current.filter(({ job }) => job.lane.run === run)) {
        if (worker.isAway) this.parts.clock.after(cancelMsMax, () => this.giveUp(worker, attempt))
        else this.stop(worker, attempt)
      }
    }
  }

  begun({ job }: SimulatedAttempt): boolean {
    if (job.begunAt >= 0) return false
    job.begunAt = this.now
    return true
  }

  /** A server tells how an attempt ended. */
  ended(attempt: SimulatedAttempt, outcome: Outcome): void {
    const { job, server, begunAt, loads } = attempt
    const worker = this.workers[server]
    if (!worker) return
    if (attempt.isGivenUp) {
      worker.givenUp = worker.givenUp.filter(each => each !== attempt)
      if (outcome === 'done') this.takeLate(attempt)
      return
    }
    this.end(worker, attempt)
    if (outcome !== 'done') {
      this.fail(worker, attempt, outcome)
      return
    }
    // The end of what nobody heard is not known to the second.
    if (!worker.isAway) this.speeds.add(worker.name, job.lane.work, { renderMs: this.now - begunAt, loaded: loads })
    this.heal(worker)
    this.settle(job, 'done')
  }

  gone(index: number): void {
    const worker = this.workers[index]
    if (!worker) return
    this.loaded.add(worker.isOpen ? worker.loaded : undefined, -1)
    worker.isAway = true
    const absence = ++worker.absences
    this.listOpen()
    this.changed(worker)
    this.parts.clock.after(graceMs, () => {
      if (!worker.isAway || worker.absences !== absence) return
      for (const attempt of [...worker.current]) this.giveUp(worker, attempt)
    })
  }

  back(index: number, isNew: boolean): void {
    const worker = this.workers[index]
    const server = this.parts.servers[index]
    if (!worker || !server) return
    for (const { attempt, outcome } of server.tell()) this.ended(attempt, outcome)
    for (const attempt of isNew ? [...worker.current] : []) {
      this.end(worker, attempt)
      this.fail(worker, attempt, attempt.begunAt < 0 ? 'lost' : 'crashed')
    }
    for (const attempt of worker.givenUp) server.cancel(attempt)
    worker.givenUp = []
    if (isNew) worker.loaded = undefined
    worker.isAway = false
    this.loaded.add(worker.isOpen ? worker.loaded : undefined, 1)
    this.listOpen()
    this.changed(worker)
    this.asking.add(worker)
  }

  /** Asks for every free place that may get something now. */
  dispatch(): void {
    while (this.asking.size > 0) {
      const round = [...this.asking].sort((one, other) => one.active - other.active || one.index - other.index)
      this.asking.clear()
      for (const worker of round) if (this.fill(worker)) this.asking.add(worker)
    }
    const isWork = this.counters.jobs.waiting > 0 || this.crowded.size > 0
    if (this.isLooking || this.idle.size === 0 || !isWork) return
    this.isLooking = true
    this.parts.clock.after(lookMs, () => {
      this.isLooking = false
      for (const worker of this.idle) this.asking.add(worker)
    })
  }

  /** Kept counts equal counted ones. */
  audit(): void {
    const { checker } = this.parts
    const places = new Map<string, number>()
    const loaded = new LoadedCounts()
    let running = 0
    for (const worker of this.workers) {
      running += worker.active
      if (worker.active !== checker.placesOf(worker.index)) checker.say(`${worker.name} miscounts its jobs`)
      for (const { job } of worker.current) places.set(job.lane.run, (places.get(job.lane.run) ?? 0) + 1)
      if (worker.isOpen) loaded.add(worker.loaded, 1)
    }
    const { jobs } = this.counters
    if (running !== jobs.running) checker.say(`${jobs.running} jobs are told to run, ${running} do`)
    const waiting = this.lanes.reduce((sum, lane) => sum + lane.waiting, 0)
    if (waiting !== jobs.waiting) checker.say(`${jobs.waiting} jobs are told to wait, ${waiting} do`)
    if (Object.values(jobs).reduce((sum, count) => sum + count, 0) !== this.jobs) checker.say('a job is in no state')
    for (const lane of this.lanes) {
      if (this.placesOf(lane.run) !== (places.get(lane.run) ?? 0)) checker.say(`places of ${lane.run} are miscounted`)
      const [kept, counted] = [this.serversWith(lane), loaded.of(lane)]
      if (kept.models !== counted.models || kept.loras !== counted.loras)
        checker.say(`servers with ${lane.modelSet} are miscounted`)
    }
  }

  private fill(worker: Worker): boolean {
    if (!worker.hasPlace) return false
    const job = this.takeFor(worker)
    if (job) this.lease(job, worker)
    return job !== undefined || this.steal(worker)
  }

  private takeFor(worker: Worker): SimulatedJob | undefined {
    this.choices++
    const lane = this.parts.policy.choose(this.lanes, worker, this)
    if (!lane) return undefined
    const waitedMs = this.now - lane.since
    const job = lane.take(this.now, job => this.isFit(job, worker))
    if (!job) {
      this.parts.checker.say(`${worker.name} was given ${lane.lane}, where nothing is for it`)
      return undefined
    }
    this.counters.jobs.waiting--
    this.counters.jobs.running++
    if (lane.band === 0) this.longestWaitMs = Math.max(this.longestWaitMs, waitedMs)
    return job
  }

  /** A job goes to a server that it failed on only where no other takes it. */
  private isFit({ failedOn, lane }: SimulatedJob, worker: Worker): boolean {
    if (!failedOn.includes(worker.index)) return true
    return !this.servers.some(other => !failedOn.includes(other.index) && other.has(lane))
  }

  private steal(worker: Worker): boolean {
    if (worker.active > 0 || !this.parts.policy.steals) return false
    if (this.crowded.size === 0) return false
    const waiting = [...this.crowded].flatMap(other => [...other.unstarted()])
    const fit = waiting.filter(({ attempt, group }) => worker.has(group) && this.isFit(attempt.job, worker))
    const chosen = chooseSteal(fit, worker)
    const victim = chosen && this.workers[chosen.attempt.server]
    if (!victim) return false
    const { attempt } = chosen
    this.parts.servers[victim.index]?.cancel(attempt)
    this.end(victim, attempt)
    this.setLoaded(victim, victim.current.at(-1)?.job.lane)
    this.steals++
    this.lease(attempt.job, worker)
    return true
  }

  private lease(job: SimulatedJob, worker: Worker): void {
    const number = ++job.attempts
    const loads = worker.switchTo(job.lane)
    const attempt = { job, number, server: worker.index, loads, begunAt: -1, isGivenUp: false }
    this.counters.attempts++
    this.parts.checker.leased(job.id, number, worker.index)
    job.state = 'running'
    job.current = attempt
    worker.current.push(attempt)
    this.places.set(job.lane.run, this.placesOf(job.lane.run) + 1)
    this.setLoaded(worker, job.lane)
    this.changed(worker)
    this.parts.servers[worker.index]?.submit(attempt)
  }

  /** The attempt takes no place any more. Its job is the caller's to go on with. */
  private end(worker: Worker, attempt: SimulatedAttempt): void {
    const { job, number } = attempt
    worker.current.splice(worker.current.indexOf(attempt), 1)
    job.current = undefined
    this.parts.checker.ended(job.id, number, worker.index)
    this.places.set(job.lane.run, this.placesOf(job.lane.run) - 1)
    this.changed(worker)
    this.asking.add(worker)
    if (this.idle.size <= wokenMax) for (const other of this.idle) this.asking.add(other)
  }

  private fail(worker: Worker, { job }: SimulatedAttempt, cause: RenderCause): void {
    if (cause === 'out-of-memory') this.free(worker)
    if (isSuspect(cause) && !job.failedOn.includes(worker.index)) job.failedOn = [...job.failedOn, worker.index]
    job.ended++
    if (isCharged(cause)) {
      job.charged++
      this.charged++
    }
    if (isSuspect(cause)) this.blame(worker, job, cause)
    const tries = { charged: job.charged, ended: job.ended, servers: job.failedOn.length }
    if (job.lane.isCancelled) this.settle(job, 'cancelled')
    else if (chooseNextStep(cause, tries, this.parts.scenario.attemptsMax) === 'fail') this.settle(job, 'failed')
    else this.waitAgain(job, retryDelayMs(tries))
  }

  private free(worker: Worker): void {
    this.parts.servers[worker.index]?.free()
    if (worker.active === 0) this.setLoaded(worker, undefined)
  }

  /** Where no other server is there, even a sick one works on. */
  private blame(worker: Worker, { id }: SimulatedJob, reason: string): void {
    const { isOpen, health } = worker
    const after = afterFailure(health, { job: String(id), reason, now: this.now })
    if (after.state === 'sick' && this.servers.every(other => other === worker)) return
    worker.health = after
    if (after.state !== 'sick' || health.state === 'sick') return
    if (isOpen) this.loaded.add(worker.loaded, -1)
    this.listOpen()
    this.changed(worker)
    this.parts.clock.at(after.until, () => this.rest(worker))
  }

  private rest(worker: Worker): void {
    const { state } = worker.health
    worker.health = afterRest(worker.health, this.now)
    if (state !== 'sick' || worker.health.state === 'sick') return
    if (worker.isOpen) this.loaded.add(worker.loaded, 1)
    this.listOpen()
    this.changed(worker)
    this.asking.add(worker)
  }

  private heal(worker: Worker): void {
    if (worker.health === wellHealth) return
    const wasOpen = worker.isOpen
    worker.health = wellHealth
    if (!wasOpen && worker.isOpen) this.loaded.add(worker.loaded, 1)
    this.listOpen()
    this.changed(worker)
  }

  private giveUp(worker: Worker, attempt: SimulatedAttempt): void {
    if (attempt.job.current !== attempt || !worker.isAway) return
    attempt.isGivenUp = true
    worker.givenUp.push(attempt)
    this.end(worker, attempt)
    this.fail(worker, attempt, attempt.begunAt < 0 ? 'lost' : 'silent')
  }

  /** The job needs this attempt no more. */
  private stop(worker: Worker, attempt: SimulatedAttempt): void {
    this.end(worker, attempt)
    if (worker.isAway) {
      attempt.isGivenUp = true
      worker.givenUp.push(attempt)
    } else this.parts.servers[worker.index]?.cancel(attempt)
    if (attempt.job.lane.isCancelled) this.settle(attempt.job, 'cancelled')
  }

  private takeLate({ job, number }: SimulatedAttempt): void {
    const isOpen = job.state === 'waiting' || job.state === 'delayed' || job.state === 'running'
    this.parts.checker.late(job.id, number, isOpen ? 'adopted' : 'orphan')
    if (!isOpen) {
      this.counters.orphans++
      return
    }
    this.counters.adopted++
    const newer = job.current
    const worker = newer && this.workers[newer.server]
    if (newer && worker) this.stop(worker, newer)
    if (job.state !== 'cancelled') this.settle(job, 'done')
  }

  private settle(job: SimulatedJob, state: 'done' | 'failed' | 'cancelled'): void {
    job.lane.drop(job)
    this.count(job, state)
    if (state === 'failed' && job.poison === undefined) this.failedSound++
    this.lastEndAt = this.now
    this.parts.checker.settled(job.id, state)
  }

  private waitAgain(job: SimulatedJob, delayMs: number): void {
    this.count(job, 'delayed')
    this.parts.clock.after(delayMs, () => {
      if (job.state !== 'delayed') return
      if (job.lane.isCancelled) this.settle(job, 'cancelled')
      else this.wait(job, false)
    })
  }

  private wait(job: SimulatedJob, isNew: boolean): void {
    const { lane } = job
    this.count(job, 'waiting')
    lane.put(job, this.now, isNew)
    for (const worker of this.idle) this.asking.add(worker)
    // A job behind another is of the same models.
    for (const worker of this.half) if (worker.loaded?.modelSet === lane.modelSet) this.asking.add(worker)
  }

  private count(job: SimulatedJob, state: JobState): void {
    this.counters.jobs[job.state]--
    this.counters.jobs[state]++
    job.state = state
  }

  private setLoaded(worker: Worker, loaded: Loaded | undefined): void {
    if (worker.isOpen) {
      this.loaded.add(worker.loaded, -1)
      this.loaded.add(loaded, 1)
    }
    worker.loaded = loaded
  }

  private changed(worker: Worker): void {
    set(this.idle, worker, worker.hasPlace && worker.active === 0)
    set(this.half, worker, worker.hasPlace && worker.active > 0)
    set(this.crowded, worker, worker.isOpen && worker.active > 1)
  }

  private listOpen(): void {
    this.servers = this.workers.filter(worker => worker.isOpen)
  }
}

const none: readonly number[] = []

function set<Member>(members: Set<Member>, member: Member, isIn: boolean): void {
  if (isIn) members.add(member)
  else members.delete(member)
}
