import { basename } from 'node:path'
import { distinctProblems, failure } from '../errors.js'
import type { PlanAnswer, PlannedRun } from '../operations/plan.js'
import type { Submission } from '../operations/submission.js'
import { describeRange } from './describe-range.js'
import { describeSpend } from './describe-spend.js'
import type { Door } from './door.js'
import { exitCodes } from './exit-codes.js'
import { describeMissing, listValues } from './report-render.js'
import { counted, type Terminal } from './terminal.js'

/** Says what rendering these drops would take. Renders nothing. Answers the exit code. */
export async function planDrops(
  door: Door,
  drops: readonly string[],
  terminal: Terminal,
  submission: Omit<Submission, 'path'>,
): Promise<number> {
  const { dryRun: _, ...options } = submission
  const answer = await door.call('plan', { ...options, paths: drops })
  terminal.problems(distinctProblems(answer.runs.flatMap(({ warnings }) => warnings)))
  if (!terminal.isJson)
    for (const { drop, problems } of answer.refused)
      terminal.fail(failure('DROP_INVALID', { drop: basename(drop), problems }))
  const exitCode = codeOf(answer)
  terminal.answer({ exitCode, ...answer })
  for (const run of answer.runs) sayRun(run, terminal)
  sayAll(answer, terminal)
  return exitCode
}

/** What gates refuse and what the servers that are there lack would fail in a render; servers that are away may come back. */
function codeOf({ refused, runs }: PlanAnswer): number {
  if (refused.length > 0) return exitCodes.badInput
  const unfit = runs.flatMap(each => each.unfit ?? [])
  const isRefused = runs.some(({ gates }) => gates !== undefined && gates.refused.length > 0)
  return isRefused || unfit.some(({ servers }) => servers.length > 0) ? exitCodes.someFailed : exitCodes.done
}

function sayRun(run: PlannedRun, terminal: Terminal): void {
  const { plan, switches, servers, lacks, unfit, away, endsIn, unmeasured, disk, price, asks = [], toRender } = run
  terminal.say(`${run.run}: ${describeCounts(run)}`)
  for (const series of plan) terminal.say(`  ${describeSeries(series)}`)
  const line = (name: string, text: string) => terminal.say(`  ${name.padEnd(9)} ${text}`)
  if (toRender > 0) {
    if (servers.length > 0) line('servers', servers.map(({ server, slots }) => `${server} ${slots}`).join(', '))
    const { models, loras } = switches
    if (models + loras > 0) line('switches', `${models} of models, ${loras} of LoRAs alone`)
  }
  for (const { server, slots, problems } of lacks) {
    line(server, `cannot render ${counted(slots, 'picture')}:`)
    for (const problem of problems) terminal.say(`    ${problem}`)
  }
  for (const { server, reason } of away) line(server, `gets no jobs: ${reason}`)
  if (unfit) line('nowhere', `${counted(unfit.slots, 'picture')}: no server can render them now`)
  const told = new Set([...lacks, ...away].map(({ server }) => server))
  for (const { server, reason } of unfit?.servers ?? []) if (!told.has(server)) terminal.say(`    ${server}: ${reason}`)
  for (const { slots, reason } of run.gates?.refused ?? []) line('gates', `${counted(slots, 'picture')}: ${reason}`)
  if (run.gates?.redacted) line('gates', `${counted(run.gates.redacted, 'picture')}: words would be redacted`)
  if (toRender > 0) {
    if (endsIn) line('time', describeRange(endsIn))
    if (price !== undefined) line('price', price.toFixed(2))
    for (const each of asks) line('price', describeSpend(each))
    for (const each of unmeasured) line('unknown', each)
    line('disk', `${describeBytes(disk.bytes)}${disk.basis === 'estimated' ? ', estimated from the pixels' : ''}`)
  }
}

function sayAll({ runs, before, endsIn }: PlanAnswer, terminal: Terminal): void {
  if (before.slots > 0)
    terminal.say(`before     ${counted(before.slots, 'picture')} of ${counted(before.runs, 'run')} wait already`)
  if (before.runsNotLookedAt > 0)
    terminal.say(`unknown    how long ${counted(before.runsNotLookedAt, 'more run')} that wait will take`)
  if (runs.length > 1 && endsIn) terminal.say(`all        ${describeRange(endsIn)}`)
  const prices = runs.flatMap(({ price }) => price ?? [])
  if (prices.length > 1) terminal.say(`price      ${prices.reduce((sum, each) => sum + each, 0).toFixed(2)} for all`)
}

function describeCounts({ slots, isNew, state, missing, toRender, rendered, reused, notCounted, held }: PlannedRun) {
  return [
    `${slots} pictures`,
    ...(isNew ? [] : [state]),
    ...(missing ? [describeMissing(missing)] : []),
    ...(rendered > 0 ? [`${rendered} already rendered`] : []),
    ...(reused ? [`${reused} taken over from earlier runs`] : []),
    ...(toRender > 0 ? [`${toRender} to render`] : []),
    ...(held > 0 ? [`${held} held until somebody says so`] : []),
    ...(notCounted === undefined ? [] : [`what earlier runs have of it is not counted (${notCounted})`]),
  ].join(', ')
}

function describeSeries(series: PlannedRun['plan'][number]): string {
  const sliders = Object.entries(series.sliders ?? {}).map(([slider, values]) => `${slider} ${listValues(values)}`)
  const parameters = Object.entries(series.parameters ?? {}).map(([name, values]) => `${name} ${values.join(', ')}`)
  const loras = Object.entries(series.loras).map(([talent, weights]) => `${talent} ${listValues(weights)}`)
  const what = series.skipped === undefined ? `${series.slots} × ${series.size}` : `skipped: ${series.skipped}`
  const { length: pictures = 0 } = series.references ?? []
  const references = pictures > 0 ? [`after ${counted(pictures, 'reference picture')}`] : []
  // Warnings name the talents that are left out.
  const negative = series.leftOut?.find(each => each.what === 'negative')
  const without = negative ? [`without negative words: ${negative.reason}`] : []
  const { subject, template, workflow } = series
  return [subject, template, workflow, what, ...references, ...sliders, ...parameters, ...loras, ...without].join(' · ')
}

function describeBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`
}
