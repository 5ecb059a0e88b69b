import { failure } from '../errors.js'
import { failpoint } from '../files/failpoint.js'
import { promptIdOf } from '../plan/make-job.js'
import type { Job } from '../plan/job.js'
import type { Attempt, Receipt, RenderFailure } from '../plugins/contract.js'
import { isStopping, stateOf } from '../record/state.js'
import { chooseNextStep, isSuspect, isCharged, isTry, retryDelayMs, type Tries } from './choose-next-step.js'
import type { Desk } from './desk.js'
import { failuresOf } from './failed-on.js'
import { pictureFacts } from './gated-job.js'
import { commitFacts, commitPlace, type DeskHost, type OpenRun, priceOf, type RenderedFacts } from './open-run.js'

/** What of a receipt is kept. */
export type Told = Pick<Receipt, 'submittedSha256' | 'remote' | 'price'>

/** Messages of servers are bounded in the journal. */
const messageLengthMax = 2000
/** Pictures that were refused or came too late are kept up to so many in a home; beyond, they are counted alone. */
const orphansMax = 10_000

export interface AttemptsHost extends DeskHost {
  /** A late picture of an earlier attempt was taken: the newer one is not needed. */
  superseded(job: Job, newer: number): void
}

/** What becomes of attempts, as events: the lease before anything is sent, then its one end. */
export class Attempts {
  /** When slots that have failed are tried again, by run and ordinal, on the clock that never jumps. */
  private readonly resting = new Map<string, number>()

  constructor(
    private readonly host: AttemptsHost,
    private readonly desk: Desk,
  ) {}

  /** A new attempt, durable before it is answered. Undefined when the slot needs none any more. */
  async lease(job: Job, server: string): Promise<Attempt | undefined> {
    const state = this.host.ledger.state.runs.get(job.run)
    const { ordinal: slot } = job.slot
    if (!state || stateOf(state, slot) !== 'waiting' || state.isCancelled || state.isPaused) {
      this.desk.release(job)
      return undefined
    }
    const number = (state.attempts[slot] ?? 0) + 1
    const promptId = promptIdOf(state.accepted.nonce, job.id, number)
    const leasedAt = Date.now()
    const attempt = { job: job.id, number, promptId, leasedAt }
    const { id, run } = job
    this.host.pictures.warm()
    await this.desk.append({
      kind: 'attempt-leased',
      at: leasedAt,
      run,
      slot,
      job: id,
      attempt: number,
      server,
      promptId,
    })
    if (state.leases.get(slot)?.attempt === number) return attempt
    // Cancelled while it was being written.
    this.desk.release(job)
    return undefined
  }

  /** Journals what the server told when it took an attempt: durable before anything waits for it. */
  async submitted({ run, slot }: Job, { number: attempt }: Attempt, receipt: Told): Promise<void> {
    const { submittedSha256, remote, price } = receipt
    await this.desk.append({
      kind: 'attempt-submitted',
      at: Date.now(),
      run,
      slot: slot.ordinal,
      attempt,
      submittedSha256,
      ...(remote !== undefined && { remote }),
      ...(price && { price }),
    })
    await failpoint('accepted')
  }

  /** What services call the jobs that they have now. */
  remotes(): ReadonlySet<string> {
    const leases = [...this.host.ledger.state.runs.values()].flatMap(run => [...run.leases.values()])
    return new Set(leases.flatMap(({ remote }) => remote ?? []))
  }

  /** Journals the end of an attempt without a picture, and lets the slot wait again, fail, or wait for a human. */
  async failed(job: Job, attempt: Attempt, server: string, failure: RenderFailure): Promise<void> {
    const { run, slot } = job
    const tries = this.triesOf(job, server, failure)
    const next = chooseNextStep(failure.reason, tries, this.host.attemptsMax)
    const message = failure.message.slice(0, messageLengthMax)
    const at = Date.now()
    await this.desk.append(
      {
        kind: 'attempt-ended',
        at,
        run,
        slot: slot.ordinal,
        attempt: attempt.number,
        server,
        outcome: failure.reason,
        message,
      },
      ...(next === 'fail' ? [{ kind: 'slot-failed' as const, at, run, slot: slot.ordinal, reason: message }] : []),
      ...(next === 'hold' ? [{ kind: 'slot-held' as const, at, run, slot: slot.ordinal, reason: message }] : []),
    )
    const delayMs = next === 'again' ? retryDelayMs(tries) : 0
    if (delayMs === 0) this.desk.release(job)
    else this.letRest(job, delayMs)
    await this.desk.settleRun(run)
  }

  /** Milliseconds until a slot that has failed is tried again; undefined for one that does not rest. */
  restMs(run: string, ordinal: number): number | undefined {
    const until = this.resting.get(restKey(run, ordinal))
    return until === undefined ? undefined : Math.max(0, until - performance.now())
  }

  /** Whether an operator has stopped the run of a job, or the job, and not asked for it again. */
  isCancelled({ run, slot }: Job): boolean {
    const state = this.host.ledger.state.runs.get(run)
    return !state || isStopping(state, slot.ordinal) || stateOf(state, slot.ordinal) === 'cancelled'
  }

  /** Ends an attempt whose server cannot tell its end, or that was taken back from it. What was committed meanwhile stays. */
  async abandon(job: Job, attempt: Attempt, server: string, failure: RenderFailure): Promise<void> {
    const lease = this.host.ledger.state.runs.get(job.run)?.leases.get(job.slot.ordinal)
    if (lease?.attempt === attempt.number) await this.failed(job, attempt, server, failure)
  }

  /**
   * Commits the picture of an attempt, also of one that was given up since: the first good picture of a slot counts, and a later
   * one is kept as an orphan. Rejects with OUTPUT_INVALID when the bytes are not a usable picture.
   */
  async commit(job: Job, attempt: Attempt, bytes: Buffer, facts: RenderedFacts): Promise<void> {
    const run = await this.desk.openRun(job.run)
    const { ordinal: slot } = job.slot
    if (!run) {
      this.host.log.warn({ run: job.run, slot: job.slot.id }, 'picture of a run that is gone left out')
      return
    }
    const newer = await this.desk.inTurn(job, async () => {
      if (stateOf(run.state, slot) === 'done') {
        await this.keep(job, attempt, bytes)
        return undefined
      }
      const place = commitPlace(this.host, run, slot)
      if (await this.isHeld(job, attempt, bytes, facts.server.name)) return undefined
      const committed = await this.desk.persistThere(() =>
        this.host.pictures.do('commit', bytes, job, place, commitFacts(this.host, run, { job, attempt }, facts)),
      )
      const lease = run.state.leases.get(slot)?.attempt
      const server = facts.server.name
      if (!committed) await this.holdUnwritten(job, attempt, bytes)
      else if ('orphan' in committed) await this.judgeOrphan(run, job, attempt, { server, ...committed })
      else {
        const price = priceOf(run.state, job, attempt)
        await this.desk.settle(job, { attempt: attempt.number, server, committed, ...(price && { price }) })
      }
      return lease
    })
    if (newer !== undefined && newer > attempt.number) this.host.superseded(job, newer)
  }

  /** Keeps a picture that is not the slot's: refused, or late. */
  async keep(job: Job, attempt: Attempt, bytes: Buffer): Promise<void> {
    const { state } = this.host.ledger
    if (bytes.length === 0 || state.orphans >= orphansMax) return
    const { orphans } = this.host
    const file = await this.desk.persist(() => this.host.pictures.do('keep', bytes, job, attempt.number, orphans))
    await this.noteOrphan(job, attempt, file)
  }

  /** Another picture bears the name already: ours from before a crash, which is taken, or one that a human must judge. */
  private async judgeOrphan(
    run: OpenRun,
    job: Job,
    attempt: Attempt,
    { orphan, server }: { orphan: string; server: string },
  ): Promise<void> {
    const slot = job.slot.ordinal
    const file = orphan.split(/[\\/]/).at(-1) ?? ''
    await this.noteOrphan(job, attempt, file)
    if (stateOf(run.state, slot) === 'done' || (await this.desk.adopt(run, job, attempt, server))) return
    const reason = `Another picture lies where this one belongs; this one is kept as .foundry/orphans/${file}`
    await this.desk.append({ kind: 'slot-held', at: Date.now(), run: job.run, slot, reason })
    await this.desk.settled(job)
  }

  /** What lies in the way, a human must take away: the picture is kept, and nobody else waits for it. */
  private async holdUnwritten(job: Job, attempt: Attempt, bytes: Buffer): Promise<void> {
    await this.keep(job, attempt, bytes)
    const reason = 'Its picture cannot be written: something lies in the way in the folder of the run'
    await this.desk.append({ kind: 'slot-held', at: Date.now(), run: job.run, slot: job.slot.ordinal, reason })
    await this.desk.settled(job)
  }

  /** What the gates say of a picture: a human decides about one that is held. Throws OUTPUT_INVALID for one that is refused. */
  private async isHeld(job: Job, attempt: Attempt, bytes: Buffer, server: string): Promise<boolean> {
    const judged = await this.host.gates?.beforeCommit(pictureFacts(job, attempt, { server, bytes }))
    if (!judged || judged.verdict === 'pass') return false
    const { verdict, reason } = judged
    if (verdict === 'refuse') throw failure('OUTPUT_INVALID', { reason })
    await this.keep(job, attempt, bytes)
    await this.desk.append({ kind: 'slot-held', at: Date.now(), run: job.run, slot: job.slot.ordinal, reason })
    await this.desk.settled(job)
    return true
  }

  private letRest(job: Job, delayMs: number): void {
    const key = restKey(job.run, job.slot.ordinal)
    this.resting.set(key, performance.now() + delayMs)
    const end = () => {
      this.resting.delete(key)
      this.desk.release(job)
    }
    setTimeout(end, delayMs).unref()
  }

  private noteOrphan({ run, slot }: Job, { number: attempt }: Attempt, file: string): Promise<void> {
    return this.desk.append({ kind: 'orphan-kept', at: Date.now(), run, slot: slot.ordinal, attempt, file })
  }

  private triesOf({ run, slot }: Job, server: string, { reason: outcome }: RenderFailure): Tries {
    const state = this.host.ledger.state.runs.get(run)
    const earlier = state ? failuresOf(state, slot.ordinal) : []
    const all = [...earlier, { outcome, server }].filter(each => isTry(each.outcome))
    return {
      charged: all.filter(each => isCharged(each.outcome)).length,
      ended: all.length,
      servers: new Set(all.filter(each => isSuspect(each.outcome)).map(each => each.server)).size,
    }
  }
}

function restKey(run: string, ordinal: number): string {
  return `${run} ${ordinal}`
}
