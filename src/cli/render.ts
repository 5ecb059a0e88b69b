import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.js'
import { isHome } from '../config/config.js'
import { failure, FoundryError, type Problem, problemsOf } from '../errors.js'
import { describeTried } from '../farm/describe-tried.js'
import type { TimeRange } from '../farm/forecast-shapes.js'
import { lastEnd } from '../farm/last-end.js'
import { pause } from '../farm/signal.js'
import { withAnySignal } from '../files/join-signals.js'
import type { RunSummary } from '../operations/run-summary.js'
import type { Submission } from '../operations/submission.js'
import type { Submitted } from '../operations/submit.js'
import { configChangedHint } from './config-changed.js'
import { checkOwner, type ServerWish } from './check-owner.js'
import { describeChange } from './describe-course.js'
import { type Door, openDoor } from './door.js'
import { exitCodeOf, exitCodes } from './exit-codes.js'
import { findDropFiles } from './find-drop-files.js'
import { type Ending, runOnDone } from './on-done.js'
import { planDrops } from './plan.js'
import { type Progress, watchProgress } from './progress.js'
import {
  isAtRest,
  isEnded,
  isPreviewed,
  type Outcome,
  type Refused,
  describeMissing,
  reportRender,
  toOutcome,
} from './report-render.js'
import { type ServerWatch, watchServers } from './render-servers.js'
import { counted, type Terminal } from './terminal.js'
import { type StandstillWatch, watchStandstill } from './watch-standstill.js'

export interface RenderOptions {
  submission: Omit<Submission, 'path'>
  timeoutMs?: number
  onDone?: string
  isVerbose: boolean
  asksFor?: ServerWish
}

/** A run that this command waits for. */
interface Begun extends Submitted {
  /** Its counts when the command began; absent where the run is new. */
  before?: Record<string, number>
}

const pollMs = 250
/** How long an interrupted command lets commits that are under way end. */
const interruptDrainMs = 1500
/** A server that another process has not looked at yet is given this long. */
const serverUnknownMsMax = 16_000
/** Longer than any timer counts. */
const timeoutMsMax = 2 ** 31 - 1

/** Renders drops and waits for them. Answers the exit code. */
export async function render(
  paths: readonly string[],
  config: Config,
  terminal: Terminal,
  options: RenderOptions,
): Promise<number> {
  const end = async (ending: Ending) => {
    if (options.onDone !== undefined && ending.exitCode !== exitCodes.interrupted)
      await runOnDone(options.onDone, ending, terminal)
  }
  try {
    const ending = await renderDrops(await findDropFiles(paths), config, terminal, options)
    await end(ending)
    return ending.exitCode
  } catch (error) {
    await end({ exitCode: exitCodeOf(error), runs: [] })
    throw error
  }
}

async function renderDrops(
  drops: readonly string[],
  config: Config,
  terminal: Terminal,
  options: RenderOptions,
): Promise<Ending> {
  const { submission } = options
  const progress = watchProgress(terminal)
  let door: Door | undefined
  const interrupt = listenForInterrupt(() => terminal.note(describeStop(door)))
  const limit = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(clampTimeout(options.timeoutMs))
  const isNewHome = !isHome(config.paths.home)
  const isUnused = !existsSync(config.paths.dot)
  try {
    door = await openDoor(config, { isVerbose: options.isVerbose, progress: progress.tick, mayMakeHome: true })
    if (isNewHome && !submission.dryRun) terminal.note(`runs/ and .foundry/ are kept in ${config.paths.home}`)
    await checkOwner(door, config, options.asksFor, terminal)
    if (!submission.dryRun) await answerWorkers(door.own)
    const tried = await serversWithoutAnswer(door)
    await tellChoice(door, terminal)
    if (submission.dryRun) return { exitCode: await planDrops(door, drops, terminal, submission), runs: [] }
    const { submitted, refused } = await submitAll(door, drops, terminal, {
      ...submission,
      dryRun: tried !== undefined,
    })
    const open = submitted.filter(each => !isAtRest(each.state) || each.missing)
    // Without a server nothing is accepted, so that no run is left behind that nobody waits for.
    if (tried && open.length > 0) {
      for (const { run, missing } of open) if (missing) terminal.note(`${run} ${describeMissing(missing)}`)
      throw failure('SERVER_NONE', { tried })
    }
    const seen = await waitForRuns(door, submitted, {
      progress,
      servers: watchServers(terminal),
      standstill: watchStandstill(terminal),
      stops: [interrupt.signal, ...(limit ? [limit] : [])],
    })
    await tellReasons(door, seen)
    await nameComposites(door, submitted, seen)
    const outcomes = await leaveUnfinished(door, submitted, seen)
    const code = interrupt.signal.aborted
      ? exitCodes.interrupted
      : limit?.aborted && outcomes.some(each => !isEnded(each.state))
        ? exitCodes.timedOut
        : codeOf(outcomes, refused)
    progress.end()
    reportRender({ exitCode: code, runs: outcomes, refused }, submitted, terminal)
    return { exitCode: code, runs: outcomes }
  } finally {
    progress.end()
    await door?.close(interruptDrainMs)
    // A plan leaves nothing behind where nothing was.
    if (isUnused && submission.dryRun && door?.own) await rm(config.paths.dot, { recursive: true, force: true })
    interrupt.stop()
  }
}

/** What may surprise: an edited configuration, and which renderer a new run is of where several are listed. */
async function tellChoice(door: Door, terminal: Terminal): Promise<void> {
  const { renderer, servers, isConfigChanged } = await door.call('status', {})
  if (door.owner && isConfigChanged) terminal.note(configChangedHint)
  const others = servers.filter(each => each.renderer !== 'draft').map(each => each.name)
  if (renderer === 'draft' || others.length === servers.length) return
  terminal.note(
    `Drafts and real servers are listed together: what is new is rendered by ${others.join(', ')}; for drafts give --draft`,
  )
}

/** Undefined as soon as one server has answered; otherwise those that were asked in vain. */
async function serversWithoutAnswer(door: Door): Promise<string[] | undefined> {
  const { own } = door
  if (own) return (await own.foundry.farm.firstAnswer()) ? undefined : own.foundry.farm.tried()
  const until = Date.now() + serverUnknownMsMax
  for (;;) {
    const { servers, renderer } = await door.call('status', {})
    const fit = servers.filter(each => each.renderer === undefined || each.renderer === renderer)
    if (fit.some(each => each.state === 'ready')) return undefined
    if (Date.now() > until || fit.every(each => each.state !== 'unknown')) return fit.map(describeTried)
    await sleep(pollMs)
  }
}

async function submitAll(
  door: Door,
  drops: readonly string[],
  terminal: Terminal,
  submission: RenderOptions['submission'],
): Promise<{ submitted: Begun[]; refused: Refused[] }> {
  const submitted = new Map<string, Begun>()
  const refused: Refused[] = []
  const told = new Set<string>()
  for (const path of drops) {
    try {
      const answer = await door.call('submit', { ...submission, path })
      terminal.problems(answer.warnings.filter(each => isNews(each, told)))
      if (submission.fresh && !submission.dryRun && !answer.isNew)
        terminal.note(`${answer.run} was begun by an earlier --fresh and is not finished: it goes on`)
      tellCourse(answer, submission, terminal)
      submitted.set(answer.run, submission.dryRun ? answer : await tryAgain(door, answer, terminal))
    } catch (error) {
      if (!(error instanceof FoundryError) || exitCodeOf(error) !== exitCodes.badInput) throw error
      if (!terminal.isJson) terminal.fail(error)
      refused.push({ drop: path, problems: problemsOf(error) })
    }
  }
  return { submitted: [...submitted.values()], refused }
}

/** What of a run that was known already is different, or cannot be. */
function tellCourse({ run, isNew, changed }: Submitted, { preview }: RenderOptions['submission'], terminal: Terminal) {
  if (isNew) return
  if (changed) terminal.note(`${run} was known already: it now has ${describeChange(changed)}`)
  if (preview !== undefined) terminal.note(`${run} was known already: --preview is for new runs, and changes nothing`)
}

/** Whoever gives the same command again wants the pictures that are missing. */
async function tryAgain(door: Door, answer: Submitted, terminal: Terminal): Promise<Begun> {
  const { run, isNew, missing } = answer
  if (isNew) return answer
  const trouble = troubles.get(answer.state)
  if (trouble !== undefined) terminal.note(`${run} was ${trouble}: what is missing is tried again`)
  if (missing) terminal.note(`${run} ${describeMissing(missing)}: made again`)
  const isAsked = trouble !== undefined || missing !== undefined
  const { state, counts } = isAsked ? await retry(door, run) : await door.call('runs.show', { id: run, limit: 0 })
  return { ...answer, state, before: counts }
}

const troubles = new Map([
  ['failed', 'failed'],
  ['cancelled', 'cancelled'],
  ['cancelling', 'being cancelled'],
])

/** When another command has asked for the same a moment before, both wait for the same. */
async function retry(door: Door, run: string): Promise<RunSummary> {
  try {
    return await door.call('runs.retry', { id: run })
  } catch (error) {
    if (!(error instanceof FoundryError) || error.code !== 'RUN_STATE_UNFIT') throw error
    return door.call('runs.show', { id: run, limit: 0 })
  }
}

/** Many drops of one library have the same things to say: each is told once. */
function isNews(problem: Problem, told: Set<string>): boolean {
  const key = JSON.stringify(problem)
  return !told.has(key) && told.add(key) !== undefined
}

interface Watches {
  progress: Progress
  servers: ServerWatch
  standstill: StandstillWatch
  stops: readonly AbortSignal[]
}

async function waitForRuns(
  door: Door,
  submitted: readonly Begun[],
  { progress, servers, standstill, stops }: Watches,
): Promise<Outcome[]> {
  const open = new Set(submitted.map(each => each.run))
  const before = new Map(submitted.map(each => [each.run, each.before]))
  const outcomes = new Map<string, Outcome>()
  const ends = new Map<string, TimeRange | undefined>()
  const stop = AbortSignal.any([...stops])
  let started: Door['own']
  for (;;) {
    for (const run of open) {
      const shown = await door.call('runs.show', { id: run, limit: 0 })
      outcomes.set(run, toOutcome(shown, before.get(run)))
      ends.set(run, shown.endsIn)
      if (!isEnded(shown.state) && !needsHuman(shown)) continue
      open.delete(run)
      if (started && !isEnded(shown.state)) await tellManifest(started, run)
    }
    progress.counts(
      [...outcomes.values()].map(each => each.counts),
      lastEnd([...open].map(run => ends.get(run))),
    )
    if (open.size === 0 || stop.aborted) return [...outcomes.values()]
    // At first, or when the process that owned the home has gone.
    if (door.own && door.own !== started) {
      started = door.own
      await startFarm(started, open)
    }
    await servers.look(door)
    await standstill.look(
      door,
      [...outcomes.values()].filter(each => open.has(each.run)),
    )
    await nextNews(door, stop)
  }
}

/** Nobody else brings it up to date while a human thinks. */
async function tellManifest({ foundry }: NonNullable<Door['own']>, id: string): Promise<void> {
  const { refreshManifest } = await import('../operations/runs.js')
  const run = foundry.ledger.state.runs.get(id)
  if (run) await refreshManifest(foundry, run)
}

/** With the owner of the home, what is unfinished ends its work: nobody is rendering it any more. */
async function leaveUnfinished(
  door: Door,
  submitted: readonly Begun[],
  outcomes: readonly Outcome[],
): Promise<readonly Outcome[]> {
  if (!door.own || outcomes.every(each => isAtRest(each.state))) return outcomes
  await door.close(interruptDrainMs)
  const left = outcomes.map(async each => {
    const before = submitted.find(({ run }) => run === each.run)?.before
    const outcome = { ...each, ...toOutcome(await door.call('runs.show', { id: each.run, limit: 0 }), before) }
    if (isAtRest(outcome.state)) return outcome
    const { waiting = 0, running = 0 } = outcome.counts
    return { ...outcome, state: 'interrupted', counts: { ...outcome.counts, waiting: waiting + running, running: 0 } }
  })
  return Promise.all(left)
}

/** Workers on other machines ask whoever owns the home. */
async function answerWorkers(own: Door['own']): Promise<void> {
  if (!own?.foundry.work) return
  const { serveWorkers } = await import('./serve-workers.js')
  await serveWorkers(own)
}

/** As the owner of the home, for as long as this command lasts. */
async function startFarm(own: NonNullable<Door['own']>, runs: ReadonlySet<string>): Promise<void> {
  const { foundry } = own
  await answerWorkers(own)
  for (const run of runs) foundry.desk.alsoWorkOn(run)
  if (!(await foundry.farm.firstAnswer())) throw failure('SERVER_NONE', { tried: foundry.farm.tried() })
  await foundry.farm.start()
}

/** Waits for a moment, or until a run of ours has ended. Rejects when the journal can no longer be written. */
async function nextNews({ own }: Door, stop: AbortSignal): Promise<void> {
  const news = new AbortController()
  const stopListening = own?.foundry.ledger.listen(event => event.kind === 'run-finished' && news.abort())
  try {
    const paused = withAnySignal([stop, news.signal], signal => pause(pollMs, signal))
    await Promise.race([paused, ...(own ? [own.broken] : [])])
  } finally {
    stopListening?.()
  }
}

/** A human must decide, so waiting helps nobody. What runs is waited for. */
function needsHuman({ state, counts }: RunSummary): boolean {
  return isAtRest(state) && (counts['running'] ?? 0) === 0
}

const reasonsMax = 5
const failedLookedAtMax = 500

/** The night's one cause is told once, not as a command to type. */
async function tellReasons(door: Door, outcomes: readonly Outcome[]): Promise<void> {
  for (const outcome of outcomes.filter(each => (each.counts['failed'] ?? 0) > 0)) {
    const { slots } = await door.call('runs.show', { id: outcome.run, state: 'failed', limit: failedLookedAtMax })
    outcome.reasons = [...new Set(slots.map(slot => slot.reason ?? 'unknown'))].slice(0, reasonsMax)
  }
}

const compositesNamedMax = 20

async function nameComposites(door: Door, submitted: readonly Begun[], outcomes: readonly Outcome[]): Promise<void> {
  for (const outcome of outcomes.filter(({ state }) => isEnded(state))) {
    const plan = submitted.find(({ run }) => run === outcome.run)?.plan ?? []
    if (!plan.some(({ composites = 0 }) => composites > 0)) continue
    const { composites = [] } = await door.call('runs.manifest', { id: outcome.run })
    outcome.composites = composites.slice(0, compositesNamedMax).map(({ file }) => join(outcome.folder, file))
  }
}

function codeOf(outcomes: readonly Outcome[], refused: readonly unknown[]): number {
  if (outcomes.some(each => each.state !== 'done' && !isPreviewed(each))) return exitCodes.someFailed
  return refused.length > 0 ? exitCodes.badInput : exitCodes.done
}

function clampTimeout(timeoutMs: number): number {
  return Math.min(Math.ceil(timeoutMs), timeoutMsMax)
}

/** What the first Ctrl C does. */
function describeStop(door: Door | undefined): string {
  const again = 'again to stop at once'
  if (door?.owner) return `stopping to wait: process ${door.owner.pid} goes on rendering; ${again}`
  const jobs = door?.own?.foundry.farm.status().reduce((sum, each) => sum + each.jobs.length, 0) ?? 0
  if (jobs === 0) return `stopping; ${again}`
  return `stopping: letting ${counted(jobs, 'job')} finish, at most ${interruptDrainMs / 1000} s; ${again}`
}

function listenForInterrupt(began: () => void): { signal: AbortSignal; stop(): void } {
  const abort = new AbortController()
  const onSignal = () => {
    if (abort.signal.aborted) process.exit(exitCodes.interrupted)
    abort.abort()
    began()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return { signal: abort.signal, stop: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal) }
}
