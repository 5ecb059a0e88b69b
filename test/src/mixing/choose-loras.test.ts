import t from 'tap'
import { chooseLoras, identityTalentId } from '../../../src/mixing/choose-loras.js'
import type { MixInput } from '../../../src/mixing/mix-input.js'
import { placeSliders } from '../../../src/mixing/place-sliders.js'
import { identity, mixInput, slider, talent, talentsById } from './samples.js'

function choose(changes: Partial<MixInput>) {
  const input = mixInput(changes)
  const { placed, problems: unplaced } = placeSliders(input)
  t.strictSame(unplaced, [])
  const { loras, problems, talents } = chooseLoras(input, placed)
  t.strictSame(
    talents.map(({ id }) => id),
    loras.map(lora => lora.talent),
  )
  return { loras, problems, weights: loras.map(lora => [lora.talent, lora.effective]) }
}

const nova = 'avatar.identity.dot_nova'

t.test('identityTalentId follows from the id of the persona', async t =>
  t.equal(identityTalentId({ dot_id: 'nova' }), nova),
)

t.test('chooseLoras records what each LoRA is and where it comes from', async t => {
  const mecha = talent('avatar.style.mecha', { defaultWeight: 0.8, hasTextEncoder: false, isDraft: true })
  const { loras, problems } = choose({
    talents: talentsById(mecha, identity({ defaultWeight: 0.9 })),
    variation: { mecha: 0.35 },
  })
  t.strictSame(problems, [])
  t.strictSame(loras, [
    {
      talent: nova,
      role: 'identity',
      raw: 1,
      effective: 0.9,
      source: 'identity of nova',
      weightsSha256: 'a'.repeat(64),
      sizeBytes: 1000,
      hasTextEncoder: true,
      draft: false,
    },
    {
      talent: 'avatar.style.mecha',
      role: 'style',
      raw: 0.3,
      effective: 0.24,
      source: 'slider mecha at 0.35 (curve v)',
      weightsSha256: 'a'.repeat(64),
      sizeBytes: 1000,
      hasTextEncoder: false,
      draft: true,
    },
  ])
})

t.test('chooseLoras puts stable styles before the varying slider', async t => {
  const variation = { mecha: 0, animal: 1 }
  t.strictSame(
    choose({ variation }).weights.map(([id]) => id),
    [nova, 'avatar.style.animal', 'avatar.style.mecha'],
  )
  t.strictSame(
    choose({ variation, varying: ['animal'] }).weights.map(([id]) => id),
    [nova, 'avatar.style.mecha', 'avatar.style.animal'],
  )
})

t.test('chooseLoras scales styles down to their budget and leaves the identity alone', async t => {
  t.strictSame(choose({ variation: { mecha: 0, animal: 1 } }).weights, [
    [nova, 1],
    ['avatar.style.animal', 0.75],
    ['avatar.style.mecha', 0.75],
  ])
  t.strictSame(choose({ variation: { mecha: 0.1, animal: 1 }, styleBudget: 1 }).weights, [
    [nova, 1],
    ['avatar.style.animal', 0.5555],
    ['avatar.style.mecha', 0.4444],
  ])
  t.strictSame(choose({ variation: { mecha: 0.25, animal: 1 } }).weights.slice(1), [
    ['avatar.style.animal', 1],
    ['avatar.style.mecha', 0.5],
  ])
  t.strictSame(choose({ variation: { mecha: 0 }, styleBudget: 0 }).weights, [[nova, 1]])
})

t.test('chooseLoras drops what is too weak to be seen', async t => {
  t.strictSame(choose({ variation: { mecha: 0.5 } }).weights, [[nova, 1]])
  t.strictSame(choose({ variation: { mecha: 0.4951 } }).weights, [[nova, 1]])
  t.equal(choose({ variation: { mecha: 0.495 } }).weights.length, 2)
})

t.test('chooseLoras adds up a talent that two sliders name', async t => {
  const sliders = { one: slider('Mecha', 'Creature'), two: slider('Mecha', 'Animal') }
  const { loras } = choose({ style: { name: 's', sliders }, variation: { one: 0.4, two: 0.3 }, varying: ['two'] })
  t.match(loras.slice(1), [
    {
      talent: 'avatar.style.mecha',
      raw: 0.6,
      effective: 0.6,
      source: 'slider one at 0.4 (curve v) + slider two at 0.3 (curve v)',
    },
  ])
  t.equal(loras.length, 2)
})

t.test('chooseLoras asks for no talent where a pole names none', async t => {
  const sliders = { age: { curve: 'v', left: { label: 'Young' }, right: { label: 'Old' } } } as const
  t.strictSame(choose({ style: { name: 's', sliders }, variation: { age: 0 } }).problems, [])
})

t.test('chooseLoras gives a text subject no identity', async t =>
  t.strictSame(choose({ subject: { kind: 'text', words: [] } }), { loras: [], problems: [], weights: [] }),
)

const unfit = {
  'an identity under another name': {
    talents: [{ ...identity(), id: 'avatar.identity.dot_novas' }],
    code: 'TALENT_MISSING',
    message: `${nova} is left out, no such talent is here: rendered without identity LoRA; did you mean avatar.identity.dot_novas?`,
  },
  'placeholder weights': { talents: [identity({ usable: false })], code: 'TALENT_UNUSABLE' },
  'another family': {
    talents: [identity({ family: 'sdxl' })],
    code: 'TALENT_FAMILY_UNFIT',
    message: /made for sdxl, not for sd15/,
  },
  'another role': { talents: [identity({ role: 'style' })], code: 'TALENT_ROLE_UNFIT' },
  'no weight': { talents: [identity({ defaultWeight: 0 })], code: 'TALENT_WEIGHTLESS' },
}
for (const [title, { talents, ...problem }] of Object.entries(unfit))
  t.test(`chooseLoras leaves an identity out and says why: ${title}`, async t => {
    const { loras, problems } = choose({ talents: talentsById(...talents) })
    t.strictSame(loras, [])
    t.match(problems, [{ severity: 'warning', message: new RegExp(`^${nova} is left out`), ...problem }])
    t.equal(problems.length, 1)
  })

t.test('chooseLoras says nothing of a persona that has no LoRA of its own', async t => {
  const input = mixInput({ talents: talentsById({ ...identity(), id: 'avatar.identity.dot_borealis' }) })
  const { leftOut, problems } = chooseLoras(input, placeSliders(input).placed)
  t.strictSame(problems, [])
  t.strictSame(leftOut, [{ talent: nova, reason: 'no such talent is here' }], 'but it is on record')
})

t.test('chooseLoras names the slider of a style that is left out', async t => {
  const { loras, problems } = choose({ talents: talentsById(identity()), variation: { mecha: 0, animal: 0.5 } })
  t.equal(loras.length, 1)
  t.match(problems, [{ code: 'TALENT_MISSING', message: /avatar\.style\.mecha .*\(slider mecha\)$/ }])
  t.equal(problems.length, 1)
})

t.test('chooseLoras warns of more LoRAs than work well together', async t => {
  const sliders = { one: slider('Mecha', 'Creature', 'linear'), two: slider('Abstract', 'Animal', 'linear') }
  const { loras, problems } = choose({ style: { name: 's', sliders }, variation: { one: 0.5, two: 0.5 } })
  t.equal(loras.length, 5)
  t.match(problems, [{ severity: 'warning', code: 'LORAS_TOO_MANY', found: '5' }])
})
