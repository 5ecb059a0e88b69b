import t from 'tap'
import { placeSliders } from '../../../src/mixing/place-sliders.js'
import { kit, mixInput, slider } from './samples.js'

function positions(changes: Parameters<typeof mixInput>[0]): Record<string, number> {
  const { placed, problems } = placeSliders(mixInput(changes))
  t.strictSame(problems, [])
  return Object.fromEntries(placed.map(({ key, position }) => [key, position]))
}

const persona = { kind: 'persona', kit: { ...kit, sliders: { animal: 0.65, mecha: 0.35 } } } as const
const neutral = { name: 'n', sliders: { age: { ...slider('Young', 'Old'), neutral: 0.2 }, mecha: slider('A', 'B') } }

t.test('placeSliders takes the variation, then the persona, then the neutral position', async t => {
  t.strictSame(positions({}), {})
  t.strictSame(positions({ subject: persona }), { mecha: 0.35, animal: 0.65 })
  t.strictSame(positions({ subject: persona, variation: { mecha: 1 } }), { mecha: 1, animal: 0.65 })
  t.strictSame(positions({ style: neutral }), { age: 0.2 })
  t.strictSame(positions({ style: neutral, variation: { age: 0 } }), { age: 0 })
  t.strictSame(positions({ subject: { kind: 'text', words: [] }, variation: { animal: 1 } }), { animal: 1 })
})

t.test('placeSliders names every slider that it cannot place', async t => {
  const variation = { Meca: 0.1, constructor: 0.5, animal: 1.5, mecha: NaN }
  const { placed, problems } = placeSliders(mixInput({ variation }))
  t.strictSame(placed, [])
  t.match(problems, [
    {
      severity: 'error',
      code: 'SLIDER_UNKNOWN',
      path: 'sliders.Meca',
      message: /"mecha"/,
      allowed: 'mecha (0 Mecha, 1 Creature), animal (0 Abstract, 1 Animal)',
    },
    { severity: 'error', code: 'SLIDER_UNKNOWN', path: 'sliders.constructor' },
    { severity: 'error', code: 'SLIDER_OUT_OF_RANGE', path: 'sliders.animal', found: '1.5' },
    { severity: 'error', code: 'SLIDER_OUT_OF_RANGE', path: 'sliders.mecha', found: 'NaN' },
  ])
  t.equal(problems.length, 4)
})

t.test('placeSliders says that no style defines any', async t => {
  const { problems } = placeSliders(mixInput({ style: { name: 'none' }, variation: { mecha: 0 } }))
  t.match(problems, [{ code: 'SLIDER_UNKNOWN', allowed: /no style plugin/ }])
})
