import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { FoundryError, reasonOf } from '../errors.js'
import { failpoint } from '../files/failpoint.js'
import type { Job } from '../plan/job.js'
import {
  type Attempt,
  type Connection,
  type OutputFile,
  type Probe,
  type Receipt,
  RenderFailure,
} from '../plugins/contract.js'
import type { ServerEntry } from '../schema/config.js'
import { CheckedGraphs } from './checked-graphs.js'
import { chooseNextStep } from './choose-next-step.js'
import type { Claim } from './engine.js'
import { failureOf } from './failure-of.js'
import type { RenderedFacts } from './open-run.js'
import { Settled } from './settled.js'
import { Signal } from './signal.js'
import type { Active, ServerOptions, ServerState, ServerStatus, WorkerHost } from './worker-host.js'
import { type Work, Works } from './works.js'

const probeDelayMsMin = 250
const probeDelayMsMax = 5000
const probeLimitMs = 15_000
/** Finished attempts whose pictures are fetched and committed at the same time, per server. */
const harvestsMax = 8
const fetchTriesMax = 4
const fetchRetryMs = 200
/** How long an attempt must stay unknown to its server before it counts as lost. */
const unknownMsMax = 2500
const idleCheckMs = 1000
/** A server that was not heard for so long is probed, so that the status tells the truth. */
const quietMsMax = 5000

/**
 * Keeps one server busy: probes it, keeps `depth` jobs on it (one running, the others waiting there), follows them, and fetches
 * and commits what they made. The next job goes out as soon as one has finished; fetching happens alongside.
 */
export class ServerWorker {
  state: ServerState = 'unknown'
  probe: Probe | undefined
  private reason: string | undefined
  private hot: string | undefined
  private readonly active = new Map<string, Active>()
  /** Attempts from lease to commit. */
  private readonly works = new Set<Promise<void>>()
  private readonly working: Works
  private readonly settled: Settled
  private readonly checked: CheckedGraphs
  private readonly signal = new Signal()
  private rendered = 0
  private failed = 0
  private isDraining = false
  /** When the server last gave a sign of life, on the clock that never jumps. */
  private heardAt = 0
  private readonly abort = new AbortController()
  private loop: Promise<void> | undefined

  readonly entry: ServerEntry
  private readonly connection: Connection

  constructor(
    private readonly options: ServerOptions,
    private readonly host: WorkerHost,
  ) {
    this.entry = options.entry
    this.connection = options.connection
    this.settled = new Settled(options.connection)
    this.checked = new CheckedGraphs(options.connection, this.abort.signal)
    this.working = new Works({
      connection: this.connection,
      end: this.abort.signal,
      changed: this.signal,
      isReady: () => this.state === 'ready',
      heardAt: () => this.heardAt,
      look: limitMs => this.look(limitMs),
      isCancelled: job => this.host.desk.isCancelled(job),
    })
  }

  /** What it says it renders, else what the configuration says. */
  get renderer(): string | undefined {
    return this.probe?.renderer ?? this.options.renderer
  }

  /** Begins to work; attempts that an earlier process left on this server are taken up again. */
  start(leftovers: readonly { job: Job; attempt: Attempt }[]): void {
    for (const { job, attempt } of leftovers) this.take(job, attempt, 'ask', undefined)
    this.loop ??= this.work()
  }

  wake(): void {
    this.signal.notify()
  }

  status(): ServerStatus {
    const { name, provider, depth, url } = this.entry
    return {
      name,
      ...(url !== undefined && { url }),
      provider,
      state: this.state,
      ...(this.reason !== undefined && { reason: this.reason }),
      ...(this.renderer !== undefined && { renderer: this.renderer }),
      ...(this.probe?.version !== undefined && { version: this.probe.version }),
      depth,
      jobs: [...this.active.values()].map(({ job, attempt, value, max }) => ({
        run: job.run,
        slot: job.slot.id,
        attempt: attempt.number,
        ...(value !== undefined && { value }),
        ...(max !== undefined && { max }),
      })),
      rendered: this.rendered,
      failed: this.failed,
    }
  }

  /** Probes once; the answer also becomes the state. */
  async look(limitMs = probeLimitMs): Promise<Probe | undefined> {
    try {
      const limit = AbortSignal.any([this.abort.signal, AbortSignal.timeout(limitMs)])
      const probe = await this.connection.probe(limit)
      if (this.state !== 'ready')
        this.host.log.info({ server: this.entry.name, version: probe.version }, 'server ready')
      this.probe = probe
      this.heardAt = performance.now()
      this.state = 'ready'
      this.reason = undefined
      this.host.changed()
      void this.working.stopGivenUp()
      return probe
    } catch (error) {
      if (this.abort.signal.aborted) return undefined
      this.lostSight(reasonOf(error))
      return undefined
    }
  }

  async cancel(isMeant: (job: Job) => boolean): Promise<void> {
    await this.working.cancel(isMeant)
  }

  /** Waits no longer for the ends of these attempts: they end here, and are stopped on the server when it is back. */
  async giveUp(isMeant: (job: Job) => boolean): Promise<void> {
    await this.working.giveUp(isMeant)
  }

  /** Renders a job by itself, beside the farm's own work. */
  async renderOnce(job: Job): Promise<{ bytes: Buffer; server: string; submittedSha256: string }> {
    await this.checked.check(job)
    // A server that still holds the nodes of this picture would answer from its cache, which proves nothing.
    await this.connection.free?.(this.abort.signal).catch(() => undefined)
    const attempt = { job: job.id, number: 1, promptId: randomUUID() }
    const { submittedSha256 } = await this.connection.submit(job, attempt, this.abort.signal)
    const { outputs } = await this.follow({ job, attempt, signal: this.abort.signal })
    const output = outputs[0]
    if (!output) throw new RenderFailure('no-output', `${this.entry.name} reported success without a picture`)
    return { bytes: await this.fetch(output, this.abort.signal), server: this.entry.name, submittedSha256 }
  }

  /** Takes no more jobs, lets those on the server end within the limit, then leaves them: they are found again at the next start. */
  async stop(limitMs: number): Promise<void> {
    this.isDraining = true
    const until = Date.now() + limitMs
    while (this.works.size > 0 && Date.now() < until) {
      await this.signal.wait(Math.max(1, until - Date.now()), this.abort.signal)
    }
    if (this.state === 'ready') await this.settled.flush()
    this.abort.abort()
    this.signal.notify()
    await this.loop
    await Promise.allSettled(this.works)
    this.state = 'stopped'
    await this.connection.close()
  }

  private async work(): Promise<void> {
    let delayMs = probeDelayMsMin
    while (!this.abort.signal.aborted) {
      if (this.state !== 'ready') {
        if (!(await this.look())) {
          this.working.giveUpCancelled()
          // Not the signal: a server that is away is not probed once for each drop that arrives.
          await sleep(delayMs, undefined, { signal: this.abort.signal }).catch(() => undefined)
          delayMs = Math.min(probeDelayMsMax, delayMs * 2)
        }
        continue
      }
      delayMs = probeDelayMsMin
      if (performance.now() - this.heardAt > quietMsMax && !(await this.look())) continue
      if (await this.tryFill()) continue
      if (this.works.size === 0) void this.settled.flush()
      await this.signal.wait(idleCheckMs, this.abort.signal)
    }
  }

  private async tryFill(): Promise<boolean> {
    try {
      return await this.fill()
    } catch (error) {
      this.host.log.error({ server: this.entry.name, reason: reasonOf(error) }, 'no job could be taken')
      return false
    }
  }

  /** Fills one free place; false when there is none or nothing waits. */
  private async fill(): Promise<boolean> {
    if (this.isDraining || this.active.size >= this.entry.depth || this.works.size - this.active.size >= harvestsMax)
      return false
    if (this.renderer === undefined) return false
    const claim = await this.host.claim({ hot: this.hot, renderer: this.renderer })
    if (!claim) return false
    const { job } = claim
    this.hot = claim.lane
    const attempt = await this.host.desk.lease(job, this.entry.name).catch(async error => {
      await this.host.release(claim)
      throw error
    })
    if (attempt) this.take(job, attempt, 'submit', claim)
    else await this.host.finish(claim)
    return true
  }

  private take(job: Job, attempt: Attempt, from: 'submit' | 'ask', claim: Claim | undefined): void {
    this.active.set(job.id, { job, attempt })
    const known = this.working.begin(job, attempt)
    const work = this.drive(known, from)
      .catch(error => this.breakOff(known, error))
      .then(async () => {
        this.free(job)
        if (known.giveUp.signal.aborted && !this.abort.signal.aborted)
          await this.host.desk.abandon(
            job,
            attempt,
            this.entry.name,
            `Cancelled without an answer of ${this.entry.name}`,
          )
        if (claim) await this.host.finish(claim)
        await failpoint('ack')
      })
      .catch(error =>
        this.host.log.error({ run: job.run, slot: job.slot.id, reason: reasonOf(error) }, 'attempt broke'),
      )
      .finally(() => {
        this.working.end(known)
        this.works.delete(work)
        this.signal.notify()
        this.host.changed()
      })
    this.works.add(work)
  }

  /** What nobody foresaw ends the attempt as a fault of the job, so that it never hangs; lost journals end the process. */
  private async breakOff({ job, attempt, signal }: Work, error: unknown): Promise<void> {
    if (this.abort.signal.aborted || error instanceof FoundryError) throw error
    if (signal.aborted) return
    await this.fail(job, attempt, new RenderFailure('node-error', `Not foreseen: ${reasonOf(error)}`, {}, error))
  }

  private async drive(work: Work, from: 'submit' | 'ask'): Promise<void> {
    const { job, attempt, signal } = work
    let submittedSha256: string | undefined
    let next = from
    while (!signal.aborted) {
      try {
        if (next === 'submit') {
          const receipt = await this.submit(work)
          next = 'ask'
          submittedSha256 = receipt.submittedSha256
          await this.host.desk.submitted(job, attempt, submittedSha256)
        } else {
          await this.findAgain(work)
        }
        const { outputs, timings } = await this.follow(work)
        await failpoint('output-seen')
        this.free(job)
        const facts = { server: this.serverFacts(), submittedSha256, timings }
        await this.harvest(work, outputs, facts)
        return
      } catch (error) {
        if (signal.aborted) return
        const failure = failureOf(error)
        if (chooseNextStep(failure.reason, { charged: 0, ended: 0 }, 1) !== 'ask') {
          await this.fail(job, attempt, failure)
          return
        }
        // Unreachable while submitting means that nothing was sent; in any other doubt the server is asked.
        if (failure.reason === 'unreachable') this.lostSight(failure.message)
        else next = 'ask'
        await this.signal.wait(probeDelayMsMin, signal)
      }
    }
  }

  private async submit({ job, attempt, signal }: Work): Promise<Receipt> {
    await this.ready(signal)
    await this.checked.check(job)
    await failpoint('submit')
    signal.throwIfAborted()
    return this.connection.submit(job, attempt, signal)
  }

  /** Resolves when the server is there, or nobody waits for it any more. */
  private async ready(signal: AbortSignal): Promise<void> {
    while (this.state !== 'ready' && !signal.aborted) await this.signal.wait(probeDelayMsMin, signal)
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
          throw new RenderFailure('lost', `${this.entry.name} no longer knows the job`)
      }
      await this.signal.wait(probeDelayMsMin, signal)
    }
  }

  /** An answer that is none, from a gateway for instance, says nothing about the attempt. */
  private async ask(
    attempt: Attempt,
    signal: AbortSignal,
  ): Promise<Awaited<ReturnType<Connection['find']>> | 'unreachable'> {
    try {
      return await this.connection.find(attempt, signal)
    } catch (error) {
      if (!signal.aborted) this.lostSight(reasonOf(error))
      return 'unreachable'
    }
  }

  private async follow({
    job,
    attempt,
    signal,
  }: Pick<Work, 'job' | 'attempt' | 'signal'>): Promise<{ outputs: OutputFile[]; timings: Record<string, number> }> {
    const limit = AbortSignal.timeout(this.entry.jobTimeoutSeconds * 1000)
    for await (const event of this.connection.follow(attempt, AbortSignal.any([signal, limit]))) {
      this.heardAt = performance.now()
      if (event.kind === 'failed') throw event.failure
      if (event.kind === 'finished') return event
      if (event.kind === 'progress') {
        const active = this.active.get(job.id)
        if (active) Object.assign(active, { value: event.value, max: event.max })
        this.host.progress(job, this.entry.name, event.value, event.max)
      }
    }
    if (limit.aborted) {
      await this.connection.cancel(attempt, signal)
      throw new RenderFailure('node-error', `No end after ${this.entry.jobTimeoutSeconds} s on ${this.entry.name}`)
    }
    throw new RenderFailure('unreachable', `${this.entry.name} ended the report of a job early`)
  }

  private async harvest(
    { job, attempt, signal }: Work,
    outputs: readonly OutputFile[],
    facts: RenderedFacts,
  ): Promise<void> {
    try {
      const output = outputs[0]
      if (!output) throw new RenderFailure('no-output', `${this.entry.name} reported success without a picture`)
      const begin = performance.now()
      const bytes = await this.fetch(output, signal)
      const timings = { ...facts.timings, fetchMs: Math.round(performance.now() - begin) }
      await this.host.desk.commit(job, attempt, bytes, { ...facts, timings })
      this.connection.release?.(bytes)
      this.settled.add(attempt)
      this.rendered++
    } catch (error) {
      if (!signal.aborted) await this.fail(job, attempt, failureOf(error))
    }
  }

  /** Only tries that the server answers count: what it has rendered waits for it to come back. */
  private async fetch(output: OutputFile, signal: AbortSignal): Promise<Buffer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.connection.fetch(output, signal)
      } catch (error) {
        const isGone = error instanceof RenderFailure && error.reason === 'no-output'
        if (isGone || tries >= fetchTriesMax || signal.aborted)
          throw new RenderFailure('no-output', `The picture could not be fetched: ${reasonOf(error)}`, {}, error)
        await this.signal.wait(fetchRetryMs * 2 ** (tries - 1), signal)
        if (!(await this.look())) await this.ready(signal)
      }
    }
  }

  private async fail(job: Job, attempt: Attempt, failure: RenderFailure): Promise<void> {
    this.failed++
    this.host.log.warn(
      { server: this.entry.name, run: job.run, slot: job.slot.id, attempt: attempt.number, cause: failure.reason },
      'attempt failed',
    )
    if (failure.reason === 'out-of-memory') await this.connection.free?.(this.abort.signal).catch(() => undefined)
    await this.host.desk.failed(job, attempt, this.entry.name, failure)
    this.host.changed()
  }

  private free(job: Job): void {
    if (!this.active.delete(job.id)) return
    this.signal.notify()
    this.host.changed()
  }

  private lostSight(reason: string): void {
    if (this.state !== 'unreachable') this.host.log.warn({ server: this.entry.name, reason }, 'server unreachable')
    this.state = 'unreachable'
    this.reason = reason
    this.checked.clear()
    this.signal.notify()
  }

  private serverFacts(): RenderedFacts['server'] {
    const { renderer, version } = this.probe ?? {}
    return {
      name: this.entry.name,
      ...(renderer !== undefined && { renderer }),
      ...(version !== undefined && { version }),
    }
  }
}
