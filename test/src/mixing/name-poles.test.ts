import t from 'tap'
import { namePoles } from '../../../src/mixing/name-poles.js'
import type { Style } from '../../../src/schema/style.js'
import { slider, style } from './samples.js'

const linear: Style = { name: 'l', sliders: { age: slider('Young one', 'Old', 'linear') } }
const cases: Record<string, [set: Record<string, number[]>, style: Style, expected: Record<string, number[]>]> = {
  'a slider that is called like its pole': [{ mecha: [0.2] }, style, { mecha: [0.2] }],
  'the right pole, from the neutral middle': [{ creature: [0, 0.2, 1] }, style, { mecha: [0.5, 0.6, 1] }],
  'the left pole, from the neutral middle': [{ Abstract: [0, 0.2, 1] }, style, { animal: [0.5, 0.4, 0] }],
  'a pole without a neutral middle, from the other pole': [{ old: [0.2] }, linear, { age: [0.2] }],
  'a label of two words': [{ young_one: [0.2] }, linear, { age: [0.8] }],
  'what is neither a slider nor a pole': [{ mech: [0.2] }, style, { mech: [0.2] }],
}
for (const [title, [set, ofStyle, expected]] of Object.entries(cases))
  t.test(`namePoles understands ${title}`, async t =>
    t.strictSame(namePoles(set, ofStyle), { set: expected, problems: [] }),
  )

t.test('namePoles refuses a slider that is set twice, and a pole of two sliders', async t => {
  t.match(namePoles({ mecha: [0], creature: [1] }, style).problems, [{ code: 'SLIDER_TWICE', found: 'creature' }])
  const sliders = { one: slider('Mecha', 'Soft'), two: slider('Robot', 'soft') }
  t.match(namePoles({ soft: [1] }, { name: 's', sliders }).problems, [{ code: 'POLE_AMBIGUOUS', allowed: 'one, two' }])
})
