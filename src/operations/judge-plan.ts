import type { Problem } from '../errors.js'
import type { DispatchFacts, DispatchVerdict } from '../plugins/contract.js'
import { forbiddenWordsGate } from '../plugins/gates/forbidden-words.js'
import { licenceGate } from '../plugins/gates/licence.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import type { Mix, RunPlan, Series } from '../schema/run.js'
import { settledParameters, textParameters } from '../workflow/parameter-values.js'

export interface JudgingContext {
  kits: readonly PersonaKit[]
  /** As `talent.json` names them. */
  licences: ReadonlyMap<string, string>
  /** What the pictures are for, where anybody says. */
  use: 'personal' | 'commercial' | undefined
}

type Judge = (facts: DispatchFacts) => DispatchVerdict

/** What the gates of the foundry itself have to say against a plan: everything, before anything is accepted. */
export function judgePlan(plan: RunPlan, { kits, licences, use }: JudgingContext): Problem[] {
  const licence = use && licenceGate(licences, use)
  const problems = plan.series.flatMap(series => {
    const kit = kits.find(each => each.dot_id === series.subject)
    const gates: [code: string, judge: Judge][] = [
      ...(kit ? [['WORDS_FORBIDDEN', forbiddenWordsGate(forbiddenBy(kit))] as [string, Judge]] : []),
      ...(licence ? [['LICENCE_FORBIDS', licence] as [string, Judge]] : []),
    ]
    return series.mixes.flatMap((mix, at) =>
      gates.flatMap(([code, judge]) => toProblems(code, judge(factsOf(plan, series, at, mix)))),
    )
  })
  return [...new Map(problems.map(each => [each.message, each])).values()]
}

function forbiddenBy({ dot_id: id, phrasebook, boundaries }: PersonaKit) {
  const from = (words: readonly string[] | undefined, source: string) =>
    (words ?? []).map(each => ({ words: each, source: `${source} of ${id}` }))
  return [...from(phrasebook?.avoid, 'phrasebook.avoid'), ...from(boundaries?.words, 'boundaries.words')]
}

/** No slot yet: one mix stands for all of its pictures. */
function factsOf(plan: RunPlan, series: Series, at: number, { positive, negative, loras }: Mix): DispatchFacts {
  const binding = plan.workflows[series.workflow]?.binding
  const set = series.parameters?.[at % series.variations.length]
  const { subject, template, workflow, width, height } = series
  return {
    run: '',
    slot: `${subject}/${template}`,
    subject,
    template,
    view: series.views[0] ?? '',
    seed: 0,
    renderer: plan.renderer,
    family: plan.workflows[workflow]?.family ?? '',
    workflow,
    width,
    height,
    positive,
    negative,
    parameters: binding ? textParameters(binding, settledParameters(binding, set)) : {},
    talents: loras.map(({ talent, effective }) => ({ id: talent, weight: effective })),
  }
}

function toProblems(code: string, verdict: DispatchVerdict): Problem[] {
  if (verdict.verdict === 'pass') return []
  const message = verdict.reason.charAt(0).toUpperCase() + verdict.reason.slice(1)
  const allowed =
    code === 'WORDS_FORBIDDEN'
      ? 'other words there, or fewer that are forbidden'
      : 'another talent, or a use that is not commercial'
  return [{ severity: 'error', code, message, allowed }]
}
