import { join } from 'node:path'
import { distinctProblems, type Problem } from '../errors.js'
import type { RunSummary } from '../operations/run-summary.js'
import type { Submitted } from '../operations/submit.js'
import { runFiles } from '../record/run-folder.js'
import { describeSpend } from './describe-spend.js'
import { describeWait } from './describe-wait.js'
import { counted, type Terminal } from './terminal.js'

/** A run as a command leaves it. */
export interface Outcome {
  run: string
  state: string
  counts: Record<string, number>
  folder: string
  manifest: string
  contactSheet: string
  /** False when this very run was known already. */
  isNew: boolean
  /** Pictures that were rendered while this command waited: none were taken over, none were there before. */
  rendered: number
  /** Why slots failed, each reason once, at most five. */
  reasons?: string[]
  /** Pictures of several pictures, where the run has ended: the first of them. */
  composites?: string[]
  /** What paid services were paid for its pictures, by whatever command. */
  spent?: NonNullable<RunSummary['spent']>
  /** What a human has to do before it goes on. */
  waitsFor?: NonNullable<RunSummary['waitsFor']>
}

export interface Refused {
  drop: string
  problems: Problem[]
}

export interface RenderAnswer {
  exitCode: number
  runs: readonly Outcome[]
  refused: readonly Refused[]
}

export function isEnded(state: string): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled'
}

/** Nothing goes on by itself: it has ended, or a human must decide. */
export function isAtRest(state: string): boolean {
  return isEnded(state) || state === 'held' || state === 'paused'
}

/** All that was asked for first is done, and the rest waits for approval. */
export function isPreviewed({ waitsFor, counts }: Outcome): boolean {
  return waitsFor === 'approval' && (counts['failed'] ?? 0) === 0
}

/** `before` are the counts from which this command began; none for a new run. */
export function toOutcome(
  { run, state, counts, folder, waitsFor, spent }: RunSummary,
  before: Record<string, number> = {},
): Outcome {
  const own = (all: Record<string, number>) => (all['done'] ?? 0) - (all['reused'] ?? 0)
  return {
    run,
    state,
    isNew: Object.keys(before).length === 0,
    rendered: Math.max(0, own(counts) - own(before)),
    counts,
    folder,
    manifest: join(folder, runFiles.manifest),
    contactSheet: join(folder, runFiles.contactSheet),
    ...(spent && { spent }),
    ...(waitsFor && { waitsFor }),
  }
}

/** What became of each run and where it lies. */
export function reportRender(answer: RenderAnswer, submitted: readonly Submitted[], terminal: Terminal): void {
  const { runs } = answer
  const rendered = runs.reduce((sum, each) => sum + each.rendered, 0)
  const isNew = runs.some(each => each.isNew)
  terminal.answer({ ...answer, isNew, rendered, warnings: distinctProblems(submitted.flatMap(each => each.warnings)) })
  for (const outcome of answer.runs) {
    const wasDone = submitted.some(each => each.run === outcome.run && !each.isNew && isEnded(each.state))
    reportRun(outcome, wasDone, terminal)
    const plan = submitted.find(each => each.run === outcome.run)?.plan ?? []
    for (const line of describeSkipped(plan)) terminal.say(`  skipped   ${line}`)
  }
}

const skippedMax = 5

/** What of a plan has nothing to render, with its reason. */
function describeSkipped(plan: Submitted['plan']): string[] {
  const lines = plan.flatMap(({ subject, template, skipped }) =>
    skipped === undefined ? [] : [`${subject}/${template}: ${skipped}`],
  )
  const rest = lines.length > skippedMax ? [`and ${lines.length - skippedMax} more`] : []
  return [...lines.slice(0, skippedMax), ...rest]
}

/** How many pictures and composites are gone from the disk, and which. */
export function describeMissing({ slots, composites, files }: NonNullable<Submitted['missing']>): string {
  const all = slots + composites
  const rest = all > files.length ? ` and ${all - files.length} more` : ''
  const what = [
    ...(slots > 0 ? [counted(slots, 'picture')] : []),
    ...(composites > 0 ? [counted(composites, 'composite')] : []),
  ]
  return `lacks or has changed files of ${what.join(' and ')} (${files.join(', ')}${rest})`
}

/** More values than this are counted. */
const valuesMax = 8

export function listValues(values: readonly number[]): string {
  if (values.length <= valuesMax) return values.join(', ')
  return `${values.length} values from ${values[0]} to ${values.at(-1)}`
}

const troubles = ['failed', 'held', 'cancelled', 'waiting', 'running', 'skipped']

function reportRun(outcome: Outcome, wasDone: boolean, terminal: Terminal): void {
  const { run, state, counts, folder, manifest, contactSheet } = outcome
  const count = (name: string) => counts[name] ?? 0
  const total = count('slots') - count('skipped')
  const isAllDone = count('done') === total
  const rest = troubles.filter(each => count(each) > 0).map(each => `, ${count(each)} ${each}`)
  const reused = !wasDone && count('reused') > 0 ? ` (${count('reused')} taken over from earlier runs)` : ''
  const mark = isPreviewed(outcome)
    ? terminal.paint('yellow', '…')
    : terminal.paint(isAllDone ? 'green' : 'red', isAllDone ? '✔' : '✘')
  const verb = wasDone ? 'already rendered' : 'rendered'
  terminal.say(`${mark} ${run}: ${count('done')} of ${total} ${verb}${reused}${rest.join('')}`)
  terminal.say(`  images    ${join(folder, runFiles.images)}`)
  terminal.say(`  manifest  ${manifest}`)
  if (isEnded(state)) terminal.say(`  contact   ${contactSheet}`)
  for (const file of outcome.composites ?? []) terminal.say(`  sheet     ${file}`)
  for (const each of outcome.spent ?? []) terminal.say(`  spent     ${describeSpend(each)}`)
  for (const line of describeWait(outcome)) terminal.say(`  ${line}`)
  if (!isAtRest(state)) terminal.say('  to go on  give the same command again')
  else if (count('cancelled') > 0) terminal.say(`  to go on  foundry runs retry ${run}, or the same command again`)
  for (const reason of outcome.reasons ?? []) terminal.say(`  reason    ${reason}`)
  if (count('failed') > 0) terminal.say(`  each one  foundry runs show ${run} --state failed`)
}
