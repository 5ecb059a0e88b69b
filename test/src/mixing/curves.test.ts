import fc from 'fast-check'
import t from 'tap'
import { curveWeights } from '../../../src/mixing/curves.js'

const golden = [
  ['v', 0, 1, 0],
  ['v', 0.1, 0.8, 0],
  ['v', 0.35, 0.3, 0],
  ['v', 0.5, 0, 0],
  ['v', 0.65, 0, 0.3],
  ['v', 0.9, 0, 0.8],
  ['v', 1, 0, 1],
  ['linear', 0, 1, 0],
  ['linear', 0.1, 0.9, 0.1],
  ['linear', 0.35, 0.65, 0.35],
  ['linear', 0.5, 0.5, 0.5],
  ['linear', 0.65, 0.35, 0.65],
  ['linear', 0.9, 0.1, 0.9],
  ['linear', 1, 0, 1],
  ['equal-power', 0, 1, 0],
  ['equal-power', 0.1, 0.987688, 0.156434],
  ['equal-power', 0.35, 0.85264, 0.522499],
  ['equal-power', 0.5, 0.707107, 0.707107],
  ['equal-power', 0.65, 0.522499, 0.85264],
  ['equal-power', 0.9, 0.156434, 0.987688],
  ['equal-power', 1, 0, 1],
] as const

for (const [curve, position, left, right] of golden)
  t.test(`curveWeights gives the exact weights of ${curve} at ${position}`, async t =>
    t.strictSame(curveWeights(curve, position), { left, right }),
  )

const curves = fc.constantFrom('v' as const, 'linear' as const, 'equal-power' as const)
const position = fc.double({ min: 0, max: 1, noNaN: true })

t.test('curveWeights stays within 0–1, is symmetric, and moves one way', async t => {
  fc.assert(
    fc.property(curves, position, position, (curve, one, other) => {
      const [low, high] = one < other ? [one, other] : [other, one]
      const at = curveWeights(curve, low)
      const further = curveWeights(curve, high)
      const mirrored = curveWeights(curve, 1 - low)
      const isClose = (a: number, b: number) => Math.abs(a - b) <= 2e-6
      return (
        [at.left, at.right].every(weight => weight >= 0 && weight <= 1) &&
        further.left <= at.left &&
        further.right >= at.right &&
        isClose(mirrored.left, at.right) &&
        isClose(mirrored.right, at.left)
      )
    }),
    { seed: 20260101, verbose: true },
  )
  t.pass('seed 20260101')
})
