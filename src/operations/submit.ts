import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { failure, hasErrors, type Problem } from '../errors.js'
import { hashJson } from '../files/hash.js'
import { isDropName } from '../library/drop.js'
import { rootAround, watchedRoots } from '../intake/watched-roots.js'
import { callFolderOf, readSources, type Sources } from '../library/sources.js'
import { countComposites } from '../plan/composites.js'
import { indexSlots, type SlotIndex } from '../plan/slots.js'
import { exportToCallFolder, findPicturesToKeep } from '../record/call-folder.js'
import type { RunAccepted } from '../record/events.js'
import { findLostComposites } from '../record/lost-composites.js'
import { findLostSlots } from '../record/lost-slots.js'
import { writeManifest } from '../record/manifest.js'
import { runFiles, writeRunFile } from '../record/run-folder.js'
import { type RunState, runStateOf } from '../record/state.js'
import type { ParameterValue } from '../schema/parameter.js'
import type { Reference } from '../schema/reference.js'
import type { LeftOut, RunFile, RunPlan } from '../schema/run.js'
import { isWorkflowPath } from './choose-workflow.js'
import type { Foundry } from './foundry.js'
import { findUnfinished, freshId, nameRun } from './name-run.js'
import type { Caller } from './operation.js'
import { planDrop, type PlannedDrop } from './plan-drop.js'
import { reachablePath } from './reach.js'
import { askedCourse, courseOf } from './run-course.js'
import { type Changed, changePriority } from './run-priority.js'
import { referenceFiles } from './plan-references.js'
import type { Submission } from './submission.js'
import { tellUnlabelled } from './tell-unlabelled.js'

export interface Submitted {
  run: string
  /** False when this very run is known already. */
  isNew: boolean
  state: string
  slots: number
  folder: string
  warnings: Problem[]
  plan: PlanSummary[]
  /** What a run that was known already has from now on, where the same drop asked for another priority. */
  changed?: Changed
  /** Done slots and composites whose files are gone from the disk: trying the run again makes them anew. */
  missing?: { slots: number; composites: number; files: string[] }
}

export interface PlanSummary {
  subject: string
  template: string
  workflow: string
  size: string
  slots: number
  /** The values of a sweep, by slider. */
  sliders?: Record<string, number[]>
  /** What is set of the workflow's parameters, each with all its values. */
  parameters?: Record<string, ParameterValue[]>
  /** Effective weights by talent: one, or each of those that the views and the slider values give. */
  loras: Record<string, number[]>
  skipped?: string
  /** What its pictures are made after, in order. */
  references?: Reference[]
  /** What was asked for and its pictures are rendered without; all that is left out of any of them. */
  leftOut?: LeftOut[]
  /** Pictures of several of its pictures, made when the run ends. */
  composites?: number
}

/**
 * Reads a drop, plans it, and accepts it as a run: durable from the moment this answers. The same drop with the same library
 * and options is the same run. Throws DROP_INVALID with every problem.
 */
export async function submit(foundry: Foundry, input: Submission, caller: Caller): Promise<Submitted> {
  const wanted = await withinReach(foundry, input, caller)
  return submitSources(foundry, await read(foundry, wanted), wanted, caller.by)
}

/** As `submit`, for a drop that was read already. */
export async function submitSources(
  foundry: Foundry,
  sources: Sources,
  input: Submission,
  by: string,
): Promise<Submitted> {
  const prepared = await prepareSources(foundry, sources, input)
  const { run, index, known, answer } = prepared
  if (input.dryRun) return answer
  // Also those that somebody has deleted: pictures are made after them, and again from them.
  await foundry.references.keep(referenceFiles(sources))
  foundry.desk.alsoWorkOn(run)
  if (known) {
    await restoreRunFile(answer.folder, known, prepared.plan)
    if (answer.missing === undefined) await exportAgain(foundry, known, index)
    // Only what somebody asks for now: what the order says may have been changed by hand since.
    const changed = await changePriority(foundry, known, input, by)
    return { ...answer, state: runStateOf(known), ...(changed && { changed }) }
  }
  const accepting = accept(foundry, { ...prepared, by })
  foundry.accepting.set(run, accepting)
  await accepting.finally(() => foundry.accepting.delete(run))
  return { ...answer, state: 'waiting' }
}

/** A drop that was read and planned, and not accepted: nothing was written. */
export interface PreparedDrop extends PlannedDrop {
  run: string
  key: string
  index: SlotIndex
  /** Present where this very run is known already. */
  known: RunState | undefined
  callFolder: string | undefined
  sources: Sources
  input: Submission
  renderer: string
  answer: Submitted
}

/** Reads a drop and plans it. Throws DROP_INVALID with every problem. */
export async function prepareDrop(foundry: Foundry, input: Submission, caller: Caller): Promise<PreparedDrop> {
  const wanted = await withinReach(foundry, input, caller)
  return prepareSources(foundry, await read(foundry, wanted), wanted)
}

function read({ config }: Foundry, { path, callFolder, references }: Submission): Promise<Sources> {
  const { callFolders: callRoots, privacy } = config
  return readSources(path, { callFolder, callRoots, privacy, references })
}

async function prepareSources(foundry: Foundry, sources: Sources, input: Submission): Promise<PreparedDrop> {
  const { path, drop } = sources
  if (!drop || hasErrors(sources.problems))
    throw failure('DROP_INVALID', { drop: basename(path), problems: sources.problems })
  // The plan names the renderer, and only a server knows what it is.
  const [shelf] = await Promise.all([foundry.shelf(), foundry.farm.firstAnswer()])
  const { config, renderer: usual, farm, ledger } = foundry
  const lists = (renderer: string) => farm.lists(renderer)
  const planned = await planDrop({ config, shelf, renderer: usual, lists, sources, input })
  const { renderer } = planned.plan
  const problems = [...sources.problems, ...planned.problems]
  if (hasErrors(problems)) throw failure('DROP_INVALID', { drop: basename(path), problems })
  const callFolder = drop.kind === 'persona-manifest' ? callFolderOf(path, input.callFolder) : undefined
  const root = rootAround(watchedRoots(config), path)?.folder ?? config.paths.home
  const { key, run: name } = nameRun({ drop, path, callFolder, plan: planned.plan, root })
  const run = input.fresh ? (findUnfinished(name, ledger.state.runs) ?? freshId(name, ledger.state.runs)) : name
  const index = indexSlots(planned.plan)
  if (callFolder !== undefined && renderer === 'draft') problems.push(...(await tellKept(callFolder, index)))
  await foundry.accepting.get(run)
  const known = ledger.state.runs.get(run)
  const missing = known && (await findMissing(foundry, known, index))
  problems.push(...tellUnlabelled(foundry, courseOf(known, { input, sources }).labels))
  const answer = {
    run,
    isNew: !known,
    state: known ? runStateOf(known) : 'dry run',
    slots: index.count,
    folder: foundry.runFolder(run),
    warnings: problems,
    plan: planned.plan.series.map(summary),
    ...(missing && { missing }),
  }
  return { ...planned, run, key, index, known, callFolder, sources, input, renderer, answer }
}

/** Of files that are told together, this many are named. */
const namedMax = 20

async function tellKept(callFolder: string, index: SlotIndex): Promise<Problem[]> {
  const kept = await findPicturesToKeep(callFolder, index)
  if (kept.length === 0) return []
  const rest = kept.length > namedMax ? ` and ${kept.length - namedMax} more` : ''
  const message = 'Real pictures lie where drafts belong: they stay, and these drafts are only in the folder of the run'
  const found = `${kept.slice(0, namedMax).join(', ')}${rest}`
  return [{ severity: 'warning', code: 'PICTURE_KEPT', message, found }]
}

async function findMissing({ runFolder }: Foundry, run: RunState, index: SlotIndex): Promise<Submitted['missing']> {
  if (!run.finished) return undefined
  const folder = runFolder(run.accepted.run)
  const slots = await findLostSlots(folder, run)
  const composites = await findLostComposites(folder, index)
  const files = [...slots.map(({ file }) => file), ...composites]
  if (files.length === 0) return undefined
  return { slots: slots.length, composites: composites.length, files: files.slice(0, namedMax) }
}

/** Whoever deleted the whole folder of a run gets it back: its plan is at hand, and the same. */
async function restoreRunFile(folder: string, { accepted }: RunState, plan: RunPlan): Promise<void> {
  if (existsSync(join(folder, runFiles.run)) || hashJson(plan) !== accepted.version) return
  await writeRunFile(folder, toRunFile(accepted, plan))
}

function toRunFile(accepted: Omit<RunAccepted, 'kind' | 'skipped'>, plan: RunPlan): RunFile {
  const { run: id, key, version, dropKind: kind, at, slots } = accepted
  return { $schema: 'run/1', id, key, version, kind, acceptedAt: new Date(at).toISOString(), slots, plan }
}

/** Whoever asks again expects the pictures where older tools look, even when that folder was emptied meanwhile. */
async function exportAgain({ runFolder }: Foundry, { finished, accepted, ...rest }: RunState, index: SlotIndex) {
  if (!finished || accepted.callFolder === undefined) return
  await exportToCallFolder(accepted.callFolder, runFolder(accepted.run), { finished, accepted, ...rest }, index)
}

/** The submission with its paths absolute. Throws PATH_ESCAPES for those that the caller may not name. */
async function withinReach(foundry: Foundry, input: Submission, caller: Caller): Promise<Submission> {
  const reach = (path: string) => reachablePath(foundry, caller, path)
  const path = await reach(input.path)
  if (caller.reach === 'home' && !isDropName(basename(path)))
    throw failure('USAGE_INVALID', { problem: `${basename(path)} has not the name of a drop`, next: 'name a drop' })
  const { callFolder, workflow, backdropWorkflow, references } = input
  const reachFile = async (name: string) => (isWorkflowPath(name) ? reach(name) : name)
  return {
    ...input,
    path,
    ...(callFolder !== undefined && { callFolder: await reach(callFolder) }),
    ...(references && { references: await Promise.all(references.map(reach)) }),
    ...(workflow !== undefined && { workflow: await reachFile(workflow) }),
    ...(backdropWorkflow !== undefined && { backdropWorkflow: await reachFile(backdropWorkflow) }),
  }
}

/** First run.json, then the event that makes it a run, then the first manifest. */
async function accept(foundry: Foundry, { by, ...wanted }: PreparedDrop & { by: string }): Promise<void> {
  const { run, key, plan, input, index, callFolder, renderer, files, sources } = wanted
  const dropKind = sources.drop?.kind
  if (dropKind === undefined) return
  const folder = foundry.runFolder(run)
  const accepted: RunAccepted = {
    kind: 'run-accepted',
    at: Date.now(),
    run,
    nonce: randomUUID(),
    key,
    version: hashJson(plan),
    dropKind,
    drop: sources.path,
    dropSha256: sources.sha256,
    files,
    renderer,
    slots: index.count,
    skipped: skippedOf(plan, index),
    fresh: input.fresh ?? false,
    ...askedCourse(input, sources),
    ...(callFolder !== undefined && { callFolder }),
    by,
  }
  const runFileSha256 = await writeRunFile(folder, toRunFile(accepted, plan))
  await foundry.ledger.append(accepted)
  const state = foundry.ledger.state.runs.get(run)
  if (state) await writeManifest(folder, state, index, { runFileSha256 })
  await foundry.desk.review(run)
  foundry.farm.wake()
  foundry.log.info({ run, slots: index.count }, 'run accepted')
}

function skippedOf({ series }: RunPlan, { starts }: SlotIndex): [number, string][] {
  return series.flatMap(({ skipped }, position) => (skipped === undefined ? [] : [[starts[position] ?? 0, skipped]]))
}

function summary(series: RunPlan['series'][number]): PlanSummary {
  const each = series.seeds?.length ?? series.count
  const leftOut = distinctLeftOut(series.mixes)
  return {
    subject: series.subject,
    template: series.template,
    workflow: series.workflow,
    size: `${series.width}×${series.height}`,
    slots: series.skipped === undefined ? series.views.length * series.variations.length * each : 0,
    ...(series.variations.length > 1 && { sliders: valuesOf(series.variations.map(each => Object.entries(each))) }),
    ...(series.parameters && { parameters: distinctValues(series.parameters) }),
    loras: valuesOf(series.mixes.map(({ loras }) => loras.map(lora => [lora.talent, lora.effective]))),
    ...(series.skipped !== undefined && { skipped: series.skipped }),
    ...(series.references && { references: series.references }),
    ...(leftOut.length > 0 && { leftOut }),
    ...(series.composite && series.skipped === undefined && { composites: countComposites(series) }),
  }
}

function distinctLeftOut(mixes: RunPlan['series'][number]['mixes']): LeftOut[] {
  return [...new Map(mixes.flatMap(mix => mix.leftOut ?? []).map(each => [hashJson(each), each])).values()]
}

/** The different values that each name has, in the order of the sweep. */
function distinctValues(list: readonly Readonly<Record<string, ParameterValue>>[]): Record<string, ParameterValue[]> {
  const names = Object.keys(list[0] ?? {})
  return Object.fromEntries(names.map(name => [name, [...new Set(list.flatMap(each => each[name] ?? []))]]))
}

/** The different values that each name has, the smallest first. */
function valuesOf(lists: readonly (readonly [string, number][])[]): Record<string, number[]> {
  const values = new Map<string, Set<number>>()
  for (const [name, value] of lists.flat()) values.set(name, (values.get(name) ?? new Set()).add(value))
  return Object.fromEntries([...values].map(([name, found]) => [name, [...found].sort((a, b) => a - b)]))
}
