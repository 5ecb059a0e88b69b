import { dirname, join } from 'node:path'
import type { Config } from '../config/config.js'
import { distinctProblems, hasErrors, type Problem } from '../errors.js'
import { hashJson } from '../files/hash.js'
import { findNearMiss } from '../files/near-miss.js'
import { backdropRequest } from '../library/private-text.js'
import type { OrderedKit } from '../library/drop-order.js'
import type { Sources } from '../library/sources.js'
import type { Talent } from '../library/talents.js'
import type { MixTalent } from '../mixing/mix-input.js'
import { namePoles } from '../mixing/name-poles.js'
import { type PlanSubject, planRun } from '../plan/plan-run.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import type { PlannedWorkflow, RunPlan } from '../schema/run.js'
import { familyBySdxVersion } from '../schema/talent.js'
import { sizeOf } from '../workflow/keeps-size.js'
import { referenceName } from '../workflow/references.js'
import { chooseRenderer } from './choose-renderer.js'
import { chooseWorkflow, type ChosenWorkflow } from './choose-workflow.js'
import { guardPlan, guardProblems } from './guard-plan.js'
import { judgePlan } from './judge-plan.js'
import { causesInLibrary } from './library-causes.js'
import { checkAsked, referenceFiles, referencesOf, referencesWanted, toReference } from './plan-references.js'
import type { Shelf } from './shelf.js'
import type { Submission } from './submission.js'

export interface PlanningContext {
  config: Config
  shelf: Shelf
  /** What renders where no workflow says so. */
  renderer: string
  /** Whether a server of a renderer is listed. */
  lists(renderer: string): boolean
  sources: Sources
  input: Submission
}

export interface PlannedDrop {
  plan: RunPlan
  problems: Problem[]
  /** Input files by logical name, where the library does not know them. */
  files: Record<string, string>
}

type ShelfTemplate = NonNullable<ReturnType<Shelf['templates']['get']>>

/** What a drop becomes with this library and these options: a plan that has passed the privacy gate, and every problem. */
export async function planDrop({ config, shelf, sources, input, ...home }: PlanningContext): Promise<PlannedDrop> {
  const { drop } = sources
  const isManifest = drop?.kind === 'persona-manifest'
  const order = drop?.kind === 'render-order' ? drop.order : undefined
  const problems = checkAsked(sources)
  const usual = isManifest ? callTemplates : config.templates
  const templates = findTemplates(shelf, input.templates ?? order?.templates ?? usual, problems)
  const chosen = new Map<string, ChosenWorkflow>()
  for (const { template } of templates) {
    const wish = {
      persona: input.workflow ?? order?.workflow,
      ...(input.workflow === undefined && order && { inside: dirname(sources.path) }),
      backdrop: input.backdropWorkflow,
      family: input.family,
      usualFamily: config.family ?? (isManifest ? 'sdxl' : 'sd15'),
      byFamily: config.workflows,
      renderer: home.renderer,
      references: referencesWanted(sources),
    } as const
    const workflow = await chooseWorkflow(template, wish, { library: shelf.workflows, problems })
    if (workflow) chosen.set(template.id, workflow)
  }
  const planned = [...chosen.values()].map(each => each.planned)
  const { renderer, problems: unfit } = chooseRenderer(planned, { ...home, library: shelf.workflows })
  problems.push(...unfit)
  // A seed or count given by hand replaces the exact seeds of an order; a seed alone leaves it as many pictures.
  const seeds = input.seed === undefined && input.count === undefined ? order?.seeds : undefined
  const count = input.count ?? order?.seeds?.length ?? order?.count
  const prompt = input.prompt ?? order?.prompt
  const ordered = namePoles(toLists(order?.set ?? {}), shelf.style)
  const asked = namePoles(input.set ?? {}, shelf.style)
  problems.push(...ordered.problems, ...asked.problems)
  const { plan, problems: planProblems } = planRun({
    renderer,
    orderSeed: input.seed ?? order?.seed ?? 0,
    ...(seeds && { seeds }),
    ...(count !== undefined && { count }),
    ...(prompt !== undefined && prompt !== '' && { prompt }),
    set: { ...ordered.set, ...asked.set },
    ...(input.sheet && { sheet: true }),
    parameters: { ...toLists(order?.parameters ?? {}), ...input.parameters },
    styleBudget: config.styleBudget,
    subjects: subjectsOf(sources).map(subject => withFinish(subject, input.finish)),
    templates: templates.map(each => each.template),
    ...(isManifest && { sizes: ownSizes(chosen) }),
    workflows: new Map([...chosen].map(([id, { planned }]) => [id, planned])),
    style: shelf.style,
    talents: new Map([...shelf.talents].map(([id, talent]) => [id, toMixTalent(talent)])),
    inputs: [],
  })
  const guarded = guardPlan(plan, config.privacy)
  // A run may be held to more than its home, never to less.
  const use = input.use ?? order?.use
  problems.push(...causesInLibrary([...problems, ...planProblems], shelf.problems))
  return {
    plan: { ...guarded.plan, ...(use && { use }), inputs: inputsOf(plan, sources, shelf, templates) },
    problems: [
      ...distinctProblems(problems),
      // A template or workflow that is not there leaves nothing to render, which needs no word of its own.
      ...guardProblems(planProblems, config.privacy).filter(each => each.code !== 'PLAN_EMPTY' || !hasErrors(problems)),
      ...guarded.problems,
      ...guardProblems(
        judgePlan(plan, { kits: kitsOf(sources), licences: licencesOf(shelf), use: use ?? config.use }),
        config.privacy,
      ),
    ],
    files: {
      ...kitFiles(sources),
      ...Object.fromEntries([...chosen.values()].map(each => [`workflow:${each.planned.name}`, each.path])),
    },
  }
}

function kitsOf({ drop }: Sources): PersonaKit[] {
  if (drop?.kind === 'persona-kit') return [drop.kit]
  return drop?.kind === 'render-order' ? drop.kits.map(({ kit }) => kit) : []
}

function licencesOf({ talents }: Shelf): Map<string, string> {
  return new Map(
    [...talents].flatMap(([id, { file }]): [string, string][] => {
      const licence = file.metadata?.license
      return licence === undefined ? [] : [[id, licence]]
    }),
  )
}

/** What a call folder gets: a picture of each speaker, a backdrop of each call. */
const callTemplates: readonly string[] = ['hero-portrait', 'backdrop']
const avatarFolder = 'comfyui_images/avatar'

function subjectsOf(sources: Sources): PlanSubject[] {
  const { drop, calls } = sources
  if (drop?.kind === 'persona-kit') return [toSubject(sources, drop)]
  if (drop?.kind === 'render-order') return drop.kits.map(each => toSubject(sources, each))
  const personas = (calls?.personas ?? []).map(({ call, speaker, text, skipped }): PlanSubject => ({
    kind: 'private',
    id: `${call}_${speaker}`,
    what: 'persona',
    call,
    speaker,
    ...(text ? { sha256: text.sha256 } : { skipped: skipped ?? 'no persona text' }),
    exports: `${avatarFolder}/${call}/${speaker}/${call}_${speaker}`,
  }))
  const backdrops = (calls?.backdrops ?? []).map(({ call, text, skipped }): PlanSubject => ({
    kind: 'private',
    id: call,
    what: 'transcript',
    call,
    ...(text ? { sha256: text.sha256, before: backdropRequest.text } : { skipped: skipped ?? 'no transcript' }),
    exports: `${avatarFolder}/backdrops/${call}`,
  }))
  return [...personas, ...backdrops]
}

function toSubject(sources: Sources, { kit, references: own }: Pick<OrderedKit, 'kit' | 'references'>): PlanSubject {
  const references = referencesOf(sources, own).map(toReference)
  return { kind: 'persona', id: kit.dot_id, kit, ...(references.length > 0 && { references }) }
}

function withFinish(subject: PlanSubject, finish: string | undefined): PlanSubject {
  return finish === undefined || subject.kind !== 'persona' ? subject : { ...subject, kit: { ...subject.kit, finish } }
}

/** The templates of these names, each once. Names that are none are added to the problems. */
export function findTemplates(shelf: Shelf, asked: readonly string[], problems: Problem[]): ShelfTemplate[] {
  return [...new Set(asked)].flatMap(id => {
    const found = shelf.templates.get(id)
    if (found) return [found]
    const known = [...shelf.templates.keys()]
    const meant = findNearMiss(id, known)
    const hint = meant === undefined ? '' : `: did you mean "${meant}"?`
    const message = `No template is named "${id}"${hint}`
    problems.push({ severity: 'error', code: 'TEMPLATE_UNKNOWN', message, allowed: known.join(', ') })
    return []
  })
}

/** Pictures of call folders have always had the size of the user's own workflow; templates decide for ours. */
function ownSizes(chosen: ReadonlyMap<string, ChosenWorkflow>): Map<string, { width: number; height: number }> {
  return new Map(
    [...chosen].flatMap(([id, { planned, isOwn }]) => {
      const size = isOwn ? sizeOf(toGraph(planned), planned.binding) : undefined
      return size ? [[id, size] as const] : []
    }),
  )
}

/** The schema of a plan keeps graphs open; this one was parsed as an API graph. */
function toGraph({ graph }: PlannedWorkflow): Parameters<typeof sizeOf>[0] {
  return graph as Parameters<typeof sizeOf>[0]
}

/** An order names its kits from where it lies. */
function kitFiles({ drop, path: order }: Sources): Record<string, string> {
  if (drop?.kind !== 'render-order') return {}
  return Object.fromEntries(drop.kits.map(({ kit, path }) => [`persona:${kit.dot_id}`, join(dirname(order), path)]))
}

/** A kit as mixing sees it. */
export function toMixTalent(talent: Talent): MixTalent {
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
    family: familyBySdxVersion[talent.file.sdx_version],
    weightsSha256: weights?.sha256 ?? '',
    sizeBytes: weights?.sizeBytes ?? 0,
    hasTextEncoder: weights?.hasTextEncoder ?? true,
    isDraft: weights?.isDraft ?? false,
    usable: talent.usable,
  }
}

/** Everything that the plan follows from, by logical name. */
function inputsOf(
  plan: RunPlan,
  sources: Sources,
  shelf: Shelf,
  templates: readonly ShelfTemplate[],
): RunPlan['inputs'] {
  const { drop, sha256, calls } = sources
  const talents = new Set(
    plan.series.flatMap(series => series.mixes.flatMap(mix => mix.loras.map(lora => lora.talent))),
  )
  const inputs = [
    { name: 'drop', sha256 },
    ...(drop?.kind === 'render-order'
      ? drop.kits.map(({ kit, sha256: hash }) => ({ name: `persona:${kit.dot_id}`, sha256: hash }))
      : []),
    ...(calls ? textInputs(calls) : []),
    ...[...new Set(referenceFiles(sources).map(each => each.sha256))].map(hash => ({
      name: referenceName(hash),
      sha256: hash,
    })),
    ...templates.map(each => ({ name: `template:${each.template.id}`, sha256: each.sha256 })),
    ...shelf.styleFiles.map(({ name, sha256: hash }) => ({ name: `style:${name}`, sha256: hash })),
    ...Object.values(plan.workflows).map(({ name, graphSha256 }) => ({
      name: `workflow:${name}`,
      sha256: graphSha256,
    })),
    ...[...talents].flatMap(id => {
      const talent = shelf.talents.get(id)
      if (!talent) return []
      return [
        { name: `talent:${id}`, sha256: talentSha256(talent) },
        { name: `weights:${id}`, sha256: talent.weights?.sha256 ?? '' },
      ]
    }),
  ]
  return inputs.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The private texts of a call folder as inputs: by hash, never by word. */
export function textInputs({ personas, backdrops }: NonNullable<Sources['calls']>): RunPlan['inputs'] {
  return [
    ...personas.flatMap(({ call, speaker, text }) =>
      text ? [{ name: `text:${call}_${speaker}`, sha256: text.sha256 }] : [],
    ),
    ...backdrops.flatMap(({ call, text }) => (text ? [{ name: `transcript:${call}`, sha256: text.sha256 }] : [])),
  ]
}

/** Of what `talent.json` and `prompts.json` say, whatever their spelling. */
export function talentSha256({ file, prompts }: Talent): string {
  return hashJson([file, prompts])
}

function toLists<Value>(set: Record<string, Value | Value[]>): Record<string, Value[]> {
  return Object.fromEntries(Object.entries(set).map(([key, value]) => [key, Array.isArray(value) ? value : [value]]))
}
