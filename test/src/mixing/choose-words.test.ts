import t from 'tap'
import { chooseNegativeWords, chooseWords } from '../../../src/mixing/choose-words.js'
import type { MixInput, MixTalent } from '../../../src/mixing/mix-input.js'
import { placeSliders } from '../../../src/mixing/place-sliders.js'
import type { PersonaKit } from '../../../src/schema/persona-kit.js'
import { identity, kit, mixInput, slider, style, talent, template } from './samples.js'

function say(changes: Partial<MixInput>, talents: MixTalent[] = []) {
  const input = mixInput(changes)
  const { words, problems } = chooseWords(input, placeSliders(input).placed, talents)
  return { said: words.map(({ source, text }) => [source, text]), problems }
}

function saidOf(persona: Partial<PersonaKit>, changes: Partial<MixInput> = {}) {
  const bare = { ...template, words: [] }
  const { said } = say({
    subject: { kind: 'persona', kit: { ...kit, ...persona } },
    template: bare,
    view: 'bare',
    ...changes,
  })
  return said.filter(([source]) => source !== 'style plain')
}

t.test('chooseWords says everything in order of importance, each with its source', async t => {
  const persona = {
    ...kit,
    description: 'A pilot (retired),\n grey hair.',
    sliders: { mecha: 0.2 },
    palette: { accent: '#000000', primary: '#FFFFFF' },
    finish: 'Flat',
    tone: { warmth: 0.9 },
    phrasebook: { say: ['hello'], avoid: ['never drawn'] },
  }
  const subject = { kind: 'persona', kit: persona } as const
  const talents = [identity(), talent('avatar.style.mecha', { token: 'mchx', stylePrompts: ['steel'] })]
  t.strictSame(say({ subject, prompt: '(night:1.2), rain', view: 'front' }, talents), {
    said: [
      ['prompt', '(night:1.2), rain'],
      ['talent avatar.identity.dot_nova', 'a dot_nova'],
      ['template bust', 'portrait'],
      ['view bust/front', 'front view'],
      ['persona.description', 'A pilot \\(retired\\), grey hair'],
      ['talent avatar.style.mecha', 'mchx'],
      ['slider mecha (Mecha)', 'mecha words'],
      ['persona.palette.primary (#FFFFFF)', 'white as the primary colour'],
      ['persona.palette.accent (#000000)', 'black accents'],
      ['finish flat', 'flat colours'],
      ['tone warmth high', 'warm light'],
      ['style plain', 'line art'],
    ],
    problems: [],
  })
})

const calls = {
  'the first prompt that holds the token': [
    { positivePrompts: ['x', 'photo of dot_nova, y', 'a dot_nova'] },
    'photo of dot_nova, y',
  ],
  'the token alone': [{ positivePrompts: ['a dot_nova2'] }, 'a dot_nova'],
} as const
for (const [title, [changes, text]] of Object.entries(calls))
  t.test(`chooseWords calls an identity by ${title}`, async t =>
    t.strictSame(say({}, [identity(changes)]).said[0], ['talent avatar.identity.dot_nova', text]),
  )

t.test('chooseWords calls a talent without token by its first prompt, if any', async t => {
  const { token: _, ...tokenless } = identity()
  t.strictSame(say({}, [tokenless]).said[0]?.[1], 'sample only')
  t.strictSame(
    say({}, [talent('avatar.style.ink', { stylePrompts: ['(ink, wash:1.1)', 'b'] })]).said.find(([s]) =>
      s?.endsWith('ink'),
    ),
    ['talent avatar.style.ink', '(ink, wash:1.1)'],
  )
  t.notOk(say({}, [talent('avatar.style.ink')]).said.some(([source]) => source?.endsWith('ink')))
})

const poles = [
  [0, ['mecha words']],
  [0.42, ['mecha words']],
  [0.43, []],
  [0.5, []],
  [0.57, []],
  [0.58, ['creature words']],
] as const
for (const [position, words] of poles)
  t.test(`chooseWords says the words of a V slider's stronger pole at ${position}`, async t =>
    t.strictSame(
      saidOf({ sliders: { mecha: position } }).map(([, text]) => text),
      words,
    ),
  )

t.test('chooseWords says both poles where they are equally strong, and copes with a pole without words', async t => {
  const sliders = {
    age: slider('Young', 'Old', 'linear'),
    bare: { curve: 'v', left: { label: 'L' }, right: { label: 'R' } },
  } as const
  t.strictSame(
    saidOf({ sliders: { age: 0.5, bare: 0 } }, { style: { name: 'plain', sliders } }).map(([, text]) => text),
    ['young words', 'old words'],
  )
})

const tones = [
  [0.33, ['cool light']],
  [0.34, []],
  [0.66, []],
  [0.67, ['warm light']],
] as const
for (const [warmth, words] of tones)
  t.test(`chooseWords says the tone at warmth ${warmth}`, async t =>
    t.strictSame(
      saidOf({ tone: { warmth, humour: 1, pace: 'slow' } }).map(([, text]) => text),
      words,
    ),
  )

t.test('chooseWords copes with tones that a persona or a style leaves open', async t => {
  const open = { name: 'plain', tone: { pace: { low: ['still'] }, warmth: {}, constructor: { low: ['x'] } } }
  t.strictSame(saidOf({ tone: { warmth: 0 } }, { style: open }), [])
  t.strictSame(saidOf({ tone: { warmth: 1, pace: 'slow' } }, { style: open }), [])
})

t.test('chooseWords puts colours into the words of the style', async t => {
  const patterns = { ...style, palette: { primary: '{colour} on {colour}' } }
  t.strictSame(saidOf({ palette: { primary: '#ff0000', secondary: '#0000ff' } }, { style: patterns }), [
    ['persona.palette.primary (#ff0000)', 'red on red'],
    ['persona.palette.secondary (#0000ff)', 'blue as the secondary colour'],
  ])
})

t.test('chooseWords finds a finish however its style writes it', async t => {
  const subject = { kind: 'persona', kit: { ...kit, finish: 'film grain' } } as const
  const { said, problems } = say({ subject, style: { ...style, finish: { 'Film Grain': ['grainy film'] } } })
  t.strictSame(said.find(([source]) => source === 'finish film grain')?.[1], 'grainy film')
  t.strictSame(problems, [])
})

t.test('chooseWords uses the name of a finish that no style knows, and says so', async t => {
  const subject = { kind: 'persona', kit: { ...kit, finish: 'Glos' } } as const
  const { said, problems } = say({ subject })
  t.strictSame(said.find(([source]) => source === 'finish glos')?.[1], 'glos finish')
  t.match(problems, [{ severity: 'warning', code: 'FINISH_UNKNOWN', message: /"gloss"/, allowed: 'flat, gloss' }])
  t.match(say({ subject, style: { name: 'none' } }).problems, [{ code: 'FINISH_UNKNOWN', allowed: /no style plugin/ }])
})

t.test('chooseWords keeps private fragments without text, in their place, and drops other empty ones', async t => {
  const words = [
    { text: 'before', source: 'a' },
    { text: '', source: 'transcript', private: true },
    { text: ' ', source: 'b' },
    { text: 'after (x)', source: 'c' },
  ]
  t.strictSame(say({ subject: { kind: 'text', words } }).said.slice(2), [
    ['a', 'before'],
    ['transcript', ''],
    ['c', 'after \\(x\\)'],
  ])
})

t.test('chooseWords gives ready-made words no look of a style, unless a slider is set', async t => {
  const subject = { kind: 'text', words: [] } as const
  t.notOk(say({ subject }).said.some(([source]) => source === 'style plain'))
  t.ok(say({ subject, variation: { mecha: 0 } }).said.some(([source]) => source === 'style plain'))
  t.strictSame(
    chooseNegativeWords(mixInput({ subject }), [], []).map(({ source }) => source),
    ['template bust'],
  )
})

t.test('chooseWords refuses a view that the template lacks', async t =>
  t.match(say({ view: 'back' }).problems, [
    { severity: 'error', code: 'VIEW_UNKNOWN', found: 'back', allowed: 'front, bare' },
  ]),
)

t.test('chooseNegativeWords collects what template, talents and style avoid', async t => {
  const talents = [
    identity({ negatives: ['hat, (glasses:1.2)'], negativePrompts: ['old'] }),
    talent('avatar.style.ink'),
  ]
  t.strictSame(
    chooseNegativeWords(mixInput(), [], talents).map(({ source, text }) => [source, text]),
    [
      ['template bust', 'cropped'],
      ['talent avatar.identity.dot_nova', 'hat, (glasses:1.2), old'],
      ['style plain', 'blurry'],
    ],
  )
  const { negative: _, ...gentle } = template
  t.strictSame(chooseNegativeWords(mixInput({ template: gentle, style: { name: 'none' } }), [], []), [])
})

t.test('chooseWords of a template and style without words says nothing', async t => {
  const { words: _, ...silent } = template
  t.strictSame(say({ template: silent, view: 'bare', style: { name: 'none' } }).said, [])
})
