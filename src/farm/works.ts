import { joinSignals, withAnySignal } from '../files/join-signals.js'
import type { Job } from '../plan/job.js'
import { type Attempt, type Connection, RenderFailure } from '../plugins/contract.js'
import type { Signal } from './signal.js'

/** An attempt from lease to commit. */
export interface Work {
  job: Job
  attempt: Attempt
  /** Nobody waits for its end any more. */
  giveUp: AbortController
  /** The worker ends, or it is given up. */
  signal: AbortSignal
  /** Why it was given up. */
  failure?: RenderFailure
  /** When it was begun, on the clock that never jumps; absent where an earlier process did. */
  beganAt: number | undefined
  /** When an operator stopped its run, on the clock that never jumps. */
  cancelledAt?: number
}

interface WorksHost {
  connection: Pick<Connection, 'cancel'>
  /** Of the worker. */
  end: AbortSignal
  changed: Signal
  isReady(): boolean
  /** When the server last gave a sign of life. */
  heardAt(): number
  look(limitMs: number): Promise<unknown>
  isCancelled(job: Job): boolean
  /** Why an attempt of a cancelled run ends without its server. */
  unanswered(): RenderFailure
  /** Commits the picture of an attempt that was given up, where the server has it; false where it has not. */
  harvestLate(work: GivenUp): Promise<boolean>
  /** Seeing to an attempt that was given up went wrong, and is not tried again. */
  missed(error: unknown): void
}

/** An attempt that was given up while its server was away. */
type GivenUp = Pick<Work, 'job' | 'attempt'>

/** How long a server that does not answer keeps the attempts of a cancelled run. */
const cancelMsMax = 3000
const lookEveryMs = 250
/** Attempts that were given up and are seen to when the server is back: beyond, the oldest are forgotten. */
const givenUpMax = 256

/** The attempts of one server, and how they are stopped: by the server, or without it where it does not answer. */
export class Works {
  private readonly open = new Map<string, Work>()
  private givenUp: GivenUp[] = []

  constructor(private readonly host: WorksHost) {}

  begin(job: Job, attempt: Attempt, beganAt: number | undefined): Work {
    const giveUp = new AbortController()
    // `end` gives it up, which lets go of both.
    const { signal } = joinSignals(this.host.end, giveUp.signal)
    const work = { job, attempt, beganAt, giveUp, signal }
    this.open.set(job.id, work)
    return work
  }

  end(work: Work): void {
    if (this.isOpen(work)) this.open.delete(work.job.id)
    // Whoever waits to stop it need not wait any more.
    work.giveUp.abort()
  }

  find(job: string): Work | undefined {
    return this.open.get(job)
  }

  async cancel(isMeant: (job: Job) => boolean): Promise<void> {
    await Promise.all(this.meant(isMeant).map(work => this.cancelWork(work)))
  }

  /** Resolves when these attempts have ended, without the server. */
  async giveUp(isMeant: (job: Job) => boolean): Promise<void> {
    const { changed, end, unanswered } = this.host
    const meant = this.meant(isMeant)
    for (const work of meant) this.giveUpWork(work, unanswered())
    while (meant.some(work => this.isOpen(work)) && !end.aborted) await changed.wait(lookEveryMs, end)
  }

  /** Those that were cancelled long enough ago, while the server did not answer. */
  giveUpCancelled(): void {
    const now = performance.now()
    for (const work of this.open.values()) {
      const { job, cancelledAt } = work
      if (cancelledAt === undefined || !this.host.isCancelled(job)) continue
      if (now - Math.max(cancelledAt, this.host.heardAt()) >= cancelMsMax) this.giveUpWork(work, this.host.unanswered())
    }
  }

  /** All of them go to other servers; the attempts are seen to when the server is back. */
  giveUpAll(failure: RenderFailure): void {
    for (const work of this.open.values()) this.giveUpWork(work, failure)
  }

  /** It was taken back: the server has it no more. */
  takeBack(work: Work, failure: RenderFailure): void {
    work.failure = failure
    work.giveUp.abort()
  }

  /** What was given up while the server was away: pictures that are there count, the rest is stopped. */
  async seeToGivenUp(): Promise<void> {
    const { connection, end, isCancelled, harvestLate, missed } = this.host
    const taken = this.givenUp
    this.givenUp = []
    for (const [at, work] of taken.entries()) {
      try {
        if (isCancelled(work.job) || !(await harvestLate(work))) await connection.cancel(work.attempt, end)
      } catch (error) {
        if (end.aborted) return
        // Away again: seen to when it is back.
        if (error instanceof RenderFailure && error.reason === 'unreachable') return this.keepGivenUp(taken.slice(at))
        missed(error)
      }
    }
  }

  /** A server that hears it tells the end itself; one that does not answer is waited for no longer than the limit. */
  private async cancelWork(work: Work): Promise<void> {
    const { connection, isReady, look, changed } = this.host
    work.cancelledAt = performance.now()
    const signals = [work.signal, AbortSignal.timeout(cancelMsMax)]
    const cancelling = withAnySignal(signals, limit => connection.cancel(work.attempt, limit))
    const outcome = await cancelling.catch(() => 'unknown')
    if (outcome !== 'unknown' || work.signal.aborted) return
    await look(cancelMsMax)
    while (!isReady() && this.isOpen(work) && !work.signal.aborted) {
      this.giveUpCancelled()
      await changed.wait(lookEveryMs, work.signal)
    }
  }

  private giveUpWork(work: Work, failure: RenderFailure): void {
    if (work.giveUp.signal.aborted) return
    const { job, attempt } = work
    this.keepGivenUp([{ job, attempt }])
    this.takeBack(work, failure)
  }

  private keepGivenUp(more: readonly GivenUp[]): void {
    this.givenUp = [...this.givenUp, ...more].slice(-givenUpMax)
  }

  private meant(isMeant: (job: Job) => boolean): Work[] {
    return [...this.open.values()].filter(({ job }) => isMeant(job))
  }

  private isOpen(work: Work): boolean {
    return this.open.get(work.job.id) === work
  }
}
