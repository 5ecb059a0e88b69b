import { reasonOf } from '../errors.js'
import { failpoint } from '../files/failpoint.js'
import { withAnySignal } from '../files/join-signals.js'
import type { Job } from '../plan/job.js'
import { type Attempt, type Connection, type OutputFile, type RenderEvent, RenderFailure } from '../plugins/contract.js'
import type { ServerEntry } from '../schema/config.js'
import type { Told } from './attempts.js'
import { chooseNextStep } from './choose-next-step.js'
import { failureOf } from './failure-of.js'
import type { RenderedFacts } from './open-run.js'
import { inDoubt, mayBePaid, orInDoubt } from './paid.js'
import { pause, type Signal } from './signal.js'
import type { Active, AttemptBook } from './worker-host.js'
import type { Work } from './works.js'

const askEveryMs = 250
const fetchTriesMax = 4
const fetchRetryMs = 200
/** Tries to send an attempt to a server that answers, and takes none; each pause is twice the one before. */
const sendingsMax = 5
/** What a server measures by its own clock may be so much longer than what passes here. */
const clockSlackMs = 1000
/** How long an attempt must stay unknown to its server before it counts as lost. */
const unknownMsMax = 2500

/** What an attempt needs of the server it runs on. */
export interface CourseHost {
  entry: ServerEntry
  connection: Connection
  attempts: AttemptBook
  changed: Signal
  isReady(): boolean
  look(): Promise<unknown>
  lostSight(reason: string): void
  heard(): void
  active(job: Job): Active | undefined
  /** The server has a place free. */
  free(job: Job): void
  progress(job: Job, value: number, max: number): void
  /** How long it may take from its beginning, in milliseconds. */
  limitMs(job: Job): number
  /** Throws a failure `too-fast` where a picture came sooner than it can have been rendered. */
  checkPace(active: Active, timings: Record<string, number>): void
  facts(): RenderedFacts['server']
  /** The server may forget it. */
  settled(attempt: Attempt): void
  rendered(active: Active | undefined, work: Work, timings: Record<string, number>): void
  failed(work: Pick<Work, 'job' | 'attempt'>, failure: RenderFailure): Promise<void>
}

/** The way of one attempt on one server: sent, followed through whatever goes wrong, fetched and committed. */
export class AttemptCourse {
  constructor(private readonly host: CourseHost) {}

  /** Resolves when the attempt has ended, or nobody waits for it any more. */
  async drive(work: Work, from: 'submit' | 'ask'): Promise<void> {
    const { job, attempt, signal } = work
    let told: Told | undefined
    let next = from
    let sendings = 0
    while (!signal.aborted) {
      try {
        if (next === 'submit') {
          told = await this.submit(work)
          next = 'ask'
          const active = this.host.active(job)
          if (active) active.isSubmitted = true
          await this.host.attempts.submitted(job, attempt, told)
        } else if (this.host.connection.adopt && !told && attempt.remote === undefined) {
          await this.ready(signal)
          signal.throwIfAborted()
          const taken = this.host.attempts.remotes()
          told = await this.host.connection.adopt(job, attempt, { taken, signal })
          await this.host.attempts.submitted(job, attempt, told)
        } else {
          await this.findAgain(work)
        }
        // Whoever stopped it while it was being sent found nothing to stop.
        if (work.cancelledAt !== undefined) await this.host.connection.cancel(attempt, signal)
        const { outputs, timings } = await this.follow(work)
        await failpoint('output-seen')
        const submittedSha256 = told?.submittedSha256
        await this.harvest(work, outputs, { ...this.madeBy(), submittedSha256, timings })
        return
      } catch (error) {
        if (signal.aborted) return
        const failure = this.judge(work, failureOf(error))
        if (chooseNextStep(failure.reason, { charged: 0, ended: 0, servers: 0 }, 1) !== 'ask') {
          await this.host.failed(work, failure)
          return
        }
        // Unreachable while submitting means that nothing was sent; in any other doubt the server is asked.
        if (failure.reason === 'unreachable') this.host.lostSight(failure.message)
        else next = 'ask'
        if (next === 'ask') await this.host.changed.wait(askEveryMs, signal)
        else if (++sendings < sendingsMax) await pause(askEveryMs * 2 ** (sendings - 1), signal)
        else {
          const message = `${this.host.entry.name} answers, and took no job in ${sendings} tries: ${failure.message}`
          await this.host.failed(work, new RenderFailure('silent', message, {}, failure))
          return
        }
      }
    }
  }

  /** The picture of an attempt that was given up, when the server has it; false when it has not. */
  async harvestLate({ job, attempt }: Pick<Work, 'job' | 'attempt'>, signal: AbortSignal): Promise<boolean> {
    if ((await this.host.connection.find(attempt, signal)) !== 'done') return false
    const { outputs, timings } = await this.outcome({ job, attempt, signal })
    const output = outputs[0]
    if (!output) return false
    const bytes = await this.fetch(output, signal)
    await this.host.attempts.commit(job, attempt, bytes, {
      ...this.madeBy(),
      submittedSha256: undefined,
      timings: believable(timings),
    })
    this.host.settled(attempt)
    return true
  }

  /** The bytes that an attempt gives, outside of any run. */
  async renderApart(
    job: Job,
    attempt: Attempt,
    signal: AbortSignal,
  ): Promise<{ bytes: Buffer; submittedSha256: string }> {
    const { submittedSha256 } = await this.host.connection.submit(job, attempt, signal)
    const { outputs } = await this.outcome({ job, attempt, signal })
    return { bytes: await this.fetch(this.first(outputs), signal), submittedSha256 }
  }

  /** Lost while it was being rendered: the job may have brought the server down. What was paid for is never lost so lightly. */
  private judge({ job, attempt }: Work, failure: RenderFailure): RenderFailure {
    const hasNoPicture = ['lost', 'crashed', 'no-output'].includes(failure.reason)
    if (hasNoPicture && mayBePaid(this.host.connection, attempt)) return inDoubt(failure)
    if (failure.reason !== 'lost' || this.host.active(job)?.startedAt === undefined) return failure
    return new RenderFailure('crashed', `${this.host.entry.name} lost the job while it rendered it`, {}, failure)
  }

  private async submit(work: Work) {
    const { job, attempt, signal } = work
    await this.ready(signal)
    await failpoint('submit')
    signal.throwIfAborted()
    if (work.cancelledAt !== undefined) throw new RenderFailure('interrupted', 'Cancelled before it was sent')
    return this.host.connection.submit(job, attempt, signal)
  }

  /** Resolves when the server is there, or nobody waits for it any more. */
  private async ready(signal: AbortSignal): Promise<void> {
    while (!this.host.isReady() && !signal.aborted) await this.host.changed.wait(askEveryMs, signal)
  }

  /** Throws `lost` when the server has stayed without knowledge of the attempt. Waits while the server cannot be asked. */
  private async findAgain({ attempt, signal }: Work): Promise<void> {
    let unknownSince: number | undefined
    while (!signal.aborted) {
      await this.ready(signal)
      if (signal.aborted) return
      const where = await this.ask(attempt, signal)
      if (where === 'unreachable') unknownSince = undefined
      else if (where !== 'unknown') return
      else {
        unknownSince ??= performance.now()
        if (performance.now() - unknownSince >= unknownMsMax)
          throw new RenderFailure('lost', `${this.host.entry.name} no longer knows the job`)
      }
      await this.host.changed.wait(askEveryMs, signal)
    }
  }

  /** An answer that is none, from a gateway for instance, says nothing about the attempt. */
  private async ask(attempt: Attempt, signal: AbortSignal) {
    try {
      return await this.host.connection.find(attempt, signal)
    } catch (error) {
      if (!signal.aborted) this.host.lostSight(reasonOf(error))
      return 'unreachable'
    }
  }

  /** Follows an attempt to its end, for as long as it may take once it has begun. */
  private async follow(work: Work) {
    const { job, attempt, signal } = work
    const { entry, connection } = this.host
    const limit = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const begin = () => {
      timer ??= setTimeout(() => limit.abort(), this.host.limitMs(job)).unref()
    }
    try {
      return await withAnySignal([signal, limit.signal], both => this.outcome({ job, attempt, signal: both }, begin))
    } catch (error) {
      if (!limit.signal.aborted || signal.aborted) throw error
      const outcome = await connection.cancel(attempt, signal)
      const seconds = Math.round(this.host.limitMs(job) / 1000)
      const silence = new RenderFailure('silent', `No end after ${seconds} s on ${entry.name}`, {}, error)
      throw outcome === 'gone' ? silence : orInDoubt(connection, silence)
    } finally {
      clearTimeout(timer)
    }
  }

  private async outcome(
    { job, attempt, signal }: Pick<Work, 'job' | 'attempt' | 'signal'>,
    begin: () => void = () => undefined,
  ): Promise<Extract<RenderEvent, { kind: 'finished' }>> {
    for await (const event of this.host.connection.follow(attempt, signal)) {
      this.host.heard()
      const active = this.host.active(job)
      if (event.kind === 'failed') throw event.failure
      if (event.kind === 'finished') return event
      if (event.kind === 'started') {
        begin()
        if (active) active.startedAt ??= performance.now()
      }
      if (event.kind === 'progress') {
        if (active) Object.assign(active, { value: event.value, max: event.max })
        this.host.progress(job, event.value, event.max)
      }
    }
    throw new RenderFailure('unreachable', `${this.host.entry.name} ended the report of a job early`)
  }

  /** Fetches and commits, while the server works on. What was refused is kept for whoever wants to see it. */
  private async harvest(work: Work, outputs: readonly OutputFile[], facts: RenderedFacts): Promise<void> {
    const { job, attempt, signal } = work
    const active = this.host.active(job)
    let bytes: Buffer | undefined
    try {
      const measured = believable(facts.timings, work.beganAt)
      if (active && !this.host.connection.isPaid) this.host.checkPace(active, measured)
      this.host.free(job)
      const begin = performance.now()
      bytes = await this.fetch(this.first(outputs), signal)
      const timings = { ...measured, fetchMs: Math.round(performance.now() - begin) }
      await this.host.attempts.commit(job, attempt, bytes, { ...facts, timings })
      this.host.connection.release?.(bytes)
      this.host.rendered(active, work, timings)
    } catch (error) {
      this.host.free(job)
      if (signal.aborted) return
      const failure = failureOf(error)
      const isRefused = failure.reason === 'bad-output'
      if (bytes && isRefused) await this.host.attempts.keep(job, attempt, bytes)
      // The same seed gives the same picture, at its price.
      await this.host.failed(work, isRefused && this.host.connection.isPaid ? inDoubt(failure) : failure)
    }
  }

  private madeBy(): Pick<RenderedFacts, 'server' | 'isPaid'> {
    return { server: this.host.facts(), ...(this.host.connection.isPaid && { isPaid: true }) }
  }

  private first(outputs: readonly OutputFile[]): OutputFile {
    const output = outputs[0]
    if (output) return output
    throw new RenderFailure('no-output', `${this.host.entry.name} reported success without a picture`)
  }

  /** Only tries that the server answers count: what it has rendered waits for it to come back. */
  private async fetch(output: OutputFile, signal: AbortSignal): Promise<Buffer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.host.connection.fetch(output, signal)
      } catch (error) {
        const isGone = error instanceof RenderFailure && error.reason === 'no-output'
        if (isGone || tries >= fetchTriesMax || signal.aborted) {
          const missed = new RenderFailure(
            'no-output',
            `The picture could not be fetched: ${reasonOf(error)}`,
            {},
            error,
          )
          throw orInDoubt(this.host.connection, missed)
        }
        await this.host.changed.wait(fetchRetryMs * 2 ** (tries - 1), signal)
        if (!(await this.host.look())) await this.ready(signal)
      }
    }
  }
}

/** The clock of a server may jump: what it cannot have measured is left out. */
function believable(timings: Record<string, number>, beganAt = -Infinity): Record<string, number> {
  const mostMs = performance.now() - beganAt + clockSlackMs
  return Object.fromEntries(Object.entries(timings).filter(([, ms]) => ms >= 0 && ms <= mostMs))
}
