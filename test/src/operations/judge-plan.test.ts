import t from 'tap'
import { judgePlan, type JudgingContext } from '../../../src/operations/judge-plan.js'
import type { Lora, RunPlan } from '../../../src/schema/run.js'

const lora = { talent: 'avatar.style.ink', role: 'style', raw: 1, effective: 1, source: 's' } as Lora
const plan = (text: string, loras: Lora[] = []): RunPlan => ({
  renderer: 'draft',
  orderSeed: 0,
  workflows: {},
  inputs: [],
  series: [
    {
      subject: 'mara',
      template: 'tiny',
      workflow: 'w',
      width: 64,
      height: 64,
      views: ['front'],
      variations: [{}],
      count: 2,
      mixes: [1, 2].map(() => ({
        positive: [{ text, source: 'persona.description' }],
        negative: [],
        loras,
        sliders: {},
      })),
    },
  ],
})
const judge = (text: string, more: Partial<JudgingContext> & { loras?: Lora[] } = {}) => {
  const kit = {
    dot_id: 'mara',
    version: '1.0.0',
    phrasebook: { avoid: ['Cannot be done.'] },
    boundaries: { words: ['gun', 'blut'] },
  }
  return judgePlan(plan(text, more.loras), { kits: [kit], licences: new Map(), use: undefined, ...more })
}

const words: Record<string, { text: string; told?: RegExp }> = {
  'a word as it is': {
    text: 'mara with a gun',
    told: /^"gun" stands in persona\.description, and boundaries\.words of mara forbids it$/,
  },
  'a word in other letters, between signs': { text: '(GUN:1.2), coat', told: /"gun"/ },
  'a word of another script form': { text: 'ｇｕｎ', told: /"gun"/ },
  'a phrase of the phrasebook': { text: 'a sign: cannot — be done', told: /phrasebook\.avoid of mara/ },
  'a part of a word': { text: 'gunmetal coat, begun, blutig' },
  'half of a phrase': { text: 'be done' },
}
for (const [title, { text, told }] of Object.entries(words))
  t.test(`judgePlan ${told ? 'refuses' : 'passes'} ${title}`, t => {
    const found = judge(text)
    t.equal(found.length, told ? 1 : 0, 'once, whatever the number of pictures')
    if (told) t.match(found, [{ severity: 'error', code: 'WORDS_FORBIDDEN', message: told }])
    t.end()
  })

const licences: Record<string, boolean> = {
  'CC-BY-NC-4.0': false,
  'cc by nc sa': false,
  'flux-1-dev-non-commercial-license': false,
  'Noncommercial, ask first': false,
  'research only': false,
  'for personal use': false,
  'CC-BY-4.0': true,
  'Apache-2.0': true,
  'CreativeML Open RAIL-M': true,
  'MIT; no concerns': true,
}
for (const [licence, isFine] of Object.entries(licences))
  t.test(`judgePlan ${isFine ? 'passes' : 'refuses'} "${licence}" for commercial use`, t => {
    const of = { loras: [lora], licences: new Map([[lora.talent, licence]]) }
    const found = judge('a coat', { ...of, use: 'commercial' })
    t.equal(found.length, isFine ? 0 : 1)
    if (!isFine) t.match(found[0], { code: 'LICENCE_FORBIDS', message: /avatar\.style\.ink .*commercial/ })
    t.strictSame(judge('a coat', { ...of, use: 'personal' }), [])
    t.strictSame(judge('a coat', of), [], 'nobody said what it is for')
    t.end()
  })

t.test('judgePlan passes a talent without a licence, and a subject without a kit', t => {
  t.strictSame(judge('a coat', { loras: [lora], use: 'commercial' }), [])
  t.strictSame(judge('a gun', { kits: [] }), [])
  t.end()
})

t.test('what a text parameter says is judged like a prompt', async t => {
  const whole = plan('a keeper')
  const parameters = { more: { node: '1', input: 'text', type: 'text' as const } }
  Object.assign(whole, { workflows: { w: { family: 'sd15', binding: { parameters } } } })
  const [series] = whole.series
  if (!series) throw new TypeError('no series')
  series.parameters = [{ more: 'with a Gun' }]
  const kit = { dot_id: 'mara', version: '1.0.0', boundaries: { words: ['gun'] } }
  const problems = judgePlan(whole, { kits: [kit], licences: new Map(), use: undefined })
  t.match(problems, [{ code: 'WORDS_FORBIDDEN', message: /"gun" stands in parameter more/i }])
})
