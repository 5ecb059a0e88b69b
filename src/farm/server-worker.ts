import { randomUUID } from 'node:crypto'
import { reasonOf } from '../errors.js'
import { failpoint } from '../files/failpoint.js'
import type { Job } from '../plan/job.js'
import { type Attempt, type Claim, type Connection, RenderFailure } from '../plugins/contract.js'
import type { ServerEntry, ServerMode } from '../schema/config.js'
import { AttemptCourse } from './attempt-course.js'
import { blameServer } from './blame-server.js'
import { CheckedGraphs } from './checked-graphs.js'
import type { Loaded, ServerView } from './choose-group.js'
import { describeServer } from './describe-server.js'
import { Estimates } from './estimates.js'
import { failureOf, tellable, unforeseen } from './failure-of.js'
import { Fitness } from './fitness.js'
import { isOfTheHome } from './open-run.js'
import { orInDoubt } from './paid.js'
import { Presence } from './presence.js'
import { Room } from './room.js'
import type { RunGroup } from './run-backlog.js'
import { Settled } from './settled.js'
import { pause, Signal } from './signal.js'
import { switchOf } from './switch-of.js'
import type { Active, Given, ServerOptions, ServerStatus, Waiting, WorkerHost } from './worker-host.js'
import { type Work, Works } from './works.js'

const probeDelayMsMin = 250
const probeDelayMsMax = 5000
/** Finished attempts whose pictures are fetched and committed at the same time, per server. */
const harvestsMax = 8
const idleCheckMs = 1000
const leaveMsMax = 3000

/**
 * Keeps one server busy: probes it, keeps `depth` jobs on it (one running, the others waiting there), and rests it when it fails.
 * The next job goes out as soon as one has finished; fetching and committing happen alongside.
 */
export class ServerWorker {
  /** Of the last job that was sent, or is about to be. */
  loaded: RunGroup | undefined
  /** What it is about to be sent: counts as if it were on it. */
  chosen: RunGroup | undefined
  readonly entry: ServerEntry
  readonly connection: Connection
  readonly presence: Presence
  readonly fitness: Fitness
  readonly room: Room
  private readonly estimates: Estimates
  private readonly active = new Map<string, Active>()
  private readonly claims = new Map<string, Claim>()
  /** Attempts from lease to commit. */
  private readonly works = new Set<Promise<void>>()
  private readonly working: Works
  private readonly course: AttemptCourse
  private readonly settled: Settled
  private readonly checked: CheckedGraphs
  private readonly signal = new Signal()
  private rendered = 0
  private failed = 0
  private isLeaving = false
  private readonly abort = new AbortController()
  private loop: Promise<void> | undefined
  private filling: Promise<boolean> = Promise.resolve(false)

  constructor(
    private readonly options: ServerOptions,
    private readonly host: WorkerHost,
  ) {
    const { entry, connection } = options
    this.entry = entry
    this.connection = connection
    this.fitness = new Fitness(entry)
    this.presence = new Presence({
      server: entry.name,
      connection,
      end: this.abort.signal,
      log: host.log,
      came: () => {
        host.changed()
        void this.working.seeToGivenUp()
      },
      went: () => this.forgetIt(),
    })
    this.room = new Room(entry, this.presence)
    this.estimates = new Estimates(entry, host.speeds)
    this.settled = new Settled(connection)
    this.checked = new CheckedGraphs(connection, this.abort.signal)
    this.working = new Works({
      connection,
      end: this.abort.signal,
      changed: this.signal,
      isReady: () => this.presence.isReady,
      heardAt: () => this.presence.heardAt,
      look: limitMs => this.presence.look(limitMs),
      isCancelled: job => host.attempts.isCancelled(job),
      unanswered: () => new RenderFailure('interrupted', `Cancelled without an answer of ${entry.name}`),
      harvestLate: work => this.course.harvestLate(work, this.abort.signal),
      missed: error =>
        host.log.warn({ server: entry.name, reason: reasonOf(error) }, 'a late picture could not be taken'),
    })
    this.course = new AttemptCourse({
      entry,
      connection,
      attempts: host.attempts,
      changed: this.signal,
      isReady: () => this.presence.isReady,
      look: () => this.presence.look(),
      lostSight: reason => this.presence.lost(reason),
      heard: () => this.presence.heard(),
      active: job => this.active.get(job.id),
      free: job => this.free(job),
      progress: (job, value, max) => host.progress(job, entry.name, value, max),
      limitMs: job => this.estimates.limitMs(this.active.get(job.id)),
      checkPace: (active, { renderMs }) => this.estimates.checkPace(active, renderMs),
      facts: () => this.facts(),
      settled: attempt => this.settled.add(attempt),
      rendered: (active, work, timings) => this.note(active, work, timings),
      failed: (work, failure) => this.fail(work, failure),
    })
  }

  /** What it says it renders, else what the configuration says. */
  get renderer(): string | undefined {
    return this.presence.probe?.renderer ?? this.options.renderer
  }

  /** The configuration says that it draws drafts. */
  get isListedAsDraft(): boolean {
    return this.options.renderer === 'draft'
  }

  get jobs(): readonly Active[] {
    return [...this.active.values()]
  }

  /** Jobs here that bear a name which limits may count. */
  jobsOf(tag: string): number {
    let jobs = this.chosen?.tags.includes(tag) ? 1 : 0
    for (const { group } of this.active.values()) if (group?.tags.includes(tag)) jobs++
    return jobs
  }

  /** Places that a run has here. */
  placesOf(run: string): number {
    let places = this.chosen?.run === run ? 1 : 0
    for (const { job } of this.active.values()) if (job.run === run) places++
    return places
  }

  /** Begins to work; attempts that an earlier process left on this server are taken up again. */
  start(leftovers: readonly { job: Job; attempt: Attempt }[]): void {
    for (const { job, attempt } of leftovers) this.take({ job, attempt }, 'ask', undefined)
    this.loop ??= this.work()
  }

  wake(): void {
    if (this.active.size < this.fitness.depth) this.signal.notify()
  }

  setMode(mode: ServerMode): void {
    this.fitness.mode = mode
    this.signal.notify()
    this.host.changed()
  }

  /** What it has done wrong counts no more. */
  forgive(): void {
    this.fitness.forgive()
    this.checked.clear()
    this.signal.notify()
    this.host.changed()
  }

  /** Whether it takes jobs now. */
  isTaking(): boolean {
    return this.presence.isReady && !this.isLeaving && this.fitness.isTaking(this.active.size)
  }

  /** Everything that keeps a job from running here, as one failure. */
  async check(job: Job): Promise<RenderFailure | undefined> {
    return this.checked.check(job).then(() => undefined, failureOf)
  }

  /** How the choice of jobs sees it. */
  view(takes: (group: RunGroup) => boolean): ServerView {
    const { name } = this.entry
    const { speeds } = this.host
    return {
      name,
      loaded: this.loaded,
      active: this.active.size,
      busyMs: this.estimates.endings(this.active.values()).at(-1)?.endsInMs ?? 0,
      jobMs: work => speeds.jobMs(name, work),
      swapMs: speeds.switchMs(name, 'models'),
      patchMs: speeds.switchMs(name, 'loras'),
      // Only groups of runs are ever chosen from.
      takes: group => takes(group as RunGroup),
    }
  }

  /** Jobs that wait here behind others and can be taken back. */
  waiting(): Waiting[] {
    if (!this.presence.isReady || !this.connection.withdraw) return []
    return this.estimates.endings(this.active.values()).flatMap(({ active, endsInMs }, at) => {
      const { group, isSubmitted, isBeingWithdrawn, startedAt } = active
      const isFree = at > 0 && isSubmitted && !isBeingWithdrawn && startedAt === undefined
      return group && isFree ? [{ active, group, endsInMs }] : []
    })
  }

  /** Takes a job back that has not begun, so that another server renders it. False where it had begun, or nobody can tell. */
  async withdraw(active: Active, to: string): Promise<boolean> {
    const work = this.working.find(active.job.id)
    if (!work || active.isBeingWithdrawn) return false
    active.isBeingWithdrawn = true
    const isGone = (await this.connection.withdraw?.(active.attempt, work.signal).catch(() => false)) ?? false
    active.isBeingWithdrawn = false
    if (!isGone || work.signal.aborted) return false
    this.working.takeBack(work, new RenderFailure('withdrawn', `Taken back for ${to}, which was idle`))
    return true
  }

  status(): ServerStatus {
    const { presence, fitness, renderer, loaded, jobs, rendered, failed } = this
    const speeds = this.host.speeds.of(this.entry.name)
    const avoided = fitness.avoided(presence.state, presence.reason) ?? this.host.whySpared()
    return describeServer(this.entry, { presence, fitness, avoided, renderer, loaded, jobs, speeds, rendered, failed })
  }

  async cancel(isMeant: (job: Job, attempt: number) => boolean): Promise<void> {
    await this.working.cancel(job => isMeant(job, this.working.find(job.id)?.attempt.number ?? 0))
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
    return { ...(await this.course.renderApart(job, attempt, this.abort.signal)), server: this.entry.name }
  }

  /** Takes no more jobs, lets those on the server end within the limit, then leaves them: they are found again at the next start. */
  async stop(limitMs: number): Promise<void> {
    this.isLeaving = true
    await this.ends(limitMs)
    if (this.presence.isReady) await this.settled.flush()
    this.abort.abort()
    this.signal.notify()
    await this.loop
    await Promise.allSettled(this.works)
    this.presence.state = 'stopped'
    await this.connection.close()
  }

  /** Takes no more jobs, and ends: what has not ended within the limit goes to other servers. */
  async leave(limitMs: number): Promise<void> {
    this.isLeaving = true
    // What it is about to be sent is on it, too.
    await this.filling
    await this.ends(limitMs, () => this.presence.isReady)
    const left = [...this.active.values()].map(({ attempt }) => attempt)
    const removed = new RenderFailure('interrupted', `${this.entry.name} was removed`)
    this.working.giveUpAll(orInDoubt(this.connection, removed))
    await Promise.allSettled(this.works)
    if (this.presence.isReady)
      await Promise.allSettled(left.map(attempt => this.connection.cancel(attempt, AbortSignal.timeout(leaveMsMax))))
    await this.stop(0)
  }

  /** Waits until all that is on it is committed or has failed, within the limit and while that is worth it. Answers how many are not. */
  async ends(limitMs: number, isWorthIt = () => true): Promise<number> {
    const until = performance.now() + limitMs
    while (this.works.size > 0 && isWorthIt() && performance.now() < until && !this.abort.signal.aborted)
      await this.signal.wait(Math.max(1, until - performance.now()), this.abort.signal)
    return this.works.size
  }

  private async work(): Promise<void> {
    let delayMs = probeDelayMsMin
    /** It answers, and could not be asked about the last job: it is not asked again without a pause. */
    let isDoubted = false
    while (!this.abort.signal.aborted) {
      if (!this.presence.isReady) {
        const isBack = (await this.presence.look()) !== undefined
        if (!isBack) this.moveWork()
        if (isBack && !isDoubted) continue
        // Not the signal: a server that is away is not probed once for each drop that arrives.
        await pause(delayMs, this.abort.signal)
        delayMs = Math.min(probeDelayMsMax, delayMs * 2)
        isDoubted = false
        continue
      }
      if (this.presence.isQuiet() && !(await this.presence.look())) continue
      const { calls } = this.signal
      this.filling = this.tryFill()
      const isFilled = await this.filling
      isDoubted = this.presence.state !== 'ready'
      if (isDoubted) continue
      delayMs = probeDelayMsMin
      if (isFilled) continue
      if (this.works.size === 0) void this.settled.flush()
      await this.signal.wait(idleCheckMs, this.abort.signal, calls)
    }
  }

  private async tryFill(): Promise<boolean> {
    const before = this.loaded
    try {
      return await this.fill()
    } catch (error) {
      this.host.log.error({ server: this.entry.name, reason: reasonOf(error) }, 'no job could be taken')
      Object.assign(this, { chosen: undefined, loaded: before })
      await pause(idleCheckMs, this.abort.signal)
      return false
    }
  }

  /** Fills one free place; false when there is none or nothing waits. */
  private async fill(): Promise<boolean> {
    if (this.active.size >= this.fitness.depth || this.works.size - this.active.size >= harvestsMax) return false
    if (this.renderer === undefined || !this.isTaking()) return false
    const before = this.loaded
    const given = await this.host.claim()
    if (!given) {
      this.loaded = before
      return this.active.size === 0 && (await this.host.steal())
    }
    const { job } = given.claim
    const attempt = await this.host.attempts.lease(job, this.entry.name)
    this.chosen = undefined
    if (attempt) this.take({ job, attempt }, 'submit', { ...given, before })
    else await this.host.finish(given.claim)
    return true
  }

  private take(
    { job, attempt }: { job: Job; attempt: Attempt },
    from: 'submit' | 'ask',
    given: (Given & { before: Loaded | undefined }) | undefined,
  ): void {
    const loads = given ? switchOf(given.group, given.before) : 'none'
    const group = given?.group
    if (given) this.claims.set(job.id, given.claim)
    this.active.set(job.id, { job, attempt, group, loads, isSubmitted: from === 'ask', isBeingWithdrawn: false })
    const known = this.working.begin(job, attempt, from === 'submit' ? performance.now() : undefined)
    const work = this.course
      .drive(known, from)
      .catch(error => this.breakOff(known, error))
      .then(async () => {
        this.free(job)
        await this.endClaim(job)
        if (known.failure && !this.abort.signal.aborted)
          await this.host.attempts.abandon(job, attempt, this.entry.name, known.failure)
        await failpoint('ack')
      })
      .catch(error =>
        this.host.log.error({ run: job.run, slot: job.slot.id, reason: reasonOf(error) }, 'attempt broke'),
      )
      .finally(() => {
        this.working.end(known)
        this.works.delete(work)
        this.signal.notify()
      })
    this.works.add(work)
  }

  /** What nobody foresaw ends the attempt, so that it never hangs: as a fault of the server as a whole, or of the job. */
  private async breakOff(work: Work, error: unknown): Promise<void> {
    if (this.abort.signal.aborted || isOfTheHome(error)) throw error
    if (work.signal.aborted) return
    await this.fail(work, unforeseen(error))
  }

  /** After its grace, what an unreachable server had goes to others, if there are any. */
  private moveWork(): void {
    this.working.giveUpCancelled()
    const { name } = this.entry
    const graceMs = this.estimates.graceMs(this.active.values())
    // What is paid for there is waited for.
    if (this.connection.isPaid) return
    if (this.works.size === 0 || performance.now() - this.presence.heardAt < graceMs || !this.host.hasOthers()) return
    this.working.giveUpAll(
      new RenderFailure('unreachable', `${name} was not reachable for ${Math.round(graceMs / 1000)} s`),
    )
  }

  private note(active: Active | undefined, { attempt }: Work, { renderMs }: Record<string, number>): void {
    this.settled.add(attempt)
    this.rendered++
    this.fitness.proveWell()
    if (active?.group && renderMs !== undefined)
      this.host.speeds.add(this.entry.name, active.group.work, { renderMs, loaded: active.loads })
  }

  private async fail({ job, attempt }: Pick<Work, 'job' | 'attempt'>, failed: RenderFailure): Promise<void> {
    const { name } = this.entry
    const failure = tellable(job, failed)
    this.failed++
    this.host.log.warn(
      { server: name, run: job.run, slot: job.slot.id, attempt: attempt.number, cause: failure.reason },
      'attempt failed',
    )
    const { fitness, connection, host, abort } = this
    const hasOthers = () => host.hasOthers()
    await blameServer({ name, fitness, connection, log: host.log, hasOthers, signal: abort.signal }, job, failure)
    this.free(job)
    await this.endClaim(job)
    await this.host.attempts.failed(job, attempt, name, failure)
    this.host.changed()
  }

  /** Before its slot waits again, so that somebody else can claim it. */
  private async endClaim(job: Job): Promise<void> {
    const claim = this.claims.get(job.id)
    if (claim && this.claims.delete(job.id)) await this.host.finish(claim)
  }

  private free(job: Job): void {
    if (this.active.delete(job.id)) this.signal.notify()
  }

  /** It is away, and may come back as another one. */
  private forgetIt(): void {
    this.loaded = undefined
    this.checked.clear()
    this.fitness.forgetLacks()
    this.signal.notify()
    this.host.changed()
  }

  private facts() {
    const { renderer, version } = this.presence.probe ?? {}
    return {
      name: this.entry.name,
      ...(renderer !== undefined && { renderer }),
      ...(version !== undefined && { version }),
    }
  }
}
