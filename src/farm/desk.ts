import type { Logger } from 'pino'
import { FoundryError, reasonOf } from '../errors.js'
import { failpoint } from '../files/failpoint.js'
import { jobMaker, type JobMaker, promptIdOf } from '../plan/make-job.js'
import type { Job } from '../plan/job.js'
import { indexSlots, type SlotIndex, slotAt } from '../plan/slots.js'
import type { Attempt, RenderFailure } from '../plugins/contract.js'
import { adoptPicture, commitPicture, type Committed, type CommitPlace, reusePicture } from '../record/commit.js'
import type { Ledger } from '../record/ledger.js'
import type { AttemptOutcome, Lease, RunState } from '../record/state.js'
import { isSettled, stateOf } from '../record/state.js'
import type { RunFile } from '../schema/run.js'
import type { ModelUse } from '../schema/trace.js'
import { chooseNextStep, isCharged, retryDelayMs } from './choose-next-step.js'

/** What the desk needs of the rest of the foundry. */
export interface DeskHost {
  ledger: Ledger
  log: Logger
  version: string
  attemptsMax: number
  /** Runs of other renderers wait for a foundry that has those. */
  renderer: string
  runFolder(run: string): string
  staging: string
  orphans: string
  readRun(run: string): Promise<{ file: RunFile; plugins: string[] }>
  /** The private texts of a run by series, read again from where they lie. Throws SOURCE_CHANGED. */
  privateTexts(run: RunState, file: RunFile): Promise<ReadonlyMap<number, string>>
  /** Identities of the heavy files, as the first server that will render tells them. */
  identify(models: readonly { folder: string; name: string }[]): ModelUse[]
  keepThumbnail(run: string, slot: number, thumbnail: Buffer): Promise<void>
  /** Every slot of the run is settled. */
  finish(run: RunState, index: SlotIndex): Promise<void>
}

interface OpenRun {
  state: RunState
  file: RunFile
  index: SlotIndex
  maker: JobMaker
  /** Next ordinal to look at. */
  cursor: number
  /** Ordinals that are offered, leased or being committed: nobody else may take them. */
  taken: Set<number>
}

export interface RenderedFacts {
  server: { name: string; renderer?: string; version?: string }
  submittedSha256: string | undefined
  timings: Record<string, number>
}

/** Thumbnails are kept for at most this many slots of a run: what a contact sheet shows. */
const thumbnailsMax = 400
const thumbnailSide = 320

/**
 * Turns accepted runs into jobs, lazily, and the outcomes of attempts into events. The only part of the farm that writes.
 * A slot is `taken` from the moment it is offered until its outcome is journaled, so no slot is ever worked on twice at once.
 */
export class Desk {
  private readonly open = new Map<string, OpenRun>()
  private readonly opening = new Map<string, Promise<OpenRun | undefined>>()
  private readonly finishing = new Map<string, Promise<void>>()
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

  /** Up to `max` jobs that wait, in the order in which their runs were accepted. Reuses committed pictures on the way. */
  async feed(max: number): Promise<Job[]> {
    const jobs: Job[] = []
    for (const state of this.host.ledger.state.runs.values()) {
      if (jobs.length >= max) break
      if (!this.isOurs(state) || state.finished || state.isCancelled || state.counts.waiting === 0) continue
      const run = await this.openRun(state.accepted.run)
      if (run) await this.feedRun(run, max, jobs)
    }
    return jobs
  }

  /** Leases that a crash left open, with their jobs; pictures that were finished are adopted on the way. */
  async recover(): Promise<{ job: Job; attempt: Attempt; lease: Lease }[]> {
    const found: { job: Job; attempt: Attempt; lease: Lease }[] = []
    for (const state of this.host.ledger.state.runs.values()) {
      // Whatever its renderer: what a lease left is found out before that of the servers is known.
      if (!this.isWanted(state)) continue
      if (state.leases.size > 0) {
        const run = await this.openRun(state.accepted.run)
        for (const [ordinal, lease] of run ? [...state.leases] : []) {
          const job = run && this.makeJob(run, ordinal)
          if (!run || !job) continue
          run.taken.add(ordinal)
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
    const attempt = { job: job.id, number, promptId: promptIdOf(job.id, number) }
    const { ordinal: slot } = job.slot
    await this.host.ledger.append({
      kind: 'attempt-leased',
      at: Date.now(),
      run: job.run,
      slot,
      job: job.id,
      attempt: number,
      server,
      promptId: attempt.promptId,
    })
    return attempt
  }

  async submitted(job: Job, attempt: Attempt, submittedSha256: string): Promise<void> {
    const { run, slot } = job
    await this.host.ledger.append({
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
    const run = this.open.get(job.run)
    const before = run?.state.failures.get(job.slot.ordinal) ?? []
    const charged = before.filter(each => isCharged(each.outcome)).length + (isCharged(failure.reason) ? 1 : 0)
    const step = chooseNextStep(failure.reason, charged, this.host.attemptsMax)
    const { run: runId } = job
    const slot = job.slot.ordinal
    const at = Date.now()
    const ended = {
      kind: 'attempt-ended' as const,
      at,
      run: runId,
      slot,
      attempt: attempt.number,
      server,
      outcome: failure.reason,
      message: failure.message.slice(0, messageLengthMax),
    }
    if (step === 'fail') {
      await this.host.ledger.append(ended, { kind: 'slot-failed', at, run: runId, slot, reason: ended.message })
    } else {
      await this.host.ledger.append(ended)
    }
    if (step === 'fail' || !isCharged(failure.reason)) this.release(job)
    else setTimeout(() => this.release(job), retryDelayMs(charged)).unref()
    await this.settleRun(runId)
    return step === 'fail' ? 'settled' : 'again'
  }

  /** Commits the picture of an attempt. Rejects with OUTPUT_INVALID when the bytes are not a usable picture. */
  async commit(job: Job, attempt: Attempt, bytes: Buffer, facts: RenderedFacts): Promise<void> {
    const run = this.open.get(job.run)
    if (!run) return
    const committed = await commitPicture(
      bytes,
      job,
      this.placeOf(run, job.slot.ordinal),
      this.factsOf(run, job, attempt, facts),
    )
    if ('orphan' in committed) {
      const { run: runId } = job
      await this.host.ledger.append({
        kind: 'orphan-kept',
        at: Date.now(),
        run: runId,
        slot: job.slot.ordinal,
        attempt: attempt.number,
        file: committed.orphan.split(/[\\/]/).at(-1) ?? '',
      })
      await this.adopt(run, job, attempt, facts.server.name)
      return
    }
    await this.settle(run, job, attempt.number, committed)
  }

  /** Gives a slot back that was offered and not leased. */
  release(job: Job): void {
    const run = this.open.get(job.run)
    run?.taken.delete(job.slot.ordinal)
    if (run && run.cursor > job.slot.ordinal) run.cursor = job.slot.ordinal
  }

  /** Looks at a run again after an operator's act: from its first slot, closed if nothing is left to do. */
  async review(id: string): Promise<void> {
    const run = this.open.get(id)
    if (run) run.cursor = 0
    await this.settleRun(id)
  }

  /** Waits until runs that are being finished are finished. */
  async idle(): Promise<void> {
    await Promise.all(this.finishing.values())
  }

  /** Job of a slot, for `reproduce` and `why`. */
  async jobOf(runId: string, ordinal: number): Promise<Job | undefined> {
    const run = await this.openRun(runId)
    return run && this.makeJob(run, ordinal)
  }

  private isOurs(state: RunState): boolean {
    return state.accepted.renderer === this.host.renderer && this.isWanted(state)
  }

  private isWanted({ accepted }: RunState): boolean {
    return this.focus?.has(accepted.run) ?? true
  }

  private async feedRun(run: OpenRun, max: number, jobs: Job[]): Promise<void> {
    const inFlightMax = run.state.accepted.inFlightMax ?? Number.POSITIVE_INFINITY
    while (jobs.length < max && run.taken.size < inFlightMax && run.cursor < run.index.count) {
      const ordinal = run.cursor++
      if (stateOf(run.state, ordinal) !== 'waiting' || run.taken.has(ordinal)) continue
      run.taken.add(ordinal)
      const job = this.makeJob(run, ordinal)
      if (!job) {
        run.taken.delete(ordinal)
        continue
      }
      if (!(await this.reuse(run, job))) jobs.push(job)
    }
  }

  private makeJob(run: OpenRun, ordinal: number): Job | undefined {
    const slot = slotAt(run.index, ordinal)
    return slot && run.maker.make(slot)
  }

  private async reuse(run: OpenRun, job: Job): Promise<boolean> {
    if (run.state.accepted.fresh) return false
    const known = this.host.ledger.state.renders.get(job.renderHash)
    const source = known && this.host.ledger.state.runs.get(known.run)?.done.get(known.slot)
    if (!known || !source) return false
    const from = { run: known.run, folder: this.host.runFolder(known.run), file: source.file, sha256: source.sha256 }
    const committed = await reusePicture(from, job, this.placeOf(run, job.slot.ordinal), this.host.version)
    if (!committed) return false
    await this.settle(run, job, 0, committed)
    return true
  }

  private async adopt(run: OpenRun, job: Job, attempt: Attempt, server: string): Promise<boolean> {
    const lease = run.state.leases.get(job.slot.ordinal)
    const facts = { server: { name: server }, submittedSha256: lease?.submittedSha256, timings: {} }
    const place = this.placeOf(run, job.slot.ordinal)
    const committed = await adoptPicture(job, place, this.factsOf(run, job, attempt, facts))
    if (!committed) return false
    await this.settle(run, job, attempt.number, committed)
    return true
  }

  private async settle(run: OpenRun, job: Job, attempt: number, committed: Committed): Promise<void> {
    const { file, sha256, traceSha256, sizeBytes, thumbnail } = committed
    const slot = job.slot.ordinal
    if (thumbnail) await this.host.keepThumbnail(job.run, slot, thumbnail)
    await this.host.ledger.append({
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
    if (!state || state.finished || !isSettled(state)) return
    const run = await this.openRun(id)
    if (!run || state.finished) return
    const going =
      this.finishing.get(id) ??
      this.host
        .finish(state, run.index)
        .catch(error => this.host.log.error({ run: id, reason: reasonOf(error) }, 'run not finished'))
        .finally(() => {
          this.finishing.delete(id)
          this.open.delete(id)
        })
    this.finishing.set(id, going)
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
        const models = this.host.identify(heavyFiles(file))
        await this.host.ledger.append({ kind: 'run-planned', at: Date.now(), run: id, models })
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
      if (!(error instanceof FoundryError) || error.code === 'SERVER_NONE') throw error
      await this.failRun(state, error.message)
      return undefined
    }
  }

  private async failRun(state: RunState, reason: string): Promise<void> {
    const at = Date.now()
    const { run } = state.accepted
    const waiting = [...state.slots.keys()].filter(slot => ['waiting', 'running'].includes(stateOf(state, slot)))
    await this.host.ledger.append(...waiting.map(slot => ({ kind: 'slot-failed' as const, at, run, slot, reason })))
    this.host.log.error({ run, reason }, 'run failed')
  }

  private placeOf(run: OpenRun, ordinal: number): CommitPlace {
    const stride = Math.max(1, Math.ceil(run.index.count / thumbnailsMax))
    return {
      runFolder: this.host.runFolder(run.state.accepted.run),
      staging: this.host.staging,
      orphans: this.host.orphans,
      thumbnailSide: ordinal % stride === 0 ? thumbnailSide : 0,
    }
  }

  private factsOf(run: OpenRun, job: Job, attempt: Attempt, facts: RenderedFacts) {
    const earlier: AttemptOutcome[] = run.state.failures.get(job.slot.ordinal) ?? []
    return {
      foundry: this.host.version,
      server: facts.server,
      ...(facts.submittedSha256 !== undefined && { submittedSha256: facts.submittedSha256 }),
      attempts: [
        ...earlier.map(({ number, server, outcome }) => ({ number, server, outcome })),
        { number: attempt.number, server: facts.server.name, outcome: 'done' },
      ],
      timings: facts.timings,
    }
  }
}

/** Messages of servers are bounded in the journal. */
const messageLengthMax = 2000

function heavyFiles(file: RunFile): { folder: string; name: string }[] {
  const found = new Map<string, { folder: string; name: string }>()
  for (const { graph, binding } of Object.values(file.plan.workflows)) {
    for (const { node, input, folder } of binding.models ?? []) {
      const name = (graph[node] as { inputs?: Record<string, unknown> } | undefined)?.inputs?.[input]
      if (typeof name === 'string') found.set(`${folder}/${name}`, { folder, name: name.replaceAll('\\', '/') })
    }
  }
  return [...found.values()]
}
