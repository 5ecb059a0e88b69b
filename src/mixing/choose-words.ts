import type { Problem } from '../errors.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import type { Style } from '../schema/style.js'
import type { Template } from '../schema/template.js'
import { cleanDescription, cleanWords, type DroppedWords } from './clean-words.js'
import type { MixInput, MixTalent } from './mix-input.js'
import { nearestColour } from './named-colours.js'
import { findNearMiss } from '../files/near-miss.js'
import type { PlacedSlider } from './place-sliders.js'
import type { RankedFragment, WordRank } from './rank-words.js'

/** From this weight on, the words of a slider's stronger pole are said. */
export const poleWordsWeightMin = 0.15
/** Tones up to here are low, from there on high; between them nothing is said. */
export const toneLowMax = 0.33
export const toneHighMin = 0.67

const paletteParts = ['primary', 'secondary', 'accent'] as const
const defaultPalette = {
  primary: '{colour} as the primary colour',
  secondary: '{colour} as the secondary colour',
  accent: '{colour} accents',
}

/**
 * The words of a picture with the source of each: the user's, the identity, the framing, the description, then what the
 * style makes of sliders, palette, finish and tone. What a persona says or avoids saying is speech and draws nothing.
 */
export function chooseWords(
  input: Pick<MixInput, 'subject' | 'style' | 'template' | 'view' | 'prompt'>,
  placed: readonly PlacedSlider[],
  talents: readonly MixTalent[],
): { words: RankedFragment[]; unsaid: DroppedWords[]; problems: Problem[] } {
  const { subject, style, template } = input
  const view = template.views.find(({ id }) => id === input.view)
  const kit = subject.kind === 'persona' ? subject.kit : undefined
  const finish = finishWords(kit, style)
  const words = [
    ...say('prompt', 'prompt', [input.prompt ?? '']),
    ...talents.filter(({ role }) => role === 'identity').flatMap(identityWords),
    ...say('framing', `template ${template.id}`, template.words ?? []),
    ...say('framing', `view ${template.id}/${input.view}`, view?.words ?? []),
    ...subjectWords(subject),
    ...talents.filter(({ role }) => role === 'style').flatMap(styleTalentWords),
    ...placed.flatMap(sliderWords),
    ...paletteWords(kit, style),
    ...finish.words,
    ...(template.tone === false ? [] : toneWords(kit, style)),
    ...(isStyled(subject, placed) ? say('style', `style ${style.name}`, style.words ?? []) : []),
  ]
  return {
    words,
    unsaid: [...placed.flatMap(unsaidPoles), ...unsaidTones(kit, style, template)],
    problems: [...(view ? [] : [viewUnknown(input)]), ...finish.problems],
  }
}

/** What a picture should not show: of the template, of the talents that act on it, of the style. */
export function chooseNegativeWords(
  { subject, style, template }: Pick<MixInput, 'subject' | 'style' | 'template'>,
  placed: readonly PlacedSlider[],
  talents: readonly MixTalent[],
): RankedFragment[] {
  return [
    ...say('framing', `template ${template.id}`, template.negative ?? []),
    ...talents.flatMap(t => say('slider', `talent ${t.id}`, [...t.negatives, ...t.negativePrompts])),
    ...(isStyled(subject, placed) ? say('style', `style ${style.name}`, style.negative ?? []) : []),
  ]
}

// Ready-made words come from a pipeline with a look of its own: a style plugin that merely lies there does not change it.
function isStyled(subject: MixInput['subject'], placed: readonly PlacedSlider[]): boolean {
  return subject.kind === 'persona' || placed.length > 0
}

function say(rank: WordRank, source: string, words: readonly string[]): RankedFragment[] {
  const text = words.map(cleanWords).filter(Boolean).join(', ')
  return text === '' ? [] : [{ rank, source, text }]
}

// A kit's other prompts are samples to try it with, not words that it needs.
function identityWords({ id, token, positivePrompts }: MixTalent): RankedFragment[] {
  return say('identity', `talent ${id}`, [callingPhrase(positivePrompts, token, 'a ')])
}

function styleTalentWords({ id, token, stylePrompts }: MixTalent): RankedFragment[] {
  return say('slider', `talent ${id}`, [callingPhrase(stylePrompts, token, '')])
}

function callingPhrase(prompts: readonly string[], token: string | undefined, article: string): string {
  if (token === undefined) return prompts[0] ?? ''
  return prompts.find(prompt => prompt.split(/\W+/).includes(token)) ?? `${article}${token}`
}

function subjectWords(subject: MixInput['subject']): RankedFragment[] {
  if (subject.kind === 'persona')
    return say('subject', 'persona.description', [cleanDescription(subject.kit.description ?? '')])
  return subject.words
    .map(fragment => ({ ...fragment, rank: 'subject' as const, text: cleanDescription(fragment.text) }))
    .filter(({ text, private: isPrivate }) => text !== '' || isPrivate === true)
}

function sliderWords(placed: PlacedSlider): RankedFragment[] {
  return polesOf(placed).flatMap(({ pole, source, isSaid }) => (isSaid ? say('slider', source, pole.words ?? []) : []))
}

/** Of two poles that both count, the stronger one is said; both where they are alike. */
function polesOf({ key, slider, left, right }: PlacedSlider) {
  const strongest = Math.max(left, right)
  return [
    { pole: slider.left, weight: left },
    { pole: slider.right, weight: right },
  ].map(({ pole, weight }) => ({
    pole,
    weight,
    source: `slider ${key} (${pole.label})`,
    isSaid: weight === strongest && weight >= poleWordsWeightMin,
  }))
}

function unsaidPoles(placed: PlacedSlider): DroppedWords[] {
  return polesOf(placed).flatMap(({ pole, weight, source, isSaid }) => {
    const text = (pole.words ?? []).join(', ')
    if (isSaid || weight === 0 || text === '') return []
    const reason =
      weight < poleWordsWeightMin
        ? `at ${weight} the pole is weaker than ${poleWordsWeightMin}`
        : 'the other pole is stronger'
    return [{ text, source, reason }]
  })
}

function paletteWords(kit: PersonaKit | undefined, style: Style): RankedFragment[] {
  return paletteParts.flatMap(part => {
    const hex = kit?.palette?.[part]
    if (hex === undefined) return []
    const pattern = style.palette?.[part] ?? defaultPalette[part]
    const words = pattern.replaceAll('{colour}', nearestColour(hex).name)
    return say('palette', `persona.palette.${part} (${hex})`, [words])
  })
}

function finishWords(kit: PersonaKit | undefined, style: Style): { words: RankedFragment[]; problems: Problem[] } {
  const finish = kit?.finish?.trim().toLowerCase()
  if (!finish) return { words: [], problems: [] }
  const finishes = style.finish ?? {}
  const source = `finish ${finish}`
  const known = Object.entries(finishes).find(([name]) => name.trim().toLowerCase() === finish)?.[1]
  if (known) return { words: say('finish', source, known), problems: [] }
  // A finish that no style knows still says something by its name.
  return {
    words: say('finish', source, [`${cleanDescription(finish)} finish`]),
    problems: [finishUnknown(finish, Object.keys(finishes))],
  }
}

function toneWords(kit: PersonaKit | undefined, style: Style): RankedFragment[] {
  return tonesOf(kit, style).flatMap(({ key, value, low, high }) => {
    if (value <= toneLowMax) return say('tone', `tone ${key} low`, low)
    return value >= toneHighMin ? say('tone', `tone ${key} high`, high) : []
  })
}

function unsaidTones(kit: PersonaKit | undefined, style: Style, template: Template): DroppedWords[] {
  return tonesOf(kit, style).flatMap(({ key, value, low, high }) => {
    const text = [low, high].map(words => words.join(', ')).join(' / ')
    const source = `tone ${key}`
    if (template.tone === false) return [{ text, source, reason: `the template ${template.id} says no tones` }]
    const reason = `${value} is neither low (up to ${toneLowMax}) nor high (from ${toneHighMin})`
    return value > toneLowMax && value < toneHighMin ? [{ text, source, reason }] : []
  })
}

/** The tones that both the persona and the style know. */
function tonesOf(kit: PersonaKit | undefined, style: Style) {
  const tones: Readonly<Record<string, unknown>> = kit?.tone ?? {}
  return Object.entries(style.tone ?? {}).flatMap(([key, { low = [], high = [] }]) => {
    const value = Object.hasOwn(tones, key) ? tones[key] : undefined
    return typeof value === 'number' ? [{ key, value, low, high }] : []
  })
}

function viewUnknown({ template, view }: Pick<MixInput, 'template' | 'view'>): Problem {
  return {
    severity: 'error',
    code: 'VIEW_UNKNOWN',
    message: `The template ${template.id} has no such view`,
    path: 'view',
    found: view,
    allowed: template.views.map(({ id }) => id).join(', '),
  }
}

function finishUnknown(finish: string, known: readonly string[]): Problem {
  const nearest = findNearMiss(finish, known)
  return {
    severity: 'warning',
    code: 'FINISH_UNKNOWN',
    message: `No style knows this finish${nearest === undefined ? '' : `: did you mean "${nearest}"?`}; its name alone is used`,
    path: 'finish',
    found: finish,
    allowed: known.join(', ') || 'none, because no style plugin defines a finish',
  }
}
