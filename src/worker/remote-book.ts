import type { Logger } from 'pino'
import { FoundryError, reasonOf } from '../errors.js'
import type { RenderedFacts } from '../farm/open-run.js'
import { pause } from '../farm/signal.js'
import type { Told } from '../farm/attempts.js'
import type { AttemptBook } from '../farm/worker-host.js'
import type { Job } from '../plan/job.js'
import { type Attempt, RenderFailure } from '../plugins/contract.js'
import type { Pictures } from '../record/pictures.js'
import type { SharedStorage } from '../record/shared-storage.js'
import type { Alive, AliveAnswer, LeaseAnswer } from '../schema/work.js'
import { isAway, type OwnerLink } from './owner-link.js'

/** A lease that the owner does not answer in this time is not waited for: somebody else may begin the job. */
const leaseMsMax = 10_000
/** How long a report waits for an owner that is away. Its picture lies in the storage by then. */
const reportMsMax = 15 * 60_000
const storageRetryMs = 1000
const messageLengthMax = 2000

interface BookHost {
  worker: string
  epoch: string
  link: OwnerLink
  storage: SharedStorage
  pictures: Pictures
  log: Logger
  signal: AbortSignal
  /** The token of the claim on a job. */
  claimOf(job: string): string | undefined
}

/** The attempts of a worker: begun and ended at the owner of the home, whose journal alone counts. */
export class RemoteBook implements AttemptBook {
  /** From the lease until the owner knows the end. */
  private readonly open = new Map<string, { attempt: Attempt; run: string; slot: number }>()
  private readonly cancelled = new Set<string>()
  /** Jobs that another server shall try: their claims are given back. */
  private readonly forOthers = new Set<string>()

  constructor(private readonly host: BookHost) {}

  /** What it has, for the owner to compare. */
  attempts(): Alive['attempts'] {
    return [...this.open].map(([job, { attempt, run, slot }]) => ({ job, run, slot, attempt: attempt.number }))
  }

  /** Whether an attempt of a job is under way here. */
  isOpen(job: string): boolean {
    return this.open.has(job)
  }

  /** Nobody waits for these any more. Answers those that are under way. */
  stop(meant: AliveAnswer['cancel']): AliveAnswer['cancel'] {
    const found = meant.filter(({ job, attempt }) => this.has(job, attempt) && !this.cancelled.has(job))
    for (const { job } of found) this.cancelled.add(job)
    return found
  }

  /** Whether a job that was not leased goes back into its lane; told once. */
  isForOthers(job: string): boolean {
    return this.forOthers.delete(job)
  }

  async lease({ id: job, run, slot }: Job, server: string): Promise<Attempt | undefined> {
    const { worker, epoch, link, signal, claimOf, log } = this.host
    const wish = { worker, epoch, server, job, claim: claimOf(job) ?? '' }
    try {
      const answer = await link.tell<LeaseAnswer>('lease', wish, { limitMs: leaseMsMax, signal })
      if (answer.kind === 'leased') {
        const { attempt } = answer
        this.open.set(job, { attempt, run, slot: slot.ordinal })
        return attempt
      }
      if (answer.kind === 'elsewhere') this.forOthers.add(job)
    } catch (error) {
      // Nobody knows whether it was leased: whoever claims it again asks again.
      this.forOthers.add(job)
      log.warn({ job, reason: reasonOf(error) }, 'no lease')
    }
    return undefined
  }

  /** Nothing waits for it: the picture tells it again. */
  submitted({ id: job }: Job, { number: attempt }: Attempt, { submittedSha256 }: Told): Promise<void> {
    void this.tell('submitted', { job, attempt, submittedSha256 })
    return Promise.resolve()
  }

  /** Services that give ids of their own are paid, and no worker has one. */
  remotes(): ReadonlySet<string> {
    return new Set()
  }

  async failed(job: Job, attempt: Attempt, server: string, { reason, message }: RenderFailure): Promise<void> {
    await this.tell('failed', {
      ...this.of(job, attempt, server),
      cause: reason,
      message: message.slice(0, messageLengthMax),
    })
    this.end(job, attempt)
  }

  async abandon(job: Job, attempt: Attempt, server: string, failure: RenderFailure): Promise<void> {
    if (this.has(job.id, attempt.number)) await this.failed(job, attempt, server, failure)
  }

  isCancelled({ id }: Job): boolean {
    return this.cancelled.has(id)
  }

  /** Verifies a picture, puts it into the storage, and resolves once the owner has committed it. Rejects with OUTPUT_INVALID. */
  async commit(job: Job, attempt: Attempt, bytes: Buffer, facts: RenderedFacts): Promise<void> {
    await this.host.pictures.do('pixelSha256', bytes)
    await this.handOver('done', { job, attempt, bytes, facts })
    this.end(job, attempt)
  }

  async keep(job: Job, attempt: Attempt, bytes: Buffer): Promise<void> {
    if (bytes.length > 0) await this.handOver('keep', { job, attempt, bytes, facts: undefined })
  }

  private async handOver(
    what: 'done' | 'keep',
    { job, attempt, bytes, facts }: { job: Job; attempt: Attempt; bytes: Buffer; facts: RenderedFacts | undefined },
  ): Promise<void> {
    const { name = 'unknown', renderer, version } = facts?.server ?? {}
    for (let tries = 1; ; tries++) {
      const { sha256, sizeBytes } = await this.put(bytes, attempt)
      const report = {
        ...this.of(job, attempt, name),
        sha256,
        sizeBytes,
        facts: {
          ...(renderer !== undefined && { renderer }),
          ...(version !== undefined && { version }),
          ...(facts?.submittedSha256 !== undefined && { submittedSha256: facts.submittedSha256 }),
          timings: facts?.timings ?? {},
        },
      }
      try {
        await this.report(what, report)
        return
      } catch (error) {
        const code = error instanceof FoundryError ? error.code : undefined
        if (code === 'OUTPUT_INVALID') throw error
        if (code !== 'STORAGE_MISSING' || tries >= putsMax)
          throw new RenderFailure('no-output', `The picture did not reach the owner: ${reasonOf(error)}`, {}, error)
      }
    }
  }

  /** A storage that takes nothing now is tried again. */
  private async put(bytes: Buffer, { promptId }: Attempt): Promise<{ sha256: string; sizeBytes: number }> {
    const until = performance.now() + reportMsMax
    for (;;) {
      try {
        return await this.host.storage.put(bytes, promptId)
      } catch (error) {
        const { signal, log } = this.host
        if (signal.aborted || performance.now() > until)
          throw new RenderFailure('no-output', `The picture could not be stored: ${reasonOf(error)}`, {}, error)
        log.error({ reason: reasonOf(error), retryMs: storageRetryMs }, 'the storage takes nothing, waiting')
        await pause(storageRetryMs, signal)
      }
    }
  }

  private report(what: string, body: object): Promise<unknown> {
    const { link, signal } = this.host
    return link.tell(what, body, { limitMs: reportMsMax, signal })
  }

  /** What cannot be told ends at the owner by its not being told of. */
  private async tell(what: string, body: object): Promise<void> {
    await this.report(what, body).catch((error: unknown) => {
      if (!this.host.signal.aborted || !isAway(error))
        this.host.log.warn({ what, reason: reasonOf(error) }, 'the owner was not told')
    })
  }

  private of(job: Job, attempt: Attempt, server: string) {
    return {
      worker: this.host.worker,
      server,
      job: job.id,
      run: job.run,
      slot: job.slot.ordinal,
      attempt: attempt.number,
    }
  }

  private has(job: string, attempt: number): boolean {
    return this.open.get(job)?.attempt.number === attempt
  }

  private end({ id }: Job, { number }: Attempt): void {
    if (!this.has(id, number)) return
    this.open.delete(id)
    this.cancelled.delete(id)
  }
}

const putsMax = 3
