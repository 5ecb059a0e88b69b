import type { Logger } from 'pino'
import { FoundryError } from '../errors.js'
import { takeTurns } from '../files/take-turns.js'
import { affinityOfJob } from '../plan/affinity.js'
import type { Job } from '../plan/job.js'
import { promptIdOf } from '../plan/make-job.js'
import { slotAt } from '../plan/slots.js'
import { type Attempt, RenderFailure } from '../plugins/contract.js'
import type { Ledger } from '../record/ledger.js'
import type { References } from '../record/references.js'
import { nameOf, type SharedStorage } from '../record/shared-storage.js'
import type { Lease } from '../record/state.js'
import type {
  Alive,
  AliveAnswer,
  DoneReport,
  FailedReport,
  LeaseAnswer,
  LeaseWish,
  SubmittedReport,
} from '../schema/work.js'
import type { Attempts } from './attempts.js'
import type { Desk } from './desk.js'
import type { EngineWindow } from './engine-window.js'
import { fullName, workerOf } from './remote-workers.js'

/** After a start of the owner, workers are given so long to tell what they have. */
const graceMs = 20_000
/** An attempt that its worker does not tell of for so long never reached it, or was forgotten there. */
const untoldMsMax = 10_000
const keptMax = 1000

interface Leased {
  job: Job
  attempt: Attempt
  worker: string
  server: string
  /** Of the worker: one that asks again for the same claim gets the same attempt. */
  claim: string | undefined
  tags: readonly string[]
  /** When its worker last told of it, on the clock that never jumps. */
  toldAt: number
  /** Nobody waits for it any more; its worker is told. */
  isCancelled: boolean
}

interface RemoteAttemptsHost {
  attempts: Attempts
  desk: Desk
  ledger: Ledger
  log: Logger
  storage: SharedStorage
  references: Pick<References, 'read'>
  window: EngineWindow
  /** Whether the job shall be tried on another server than this one, on which it has failed. */
  hasFailedOn(job: Job, server: string): boolean
}

/** The attempts that workers on other machines have: leased here, ended here, whatever becomes of worker and engine. */
export class RemoteAttempts {
  private readonly leased = new Map<string, Leased>()
  /** Stored pictures that were taken or kept, the newest: their workers may not have heard of it. */
  private readonly kept = new Set<string>()
  /** All about one job follows one another. */
  private readonly turn = takeTurns<string>()

  constructor(private readonly host: RemoteAttemptsHost) {}

  get size(): number {
    return this.leased.size
  }

  placesOf(run: string): number {
    return this.count(({ job }) => job.run === run)
  }

  jobsOf(tag: string): number {
    return this.count(({ tags }) => tags.includes(tag))
  }

  /** Attempts of an earlier owner, which their workers may still have. */
  takeUp(leftovers: readonly { job: Job; attempt: Attempt; lease: Lease }[]): void {
    const toldAt = performance.now() + graceMs - untoldMsMax
    for (const { job, attempt, lease } of leftovers) {
      const worker = workerOf(lease.server) ?? ''
      const { tags } = affinityOfJob(job)
      const { server } = lease
      this.leased.set(job.id, { job, attempt, worker, server, claim: undefined, tags, toldAt, isCancelled: false })
    }
  }

  /** The lease decides who renders a job: what an engine gave twice, or from before a crash, is refused. */
  lease({ worker, server, job: id, claim }: LeaseWish): Promise<LeaseAnswer> {
    return this.turn(id, async () => {
      const held = this.leased.get(id)
      if (held?.worker === worker && held.claim === claim) {
        held.toldAt = performance.now()
        return { kind: 'leased', attempt: held.attempt }
      }
      const offered = held ? undefined : this.host.window.find(id)
      if (!offered) return { kind: 'gone' }
      const name = fullName(worker, server)
      if (this.host.hasFailedOn(offered.job, name)) return { kind: 'elsewhere' }
      const { job, group } = offered
      await this.share(job)
      this.host.window.take(id)
      const attempt = await this.host.attempts.lease(job, name)
      if (!attempt) return { kind: 'gone' }
      const { tags } = group
      const toldAt = performance.now()
      this.leased.set(id, { job, attempt, worker, server: name, claim, tags, toldAt, isCancelled: false })
      return { kind: 'leased', attempt }
    })
  }

  /** Its reference pictures, where its worker reads them. One that is gone is missed by the worker, which says so. */
  private async share({ references = [] }: Job): Promise<void> {
    for (const { sha256 } of references) {
      await this.host.storage
        .share(sha256, () => this.host.references.read(sha256))
        .catch((error: unknown) => {
          if (!(error instanceof FoundryError) || error.code !== 'REFERENCE_MISSING') throw error
        })
    }
  }

  submitted({ job: id, attempt, submittedSha256 }: SubmittedReport): Promise<void> {
    return this.turn(id, async () => {
      const held = this.leased.get(id)
      if (held?.attempt.number === attempt)
        await this.host.attempts.submitted(held.job, held.attempt, { submittedSha256 })
    })
  }

  failed({ worker, server, cause, message, ...of }: FailedReport): Promise<void> {
    const failure = new RenderFailure(cause, message)
    return this.turn(of.job, () => this.end(of, fullName(worker, server), failure))
  }

  /**
   * Commits a picture as if it had been rendered here, also one of an attempt that was given up since. Asked again, nothing is done
   * twice. Throws STORAGE_MISSING, and OUTPUT_INVALID for a picture that cannot be used.
   */
  done(said: DoneReport): Promise<void> {
    return this.turn(said.job, async () => {
      const { attempts, ledger, storage, window, log } = this.host
      const found = await this.find(said)
      if (!found) {
        log.warn({ run: said.run, worker: said.worker }, 'picture of a job that is gone left out')
        return
      }
      const { job, attempt } = found
      const name = nameOf(said.sha256, attempt.promptId)
      const server = fullName(said.worker, said.server)
      const before = ledger.state.runs.get(job.run)?.done.get(job.slot.ordinal)
      const isTaken = before?.attempt === attempt.number && before.server === server
      // One that came too late is kept, and looks as if it had never come.
      if (!isTaken && !this.kept.has(name)) {
        const bytes = await storage.read({ name, sha256: said.sha256, sizeBytes: said.sizeBytes })
        const { renderer, version, submittedSha256, timings } = said.facts
        await attempts.commit(job, attempt, bytes, {
          server: {
            name: server,
            ...(renderer !== undefined && { renderer }),
            ...(version !== undefined && { version }),
          },
          submittedSha256,
          timings,
        })
        this.keepName(name)
        // It was given up, and offered again.
        window.take(job.id)
      }
      this.forget(job.id, attempt.number)
      await storage.remove(name)
    })
  }

  /** Keeps a picture that was refused. */
  keep(said: DoneReport): Promise<void> {
    return this.turn(said.job, async () => {
      const { attempts, storage } = this.host
      const found = await this.find(said)
      if (!found) return
      const name = nameOf(said.sha256, found.attempt.promptId)
      await attempts.keep(found.job, found.attempt, await storage.read({ ...said, name }))
      await storage.remove(name)
    })
  }

  /** What a worker has, as it tells: answers what it shall stop. */
  told({ worker, attempts }: Alive): AliveAnswer['cancel'] {
    const now = performance.now()
    const { runs } = this.host.ledger.state
    const unwanted = attempts.filter(({ job, run, slot, attempt }) => {
      const held = this.leased.get(job)
      if (held?.worker === worker && held.attempt.number === attempt) {
        held.toldAt = now
        return held.isCancelled
      }
      // Runs that this owner does not work on keep what they have.
      return runs.get(run)?.leases.get(slot)?.attempt !== attempt
    })
    return unwanted.map(({ job, attempt }) => ({ job, attempt }))
  }

  /** Ends all that a worker had. */
  async lose(worker: string, failure: RenderFailure): Promise<void> {
    await this.endThose(held => held.worker === worker, failure)
  }

  /** Ends what no worker has told of for too long. */
  async loseUntold(): Promise<void> {
    const before = performance.now() - untoldMsMax
    await this.endThose(({ toldAt }) => toldAt < before, new RenderFailure('lost', 'Its worker does not know of it'))
  }

  cancel(isMeant: (job: Job, attempt: number) => boolean): void {
    for (const held of this.leased.values()) if (isMeant(held.job, held.attempt.number)) held.isCancelled = true
  }

  /** Resolves when these have ended, whatever their workers do. */
  async giveUp(isMeant: (job: Job) => boolean): Promise<void> {
    await this.endThose(({ job }) => isMeant(job), new RenderFailure('interrupted', 'Cancelled without its worker'))
  }

  private async endThose(isMeant: (held: Leased) => boolean, failure: RenderFailure): Promise<void> {
    const meant = [...this.leased.values()].filter(isMeant)
    const ends = meant.map(held =>
      this.turn(held.job.id, async () => {
        // It may have ended while its turn came.
        if (this.leased.get(held.job.id) !== held || !isMeant(held)) return
        if (failure.reason !== 'lost' || !(await this.adopt(held)))
          await this.host.attempts.abandon(held.job, held.attempt, held.server, failure)
        this.forget(held.job.id, held.attempt.number)
      }),
    )
    await Promise.all(ends)
  }

  /** A picture that a worker had put into the storage and could not tell of any more. */
  private async adopt({ job, attempt, server, isCancelled }: Leased): Promise<boolean> {
    const { attempts, storage, log } = this.host
    const stored = isCancelled ? undefined : await storage.find(attempt.promptId)
    if (!stored) return false
    try {
      const bytes = await storage.read(stored)
      await attempts.commit(job, attempt, bytes, { server: { name: server }, submittedSha256: undefined, timings: {} })
    } catch (error) {
      if (!(error instanceof FoundryError) || !['STORAGE_MISSING', 'OUTPUT_INVALID'].includes(error.code)) throw error
      log.warn({ run: job.run, server, reason: error.message }, 'a stored picture could not be taken')
      return false
    }
    await storage.remove(stored.name)
    return true
  }

  private async end(
    of: Pick<FailedReport, 'job' | 'run' | 'slot' | 'attempt'>,
    server: string,
    failure: RenderFailure,
  ): Promise<void> {
    const found = await this.find(of)
    if (!found) return
    // Before its slot waits again: it may be offered at once.
    this.forget(of.job, of.attempt)
    await this.host.attempts.abandon(found.job, found.attempt, server, failure)
  }

  /** A job that a report is about, also one from before this process. */
  private async find({
    job: id,
    run,
    slot,
    attempt: number,
  }: Pick<FailedReport, 'job' | 'run' | 'slot' | 'attempt'>): Promise<{ job: Job; attempt: Attempt } | undefined> {
    const held = this.leased.get(id)
    if (held?.attempt.number === number) return held
    const state = this.host.ledger.state.runs.get(run)
    if (!state || number > (state.attempts[slot] ?? 0)) return undefined
    const open = await this.host.desk.openRun(run)
    const wanted = open && slotAt(open.index, slot)
    const job = wanted && open.maker.make(wanted)
    if (job?.id !== id) return undefined
    return { job, attempt: { job: id, number, promptId: promptIdOf(state.accepted.nonce, id, number) } }
  }

  private forget(job: string, attempt: number): void {
    if (this.leased.get(job)?.attempt.number === attempt) this.leased.delete(job)
  }

  private keepName(name: string): void {
    this.kept.add(name)
    const [oldest] = this.kept
    if (this.kept.size > keptMax && oldest !== undefined) this.kept.delete(oldest)
  }

  private count(isMeant: (held: Leased) => boolean): number {
    let jobs = 0
    for (const held of this.leased.values()) if (isMeant(held)) jobs++
    return jobs
  }
}
