import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { failure, FoundryError, hasErrors, type Problem } from '../errors.js'
import { confineReal } from '../files/confined-path.js'
import { hashJson } from '../files/hash.js'
import { type Drop, isDropName } from '../library/drop.js'
import { callFolderOf, readSources, type Sources } from '../library/sources.js'
import type { Talent } from '../library/talents.js'
import { type LibraryWorkflow, readWorkflow } from '../library/workflows.js'
import type { MixTalent } from '../mixing/mix-input.js'
import { type PlanSubject, planRun } from '../plan/plan-run.js'
import { indexSlots, type SlotIndex } from '../plan/slots.js'
import { exportToCallFolder } from '../record/call-folder.js'
import { writeManifest } from '../record/manifest.js'
import { writeRunFile } from '../record/run-folder.js'
import { runStateOf } from '../record/state.js'
import type { FromSchema } from '../schema/from-schema.js'
import type { PlannedWorkflow, RunFile, RunPlan } from '../schema/run.js'
import type { Family, Template } from '../schema/template.js'
import { families } from '../schema/template.js'
import { analyseGraph } from '../workflow/analyse.js'
import { checkBinding } from '../workflow/check-binding.js'
import { parseGraph } from '../workflow/parse-graph.js'
import { sizeOf } from '../workflow/keeps-size.js'
import type { Foundry } from './foundry.js'
import { guardPlan } from './guard-plan.js'
import type { Caller } from './operation.js'
import { reachablePath } from './reach.js'
import type { Shelf } from './shelf.js'

const position = { type: 'number', minimum: 0, maximum: 1 } as const

export const submitSchema = {
  $id: 'submit/1',
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: {
      type: 'string',
      minLength: 1,
      maxLength: 4096,
      description: 'A persona kit, persona manifest or render order',
    },
    templates: { type: 'array', maxItems: 64, items: { type: 'string' } },
    family: { enum: families },
    workflow: { type: 'string', description: 'Workflow of every picture' },
    backdropWorkflow: { type: 'string' },
    seed: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    count: { type: 'integer', minimum: 1, maximum: 1_000_000 },
    set: { type: 'object', additionalProperties: { type: 'array', minItems: 1, maxItems: 1000, items: position } },
    prompt: { type: 'string', maxLength: 2000 },
    fresh: { type: 'boolean', description: 'Render anew even what was rendered before' },
    inFlightMax: { type: 'integer', minimum: 1, maximum: 10_000 },
    callFolder: {
      type: 'string',
      maxLength: 4096,
      description: 'Where a persona manifest finds its files, if not around it',
    },
    dryRun: { type: 'boolean' },
  },
} as const
export type Submission = FromSchema<typeof submitSchema>

export interface Submitted {
  run: string
  /** False when this very run is known already. */
  isNew: boolean
  state: string
  slots: number
  folder: string
  warnings: Problem[]
  plan: PlanSummary[]
}

export interface PlanSummary {
  subject: string
  template: string
  workflow: string
  size: string
  slots: number
  loras: Record<string, number>
  skipped?: string
}

/**
 * Reads a drop, plans it, and accepts it as a run: durable from the moment this answers. The same drop with the same library
 * and options is the same run. Throws DROP_INVALID with every problem.
 */
export async function submit(foundry: Foundry, input: Submission, caller: Caller): Promise<Submitted> {
  const wanted = await withinReach(foundry, input, caller)
  const { callFolders: callRoots, privacy } = foundry.config
  const sources = await readSources(wanted.path, { callFolder: wanted.callFolder, callRoots, privacy })
  return submitSources(foundry, sources, wanted, { by: caller.by })
}

/**
 * As `submit`, for a drop that was read already. With a `root`, the folder in which it was found, the path under it is the
 * key of the run.
 */
export async function submitSources(
  foundry: Foundry,
  sources: Sources,
  input: Submission,
  { by, root }: { by: string; root?: string },
): Promise<Submitted> {
  const { path, drop } = sources
  if (!drop || hasErrors(sources.problems))
    throw failure('DROP_INVALID', { drop: basename(path), problems: sources.problems })
  // The plan names the renderer, and only a server knows what it is.
  const [shelf] = await Promise.all([foundry.shelf(), foundry.farm.firstAnswer()])
  const planned = await planDrop(foundry, shelf, { ...sources, drop }, input)
  const problems = [...sources.problems, ...planned.problems]
  if (hasErrors(problems)) throw failure('DROP_INVALID', { drop: basename(path), problems })
  const key = keyOf(path, foundry.config.paths.home, root)
  const known = foundry.ledger.state.runs
  const base = `${slugOf(drop, path)}-${hashJson([key, hashJson(planned.plan)]).slice(0, 10)}`
  const run = input.fresh ? freshId(base, known) : base
  const index = indexSlots(planned.plan)
  await foundry.accepting.get(run)
  const existing = known.get(run)
  const answer = {
    run,
    slots: index.count,
    folder: foundry.runFolder(run),
    warnings: problems,
    plan: planned.plan.series.map(summary),
  }
  if (existing) return { ...answer, isNew: false, state: runStateOf(existing) }
  if (input.dryRun) return { ...answer, isNew: true, state: 'dry run' }
  const dropSha256 = sources.sha256
  const accepting = accept(foundry, { run, key, drop, path, dropSha256, input, by, ...planned }, index)
  foundry.accepting.set(run, accepting)
  await accepting.finally(() => foundry.accepting.delete(run))
  return { ...answer, isNew: true, state: 'waiting' }
}

/** The submission with its paths absolute. Throws PATH_ESCAPES for those that the caller may not name. */
async function withinReach(foundry: Foundry, input: Submission, caller: Caller): Promise<Submission> {
  const reach = (path: string) => reachablePath(foundry, caller, path)
  const path = await reach(input.path)
  if (caller.reach === 'home' && !isDropName(basename(path)))
    throw failure('USAGE_INVALID', { problem: `${basename(path)} has not the name of a drop`, next: 'name a drop' })
  const { callFolder, workflow, backdropWorkflow } = input
  const reachFile = async (name: string) => (name.endsWith('.json') ? reach(name) : name)
  return {
    ...input,
    path,
    ...(callFolder !== undefined && { callFolder: await reach(callFolder) }),
    ...(workflow !== undefined && { workflow: await reachFile(workflow) }),
    ...(backdropWorkflow !== undefined && { backdropWorkflow: await reachFile(backdropWorkflow) }),
  }
}

interface Acceptance {
  run: string
  key: string
  drop: Drop
  path: string
  dropSha256: string
  input: Submission
  by: string
  plan: RunPlan
  files: Record<string, string>
  callFolder?: string
}

/** First run.json, then the event that makes it a run, then the first manifest. */
async function accept(foundry: Foundry, wanted: Acceptance, index: SlotIndex): Promise<void> {
  const { run, key, drop, plan, input } = wanted
  const at = Date.now()
  const version = hashJson(plan)
  const acceptedAt = new Date(at).toISOString()
  const folder = foundry.runFolder(run)
  const file: RunFile = {
    $schema: 'run/1',
    id: run,
    key,
    version,
    kind: drop.kind,
    acceptedAt,
    slots: index.count,
    plan,
  }
  const runFileSha256 = await writeRunFile(folder, file)
  await foundry.ledger.append({
    kind: 'run-accepted',
    at,
    run,
    key,
    version,
    dropKind: drop.kind,
    drop: wanted.path,
    dropSha256: wanted.dropSha256,
    files: wanted.files,
    renderer: foundry.renderer,
    slots: index.count,
    skipped: plan.series.flatMap((series, position) =>
      series.skipped === undefined ? [] : [[index.starts[position] ?? 0, series.skipped] as [number, string]],
    ),
    fresh: input.fresh ?? false,
    ...(input.inFlightMax !== undefined && { inFlightMax: input.inFlightMax }),
    ...(wanted.callFolder !== undefined && { callFolder: wanted.callFolder }),
    by: wanted.by,
  })
  const state = foundry.ledger.state.runs.get(run)
  if (state) await writeManifest(folder, state, index, runFileSha256)
  await foundry.desk.review(run)
  foundry.farm.wake()
  foundry.log.info({ run, slots: index.count }, 'run accepted')
}

async function planDrop(
  foundry: Foundry,
  shelf: Shelf,
  { path, drop, calls, sha256: dropSha256 }: Sources & { drop: Drop },
  input: Submission,
): Promise<{ plan: RunPlan; problems: Problem[]; files: Record<string, string>; callFolder?: string }> {
  const { config } = foundry
  const problems: Problem[] = []
  const subjects = subjectsOf(drop, calls)
  const family = input.family ?? config.family ?? (drop.kind === 'persona-manifest' ? 'sdxl' : 'sd15')
  const order = drop.kind === 'render-order' ? drop.order : undefined
  const asked =
    input.templates ??
    order?.templates ??
    (drop.kind === 'persona-manifest' ? ['hero-portrait', 'backdrop'] : config.templates)
  const templates = findTemplates(shelf, asked, problems)
  const workflows = new Map<string, PlannedWorkflow>()
  const workflowFiles: Record<string, string> = {}
  for (const { template } of templates) {
    const name = workflowName(template, family, config.workflows, input, order?.workflow)
    const isOrdered = name === order?.workflow && name !== input.workflow
    const workflow = await findWorkflow(shelf, name, { problems, ...(isOrdered && { inside: dirname(path) }) })
    const found = workflow && plannedWorkflow(workflow, input.family ?? config.family, problems)
    if (!found) continue
    workflows.set(template.id, found)
    workflowFiles[`workflow:${found.name}`] = workflow.path
  }
  const count = input.count ?? order?.count
  const prompt = input.prompt ?? order?.prompt
  const { plan, problems: planProblems } = planRun({
    renderer: foundry.renderer,
    orderSeed: input.seed ?? order?.seed ?? 0,
    ...(order?.seeds && { seeds: order.seeds }),
    ...(count !== undefined && { count }),
    ...(prompt !== undefined && prompt !== '' && { prompt }),
    set: { ...toLists(order?.set ?? {}), ...input.set },
    styleBudget: config.styleBudget,
    subjects,
    templates: templates.map(each => each.template),
    workflows,
    style: shelf.style,
    talents: new Map([...shelf.talents].map(([id, talent]) => [id, toMixTalent(talent)])),
    inputs: [],
  })
  const guarded = guardPlan(plan, config.privacy)
  guarded.plan.inputs = inputsOf(plan, shelf, drop, dropSha256, templates)
  const callFolder = drop.kind === 'persona-manifest' ? callFolderOf(path, input.callFolder) : undefined
  const files = { ...kitFiles(drop), ...workflowFiles }
  problems.push(...planProblems, ...guarded.problems)
  return { plan: guarded.plan, problems, files, ...(callFolder !== undefined && { callFolder }) }
}

function subjectsOf(drop: Drop, calls: Sources['calls']): PlanSubject[] {
  if (drop.kind === 'persona-kit') return [{ kind: 'persona', id: drop.kit.dot_id, kit: drop.kit }]
  if (drop.kind === 'render-order') return drop.kits.map(({ kit }) => ({ kind: 'persona', id: kit.dot_id, kit }))
  if (!calls) return []
  const avatars = 'comfyui_images/avatar'
  return [
    ...calls.personas.map(({ call, speaker, text }): PlanSubject => ({
      kind: 'private',
      id: `${call}_${speaker}`,
      what: 'persona',
      call,
      speaker,
      sha256: text.sha256,
      exports: `${avatars}/${call}/${speaker}/${call}_${speaker}`,
    })),
    ...calls.backdrops.map(({ call, text, skipped }): PlanSubject => ({
      kind: 'private',
      id: call,
      what: 'transcript',
      call,
      ...(text ? { sha256: text.sha256, before: backdropRequest.text } : { skipped: skipped ?? 'no transcript' }),
      exports: `${avatars}/backdrops/${call}`,
    })),
  ]
}

function toProblem(thrown: unknown): Problem {
  if (!(thrown instanceof FoundryError)) throw thrown
  return { severity: 'error', code: thrown.code, message: 'leads outside of the folder of the order', path: 'workflow' }
}

function findTemplates(shelf: Shelf, asked: readonly string[], problems: Problem[]) {
  return asked.flatMap(id => {
    const found = shelf.templates.get(id)
    if (found) return [found]
    problems.push({
      severity: 'error',
      code: 'TEMPLATE_UNKNOWN',
      message: `No template is named "${id}"`,
      allowed: [...shelf.templates.keys()].join(', '),
    })
    return []
  })
}

function workflowName(
  template: Template,
  family: Family,
  byFamily: Readonly<Record<string, string>>,
  input: Submission,
  ordered: string | undefined,
): string {
  if (template.subject === 'backdrop' && input.backdropWorkflow !== undefined) return input.backdropWorkflow
  const asked = input.workflow ?? ordered
  if (asked !== undefined && template.subject === 'persona') return asked
  return template.workflows?.[family] ?? byFamily[family] ?? family
}

/** A workflow of the library by name, or a file by its path: that of an order lies beside the order. */
async function findWorkflow(
  shelf: Shelf,
  name: string,
  { problems, inside }: { problems: Problem[]; inside?: string },
): Promise<LibraryWorkflow | undefined> {
  const known = shelf.workflows.get(name)
  if (known) return known
  if (name.endsWith('.json')) {
    const path = inside === undefined ? resolve(name) : await confineReal(inside, name).catch(toProblem)
    const read = typeof path === 'string' ? await readWorkflow(path, parseGraph) : { problems: [path] }
    problems.push(...read.problems)
    return 'workflow' in read ? read.workflow : undefined
  }
  const allowed = [...shelf.workflows.keys()].join(', ')
  problems.push({ severity: 'error', code: 'WORKFLOW_UNKNOWN', message: `No workflow is named "${name}"`, allowed })
  return undefined
}

/** A workflow with its binding: its own, or the one that analysis finds. */
function plannedWorkflow(
  workflow: LibraryWorkflow,
  family: Family | undefined,
  problems: Problem[],
): PlannedWorkflow | undefined {
  const { name, file, graph, graphSha256, binding: own, bindingSha256 } = workflow
  const binding = own ?? bindByAnalysis(workflow, family, problems)
  if (!binding) return undefined
  if (own) problems.push(...checkBinding(graph, own).map(each => ({ ...each, file: each.file ?? file })))
  return {
    name,
    family: binding.family,
    graph,
    graphSha256,
    binding,
    bindingSha256: bindingSha256 ?? hashJson(binding),
  }
}

function kitFiles(drop: Drop): Record<string, string> {
  if (drop.kind !== 'render-order') return {}
  return Object.fromEntries(drop.kits.map(({ kit, path }) => [`persona:${kit.dot_id}`, path]))
}

function bindByAnalysis(workflow: LibraryWorkflow, family: Family | undefined, problems: Problem[]) {
  const { binding, problems: found } = analyseGraph(workflow.graph, family === undefined ? {} : { hints: { family } })
  problems.push(...found.map(each => ({ ...each, file: each.file ?? workflow.file })))
  return binding
}

function toMixTalent(talent: Talent): MixTalent {
  const { weights, prompts } = talent
  return {
    id: talent.id,
    role: talent.role,
    ...(talent.token !== undefined && { token: talent.token }),
    defaultWeight: talent.file.default_weight,
    negatives: talent.negatives,
    positivePrompts: prompts.positive_prompts ?? [],
    stylePrompts: prompts.style_prompts ?? [],
    negativePrompts: prompts.negative_prompts ?? [],
    family: talent.file.sdx_version === 'xl' ? 'sdxl' : 'sd15',
    weightsSha256: weights?.sha256 ?? '',
    sizeBytes: weights?.sizeBytes ?? 0,
    hasTextEncoder: weights?.hasTextEncoder ?? true,
    isDraft: weights?.isDraft ?? false,
    usable: talent.usable,
  }
}

/** Every file that the plan follows from, by logical name. */
function inputsOf(
  plan: RunPlan,
  shelf: Shelf,
  drop: Drop,
  dropSha256: string,
  templates: ReturnType<typeof findTemplates>,
): RunPlan['inputs'] {
  const talents = new Set(
    plan.series.flatMap(series => series.mixes.flatMap(mix => mix.loras.map(lora => lora.talent))),
  )
  const inputs = [
    { name: 'drop', sha256: dropSha256 },
    ...(drop.kind === 'render-order'
      ? drop.kits.map(({ kit, sha256 }) => ({ name: `persona:${kit.dot_id}`, sha256 }))
      : []),
    ...templates.map(({ template, sha256 }) => ({ name: `template:${template.id}`, sha256 })),
    ...shelf.styleFiles.map(({ name, sha256 }) => ({ name: `style:${name}`, sha256 })),
    ...Object.values(plan.workflows).map(({ name, graphSha256 }) => ({
      name: `workflow:${name}`,
      sha256: graphSha256,
    })),
    ...[...talents].map(id => ({ name: `weights:${id}`, sha256: shelf.talents.get(id)?.weights?.sha256 ?? '' })),
  ]
  return inputs.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function summary(series: RunPlan['series'][number]): PlanSummary {
  const each = series.seeds?.length ?? series.count
  return {
    subject: series.subject,
    template: series.template,
    workflow: series.workflow,
    size: `${series.width}×${series.height}`,
    slots: series.skipped === undefined ? series.views.length * series.variations.length * each : 0,
    loras: Object.fromEntries((series.mixes[0]?.loras ?? []).map(lora => [lora.talent, lora.effective])),
    ...(series.skipped !== undefined && { skipped: series.skipped }),
  }
}

function toLists(set: Record<string, number | number[]>): Record<string, number[]> {
  return Object.fromEntries(Object.entries(set).map(([key, value]) => [key, Array.isArray(value) ? value : [value]]))
}

/** The path under its root, with `/`; a drop from elsewhere is known by its last two folders and its name. */
function keyOf(path: string, home: string, root: string | undefined): string {
  const under = relative(root ?? home, path)
  const isInside = !under.startsWith('..') && !isAbsolute(under)
  return isInside ? under.split(sep).join('/') : path.split(/[\\/]/).slice(-3).join('/')
}

function slugOf(drop: Drop, path: string): string {
  const name =
    drop.kind === 'persona-kit'
      ? drop.kit.dot_id
      : drop.kind === 'render-order'
        ? (drop.order.name ?? basename(path).replace(/\.[^.]+$/, ''))
        : basename(callFolderOf(path))
  return (
    name
      .normalize('NFKD')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40) || 'run'
  )
}

function freshId(base: string, known: ReadonlyMap<string, unknown>): string {
  if (!known.has(base)) return base
  let number = 2
  while (known.has(`${base}-${number}`)) number++
  return `${base}-${number}`
}
