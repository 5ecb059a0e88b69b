import type { Job } from '../plan/job.js'
import type { Attempt, Connection } from '../plugins/contract.js'
import type { Signal } from './signal.js'

/** An attempt from lease to commit. */
export interface Work {
  job: Job
  attempt: Attempt
  /** Nobody waits for its end any more. */
  giveUp: AbortController
  /** The worker ends, or it is given up. */
  signal: AbortSignal
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
}

/** How long a server that does not answer keeps the attempts of a cancelled run. */
const cancelMsMax = 3000
const lookEveryMs = 250
/** Attempts that were given up and are stopped when the server is back: beyond, the oldest are forgotten. */
const givenUpMax = 256

/** The attempts of one server, and how they are stopped: by the server, or without it where it does not answer. */
export class Works {
  private readonly open = new Map<string, Work>()
  private givenUp: Attempt[] = []

  constructor(private readonly host: WorksHost) {}

  begin(job: Job, attempt: Attempt): Work {
    const giveUp = new AbortController()
    const work = { job, attempt, giveUp, signal: AbortSignal.any([this.host.end, giveUp.signal]) }
    this.open.set(job.id, work)
    return work
  }

  end(work: Work): void {
    if (this.isOpen(work)) this.open.delete(work.job.id)
    // Whoever waits to stop it need not wait any more.
    work.giveUp.abort()
  }

  async cancel(isMeant: (job: Job) => boolean): Promise<void> {
    await Promise.all(this.meant(isMeant).map(work => this.cancelWork(work)))
  }

  /** Resolves when these attempts have ended, without the server. */
  async giveUp(isMeant: (job: Job) => boolean): Promise<void> {
    const { changed, end } = this.host
    const meant = this.meant(isMeant)
    for (const work of meant) this.giveUpWork(work)
    while (meant.some(work => this.isOpen(work)) && !end.aborted) await changed.wait(lookEveryMs, end)
  }

  /** Those that were cancelled long enough ago, while the server did not answer. */
  giveUpCancelled(): void {
    const now = performance.now()
    for (const work of this.open.values()) {
      const { job, cancelledAt } = work
      if (cancelledAt === undefined || !this.host.isCancelled(job)) continue
      if (now - Math.max(cancelledAt, this.host.heardAt()) >= cancelMsMax) this.giveUpWork(work)
    }
  }

  /** The server is back. */
  async stopGivenUp(): Promise<void> {
    const attempts = this.givenUp
    this.givenUp = []
    for (const attempt of attempts) await this.host.connection.cancel(attempt, this.host.end).catch(() => 'unknown')
  }

  /** A server that hears it tells the end itself; one that does not answer is waited for no longer than the limit. */
  private async cancelWork(work: Work): Promise<void> {
    const { connection, isReady, look, changed } = this.host
    work.cancelledAt = performance.now()
    const limit = AbortSignal.any([work.signal, AbortSignal.timeout(cancelMsMax)])
    const outcome = await connection.cancel(work.attempt, limit).catch(() => 'unknown')
    if (outcome !== 'unknown' || work.signal.aborted) return
    await look(cancelMsMax)
    while (!isReady() && this.isOpen(work) && !work.signal.aborted) {
      this.giveUpCancelled()
      await changed.wait(lookEveryMs, work.signal)
    }
  }

  private giveUpWork({ attempt, giveUp }: Work): void {
    if (giveUp.signal.aborted) return
    this.givenUp = [...this.givenUp, attempt].slice(-givenUpMax)
    giveUp.abort()
  }

  private meant(isMeant: (job: Job) => boolean): Work[] {
    return [...this.open.values()].filter(({ job }) => isMeant(job))
  }

  private isOpen(work: Work): boolean {
    return this.open.get(work.job.id) === work
  }
}
