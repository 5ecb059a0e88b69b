import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import { parse } from 'yaml'
import { mix } from '../../../src/mixing/mix.js'
import { type Style, styleSchema } from '../../../src/schema/style.js'
import { kit, mixInput } from '../../src/mixing/samples.js'

// From the compiled test back to the folder that holds the data.
const source = new URL('../../../../plugins/styles-anime/style.yaml', import.meta.url)
const isStyle = new Ajv({ strict: true, useDefaults: true }).compile<Style>(styleSchema)
const style = readStyle()

t.test('style.yaml is a valid style', async t => {
  t.equal(isStyle(style), true)
  t.notOk(isStyle({ ...style, slider: {} }), 'a misspelt field is refused')
})

// Position, then the weights of both poles: left (Mecha, Abstract) and right (Creature, Animal).
const golden = [
  [0, 1, 0],
  [0.1, 0.8, 0],
  [0.35, 0.3, 0],
  [0.5, 0, 0],
  [0.65, 0, 0.3],
  [0.9, 0, 0.8],
  [1, 0, 1],
] as const
const axes = { mecha: ['mecha', 'creature'], animal: ['abstract', 'animal'] } as const

for (const [key, [left, right]] of Object.entries(axes))
  for (const [position, leftWeight, rightWeight] of golden)
    t.test(`the slider ${key} at ${position} weighs ${left} ${leftWeight} and ${right} ${rightWeight}`, async t => {
      const { mix: mixed, problems } = mix(mixInput({ style, variation: { [key]: position } }))
      const weightOf = (name: string) =>
        mixed.loras.find(lora => lora.talent === `avatar.style.${name}`)?.effective ?? 0
      t.strictSame(problems, [])
      t.strictSame([weightOf(left), weightOf(right)], [leftWeight, rightWeight])
    })

// Both sliders at once, 49 pictures: rows are positions of mecha, columns those of animal; Mecha + Creature / Abstract + Animal as they
// are sent. Where both ask for more than the budget of 1.5 together, both are scaled down alike.
const positions = [0, 0.1, 0.35, 0.5, 0.65, 0.9, 1]
const together = [
  '0.75/0.75 0.8333/0.6666 1/0.3 1/0 1/0.3 0.8333/0.6666 0.75/0.75',
  '0.6666/0.8333 0.75/0.75 0.8/0.3 0.8/0 0.8/0.3 0.75/0.75 0.6666/0.8333',
  '0.3/1 0.3/0.8 0.3/0.3 0.3/0 0.3/0.3 0.3/0.8 0.3/1',
  '0/1 0/0.8 0/0.3 0/0 0/0.3 0/0.8 0/1',
  '0.3/1 0.3/0.8 0.3/0.3 0.3/0 0.3/0.3 0.3/0.8 0.3/1',
  '0.6666/0.8333 0.75/0.75 0.8/0.3 0.8/0 0.8/0.3 0.75/0.75 0.6666/0.8333',
  '0.75/0.75 0.8333/0.6666 1/0.3 1/0 1/0.3 0.8333/0.6666 0.75/0.75',
]

for (const [row, mecha] of positions.entries())
  t.test(`the slider mecha at ${mecha} shares the budget with each position of animal`, async t => {
    const cells = positions.map(animal => {
      const weights = weightsAt({ mecha, animal })
      return `${weights.mecha + weights.creature}/${weights.abstract + weights.animal}`
    })
    t.equal(cells.join(' '), together[row])
  })

const unit = fc.double({ min: 0, max: 1, noNaN: true })
const sums = (variation: Record<string, number>, budget = 1.5) => {
  const { mecha, creature, abstract, animal } = weightsAt(variation, budget)
  return {
    all: [mecha, creature, abstract, animal],
    left: mecha,
    right: creature,
    sum: mecha + creature + abstract + animal,
  }
}

t.test('both sliders stay within the budget, move one way, and mirror, wherever they stand', async t => {
  fc.assert(
    fc.property(unit, unit, unit, fc.double({ min: 0, max: 3, noNaN: true }), (one, other, animal, budget) => {
      const [low, high] = one < other ? [one, other] : [other, one]
      const [at, further, mirrored] = [low, high, 1 - low].map(mecha => sums({ mecha, animal }, budget))
      if (!at || !further || !mirrored) return false
      return (
        at.all.every(weight => weight >= 0) &&
        at.sum <= budget + 1e-9 &&
        further.left <= at.left + 1e-4 &&
        further.right >= at.right - 1e-4 &&
        // What is weaker than 0.01 is left out, and roundings may fall on either side of that.
        Math.abs(mirrored.right - at.left) <= 0.0101 &&
        JSON.stringify(sums({ mecha: low, animal }, budget)) === JSON.stringify(at)
      )
    }),
    { seed: 20260105, verbose: true },
  )
  t.pass('seed 20260105')
})

/** What is sent of each style talent. */
function weightsAt(variation: Record<string, number>, styleBudget = 1.5) {
  const { mix: mixed } = mix(mixInput({ style, variation, styleBudget }))
  const of = (name: string) => mixed.loras.find(lora => lora.talent === `avatar.style.${name}`)?.effective ?? 0
  return { mecha: of('mecha'), creature: of('creature'), abstract: of('abstract'), animal: of('animal') }
}

t.test('the example persona is said in words', async t => {
  const persona = {
    ...kit,
    sliders: { mecha: 0.35, animal: 0.65 },
    finish: 'flat',
    palette: { primary: '#1A1A2E', secondary: '#16213E', accent: '#E94560' },
    tone: { warmth: 0.8, formality: 0.2, humour: 0.5 },
  }
  const { mix: mixed, problems } = mix(mixInput({ style, subject: { kind: 'persona', kit: persona } }))
  t.strictSame(problems, [])
  t.strictSame(
    mixed.positive.map(({ source, text }) => `${source}: ${text}`),
    [
      'talent avatar.identity.dot_nova: a dot_nova',
      'template bust: portrait',
      'view bust/front: front view',
      'slider mecha (Mecha): mecha design, armour plating, panel lines, mechanical joints',
      'slider animal (Animal): animal features, animal ears, soft fur',
      'persona.palette.primary (#1A1A2E): ink black as the primary colour',
      'persona.palette.secondary (#16213E): prussian blue as the secondary colour',
      'persona.palette.accent (#E94560): crimson accents',
      'finish flat: flat colours, no gradients',
      'tone warmth high: warm smile, warm light',
      'tone formality low: relaxed posture, casual clothes',
      'style anime: anime illustration, clean line art',
    ],
  )
})

function readStyle(): Style {
  const file: unknown = parse(readFileSync(source, 'utf8'))
  if (!isStyle(file)) return t.bailout(`style.yaml: ${JSON.stringify(isStyle.errors)}`) as never
  return file
}
