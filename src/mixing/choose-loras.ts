import type { Problem } from '../errors.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import type { LeftOut, Lora } from '../schema/run.js'
import { findNearMiss } from '../files/near-miss.js'
import type { Family } from '../schema/template.js'
import { roundTo } from './curves.js'
import type { MixInput, MixTalent } from './mix-input.js'
import type { PlacedSlider } from './place-sliders.js'

/** A LoRA this weak changes nothing that one could see, yet costs a load. */
export const loraWeightMin = 0.01
/** With more LoRAs than this, pictures tend to fall apart. */
export const lorasRecommendedMax = 4

const weightDecimals = 4

export interface ChosenLoras {
  /** Identity first, then styles that stay, then those of varying sliders; styles by talent id within. */
  loras: Lora[]
  /** What was asked for and is not among them. */
  leftOut: LeftOut[]
  /** The talents of `loras`, in the same order: their words and negatives belong to the picture. */
  talents: MixTalent[]
  /** How each that was asked for came to its weight, in the order of asking. */
  weighing: WeighedLora[]
  /** What all style LoRAs were asked for together, before the budget. */
  styleSum: number
  problems: Problem[]
}

/** The way of one LoRA from its slider to the server. */
export interface WeighedLora {
  talent: string
  role: Lora['role']
  source: string
  /** From the curve of the slider, 0–1; 1 for an identity. */
  raw: number
  /** Of the kit, 0–2; 0 where there is none. */
  defaultWeight: number
  /** raw × default weight. */
  weighted: number
  /** Within the budget: what a server is sent. 0 where it is left out. */
  effective: number
  draft: boolean
  /** Why the picture is rendered without it. */
  leftOut?: string
}

/**
 * Which LoRAs a picture gets, and how strongly. Style LoRAs share a budget: when their magnitudes add up to more, all are
 * scaled down alike. The identity stays outside of it. Whatever is asked for and left out is named in a problem.
 */
export function chooseLoras(
  input: Pick<MixInput, 'subject' | 'talents' | 'family' | 'varying' | 'styleBudget' | 'withoutDrafts'>,
  placed: readonly PlacedSlider[],
): ChosenLoras {
  const problems: Problem[] = []
  const leftOut: LeftOut[] = []
  const wanted = [...wantIdentity(input.subject), ...wantStyles(placed, input.varying)]
  const fit = wanted.flatMap(want => {
    const talent = input.talents.get(want.talent)
    const unfit = whyUnfit(want, talent, input.family)
    const isDraft = !unfit && input.withoutDrafts === true && talent?.isDraft === true
    if (unfit && (talent || isNews(want, input.talents))) problems.push(toProblem(unfit, want, input.talents))
    if (unfit || isDraft) leftOut.push({ talent: want.talent, reason: unfit?.reason ?? draftReason })
    const weight = roundTo(want.raw * (talent?.defaultWeight ?? 0), weightDecimals)
    return talent && !unfit && !isDraft ? [{ ...want, kit: talent, weight }] : []
  })

  const budgeted = keepBudget(fit, input.styleBudget)
  const active = budgeted.filter(({ weight }) => Math.abs(weight) >= loraWeightMin)
  const weightless = budgeted.find(({ role, weight }) => role === 'identity' && Math.abs(weight) < loraWeightMin)
  if (weightless) {
    const reason = 'its default weight is next to nothing'
    problems.push(toProblem({ code: 'TALENT_WEIGHTLESS', reason }, weightless, input.talents))
    leftOut.push({ talent: weightless.talent, reason })
  }
  if (active.length > lorasRecommendedMax) problems.push(tooManyLoras(active.length))

  return {
    loras: active.map(toLora),
    leftOut,
    talents: active.map(({ kit }) => kit),
    weighing: wanted.map(want => weigh(want, { fit, active, leftOut, talents: input.talents })),
    styleSum: sumOfStyles(fit),
    problems,
  }
}

interface Weighing {
  fit: readonly Weighted[]
  active: readonly Weighted[]
  leftOut: readonly LeftOut[]
  talents: MixInput['talents']
}

function weigh({ talent, role, source, raw }: Wanted, { fit, active, leftOut, talents }: Weighing): WeighedLora {
  const kit = talents.get(talent)
  // A pole may name the identity by mistake, which is left out while the identity acts.
  const weightIn = (list: readonly Weighted[]) =>
    list.find(each => each.talent === talent && each.role === role)?.weight ?? 0
  const effective = weightIn(active)
  const reason = leftOut.find(each => each.talent === talent)?.reason ?? `weights below ${loraWeightMin} change nothing`
  return {
    talent,
    role,
    source,
    raw,
    defaultWeight: kit?.defaultWeight ?? 0,
    weighted: weightIn(fit),
    effective,
    draft: kit?.isDraft ?? false,
    ...(effective === 0 && { leftOut: reason }),
  }
}

/** Why a draft is left out. Told once for a whole plan, so that it is no problem of a single mix. */
export const draftReason = 'its weights are a draft, which no real server is sent'

/** Id of the identity talent that belongs to a persona kit. */
export function identityTalentId(kit: Pick<PersonaKit, 'dot_id'>): string {
  return `avatar.identity.dot_${kit.dot_id}`
}

interface Wanted {
  talent: string
  role: Lora['role']
  raw: number
  /** What asks for it, without values: the same in all variations of a sweep, so that a problem is told once. */
  asker: string
  source: string
  isVarying: boolean
}

interface Weighted extends Wanted {
  kit: MixTalent
  weight: number
}

function wantIdentity(subject: MixInput['subject']): Wanted[] {
  if (subject.kind === 'text') return []
  const talent = identityTalentId(subject.kit)
  const asker = `identity of ${subject.kit.dot_id}`
  return [{ talent, role: 'identity', raw: 1, asker, source: asker, isVarying: false }]
}

function wantStyles(placed: readonly PlacedSlider[], varying: readonly string[]): Wanted[] {
  const wantedByTalent = new Map<string, Wanted>()
  for (const { key, position, slider, left, right } of placed) {
    for (const [pole, raw] of [[slider.left, left] as const, [slider.right, right] as const]) {
      if (pole.talent === undefined || raw === 0) continue
      const asker = `slider ${key}`
      const source = `${asker} at ${position} (curve ${slider.curve})`
      const isVarying = varying.includes(key)
      const wanted: Wanted = { talent: pole.talent, role: 'style', raw, asker, source, isVarying }
      const same = wantedByTalent.get(pole.talent)
      wantedByTalent.set(pole.talent, same ? addUp(same, wanted) : wanted)
    }
  }
  return [...wantedByTalent.values()].sort(
    (a, b) => Number(a.isVarying) - Number(b.isVarying) || (a.talent < b.talent ? -1 : 1),
  )
}

// One file loaded twice acts like once with the sum, and a node is named after its talent: so a talent appears once.
function addUp(one: Wanted, other: Wanted): Wanted {
  return {
    ...one,
    raw: roundTo(one.raw + other.raw, 6),
    asker: `${one.asker} + ${other.asker}`,
    source: `${one.source} + ${other.source}`,
    isVarying: one.isVarying || other.isVarying,
  }
}

interface Unfit {
  code: string
  reason: string
}

function whyUnfit(want: Wanted, talent: MixTalent | undefined, family: Family): Unfit | undefined {
  if (!talent) return { code: 'TALENT_MISSING', reason: 'no such talent is here' }
  if (!talent.usable) return { code: 'TALENT_UNUSABLE', reason: 'its weights are a placeholder or damaged' }
  if (talent.role !== want.role) return { code: 'TALENT_ROLE_UNFIT', reason: `it is of the kind ${talent.role}` }
  if (talent.family !== family)
    return { code: 'TALENT_FAMILY_UNFIT', reason: `it is made for ${talent.family}, not for ${family}` }
  return undefined
}

// A picture without one of its LoRAs is still a picture, so that none of these is an error; each is shown to the user.
function toProblem({ code, reason }: Unfit, want: Wanted, talents: MixInput['talents']): Problem {
  const effect = want.role === 'identity' ? 'rendered without identity LoRA' : `rendered without it (${want.asker})`
  const near = talents.has(want.talent) ? undefined : nearTalent(want, talents)
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return { severity: 'warning', code, message: `${want.talent} is left out, ${reason}: ${effect}${hint}` }
}

/** Most personas have no LoRA of their own, which is no news; one that is called almost the same is. A slider asks for its own. */
function isNews(want: Wanted, talents: MixInput['talents']): boolean {
  return want.role === 'style' || nearTalent(want, talents) !== undefined
}

// Ids begin alike: only what follows is compared.
function nearTalent({ talent, role }: Wanted, talents: MixInput['talents']): string | undefined {
  const start = role === 'identity' ? identityTalentId({ dot_id: '' }) : `avatar.${role}.`
  const names = [...talents.keys()].filter(id => id.startsWith(start)).map(id => id.slice(start.length))
  const near = findNearMiss(talent.slice(start.length), names)
  return near === undefined ? undefined : start + near
}

function tooManyLoras(count: number): Problem {
  return {
    severity: 'warning',
    code: 'LORAS_TOO_MANY',
    message: `${count} LoRAs act on one picture: expect artefacts`,
    found: String(count),
    allowed: `${lorasRecommendedMax} or fewer`,
  }
}

// Rounded down once scaled: the sum never exceeds the budget by a rounding.
function keepBudget(weighted: readonly Weighted[], budget: number): Weighted[] {
  const sum = sumOfStyles(weighted)
  if (sum <= budget) return [...weighted]
  const unit = 10 ** weightDecimals
  return weighted.map(w =>
    w.role === 'style' ? { ...w, weight: Math.trunc(((w.weight * budget) / sum) * unit) / unit } : w,
  )
}

function sumOfStyles(weighted: readonly Weighted[]): number {
  const sum = weighted.filter(({ role }) => role === 'style').reduce((total, { weight }) => total + Math.abs(weight), 0)
  return roundTo(sum, weightDecimals)
}

function toLora({ talent, role, raw, weight, source, kit }: Weighted): Lora {
  return {
    talent,
    role,
    raw,
    effective: weight,
    source,
    weightsSha256: kit.weightsSha256,
    sizeBytes: kit.sizeBytes,
    hasTextEncoder: kit.hasTextEncoder,
    draft: kit.isDraft,
  }
}
