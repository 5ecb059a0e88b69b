import type { Curve } from '../schema/style.js'

export interface PoleWeights {
  left: number
  right: number
}

const curveByName: Record<Curve, (position: number) => PoleWeights> = {
  v: s => ({ left: Math.max(0, 1 - 2 * s), right: Math.max(0, 2 * s - 1) }),
  linear: s => ({ left: 1 - s, right: s }),
  'equal-power': s => ({ left: Math.cos((Math.PI * s) / 2), right: Math.sin((Math.PI * s) / 2) }),
}

/**
 * How much each pole of a slider counts at a position 0–1, each 0–1: `v` is neutral (0 and 0) in the middle, `linear` shares
 * one whole, `equal-power` keeps the strength of two unrelated styles. Rounded to 6 decimals, so that 1 − 2 × 0.35 is 0.3
 * in every file that is hashed, and not 0.30000000000000004.
 */
export function curveWeights(curve: Curve, position: number): PoleWeights {
  const { left, right } = curveByName[curve](position)
  return { left: roundTo(left, 6), right: roundTo(right, 6) }
}

/** A number with at most so many decimals; never −0. */
export function roundTo(value: number, decimals: number): number {
  return Math.round(value * 10 ** decimals) / 10 ** decimals + 0
}
