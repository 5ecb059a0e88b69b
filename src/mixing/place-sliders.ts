import type { Problem } from '../errors.js'
import type { Slider } from '../schema/style.js'
import type { MixInput } from './mix-input.js'
import { curveWeights, type PoleWeights } from './curves.js'
import { findNearMiss } from '../files/near-miss.js'

/** A slider of the style at its position, with the weights of its poles. */
export interface PlacedSlider extends PoleWeights {
  key: string
  position: number
  slider: Slider
}

/**
 * Where each slider stands: as the variation says, else the persona, else at its neutral position; a slider without any of
 * these is left out. A key that the style does not define, or a position outside 0–1, is an error. In the order of the style.
 */
export function placeSliders(input: Pick<MixInput, 'subject' | 'style' | 'variation'>): {
  placed: PlacedSlider[]
  problems: Problem[]
} {
  const sliders = input.style.sliders ?? {}
  const asked = new Map(Object.entries(input.subject.kind === 'persona' ? (input.subject.kit.sliders ?? {}) : {}))
  for (const [key, position] of Object.entries(input.variation)) asked.set(key, position)

  const problems: Problem[] = []
  for (const [key, position] of asked) {
    if (!Object.hasOwn(sliders, key)) problems.push(sliderUnknown(key, sliders))
    else if (!(position >= 0 && position <= 1)) problems.push(sliderOutOfRange(key, position))
  }
  if (problems.length > 0) return { placed: [], problems }

  const placed = Object.entries(sliders).flatMap(([key, slider]) => place(key, slider, asked.get(key)))
  return { placed, problems }
}

function place(key: string, slider: Slider, asked: number | undefined): PlacedSlider[] {
  const position = asked ?? slider.neutral
  return position === undefined ? [] : [{ key, position, slider, ...curveWeights(slider.curve, position) }]
}

function sliderUnknown(key: string, sliders: Readonly<Record<string, Slider>>): Problem {
  const labels = Object.values(sliders).flatMap(({ left, right }) => [left.label, right.label])
  const nearest = findNearMiss(key, [...Object.keys(sliders), ...labels])
  const known = Object.entries(sliders).map(([name, { left, right }]) => `${name} (0 ${left.label}, 1 ${right.label})`)
  return {
    severity: 'error',
    code: 'SLIDER_UNKNOWN',
    message: `No style defines the slider "${key}"${nearest === undefined ? '' : `: did you mean "${nearest}"?`}`,
    path: `sliders.${key}`,
    found: key,
    allowed: known.join(', ') || 'none, because no style plugin defines a slider',
  }
}

function sliderOutOfRange(key: string, position: number): Problem {
  return {
    severity: 'error',
    code: 'SLIDER_OUT_OF_RANGE',
    message: `The slider "${key}" stands outside of its range`,
    path: `sliders.${key}`,
    found: String(position),
    allowed: 'a number from 0 to 1',
  }
}
