import { FoundryError, reasonOf } from '../errors.js'
import { failpoint } from '../files/failpoint.js'
import { jobMaker, promptIdOf } from '../plan/make-job.js'
import type { Job } from '../plan/job.js'
import { indexSlots, slotAt } from '../plan/slots.js'
import { type Attempt, RenderFailure } from '../plugins/contract.js'
import type { Committed } from '../record/commit.js'
import type { FoundryEvent } from '../record/events.js'
import type { Lease, RunState } from '../record/state.js'
import { isSettled, stateOf } from '../record/state.js'
import { chooseNextStep, isCharged, retryDelayMs } from './choose-next-step.js'
import {
  commitFacts,
  commitPlace,
  type DeskHost,
  heavyFiles,
  isOfTheHome,
  type OpenRun,
  type RenderedFacts,
} from './open-run.js'
import { persist } from './persist.js'
import { Signal } from './signal.js'

/**
 * Turns accepted runs into jobs, lazily, and the outcomes of attempts into events. The only part of the farm that writes.
 * A slot is `taken` from the moment it is offered until its outcome is journaled, so no slot is ever worked on twice at once.
 */
export class Desk {
  private readonly open = new Map<string, OpenRun>()
  private readonly opening = new Map<string, Promise<OpenRun | undefined>>()
  private readonly finishing = new Map<string, Promise<void>>()
  private readonly halted = new AbortController()
  private readonly signal = new Signal()
  /** When set, only these runs are worked on. */
  private focus: ReadonlySet<string> | undefined

  constructor(private readonly host: DeskHost) {}

  /** Works on these runs alone: a command does what it was asked, and leaves the rest of the home as it is. */
  focusOn(runs: ReadonlySet<string>): void {
    this.focus = runs
  }

  /** Works on one more run, where only some are worked on. */
  alsoWorkOn(run: string): void {
    if (this.focus) this.focus = new Set([...this.focus, run])
  }

  /**
   * Up to `max` jobs of one renderer that wait, in the order in which their runs were accepted. Reuses committed pictures on
   * the way. Runs of other renderers wait for servers of theirs.
   */
  async feed(max: number, renderer: string): Promise<Job[]> {
    const jobs: Job[] = []
    for (const state of this.host.ledger.state.runs.values()) {
      if (jobs.length >= max) break
      if (state.accepted.renderer !== renderer || !this.isWanted(state)) continue
      if (state.finished || state.isCancelled || state.counts.waiting === 0) continue
      try {
        const run = await this.openRun(state.accepted.run)
        if (run) await this.feedRun(run, max, jobs)
        else await this.settleRun(state.accepted.run)
      } catch (error) {
        // What was made before belongs to whoever asked; the error comes again at the next feeding.
        if (jobs.length === 0) throw error
        break
      }
    }
    return jobs
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
          if (!job) {
            run.taken.delete(ordinal)
            continue
          }
          const attempt = { job: lease.job, number: lease.attempt, promptId: lease.promptId }
          if (!(await this.adopt(run, job, attempt, lease.server))) found.push({ job, attempt, lease })
        }
      }
      await this.settleRun(state.accepted.run)
    }
    return found
  }

  /** A new attempt, durable before it is answered. Undefined when the slot needs none any more. */
  async lease(job: Job, server: string): Promise<Attempt | undefined> {
    const run = this.open.get(job.run)
    if (!run || stateOf(run.state, job.slot.ordinal) !== 'waiting' || run.state.isCancelled) {
      this.release(job)
      return undefined
    }
    const number = (run.state.attempts[job.slot.ordinal] ?? 0) + 1
    const attempt = { job: job.id, number, promptId: promptIdOf(run.state.accepted.nonce, job.id, number) }
    const { ordinal: slot } = job.slot
    await this.append({
      kind: 'attempt-leased',
      at: Date.now(),
      run: job.run,
      slot,
      job: job.id,
      attempt: number,
      server,
      promptId: attempt.promptId,
    })
    if (run.state.leases.get(slot)?.attempt === number) return attempt
    // Cancelled while it was being written.
    this.release(job)
    return undefined
  }

  async submitted(job: Job, attempt: Attempt, submittedSha256: string): Promise<void> {
    const { run, slot } = job
    await this.append({
      kind: 'attempt-submitted',
      at: Date.now(),
      run,
      slot: slot.ordinal,
      attempt: attempt.number,
      submittedSha256,
    })
    await failpoint('accepted')
  }

  /** Journals the end of an attempt and says what follows. */
  async failed(job: Job, attempt: Attempt, server: string, failure: RenderFailure): Promise<'again' | 'settled'> {
    const { run: id } = job
    const slot = job.slot.ordinal
    const tries = this.triesOf(id, slot, failure)
    const step = chooseNextStep(failure.reason, tries, this.host.attemptsMax)
    const at = Date.now()
    const message = failure.message.slice(0, messageLengthMax)
    const ended = {
      kind: 'attempt-ended' as const,
      at,
      run: id,
      slot,
      attempt: attempt.number,
      server,
      outcome: failure.reason,
      message,
    }
    await this.append(
      ended,
      ...(step === 'fail' ? [{ kind: 'slot-failed' as const, at, run: id, slot, reason: message }] : []),
    )
    const delayMs = step === 'fail' ? 0 : retryDelayMs(tries)
    if (delayMs === 0) this.release(job)
    else setTimeout(() => this.release(job), delayMs).unref()
    await this.settleRun(id)
    return step === 'fail' ? 'settled' : 'again'
  }

  /** Whether an operator has stopped the run of a job and not asked for it again. */
  isCancelled(job: Job): boolean {
    return this.host.ledger.state.runs.get(job.run)?.isCancelled ?? true
  }

  /** Ends an attempt of a cancelled run whose server cannot tell its end. What was committed meanwhile stays. */
  async abandon(job: Job, attempt: Attempt, server: string, message: string): Promise<void> {
    const lease = this.host.ledger.state.runs.get(job.run)?.leases.get(job.slot.ordinal)
    if (lease?.attempt === attempt.number)
      await this.failed(job, attempt, server, new RenderFailure('interrupted', message))
  }

  /** Commits the picture of an attempt. Rejects with OUTPUT_INVALID when the bytes are not a usable picture. */
  async commit(job: Job, attempt: Attempt, bytes: Buffer, facts: RenderedFacts): Promise<void> {
    const run = await this.openRun(job.run)
    if (!run) {
      this.host.log.warn({ run: job.run, slot: job.slot.id }, 'picture of a run that is gone left out')
      return
    }
    const place = commitPlace(this.host, run, job.slot.ordinal)
    const committed = await this.persist(() =>
      this.host.pictures.do('commit', bytes, job, place, commitFacts(this.host, run, { job, attempt }, facts)),
    )
    if ('orphan' in committed) await this.keepOrphan(run, job, attempt, { server: facts.server.name, ...committed })
    else await this.settle(run, job, attempt.number, committed)
  }

  /** Gives a slot back that was offered and not leased. */
  release(job: Job): void {
    const run = this.open.get(job.run)
    if (!run?.taken.delete(job.slot.ordinal)) return
    run.cursor = Math.min(run.cursor, job.slot.ordinal)
    this.shut(run)
    this.host.freed()
  }

  /** Looks at a run again after an operator's act: from its first slot, closed if nothing is left to do. */
  async review(id: string): Promise<void> {
    const run = this.open.get(id)
    if (run) run.cursor = 0
    await this.settleRun(id)
  }

  /** Waits for room on the disk no longer: what is not written by now is found again at the next start. */
  halt(): void {
    this.halted.abort()
  }

  /** Waits until runs that are being finished are finished. */
  async idle(): Promise<void> {
    while (this.finishing.size > 0) await Promise.all(this.finishing.values())
  }

  private isWanted({ accepted }: RunState): boolean {
    return this.focus?.has(accepted.run) ?? true
  }

  private async feedRun(run: OpenRun, max: number, jobs: Job[]): Promise<void> {
    const inFlightMax = run.state.accepted.inFlightMax ?? Number.POSITIVE_INFINITY
    while (jobs.length < max && run.taken.size < inFlightMax && run.cursor < run.index.count) {
      const ordinal = run.cursor++
      if (stateOf(run.state, ordinal) !== 'waiting' || run.taken.has(ordinal)) continue
      const job = await this.makeJob(run, ordinal)
      if (!job) continue
      run.taken.add(ordinal)
      const isReused = await this.reuse(run, job).catch(error => {
        this.release(job)
        throw error
      })
      if (!isReused) jobs.push(job)
    }
  }

  /** A slot that no job can be made of fails with the reason, and harms no other. */
  private async makeJob(run: OpenRun, ordinal: number): Promise<Job | undefined> {
    try {
      const slot = slotAt(run.index, ordinal)
      const job = slot && run.maker.make(slot)
      if (job) return job
      await this.failSlots(run.state, [ordinal], 'The plan has nothing to render here')
    } catch (error) {
      if (isOfTheHome(error)) throw error
      await this.failSlots(run.state, [ordinal], reasonOf(error))
    }
    await this.settleRun(run.state.accepted.run)
    return undefined
  }

  private async reuse(run: OpenRun, job: Job): Promise<boolean> {
    if (run.state.accepted.fresh) return false
    const known = this.host.ledger.state.renders.get(job.renderHash)
    const source = known && this.host.ledger.state.runs.get(known.run)?.done.get(known.slot)
    if (!known || !source) return false
    const from = { run: known.run, folder: this.host.runFolder(known.run), file: source.file, sha256: source.sha256 }
    const place = commitPlace(this.host, run, job.slot.ordinal)
    const committed = await this.persist(() => this.host.pictures.do('reuse', from, job, place, this.host.version))
    if (!committed) return false
    await this.settle(run, job, 0, committed)
    return true
  }

  private async adopt(run: OpenRun, job: Job, attempt: Attempt, server: string): Promise<boolean> {
    const lease = run.state.leases.get(job.slot.ordinal)
    const facts = { server: { name: server }, submittedSha256: lease?.submittedSha256, timings: {} }
    const place = commitPlace(this.host, run, job.slot.ordinal)
    const committed = await this.persist(() =>
      this.host.pictures.do('adopt', job, place, commitFacts(this.host, run, { job, attempt }, facts)),
    )
    if (!committed) return false
    await this.settle(run, job, attempt.number, committed)
    return true
  }

  /** Another picture bears the name already: ours from before a crash, which is taken, or one that a human must judge. */
  private async keepOrphan(
    run: OpenRun,
    job: Job,
    attempt: Attempt,
    { orphan, server }: { orphan: string; server: string },
  ): Promise<void> {
    const { run: id } = job
    const slot = job.slot.ordinal
    const file = orphan.split(/[\\/]/).at(-1) ?? ''
    await this.append({ kind: 'orphan-kept', at: Date.now(), run: id, slot, attempt: attempt.number, file })
    if (await this.adopt(run, job, attempt, server)) return
    const reason = `Another picture lies where this one belongs; this one is kept as .foundry/orphans/${file}`
    await this.append({ kind: 'slot-held', at: Date.now(), run: id, slot, reason })
    run.taken.delete(slot)
  }

  private async settle(run: OpenRun, job: Job, attempt: number, committed: Committed): Promise<void> {
    const { file, sha256, traceSha256, sizeBytes } = committed
    const slot = job.slot.ordinal
    await this.append({
      kind: 'slot-done',
      at: Date.now(),
      run: job.run,
      slot,
      file,
      sha256,
      traceSha256,
      renderHash: job.renderHash,
      sizeBytes,
      attempt,
    })
    await failpoint('done')
    run.taken.delete(slot)
    await this.settleRun(job.run)
  }

  private async settleRun(id: string): Promise<void> {
    const state = this.host.ledger.state.runs.get(id)
    const isDue = () => state && !state.finished && isSettled(state) && !this.finishing.has(id)
    if (!isDue()) return
    const run = await this.openRun(id)
    if (run && isDue()) this.finishing.set(id, this.finishRun(id, run))
  }

  private async finishRun(id: string, run: OpenRun): Promise<void> {
    try {
      await this.host.finish(run.state, run.index)
    } catch (error) {
      this.finishing.delete(id)
      this.host.log.error({ run: id, reason: reasonOf(error) }, 'run not finished')
      if (!this.halted.signal.aborted) setTimeout(() => void this.settleAgain(id), finishRetryMs).unref()
      return
    }
    this.finishing.delete(id)
    if (run.state.finished) this.shut(run)
    // Asked for more, and settled again, while it was being finished.
    else await this.settleAgain(id)
  }

  /** A run that may be asked for more keeps what it knows of slots that are still being written. */
  private shut({ state, taken }: OpenRun): void {
    if (state.finished && taken.size === 0) this.open.delete(state.accepted.run)
  }

  private async settleAgain(id: string): Promise<void> {
    await this.settleRun(id).catch(error =>
      this.host.log.error({ run: id, reason: reasonOf(error) }, 'run not finished'),
    )
  }

  private async openRun(id: string): Promise<OpenRun | undefined> {
    const known = this.open.get(id)
    if (known) return known
    const opening = this.opening.get(id) ?? this.readRun(id).finally(() => this.opening.delete(id))
    this.opening.set(id, opening)
    return opening
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
      const { dropSha256 } = state.accepted
      const maker = jobMaker({
        run: id,
        plan: file.plan,
        dropSha256,
        models: state.models ?? [],
        privateTexts,
        plugins,
      })
      const run = { state, file, index, maker, cursor: 0, taken: new Set<number>() }
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
    await this.append(...slots.map(slot => ({ kind: 'slot-failed' as const, at, run, slot, reason })))
    this.host.log.error({ run, slots: slots.length, reason }, 'slots failed')
  }

  private append(...events: FoundryEvent[]): Promise<void> {
    return this.persist(() => this.host.ledger.append(...events))
  }

  private persist<Result>(write: () => Promise<Result>): Promise<Result> {
    return persist(write, { log: this.host.log, signal: this.signal, abort: this.halted.signal })
  }

  private triesOf(id: string, slot: number, failure: RenderFailure): { charged: number; ended: number } {
    const state = this.host.ledger.state.runs.get(id)
    const outcomes = (state?.failures.get(slot) ?? []).slice(state?.forgiven.get(slot) ?? 0).map(each => each.outcome)
    outcomes.push(failure.reason)
    return { charged: outcomes.filter(isCharged).length, ended: outcomes.length }
  }
}

/** Messages of servers are bounded in the journal. */
const messageLengthMax = 2000
const finishRetryMs = 5000
