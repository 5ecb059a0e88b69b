import type { Config } from '../config/config.js'
import { distinctProblems, failure, hasErrors, type Problem } from '../errors.js'
import { joinWords, type DroppedWords } from '../mixing/clean-words.js'
import { mix, type MixAccount } from '../mixing/mix.js'
import { namePoles } from '../mixing/name-poles.js'
import { placeSliders } from '../mixing/place-sliders.js'
import { redact } from '../library/privacy.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import type { Fragment, LeftOut } from '../schema/run.js'
import type { Family } from '../schema/template.js'
import { guardMixOf, guardProblems } from './guard-plan.js'
import { causesInLibrary } from './library-causes.js'
import { findTemplates, toMixTalent } from './plan-drop.js'
import type { Shelf } from './shelf.js'

/** What of a persona is to be mixed. */
export interface MixWish {
  kit: PersonaKit
  /** How problems call it. */
  name: string
  /** One position 0–1 each, by slider or pole. */
  set?: Readonly<Record<string, number>>
  finish?: string
  family?: Family
  /** The first usual one where absent. */
  template?: string
  /** The first of the template where absent. */
  view?: string
  prompt?: string
}

/** Everything that mixing decided, with the source of each word and weight. */
export interface ExplainedMix {
  persona: string
  template: string
  view: string
  family: Family
  sliders: PlacedPoles[]
  weights: MixAccount['weighing']
  budget: MixAccount['budget']
  leftOut: LeftOut[]
  positive: ExplainedWords
  negative: ExplainedWords
  warnings: Problem[]
}

export interface ExplainedWords {
  /** As it is sent. */
  prompt: string
  fragments: Fragment[]
  dropped: DroppedWords[]
}

/** Weights are those of the curve, 0–1. */
export interface PlacedPoles {
  slider: string
  position: number
  /** `neutral`: the style says so where nobody else does. */
  from: 'asked' | 'persona' | 'neutral'
  curve: string
  left: { label: string; weight: number }
  right: { label: string; weight: number }
}

/**
 * What a picture of a persona would be mixed from, by the same code that plans it; nothing is rendered and no server is asked, so
 * that draft weights are part of it. Throws DROP_INVALID with every problem.
 */
export function explainMix(config: Config, shelf: Shelf, wish: MixWish): ExplainedMix {
  const { kit: own, finish, prompt, family = config.family ?? 'sd15' } = wish
  const kit = finish === undefined ? own : { ...own, finish }
  const problems: Problem[] = []
  const [found] = findTemplates(shelf, [wish.template ?? config.templates[0] ?? ''], problems)
  const named = namePoles(toLists(wish.set), shelf.style)
  problems.push(...named.problems)
  const refuse = () =>
    failure('DROP_INVALID', { drop: wish.name, problems: [...problems, ...causesInLibrary(problems, shelf.problems)] })
  if (!found) throw refuse()
  const variation = Object.fromEntries(Object.entries(named.set).map(([key, [position = 0]]) => [key, position]))
  const view = wish.view ?? found.template.views[0]?.id ?? ''
  const input = {
    subject: { kind: 'persona', kit } as const,
    style: shelf.style,
    talents: new Map([...shelf.talents].map(([id, talent]) => [id, toMixTalent(talent)])),
    template: found.template,
    view,
    variation,
    varying: [],
    family,
    styleBudget: config.styleBudget,
    ...(prompt !== undefined && { prompt }),
  }
  const { mix: mixed, account, problems: mixProblems } = mix(input)
  const guarded = guardMixOf(kit.dot_id, mixed, config.privacy)
  problems.push(...guardProblems(mixProblems, config.privacy), ...guarded.problems)
  if (hasErrors(problems)) throw refuse()
  const words = (path: 'positive' | 'negative'): ExplainedWords => ({
    prompt: joinWords(guarded.mix[path]),
    fragments: guarded.mix[path],
    dropped: config.privacy === 'off' ? account.dropped[path] : account.dropped[path].map(withoutPersonalData),
  })
  return {
    persona: kit.dot_id,
    template: found.template.id,
    view,
    family,
    sliders: placeSliders(input).placed.map(({ key, position, slider, left, right }) => ({
      slider: key,
      position,
      from: Object.hasOwn(variation, key) ? 'asked' : Object.hasOwn(kit.sliders ?? {}, key) ? 'persona' : 'neutral',
      curve: slider.curve,
      left: { label: slider.left.label, weight: left },
      right: { label: slider.right.label, weight: right },
    })),
    weights: account.weighing,
    budget: account.budget,
    leftOut: mixed.leftOut ?? [],
    positive: words('positive'),
    negative: words('negative'),
    warnings: distinctProblems(problems),
  }
}

function toLists(set: Readonly<Record<string, number>> = {}): Record<string, number[]> {
  return Object.fromEntries(Object.entries(set).map(([key, position]) => [key, [position]]))
}

function withoutPersonalData({ text, source, reason }: DroppedWords): DroppedWords {
  return { text: redact(text).text, source: redact(source).text, reason: redact(reason).text }
}
