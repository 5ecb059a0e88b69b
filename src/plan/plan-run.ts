import { distinctProblems, type Problem } from '../errors.js'
import { draftReason } from '../mixing/choose-loras.js'
import { mix } from '../mixing/mix.js'
import type { MixTalent } from '../mixing/mix-input.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import type { Reference } from '../schema/reference.js'
import type { Fragment, Mix, PlannedWorkflow, RunPlan, Series } from '../schema/run.js'
import type { Style } from '../schema/style.js'
import type { Template } from '../schema/template.js'
import { fitMix } from './fit-mix.js'
import { checkNames } from './check-names.js'
import { checkSheet, planComposite } from './plan-composite.js'
import { checkReferences } from './plan-references.js'
import { type AskedParameters, chooseParameters, unknownParameters } from './plan-parameters.js'

/** A character or a setting that a drop asks for. */
export type PlanSubject =
  | { kind: 'persona'; id: string; kit: PersonaKit; references?: readonly Reference[] }
  | {
      kind: 'private'
      id: string
      what: 'persona' | 'transcript'
      call: string
      speaker?: string
      /** Of the bounded, redacted text; absent where there is none, which skips the subject. */
      sha256?: string
      /** Public words in front of the private text. */
      before?: string
      skipped?: string
      exports?: string
    }

/** Everything that a plan follows from. */
export interface PlanRequest {
  renderer: string
  orderSeed: number
  /** Exact seeds, one picture each; otherwise `count` pictures with derived seeds. */
  seeds?: readonly number[]
  count?: number
  /** Slider values that replace those of the personas; several values make a sweep. */
  set: Readonly<Record<string, readonly number[]>>
  /** Parameters of the workflows; several values make a sweep. */
  parameters?: AskedParameters['run']
  prompt?: string
  /** All variations of a sweep on one picture. */
  sheet?: boolean
  styleBudget: number
  subjects: readonly PlanSubject[]
  templates: readonly Template[]
  /** Pixels instead of those of a template, by template id: those of the user's own workflow. */
  sizes?: ReadonlyMap<string, { width: number; height: number }>
  /** Workflow by template id. */
  workflows: ReadonlyMap<string, PlannedWorkflow>
  style: Style
  talents: ReadonlyMap<string, MixTalent>
  inputs: RunPlan['inputs']
}

const sweepMax = 10_000

/** Pure: drop and library become series of slots, each with its mix; all problems at once. */
export function planRun(request: PlanRequest): { plan: RunPlan; problems: Problem[] } {
  const problems: Problem[] = []
  const variations = combine(request.set, problems, 'set')
  const series: Series[] = []
  const used = new Map<string, PlannedWorkflow>()
  for (const subject of request.subjects) {
    for (const template of request.templates) {
      if (!suits(subject, template)) continue
      const workflow = request.workflows.get(template.id)
      if (!workflow) continue
      used.set(workflow.name, workflow)
      const planned = planSeries(request, subject, template, workflow, variations)
      problems.push(...planned.problems)
      if (planned.series) series.push(planned.series)
    }
  }
  if (request.sheet && series.length > 0)
    problems.push(...checkSheet(Math.max(...series.map(each => each.variations.length))))
  problems.push(
    ...checkNames(series),
    ...draftsLeftOut(series),
    ...unknownParameters(request.parameters ?? {}, [...used.values()]),
  )
  if (series.length === 0) {
    problems.push({
      severity: 'error',
      code: 'PLAN_EMPTY',
      message: 'Nothing is to be rendered: no chosen template suits the personas of this drop',
      found: request.templates.map(template => template.id).join(', '),
    })
  }
  const plan: RunPlan = {
    renderer: request.renderer,
    orderSeed: request.orderSeed,
    series,
    workflows: Object.fromEntries(used),
    inputs: request.inputs,
  }
  return { plan, problems: distinctProblems(problems) }
}

function draftsLeftOut(series: readonly Series[]): Problem[] {
  const leftOut = series.flatMap(({ mixes }) => mixes.flatMap(each => each.leftOut ?? []))
  const drafts = [
    ...new Set(leftOut.filter(each => each.reason === draftReason).flatMap(each => each.talent ?? [])),
  ].sort()
  if (drafts.length === 0) return []
  const message = 'The weights of these talents are drafts, which no real server is sent: rendered without them'
  return [{ severity: 'warning', code: 'TALENTS_DRAFT', message, found: drafts.join(', ') }]
}

function suits(subject: PlanSubject, template: Template): boolean {
  const isSetting = subject.kind === 'private' && subject.what === 'transcript'
  return (template.subject === 'backdrop') === isSetting
}

function planSeries(
  request: PlanRequest,
  subject: PlanSubject,
  template: Template,
  workflow: PlannedWorkflow,
  variations: Record<string, number>[],
): { series?: Series; problems: Problem[] } {
  const size = request.sizes?.get(template.id) ?? template.sizes[workflow.family]
  if (!size) {
    const allowed = Object.keys(template.sizes).join(', ')
    const message = `Template ${template.id} has no size for the model family ${workflow.family}`
    return { problems: [{ severity: 'error', code: 'TEMPLATE_SIZE_MISSING', message, allowed }] }
  }
  const base = {
    subject: subject.id,
    template: template.id,
    workflow: workflow.name,
    ...size,
    views: template.views.map(view => view.id),
    ...(request.seeds
      ? { seeds: [...request.seeds], count: request.seeds.length }
      : { count: request.count ?? template.count }),
    ...(subject.kind === 'private' && privateFacts(subject)),
    ...(subject.kind === 'persona' && subject.references && { references: [...subject.references] }),
  }
  if (subject.kind === 'private' && subject.sha256 === undefined) {
    const skipped = subject.skipped ?? 'nothing to render'
    return { series: { ...base, variations: [{}], mixes: [], count: 1, skipped }, problems: [] }
  }
  const persona = subject.kind === 'persona' ? (subject.kit.parameters ?? {}) : {}
  const asked = { run: request.parameters ?? {}, persona }
  const { set, problems } = chooseParameters(workflow.binding, asked, workflow.name)
  problems.push(...checkReferences(workflow, base.references ?? []))
  const positions = subject.kind === 'private' ? [{}] : variations
  const settings = combine(set, problems, 'parameters', positions.length)
  const mixes: Mix[] = []
  for (const view of template.views) {
    for (const variation of positions) {
      const mixed = mix({
        subject:
          subject.kind === 'persona'
            ? { kind: 'persona', kit: subject.kit }
            : { kind: 'text', words: wordsOf(subject) },
        style: request.style,
        talents: request.talents,
        template,
        view: view.id,
        variation,
        varying: Object.keys(request.set).filter(key => (request.set[key]?.length ?? 0) > 1),
        family: workflow.family,
        styleBudget: request.styleBudget,
        withoutDrafts: request.renderer !== 'draft',
        ...(request.prompt !== undefined && { prompt: request.prompt }),
      })
      const fitted = fitMix(mixed.mix, workflow)
      const look = subject.kind === 'persona' ? withLook(fitted.mix, subject.kit) : fitted.mix
      mixes.push(...settings.map(() => look))
      problems.push(...mixed.problems, ...fitted.problems)
    }
  }
  const parameters = Object.keys(set).length > 0 && { parameters: positions.flatMap(() => settings) }
  const own = positions.flatMap(position => settings.map(() => position))
  const shown = {
    variations: positions.flatMap(position => settings.map(setting => ({ ...position, ...setting }))),
    set: { ...request.set, ...set },
  }
  const composite = planComposite({ subject: subject.id, template, ...shown, mixes }, request)
  return { series: { ...base, variations: own, ...parameters, mixes, ...(composite && { composite }) }, problems }
}

/** Palette and finish as the persona says them, for the trace and for drafts; their words are in the mix already. */
function withLook(mix: Mix, { palette, finish }: PersonaKit): Mix {
  return { ...mix, ...(palette && { palette: { ...palette } }), ...(finish !== undefined && { finish }) }
}

/** The private text itself is empty here: it is read again when a job is made, and never written. */
function wordsOf(subject: Extract<PlanSubject, { kind: 'private' }>): Fragment[] {
  const own: Fragment = { text: '', source: subject.what, private: true }
  return subject.before === undefined ? [own] : [{ text: subject.before, source: `request for a ${subject.what}` }, own]
}

function privateFacts(subject: Extract<PlanSubject, { kind: 'private' }>): Pick<Series, 'privateSource' | 'exports'> {
  const { what, call, speaker, sha256, exports } = subject
  return {
    ...(sha256 !== undefined && {
      privateSource: { kind: what, call, ...(speaker !== undefined && { speaker }), sha256 },
    }),
    ...(exports !== undefined && { exports }),
  }
}

/** Every combination of the values, the last key changing fastest; `[{}]` when nothing is set. `times` others multiply it. */
function combine<Value>(
  set: Readonly<Record<string, readonly Value[]>>,
  problems: Problem[],
  field: 'set' | 'parameters',
  times = 1,
): Record<string, Value>[] {
  let variations: Record<string, Value>[] = [{}]
  for (const [key, values] of Object.entries(set)) {
    if (times * variations.length * values.length > sweepMax) {
      const message = `The sweep has more than ${sweepMax} combinations`
      problems.push({ severity: 'error', code: 'PLAN_SWEEP_TOO_LARGE', message, path: `${field}.${key}` })
      return [{}]
    }
    variations = variations.flatMap(each => values.map(value => ({ ...each, [key]: value })))
  }
  return variations
}
