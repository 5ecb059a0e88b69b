import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
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
