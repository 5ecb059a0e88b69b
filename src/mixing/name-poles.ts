import type { Problem } from '../errors.js'
import type { Curve, Style } from '../schema/style.js'
import { roundTo } from './curves.js'

/** Positions 0–1 by slider, as somebody asks for them. */
export type AskedPositions = Readonly<Record<string, readonly number[]>>

/** Where a slider stands for a share 0–1 of its right pole. Only the V curve has a middle without any pole. */
const rightByCurve: Record<Curve, (share: number) => number> = {
  v: share => (1 + share) / 2,
  linear: share => share,
  'equal-power': share => share,
}

/**
 * Poles in the place of sliders: `creature: 0.2` is 20 % of the way to Creature, from the neutral middle of a V slider, else from
 * the other pole. The key of a slider is a slider, also where a pole is called the same; what is neither is left as it is. A slider
 * that is asked for twice, and a pole of several sliders, are errors.
 */
export function namePoles(asked: AskedPositions, style: Style): { set: Record<string, number[]>; problems: Problem[] } {
  const set = new Map<string, number[]>()
  const problems: Problem[] = []
  for (const [name, values] of Object.entries(asked)) {
    const poles = polesCalled(name, style)
    const [pole] = poles
    const key = pole?.key ?? name
    if (poles.length > 1) problems.push(ambiguous(name, poles))
    else if (set.has(key)) problems.push(twice(name, key))
    set.set(key, pole ? values.map(pole.positionOf) : [...values])
  }
  return { set: Object.fromEntries(set), problems }
}

interface NamedPole {
  key: string
  positionOf(share: number): number
}

function polesCalled(name: string, { sliders = {} }: Style): NamedPole[] {
  if (Object.hasOwn(sliders, name)) return []
  return Object.entries(sliders).flatMap(([key, { left, right, curve }]) => {
    const toRight = rightByCurve[curve]
    return [
      ...(plain(left.label) === plain(name) ? [{ key, positionOf: (s: number) => roundTo(1 - toRight(s), 6) }] : []),
      ...(plain(right.label) === plain(name) ? [{ key, positionOf: (s: number) => roundTo(toRight(s), 6) }] : []),
    ]
  })
}

/** What `--set` can spell of a label. */
function plain(label: string): string {
  return label.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
}

function ambiguous(name: string, poles: readonly NamedPole[]): Problem {
  return {
    severity: 'error',
    code: 'POLE_AMBIGUOUS',
    message: `Several sliders have a pole "${name}": name the slider`,
    path: `set.${name}`,
    allowed: poles.map(({ key }) => key).join(', '),
  }
}

function twice(name: string, key: string): Problem {
  return {
    severity: 'error',
    code: 'SLIDER_TWICE',
    message: `The slider "${key}" is set twice`,
    path: `set.${name}`,
    found: name,
  }
}
