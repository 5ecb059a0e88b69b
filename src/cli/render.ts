import { spawn } from 'node:child_process'
import { lstat, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.js'
import { failure, FoundryError, type Problem } from '../errors.js'
import { isDropName } from '../library/drop.js'
import type { RunSummary } from '../operations/runs.js'
import type { Submission, Submitted } from '../operations/submit.js'
import { runFiles } from '../record/run-folder.js'
import { type Door, openDoor } from './door.js'
import { exitCodeOf, exitCodes } from './exit-codes.js'
import { commandLog } from './log.js'
import { watchProgress } from './progress.js'
import type { Terminal } from './terminal.js'

export interface RenderOptions {
  submission: Omit<Submission, 'path'>
  timeoutMs?: number
  onDone?: string
  isVerbose: boolean
}

interface Outcome {
  run: string
  state: string
  counts: Record<string, number>
  folder: string
  manifest: string
  contactSheet: string
}

const foldersDepthMax = 6
const dropsMax = 100_000
const pollMs = 250
/** How long an interrupted command lets commits that are under way end. */
const interruptDrainMs = 1500

/** Renders drops and waits for them. Answers the exit code. */
export async function render(
  paths: readonly string[],
  config: Config,
  terminal: Terminal,
  options: RenderOptions,
): Promise<number> {
  const drops = await findDropFiles(paths)
  if (drops.length === 0) {
    throw failure('USAGE_INVALID', {
      problem: `No drop was found at ${paths.join(', ')}`,
      next: 'give a .yaml or .json file, or a folder of them',
    })
  }
  const progress = watchProgress(terminal)
  const door = await openDoor(config, { log: commandLog(config, options.isVerbose), progress: progress.tick })
  const interrupt = listenForInterrupt()
  const limit = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs)
  try {
    if (door.owner && config.hasOwnServers) {
      terminal.note(`process ${door.owner.pid} owns this home: it renders with its own servers`)
    }
    const { submitted, refused } = await submitAll(door, drops, terminal, options.submission)
    if (options.submission.dryRun) return reportPlan(submitted, refused, terminal)
    const open = submitted.filter(each => !isEnded(each.state))
    if (open.length > 0 && door.own) await startFarm(door, submitted)
    const outcomes = await waitForRuns(door, submitted, progress, [interrupt.signal, ...(limit ? [limit] : [])])
    const code = interrupt.signal.aborted
      ? exitCodes.interrupted
      : limit?.aborted && outcomes.some(each => !isEnded(each.state))
        ? exitCodes.timedOut
        : codeOf(outcomes, refused)
    progress.end()
    report(outcomes, refused, submitted, code, terminal)
    if (options.onDone !== undefined && code !== exitCodes.interrupted)
      await runHook(options.onDone, outcomes, code, terminal)
    return code
  } finally {
    progress.end()
    interrupt.stop()
    await door.close(interruptDrainMs)
  }
}

/** Files as they are; folders by the drops in them. */
export async function findDropFiles(paths: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const path of paths) {
    const stat = await lstat(path).catch(error => {
      throw failure(
        'FILE_UNREADABLE',
        { file: path, reason: (error as NodeJS.ErrnoException).code ?? 'unreadable' },
        error,
      )
    })
    if (stat.isDirectory()) await collect(resolve(path), 0, found)
    else found.push(resolve(path))
  }
  return found
}

async function collect(folder: string, depth: number, found: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true })
  const isCall = entries.some(entry => entry.name === 'characters' && entry.isDirectory())
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (found.length >= dropsMax || entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory() && depth < foldersDepthMax && (!isCall || entry.name === 'characters'))
      await collect(path, depth + 1, found)
    else if (
      entry.isFile() &&
      isDropName(entry.name) &&
      (!folder.endsWith('characters') || entry.name === 'persona_manifest.json')
    )
      found.push(path)
  }
}

async function submitAll(
  door: Door,
  drops: readonly string[],
  terminal: Terminal,
  submission: RenderOptions['submission'],
): Promise<{ submitted: Submitted[]; refused: { drop: string; problems: Problem[] }[] }> {
  const submitted = new Map<string, Submitted>()
  const refused: { drop: string; problems: Problem[] }[] = []
  for (const path of drops) {
    try {
      const answer = await door.call('submit', { ...submission, path })
      terminal.problems(answer.warnings)
      submitted.set(answer.run, answer)
    } catch (error) {
      if (!(error instanceof FoundryError) || exitCodeOf(error) !== exitCodes.badInput) throw error
      if (drops.length === 1) throw error
      terminal.fail(error)
      refused.push({ drop: path, problems: (error.details['problems'] ?? []) as Problem[] })
    }
  }
  return { submitted: [...submitted.values()], refused }
}

/** As the owner of the home, for as long as this command lasts and for its own runs alone. */
async function startFarm(door: Door, submitted: readonly Submitted[]): Promise<void> {
  const foundry = door.own?.foundry
  if (!foundry) return
  foundry.desk.focusOn(new Set(submitted.map(each => each.run)))
  const probes = await foundry.farm.look()
  if (probes.length === 0) throw failure('SERVER_NONE', { tried: foundry.farm.addresses() })
  await foundry.farm.start()
}

async function waitForRuns(
  door: Door,
  submitted: readonly Submitted[],
  progress: ReturnType<typeof watchProgress>,
  stops: readonly AbortSignal[],
): Promise<Outcome[]> {
  const open = new Set(submitted.map(each => each.run))
  const outcomes = new Map<string, Outcome>()
  const stop = AbortSignal.any([...stops])
  for (;;) {
    for (const run of open) {
      const shown = await door.call('showRun', { id: run, limit: 1 })
      outcomes.set(run, toOutcome(shown))
      if (isEnded(shown.state) || isStuck(shown)) open.delete(run)
    }
    progress.counts([...outcomes.values()].map(each => each.counts))
    if (open.size === 0 || stop.aborted) return [...outcomes.values()]
    const broken = door.own?.broken ?? new Promise<never>(() => undefined)
    await Promise.race([sleep(pollMs, undefined, { signal: stop }).catch(() => undefined), broken])
  }
}

/** Only held slots are left: a human must decide, so waiting helps nobody. */
function isStuck({ counts }: RunSummary): boolean {
  return (counts['held'] ?? 0) > 0 && (counts['waiting'] ?? 0) + (counts['running'] ?? 0) === 0
}

function isEnded(state: string): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled'
}

function toOutcome({ run, state, counts, folder }: RunSummary): Outcome {
  return {
    run,
    state,
    counts,
    folder,
    manifest: join(folder, runFiles.manifest),
    contactSheet: join(folder, runFiles.contactSheet),
  }
}

function codeOf(outcomes: readonly Outcome[], refused: readonly unknown[]): number {
  if (outcomes.some(each => each.state !== 'done')) return exitCodes.someFailed
  return refused.length > 0 ? exitCodes.badInput : exitCodes.done
}

function report(
  outcomes: readonly Outcome[],
  refused: readonly { drop: string; problems: Problem[] }[],
  submitted: readonly Submitted[],
  exitCode: number,
  terminal: Terminal,
): void {
  terminal.answer({ exitCode, runs: outcomes, refused })
  for (const outcome of outcomes) {
    const { counts } = outcome
    const wasDone = submitted.some(each => each.run === outcome.run && !each.isNew && isEnded(each.state))
    const total = (counts['slots'] ?? 0) - (counts['skipped'] ?? 0)
    const done = counts['done'] ?? 0
    const isAllDone = done === total
    const verb = wasDone ? 'already rendered' : 'rendered'
    const troubles = ['failed', 'held', 'cancelled', 'waiting', 'running', 'skipped'].filter(
      state => (counts[state] ?? 0) > 0,
    )
    const rest = troubles.map(state => `, ${counts[state]} ${state}`).join('')
    const reused = !wasDone && (counts['reused'] ?? 0) > 0 ? ` (${counts['reused']} taken over from earlier runs)` : ''
    terminal.say(
      `${terminal.paint(isAllDone ? 'green' : 'red', isAllDone ? '✔' : '✘')} ${outcome.run}: ${done} of ${total} ${verb}${reused}${rest}`,
    )
    terminal.say(`  images    ${join(outcome.folder, runFiles.images)}`)
    terminal.say(`  manifest  ${outcome.manifest}`)
    if (isEnded(outcome.state)) terminal.say(`  contact   ${outcome.contactSheet}`)
    if (!isAllDone && isEnded(outcome.state))
      terminal.say(`  reasons   foundry runs show ${outcome.run} --state failed`)
  }
}

function reportPlan(submitted: readonly Submitted[], refused: readonly unknown[], terminal: Terminal): number {
  terminal.answer({ exitCode: refused.length > 0 ? exitCodes.badInput : exitCodes.done, runs: submitted, refused })
  for (const { run, slots, plan, isNew, state } of submitted) {
    terminal.say(`${run}: ${slots} pictures, ${isNew ? 'to render' : state}`)
    for (const series of plan) {
      const loras = Object.entries(series.loras).map(([talent, weight]) => `${talent} ${weight}`)
      const what = series.skipped === undefined ? `${series.slots} × ${series.size}` : `skipped: ${series.skipped}`
      terminal.say(
        `  ${series.subject} · ${series.template} · ${series.workflow} · ${what}${loras.length > 0 ? ` · ${loras.join(', ')}` : ''}`,
      )
    }
  }
  return refused.length > 0 ? exitCodes.badInput : exitCodes.done
}

/** `--on-done CMD`: run by the shell with the outcome in its environment. Its own exit code is only noted. */
async function runHook(
  command: string,
  outcomes: readonly Outcome[],
  exitCode: number,
  terminal: Terminal,
): Promise<void> {
  const env = {
    ...process.env,
    FOUNDRY_EXIT_CODE: String(exitCode),
    FOUNDRY_RUNS: outcomes.map(each => each.run).join(' '),
    FOUNDRY_MANIFESTS: outcomes.map(each => each.manifest).join('\n'),
  }
  const code = await new Promise<number | null>(done => {
    spawn(command, { shell: true, stdio: ['ignore', 2, 2], env })
      .on('close', done)
      .on('error', () => done(null))
  })
  if (code !== 0) terminal.note(`--on-done ended with ${code ?? 'no exit code'}`)
}

function listenForInterrupt(): { signal: AbortSignal; stop(): void } {
  const abort = new AbortController()
  const onSignal = () => (abort.signal.aborted ? process.exit(exitCodes.interrupted) : abort.abort())
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return { signal: abort.signal, stop: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal) }
}
