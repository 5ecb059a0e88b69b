import type { Problem } from '../errors.js'
import { type Finding, redact, redactProblem } from '../library/privacy.js'
import type { Config } from '../config/config.js'
import { showValue } from '../plan/slots.js'
import type { PlannedComposite } from '../schema/composite.js'
import type { ParameterValue } from '../schema/parameter.js'
import type { Fragment, Mix, PlannedWorkflow, RunPlan } from '../schema/run.js'
import { textParameters } from '../workflow/parameter-values.js'

/**
 * The privacy gate of everything that a plan says in words, whoever wrote it: persona kits, orders, options, talents, styles.
 * `redact` replaces personal data and tells where; `reject` makes each place an error; `off` lets everything through.
 * Texts of call folders pass it where they are read. No problem repeats a word of what was found.
 */
export function guardPlan(plan: RunPlan, mode: Config['privacy']): { plan: RunPlan; problems: Problem[] } {
  if (mode === 'off') return { plan, problems: [] }
  const gate = createGate(mode)
  const series = plan.series.map(each => {
    const parameters = each.parameters?.map(values => guardParameters(values, plan.workflows[each.workflow], gate))
    const mixes = each.mixes.map(mix => guardMix(mix, each.subject, gate))
    const composite = each.composite && guardComposite(each.composite, each.parameters ?? [], parameters ?? [])
    return { ...each, mixes, ...(parameters && { parameters }), ...(composite && { composite }) }
  })
  return { plan: { ...plan, series }, problems: gate.problems() }
}

/** The same of one mix alone. */
export function guardMixOf(subject: string, mix: Mix, mode: Config['privacy']): { mix: Mix; problems: Problem[] } {
  if (mode === 'off') return { mix, problems: [] }
  const gate = createGate(mode)
  return { mix: guardMix(mix, subject, gate), problems: gate.problems() }
}

/** What planning has to say, without what it found of personal data. */
export function guardProblems(problems: readonly Problem[], mode: Config['privacy']): Problem[] {
  return mode === 'off' ? [...problems] : problems.map(redactProblem)
}

interface Gate {
  pass(text: string, place: string): string
  problems(): Problem[]
}

function guardMix(mix: Mix, subject: string, gate: Gate): Mix {
  const guard = (fragment: Fragment): Fragment => {
    // Some sources name the word that they come from.
    const source = redact(fragment.source).text
    const text = gate.pass(fragment.text, placeOf(source, subject))
    return text === fragment.text && source === fragment.source ? fragment : { ...fragment, source, text }
  }
  return {
    ...mix,
    positive: mix.positive.map(guard),
    negative: mix.negative.map(guard),
    ...(mix.finish !== undefined && { finish: gate.pass(mix.finish, placeOf('persona.finish', subject)) }),
  }
}

type Values = Readonly<Record<string, ParameterValue>>

/** Texts may be words of a prompt; a choice is one of those that the workflow names. */
function guardParameters(values: Values, workflow: PlannedWorkflow | undefined, gate: Gate) {
  if (!workflow) return { ...values }
  const texts = textParameters(workflow.binding, values, (text, name) => gate.pass(text, `parameters.${name}`))
  return { ...values, ...texts }
}

/** Labels of a sweep show its values. What they show of a long one may be half of an address, which nobody would recognise. */
function guardComposite(
  composite: PlannedComposite,
  before: readonly Values[],
  after: readonly Values[],
): PlannedComposite {
  const guard = (text: string, at: number) =>
    Object.entries(before[at] ?? {}).reduce((rest, [name, value]) => {
      const clean = after[at]?.[name] ?? value
      return clean === value ? rest : rest.replaceAll(showValue(value), () => showValue(clean))
    }, text)
  const { labels, heading } = composite
  return {
    ...composite,
    ...(heading && { heading: { ...heading, detail: guard(heading.detail, 0) } }),
    labels: labels.map(({ caption, detail }, at) => ({ caption: guard(caption, at), detail })),
  }
}

/** Words of a persona are told by whose they are; those of options, styles and templates are the same for all. */
function placeOf(source: string, subject: string): string {
  return source.startsWith('persona.') ? `${source} of ${subject}` : source
}

/** The same words recur in many mixes, so each is looked at once. */
function createGate(mode: 'redact' | 'reject'): Gate {
  const seen = new Map<string, { text: string; found: Finding[] }>()
  const kindsByPlace = new Map<string, Set<string>>()
  return {
    pass(text, place) {
      const known = seen.get(text) ?? redact(text)
      seen.set(text, known)
      if (known.found.length > 0) {
        const kinds = kindsByPlace.get(place) ?? new Set()
        for (const { kind } of known.found) kinds.add(kind)
        kindsByPlace.set(place, kinds)
      }
      return known.text
    },
    problems: () => [...kindsByPlace].map(([place, kinds]) => toProblem(mode, place, [...kinds].join(', '))),
  }
}

function toProblem(mode: 'redact' | 'reject', path: string, found: string): Problem {
  return mode === 'reject'
    ? {
        severity: 'error',
        code: 'PERSONAL_DATA',
        message: 'Personal data stands in words that would be sent, and the privacy gate is set to reject',
        path,
        found,
        allowed: 'words without it, or "privacy: redact" in foundry.yaml',
      }
    : {
        severity: 'warning',
        code: 'PERSONAL_DATA_REDACTED',
        message: 'Personal data is replaced by its kind before anything is sent',
        path,
        found,
      }
}
