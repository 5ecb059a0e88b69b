import fc from 'fast-check'
import { Ajv } from 'ajv'
import t from 'tap'
import { joinWords, splitPhrases } from '../../../src/mixing/clean-words.js'
import { mix } from '../../../src/mixing/mix.js'
import { mixSchema } from '../../../src/schema/run.js'
import { kit, mixInput, slider, style, talent, talentsById, identity } from './samples.js'

const isMix = new Ajv({ strict: true }).compile(mixSchema)

t.test('mix gives LoRAs, words and positions of a persona', async t => {
  const subject = {
    kind: 'persona',
    kit: { ...kit, description: 'A pilot', sliders: { mecha: 0.35, animal: 0.65 } },
  } as const
  const { mix: mixed, problems } = mix(mixInput({ subject, prompt: 'portrait, night' }))
  t.strictSame(problems, [])
  t.strictSame(mixed.sliders, { mecha: 0.35, animal: 0.65 })
  t.strictSame(
    mixed.loras.map(({ talent, effective }) => [talent, effective]),
    [
      ['avatar.identity.dot_nova', 1],
      ['avatar.style.animal', 0.3],
      ['avatar.style.mecha', 0.3],
    ],
  )
  t.equal(
    joinWords(mixed.positive),
    'portrait, night, a dot_nova, front view, A pilot, mecha words, animal words, line art',
    'the template repeats "portrait" and is not heard twice',
  )
  t.equal(joinWords(mixed.negative), 'cropped, blurry')
  t.ok(isMix(mixed))
})

t.test('mix accounts for every weight, and for every word that is not said', async t => {
  const subject = {
    kind: 'persona',
    kit: { ...kit, description: 'Line art', sliders: { mecha: 0.45, animal: 1 }, tone: { warmth: 0.5 } },
  } as const
  const talents = talentsById(
    identity({ defaultWeight: 0.9 }),
    talent('avatar.style.mecha', { defaultWeight: 0.05 }),
    talent('avatar.style.animal', { defaultWeight: 2, isDraft: true }),
  )
  const { account } = mix(mixInput({ subject, talents, styleBudget: 1.2 }))
  t.match(account.weighing, [
    { talent: 'avatar.identity.dot_nova', raw: 1, defaultWeight: 0.9, weighted: 0.9, effective: 0.9, draft: false },
    {
      talent: 'avatar.style.animal',
      source: 'slider animal at 1 (curve v)',
      raw: 1,
      weighted: 2,
      effective: 1.197,
      draft: true,
    },
    { talent: 'avatar.style.mecha', raw: 0.1, weighted: 0.005, effective: 0, leftOut: /below 0.01/ },
  ])
  t.strictSame(account.budget, { max: 1.2, asked: 2.005 })
  t.strictSame(
    account.dropped.positive.map(({ text, source, reason }) => `${text} | ${source} | ${reason}`),
    [
      'mecha words | slider mecha (Mecha) | at 0.1 the pole is weaker than 0.15',
      'cool light / warm light | tone warmth | 0.5 is neither low (up to 0.33) nor high (from 0.67)',
      'line art | style plain | said already by persona.description',
    ],
  )
  const mistaken = { ...slider('Mecha', 'Nova'), right: { label: 'Nova', talent: 'avatar.identity.dot_nova' } }
  const asked = mixInput({ style: { name: 'own', sliders: { mecha: mistaken } }, variation: { mecha: 1 } })
  t.match(
    mix(asked).account.weighing,
    [
      { role: 'identity', effective: 1 },
      { role: 'style', effective: 0, weighted: 0, leftOut: /of the kind identity/ },
    ],
    'a pole that names the identity is told as left out',
  )
  const missing = mix(mixInput({ subject, talents: talentsById(identity()) })).account.weighing
  t.match(missing.at(-1), { defaultWeight: 0, effective: 0, leftOut: 'no such talent is here' })
  const long = { kind: 'persona', kit: { ...kit, description: 'word '.repeat(180) } } as const
  const cut = mix(mixInput({ subject: long, talents: talentsById() })).account.dropped.positive
  t.match(cut, [{ text: 'line art', source: 'style plain', reason: /no room in the 225 tokens/ }])
})

t.test('mix keeps a private fragment whose text is read later', async t => {
  const words = [{ text: '', source: 'transcript', private: true }]
  const { mix: mixed } = mix(mixInput({ subject: { kind: 'text', words } }))
  t.strictSame(mixed.positive.at(-1), { source: 'transcript', text: '', private: true })
  t.ok(isMix(mixed))
})

t.test('mix cuts prompts for CLIP and leaves them whole for Flux', async t => {
  const subject = { kind: 'persona', kit: { ...kit, description: 'word '.repeat(180) } } as const
  const talents = talentsById()
  const problemsOf = (family: 'sd15' | 'sdxl' | 'flux') =>
    mix(mixInput({ subject, talents, family })).problems.filter(({ code }) => code === 'PROMPT_TOO_LONG')
  t.equal(problemsOf('sd15').length, 1)
  t.equal(problemsOf('sdxl').length, 1)
  t.equal(problemsOf('flux').length, 0)
})

t.test('mix reports the problems of every part at once', async t => {
  const subject = { kind: 'persona', kit: { ...kit, finish: 'fog' } } as const
  const { problems } = mix(mixInput({ subject, talents: new Map(), variation: { mech: 0 }, view: 'back' }))
  t.strictSame(problems.map(({ code }) => code).sort(), ['FINISH_UNKNOWN', 'SLIDER_UNKNOWN', 'VIEW_UNKNOWN'])
})

const unit = fc.double({ min: 0, max: 1, noNaN: true })
const curve = fc.constantFrom('v' as const, 'linear' as const, 'equal-power' as const)
const anyInput = fc
  .record({
    mecha: unit,
    animal: unit,
    curve,
    weight: fc.double({ min: 0, max: 2, noNaN: true }),
    styleBudget: fc.double({ min: 0, max: 3, noNaN: true }),
    varying: fc.subarray(['mecha', 'animal']),
    description: fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }),
    prompt: fc.string({ maxLength: 80 }),
    finish: fc.constantFrom('flat', 'gloss', 'fog'),
    warmth: unit,
  })
  .map(({ mecha, animal, curve, weight, description, finish, warmth, ...rest }) =>
    mixInput({
      ...rest,
      style: {
        ...style,
        sliders: { mecha: slider('Mecha', 'Creature', curve), animal: slider('Abstract', 'Animal', curve) },
      },
      subject: { kind: 'persona', kit: { ...kit, description, finish, tone: { warmth }, sliders: { mecha, animal } } },
      talents: talentsById(
        identity(),
        ...['mecha', 'creature', 'abstract', 'animal'].map(name =>
          talent(`avatar.style.${name}`, { defaultWeight: weight }),
        ),
      ),
    }),
  )

t.test('mix holds its rules for any input', async t => {
  fc.assert(
    fc.property(anyInput, input => {
      const { mix: mixed } = mix(input)
      const styles = mixed.loras.filter(({ role }) => role === 'style').map(({ effective }) => effective)
      const sum = styles.reduce((total, weight) => total + weight, 0)
      const phrases = mixed.positive.flatMap(({ text }) => splitPhrases(text)).map(phrase => phrase.toLowerCase())
      const isSourced = mixed.positive.every(({ source, text }) => source !== '' && text !== '')
      return (
        isMix(mixed) &&
        styles.every(weight => weight >= 0.01) &&
        sum <= input.styleBudget + 1e-9 &&
        mixed.loras[0]?.effective === 1 &&
        new Set(phrases).size === phrases.length &&
        isSourced &&
        joinWords(mixed.positive) === mixed.positive.map(({ text }) => text).join(', ') &&
        JSON.stringify(mix(structuredClone(input))) === JSON.stringify(mix(input))
      )
    }),
    { seed: 20260103, verbose: true },
  )
  t.pass('seed 20260103')
})

t.test('mix moves a LoRA one way as its slider moves, and mirrors left and right', async t => {
  const weightOf = (position: number, name: string) =>
    mix(mixInput({ variation: { mecha: position } })).mix.loras.find(lora => lora.talent === `avatar.style.${name}`)
      ?.effective ?? 0
  fc.assert(
    fc.property(unit, unit, (one, other) => {
      const [low, high] = one < other ? [one, other] : [other, one]
      return (
        weightOf(high, 'mecha') <= weightOf(low, 'mecha') &&
        weightOf(high, 'creature') >= weightOf(low, 'creature') &&
        Math.abs(weightOf(low, 'mecha') - weightOf(1 - low, 'creature')) <= 0.0101
      )
    }),
    { seed: 20260104, verbose: true },
  )
  t.pass('seed 20260104')
})
