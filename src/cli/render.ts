import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.js'
import { isHome } from '../config/config.js'
import { failure, FoundryError, type Problem } from '../errors.js'
import type { RunSummary } from '../operations/runs.js'
import type { Submission } from '../operations/submission.js'
import type { Submitted } from '../operations/submit.js'
import { type Door, openDoor } from './door.js'
import { exitCodeOf, exitCodes } from './exit-codes.js'
import { findDropFiles } from './find-drop-files.js'
import { type Ending, runOnDone } from './on-done.js'
import { type Progress, watchProgress } from './progress.js'
import {
  isEnded,
  type Outcome,
  type Refused,
  describeMissing,
  reportPlan,
  reportRender,
  toOutcome,
} from './report-render.js'
import type { Terminal } from './terminal.js'

export interface RenderOptions {
  submission: Omit<Submission, 'path'>
  timeoutMs?: number
  onDone?: string
  isVerbose: boolean
  /** Servers were named on the command line. */
  asksFor?: 'draft' | 'servers'
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
  const interrupt = listenForInterrupt()
  const limit = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(clampTimeout(options.timeoutMs))
  const isNewHome = !isHome(config.paths.home)
  const door = await openDoor(config, {
    isVerbose: options.isVerbose,
    progress: progress.tick,
    mayMakeHome: true,
  })
  try {
    if (isNewHome && !submission.dryRun) terminal.note(`runs/ and .foundry/ are kept in ${config.paths.home}`)
    await checkOwner(door, options, terminal)
    const tried = await serversWithoutAnswer(door)
    const canSubmit = tried === undefined || submission.dryRun === true
    const { submitted, refused } = await submitAll(door, drops, terminal, {
      ...submission,
      dryRun: !canSubmit || submission.dryRun === true,
    })
    const exitCode = refused.length > 0 ? exitCodes.badInput : exitCodes.done
    if (submission.dryRun) {
      reportPlan(submitted, { exitCode, refused }, terminal)
      return { exitCode, runs: [] }
    }
    const open = submitted.filter(each => !isEnded(each.state) || each.missing)
    // Without a server nothing is accepted, so that no run is left behind that nobody waits for.
    if (tried && open.length > 0) {
      for (const { run, missing } of open) if (missing) terminal.note(`${run} ${describeMissing(missing)}`)
      throw failure('SERVER_NONE', { tried })
    }
    const outcomes = await waitForRuns(door, submitted, {
      progress,
      stops: [interrupt.signal, ...(limit ? [limit] : [])],
    })
    const code = interrupt.signal.aborted
      ? exitCodes.interrupted
      : limit?.aborted && outcomes.some(each => !isEnded(each.state))
        ? exitCodes.timedOut
        : codeOf(outcomes, refused)
    progress.end()
    await tellReasons(door, outcomes)
    reportRender({ exitCode: code, runs: outcomes, refused }, submitted, terminal)
    return { exitCode: code, runs: outcomes }
  } finally {
    progress.end()
    interrupt.stop()
    await door.close(interruptDrainMs)
  }
}

/** What the owner's servers render is the owner's choice: drafts that would become real pictures are refused. */
async function checkOwner(door: Door, { asksFor }: RenderOptions, terminal: Terminal): Promise<void> {
  if (!door.owner || asksFor === undefined) return
  const { pid } = door.owner
  const { renderer } = await door.call('status', {})
  if (asksFor === 'draft' && renderer !== 'draft') {
    const problem = `Process ${pid} works on this home and renders on ${renderer}, not drafts`
    throw failure('USAGE_INVALID', { problem, next: 'stop it, or take another home with --home DIR' })
  }
  if (asksFor === 'servers') terminal.note(`Process ${pid} works on this home and renders on its own servers`)
}

/** Undefined as soon as one server has answered; otherwise those that were asked in vain. */
async function serversWithoutAnswer(door: Door): Promise<string[] | undefined> {
  const { own } = door
  if (own) return (await own.foundry.farm.firstAnswer()) ? undefined : own.foundry.farm.addresses()
  const until = Date.now() + serverUnknownMsMax
  for (;;) {
    const { servers } = await door.call('servers', {})
    if (servers.some(each => each.state === 'ready')) return undefined
    if (Date.now() > until || servers.every(each => each.state !== 'unknown')) return servers.map(each => each.name)
    await sleep(pollMs)
  }
}

async function submitAll(
  door: Door,
  drops: readonly string[],
  terminal: Terminal,
  submission: RenderOptions['submission'],
): Promise<{ submitted: Submitted[]; refused: Refused[] }> {
  const submitted = new Map<string, Submitted>()
  const refused: Refused[] = []
  const told = new Set<string>()
  for (const path of drops) {
    try {
      const answer = await door.call('submit', { ...submission, path })
      terminal.problems(answer.warnings.filter(each => isNews(each, told)))
      submitted.set(answer.run, submission.dryRun ? answer : await tryAgain(door, answer, terminal))
    } catch (error) {
      if (!(error instanceof FoundryError) || exitCodeOf(error) !== exitCodes.badInput) throw error
      if (!terminal.isJson) terminal.fail(error)
      refused.push({ drop: path, problems: problemsOf(error) })
    }
  }
  return { submitted: [...submitted.values()], refused }
}

/** Whoever gives the same command again wants the pictures that are missing. */
async function tryAgain(door: Door, answer: Submitted, terminal: Terminal): Promise<Submitted> {
  const { run, isNew, missing } = answer
  const isUnfinished = answer.state === 'failed' || answer.state === 'cancelled'
  if (isNew || (!isUnfinished && !missing)) return answer
  if (isUnfinished) terminal.note(`${run} was ${answer.state}: what is missing is tried again`)
  if (missing) terminal.note(`${run} ${describeMissing(missing)}: they are rendered again`)
  const { state } = await door.call('runs.retry', { id: run })
  return { ...answer, state }
}

/** Many drops of one library have the same things to say: each is told once. */
function isNews(problem: Problem, told: Set<string>): boolean {
  const key = JSON.stringify(problem)
  return !told.has(key) && told.add(key) !== undefined
}

function problemsOf(error: FoundryError): Problem[] {
  const listed = error.details['problems']
  // DROP_INVALID carries its problems; any other refusal is one problem of its own.
  if (Array.isArray(listed)) return listed as Problem[]
  return [{ severity: 'error', code: error.code, message: error.message }]
}

async function waitForRuns(
  door: Door,
  submitted: readonly Submitted[],
  { progress, stops }: { progress: Progress; stops: readonly AbortSignal[] },
): Promise<Outcome[]> {
  const open = new Set(submitted.map(each => each.run))
  const outcomes = new Map<string, Outcome>()
  const stop = AbortSignal.any([...stops])
  let started: Door['own']
  for (;;) {
    for (const run of open) {
      const shown = await door.call('runs.show', { id: run, limit: 0 })
      outcomes.set(run, toOutcome(shown))
      if (isEnded(shown.state) || isStuck(shown)) open.delete(run)
    }
    progress.counts([...outcomes.values()].map(each => each.counts))
    if (open.size === 0 || stop.aborted) return [...outcomes.values()]
    // At first, or when the process that owned the home has gone.
    if (door.own && door.own !== started) {
      started = door.own
      await startFarm(started, open)
    }
    await nextNews(door, stop)
  }
}

/** As the owner of the home, for as long as this command lasts. */
async function startFarm({ foundry }: NonNullable<Door['own']>, runs: ReadonlySet<string>): Promise<void> {
  for (const run of runs) foundry.desk.alsoWorkOn(run)
  if (!(await foundry.farm.firstAnswer())) throw failure('SERVER_NONE', { tried: foundry.farm.addresses() })
  await foundry.farm.start()
}

/** Waits for a moment, or until a run of ours has ended. Rejects when the journal can no longer be written. */
async function nextNews({ own }: Door, stop: AbortSignal): Promise<void> {
  const news = new AbortController()
  const stopListening = own?.foundry.ledger.listen(event => event.kind === 'run-finished' && news.abort())
  try {
    const pause = sleep(pollMs, undefined, { signal: AbortSignal.any([stop, news.signal]) }).catch(() => undefined)
    await Promise.race([pause, ...(own ? [own.broken] : [])])
  } finally {
    stopListening?.()
  }
}

/** Only held slots are left: a human must decide, so waiting helps nobody. */
function isStuck({ counts }: RunSummary): boolean {
  return (counts['held'] ?? 0) > 0 && (counts['waiting'] ?? 0) + (counts['running'] ?? 0) === 0
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

function codeOf(outcomes: readonly Outcome[], refused: readonly unknown[]): number {
  if (outcomes.some(each => each.state !== 'done')) return exitCodes.someFailed
  return refused.length > 0 ? exitCodes.badInput : exitCodes.done
}

function clampTimeout(timeoutMs: number): number {
  return Math.min(Math.ceil(timeoutMs), timeoutMsMax)
}

function listenForInterrupt(): { signal: AbortSignal; stop(): void } {
  const abort = new AbortController()
  const onSignal = () => (abort.signal.aborted ? process.exit(exitCodes.interrupted) : abort.abort())
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return { signal: abort.signal, stop: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal) }
}
