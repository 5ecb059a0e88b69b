import { FoundryError, reasonOf } from '../errors.js'
import { failpoint } from '../files/failpoint.js'
import { takeTurns } from '../files/take-turns.js'
import { jobMaker } from '../plan/make-job.js'
import type { Job } from '../plan/job.js'
import { indexSlots, slotAt } from '../plan/slots.js'
import type { Attempt } from '../plugins/contract.js'
import type { Committed } from '../record/commit.js'
import type { FoundryEvent, SlotDone } from '../record/events.js'
import type { Lease, RunState } from '../record/state.js'
import { isSettled, stateOf } from '../record/state.js'
import { bands } from '../schema/run.js'
import { attemptOf } from './attempt-of.js'
import { failedOn } from './failed-on.js'
import { makeGatedJob } from './gated-job.js'
import { commitFacts, commitPlace, type DeskHost, heavyFiles, isOfTheHome, type OpenRun } from './open-run.js'
import { persist, persistThere } from './persist.js'
import { type BacklogGroup, RunBacklog, type RunGroup, type SlotStand } from './run-backlog.js'
import { RunEnds } from './run-ends.js'
import { Signal } from './signal.js'

/**
 * Runs with something to render that are looked at together; beyond, those of a later band or acceptance wait. As many again
 * that no server takes now keep nobody from being looked at.
 */
const openRunsMax = 64
/** Events that are appended at once. */
const eventsMax = 1000

/**
 * Turns accepted runs into jobs, one by one when they are taken, and ends runs. A slot is `taken` from then until its outcome is
 * journaled, so that no slot is ever worked on twice at once.
 */
export class Desk {
  private readonly open = new Map<string, OpenRun>()
  private readonly opening = new Map<string, Promise<OpenRun | undefined>>()
  private readonly commitTurn = takeTurns<string>()
  private readonly halted = new AbortController()
  private readonly ends: RunEnds
  private readonly signal = new Signal()
  /** When set, only these runs are worked on. */
  private focus: ReadonlySet<string> | undefined
  /** Groups of the runs that are looked at, until something about runs, or which renderers are there, changes. */
  private looked: Promise<readonly RunGroup[]> | undefined
  private lookedFor = ''

  constructor(private readonly host: DeskHost) {
    this.ends = new RunEnds({
      log: host.log,
      halted: this.halted.signal,
      state: run => host.ledger.state.runs.get(run),
      open: run => this.openRun(run),
      finish: ({ state, index }) => host.finish(state, index),
      ended: run => this.shut(run),
    })
    host.ledger.listen(event => {
      if (event.kind.startsWith('run-')) this.looked = undefined
    })
  }

  /** Works on these runs alone: a command does what it was asked, and leaves the rest of the home as it is. */
  focusOn(runs: ReadonlySet<string>): void {
    this.focus = runs
    this.looked = undefined
  }

  /** Works on one more run, where only some are worked on. */
  alsoWorkOn(run: string): void {
    if (this.focus) this.focusOn(new Set([...this.focus, run]))
  }

  /**
   * What waits, of the renderers that are there: the runs of the first bands, in the order in which they were accepted.
   * `labels` are those of each server that takes jobs, where they are known.
   */
  async groups(renderers: ReadonlySet<string>, labels?: Labels): Promise<RunGroup[]> {
    const lookedFor = JSON.stringify([[...renderers].sort(), labels])
    if (this.lookedFor !== lookedFor) this.looked = undefined
    this.lookedFor = lookedFor
    this.looked ??= this.lookAtRuns(renderers, labels)
    const looked = this.looked
    try {
      const groups = await looked
      const waiting = groups.filter(({ waiting, renderer }) => waiting > 0 && renderers.has(renderer))
      // Those that are worked off make room for others.
      if (waiting.length === 0 && this.looked === looked) this.looked = undefined
      return waiting
    } catch (error) {
      this.looked = undefined
      throw error
    }
  }

  /**
   * The job of the next slot of a group; undefined when none is left that the asking server may try. Committed pictures are
   * reused on the way. `mayTry` is told the servers on which a slot has failed before.
   */
  async take(group: RunGroup, mayTry: (failedOn: ReadonlySet<string>) => boolean): Promise<Job | undefined> {
    const run = this.open.get(group.run)
    if (!run || run.state.isCancelled || run.state.isPaused) return undefined
    const inFlightMax = run.state.accepted.inFlightMax ?? Infinity
    const isFit = (ordinal: number) => mayTry(failedOn(run.state, ordinal))
    while (run.taken.size < inFlightMax) {
      const ordinal = run.backlog.take(group, performance.now(), isFit)
      if (ordinal === undefined) return undefined
      run.taken.add(ordinal)
      const job = await this.makeJob(run, ordinal).catch(error => this.giveBackAnd(run, ordinal, error))
      if (!job) continue
      const reuse = () => this.reuse(run, job)
      if (!(await this.inTurn(job, reuse).catch(error => this.giveBackAnd(run, ordinal, error)))) return job
    }
    return undefined
  }

  /** Whether something of a group waits that a server may try. */
  hasFor(group: RunGroup, mayTry: (failedOn: ReadonlySet<string>) => boolean): boolean {
    const run = this.open.get(group.run)
    return run?.backlog.hasFit(group, ordinal => mayTry(failedOn(run.state, ordinal))) ?? false
  }

  /** Servers that a job has failed, or taken down. */
  failedOn({ run, slot }: Job): ReadonlySet<string> {
    const state = this.host.ledger.state.runs.get(run)
    return state ? failedOn(state, slot.ordinal) : new Set()
  }

  /** Whether a run bounds its jobs in flight, and has as many. */
  isFull(run: string): boolean {
    const open = this.open.get(run)
    return open !== undefined && open.taken.size >= (open.state.accepted.inFlightMax ?? Infinity)
  }

  /** Whether a run bounds its jobs in flight. */
  isBounded(run: string): boolean {
    return this.open.get(run)?.state.accepted.inFlightMax !== undefined
  }

  /** What waits of the runs that are looked at, without opening any. */
  backlog(): BacklogGroup[] {
    const open = [...this.open.values()].filter(({ state }) => !state.isCancelled && !state.isPaused)
    return open.flatMap(({ state, backlog }) => {
      const { inFlightMax } = state.accepted
      const groups = this.isWanted(state) ? backlog.groups.filter(({ waiting }) => waiting > 0) : []
      return groups.map(group => ({ ...group, ...(inFlightMax !== undefined && { inFlightMax }) }))
    })
  }

  /** How a waiting slot stands here: whether its run is worked on and looked at, and what comes before it. */
  standOf(state: RunState, ordinal: number): SlotStand {
    const open = this.open.get(state.accepted.run)
    const place = open?.backlog.placeOf(ordinal)
    return { isWanted: this.isWanted(state), isTaken: open?.taken.has(ordinal) ?? false, ...place }
  }

  /**
   * Leases that a crash left open, with their jobs; pictures that were finished are adopted on the way. Those that are worked
   * on already are left alone, so this may be asked again.
   */
  async recover(): Promise<{ job: Job; attempt: Attempt; lease: Lease }[]> {
    const found: { job: Job; attempt: Attempt; lease: Lease }[] = []
    for (const state of this.host.ledger.state.runs.values()) {
      // Whatever its renderer: what a lease left is found out before that of the servers is known.
      if (!this.isWanted(state)) continue
      if (state.leases.size > 0) {
        const run = await this.openRun(state.accepted.run)
        for (const [ordinal, lease] of run ? [...state.leases] : []) {
          if (!run || run.taken.has(ordinal) || state.leases.get(ordinal) !== lease) continue
          run.taken.add(ordinal)
          const job = await this.makeJob(run, ordinal)
          if (!job) continue
          const attempt = attemptOf(lease)
          const isAdopted = await this.inTurn(job, () => this.adopt(run, job, attempt, lease.server))
          if (!isAdopted) found.push({ job, attempt, lease })
        }
      }
      await this.settleRun(state.accepted.run)
    }
    return found
  }

  /** Gives a slot back that was taken and not leased, or whose attempt has ended. */
  release(job: Job): void {
    const run = this.open.get(job.run)
    if (run) this.giveBack(run, job.slot.ordinal)
  }

  /** A taken slot is settled: nobody works on it any more. */
  async settled(job: Job): Promise<void> {
    const run = this.open.get(job.run)
    if (run?.taken.delete(job.slot.ordinal)) this.shut(run)
    await this.settleRun(job.run)
  }

  /** Fails what waits of a group, and the job that showed that it fits nowhere. */
  async failGroup(group: RunGroup, job: Job, reason: string): Promise<void> {
    const run = this.open.get(group.run)
    if (!run) return
    const ordinals = [job.slot.ordinal]
    for (;;) {
      const ordinal = run.backlog.take(group, performance.now(), () => true)
      if (ordinal === undefined) break
      ordinals.push(ordinal)
    }
    await this.failSlots(run.state, ordinals, reason)
    run.taken.delete(job.slot.ordinal)
    await this.settleRun(group.run)
  }

  /** Fails a slot that no attempt was made of. */
  async refuse(job: Job, reason: string): Promise<void> {
    const state = this.host.ledger.state.runs.get(job.run)
    if (state && stateOf(state, job.slot.ordinal) === 'waiting') await this.failSlots(state, [job.slot.ordinal], reason)
    await this.settled(job)
  }

  /** Looks at a run again after an operator's act: at every slot, and closed if nothing is left to do. */
  async review(id: string): Promise<void> {
    this.open.get(id)?.backlog.recount()
    this.looked = undefined
    await this.settleRun(id)
  }

  /** Waits for room on the disk no longer: what is not written by now is found again at the next start. */
  halt(): void {
    this.halted.abort()
  }

  /** Waits until runs that are being finished are finished. */
  idle(): Promise<void> {
    return this.ends.idle()
  }

  /** A run that is worked on; undefined when it cannot be, and its slots have failed for that. */
  async openRun(id: string): Promise<OpenRun | undefined> {
    const known = this.open.get(id)
    if (known) return known
    const opening = this.opening.get(id) ?? this.readRun(id).finally(() => this.opening.delete(id))
    this.opening.set(id, opening)
    return opening
  }

  /** One commit of a slot after the other: of a late picture and that of a newer attempt, the second finds the first done. */
  inTurn<Result>({ run, slot }: Job, commit: () => Promise<Result>): Promise<Result> {
    return this.commitTurn(`${run} ${slot.ordinal}`, commit)
  }

  /** Takes over what lies where the slot's picture belongs, or in the staging folder, when it is of this job. */
  async adopt(run: OpenRun, job: Job, attempt: Attempt, server: string): Promise<boolean> {
    const lease = run.state.leases.get(job.slot.ordinal)
    const facts = { server: { name: server }, submittedSha256: lease?.submittedSha256, timings: {} }
    const place = commitPlace(this.host, run, job.slot.ordinal)
    const committed = await this.persistThere(() =>
      this.host.pictures.do('adopt', job, place, commitFacts(this.host, run, { job, attempt }, facts)),
    )
    if (!committed) return false
    await this.settle(job, { attempt: attempt.number, server, committed, ...(lease?.price && { price: lease.price }) })
    return true
  }

  /** Journals a committed picture. */
  async settle(
    job: Job,
    { attempt, server, committed, price }: { committed: Committed } & Pick<SlotDone, 'attempt' | 'server' | 'price'>,
  ): Promise<void> {
    await this.append({
      kind: 'slot-done',
      at: Date.now(),
      run: job.run,
      slot: job.slot.ordinal,
      ...committed,
      renderHash: job.renderHash,
      attempt,
      ...(server !== undefined && { server }),
      ...(price && { price }),
    })
    await failpoint('done')
    await this.settled(job)
  }

  append(...events: FoundryEvent[]): Promise<void> {
    return this.persist(() => this.host.ledger.append(...events))
  }

  persist<Result>(write: () => Promise<Result>): Promise<Result> {
    return persist(write, { log: this.host.log, signal: this.signal, abort: this.halted.signal })
  }

  /** Of the folder of a run: undefined where something lies in the way there. */
  persistThere<Result>(write: () => Promise<Result>): Promise<Result | undefined> {
    return persistThere(write, { log: this.host.log, signal: this.signal, abort: this.halted.signal })
  }

  private isWanted({ accepted }: RunState): boolean {
    return this.focus?.has(accepted.run) ?? true
  }

  private async lookAtRuns(renderers: ReadonlySet<string>, served?: Labels): Promise<readonly RunGroup[]> {
    const groups: RunGroup[] = []
    let [opened, others] = [0, 0]
    for (const state of this.waitingRuns(renderers)) {
      if (opened >= openRunsMax) break
      const isTaken = served?.some(known => state.labels.every(label => known.includes(label))) ?? true
      if (!isTaken && others >= openRunsMax) continue
      const run = await this.openRun(state.accepted.run)
      if (!run) await this.settleRun(state.accepted.run)
      if (!run || run.backlog.waiting === 0) continue
      if (isTaken) opened++
      else others++
      const band = bands.indexOf(state.priority)
      const { weight, labels } = state
      for (const group of run.backlog.groups) groups.push(Object.assign(group, { band, weight, labels }))
    }
    return groups
  }

  private waitingRuns(renderers: ReadonlySet<string>): RunState[] {
    const waiting = [...this.host.ledger.state.runs.values()].filter(
      run =>
        !run.finished &&
        !run.isCancelled &&
        !run.isPaused &&
        run.counts.waiting > 0 &&
        renderers.has(run.accepted.renderer) &&
        this.isWanted(run),
    )
    return waiting.sort((a, b) => bands.indexOf(a.priority) - bands.indexOf(b.priority))
  }

  /** A slot that no job can be made of fails with the reason, and harms no other. */
  private async makeJob(run: OpenRun, ordinal: number): Promise<Job | undefined> {
    let reason = 'The plan has nothing to render here'
    try {
      const job = await makeGatedJob(run.maker, slotAt(run.index, ordinal), this.host.gates)
      if (job) return job
    } catch (error) {
      if (isOfTheHome(error)) throw error
      reason = reasonOf(error)
    }
    await this.failSlots(run.state, [ordinal], reason)
    run.taken.delete(ordinal)
    await this.settleRun(run.state.accepted.run)
    return undefined
  }

  private async reuse(run: OpenRun, job: Job): Promise<boolean> {
    if (stateOf(run.state, job.slot.ordinal) === 'done') {
      await this.settled(job)
      return true
    }
    if (run.state.accepted.fresh) return false
    const known = this.host.ledger.state.renders.get(job.renderHash)
    const source = known && this.host.ledger.state.runs.get(known.run)?.done.get(known.slot)
    if (!known || !source) return false
    const from = { run: known.run, folder: this.host.runFolder(known.run), file: source.file, sha256: source.sha256 }
    const place = commitPlace(this.host, run, job.slot.ordinal)
    const committed = await this.persistThere(() => this.host.pictures.do('reuse', from, job, place, this.host.version))
    if (!committed) return false
    await this.settle(job, { attempt: 0, committed })
    return true
  }

  private giveBackAnd(run: OpenRun, ordinal: number, error: unknown): never {
    this.giveBack(run, ordinal)
    throw error
  }

  private giveBack(run: OpenRun, ordinal: number): void {
    if (!run.taken.delete(ordinal)) return
    run.backlog.giveBack(ordinal, performance.now())
    this.shut(run)
    this.host.freed()
  }

  /** Ends a run that has nothing left to do. */
  settleRun(id: string): Promise<void> {
    return this.ends.end(id)
  }

  /** A run that may be asked for more keeps what it knows of slots that are still being written. */
  private shut({ state, taken }: OpenRun): void {
    if (state.finished && taken.size === 0) this.open.delete(state.accepted.run)
  }

  /** Reads run.json; fixes the identity of the models once. A run whose sources are gone fails with the reason. */
  private async readRun(id: string): Promise<OpenRun | undefined> {
    const state = this.host.ledger.state.runs.get(id)
    if (!state) return undefined
    try {
      const { file, plugins } = await this.host.readRun(id)
      const index = indexSlots(file.plan)
      const needsWork = !isSettled(state)
      if (needsWork && !state.models) {
        const models = this.host.identify(heavyFiles(file), state.accepted.renderer)
        await this.append({ kind: 'run-planned', at: Date.now(), run: id, models })
        await failpoint('plan')
      }
      const privateTexts = needsWork ? await this.host.privateTexts(state, file) : new Map<number, string>()
      const { dropSha256, renderer } = state.accepted
      const models = state.models ?? []
      const maker = jobMaker({ run: id, plan: file.plan, dropSha256, models, privateTexts, plugins })
      const taken = new Set<number>()
      const isWaiting = (ordinal: number) => !taken.has(ordinal) && stateOf(state, ordinal) === 'waiting'
      // A wait that began before this process did counts as well.
      const since = performance.now() - Math.max(0, Date.now() - state.accepted.at)
      const backlog = new RunBacklog({ run: id, renderer, index, models, isWaiting }, since)
      const run = { state, file, index, maker, backlog, taken }
      this.open.set(id, run)
      return run
    } catch (error) {
      if (isOfTheHome(error)) throw error
      const reason = error instanceof FoundryError ? error.message : 'Its run.json cannot be used'
      const open = [...state.slots.keys()].filter(slot => ['waiting', 'running'].includes(stateOf(state, slot)))
      await this.failSlots(state, open, reason)
      return undefined
    }
  }

  private async failSlots({ accepted: { run } }: RunState, slots: readonly number[], reason: string): Promise<void> {
    if (slots.length === 0) return
    const at = Date.now()
    for (let from = 0; from < slots.length; from += eventsMax) {
      const some = slots.slice(from, from + eventsMax)
      await this.append(...some.map(slot => ({ kind: 'slot-failed' as const, at, run, slot, reason })))
    }
    this.host.log.error({ run, slots: slots.length, reason }, 'slots failed')
  }
}

/** Of each server. */
type Labels = readonly (readonly string[])[]
