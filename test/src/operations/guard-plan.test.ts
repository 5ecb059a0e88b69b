import t from 'tap'
import { guardPlan, guardProblems } from '../../../src/operations/guard-plan.js'
import { describeValues } from '../../../src/plan/slots.js'
import type { PlannedWorkflow, RunPlan } from '../../../src/schema/run.js'

const mail = 'jo@example.com'

function plan(): RunPlan {
  return {
    renderer: 'draft',
    orderSeed: 0,
    workflows: {},
    inputs: [],
    series: [
      {
        subject: 'jo',
        template: 'hero-portrait',
        workflow: 'sd15-text',
        width: 64,
        height: 64,
        views: ['front'],
        variations: [{}],
        count: 1,
        mixes: [
          {
            positive: [
              { text: `by ${mail}`, source: 'prompt' },
              { text: `a keeper, ${mail}, +44 7700 900123`, source: 'persona.description' },
              { text: `${mail} finish`, source: `finish ${mail}` },
              { text: '(masterpiece:1.2), 8k, 1girl, f/1.8, 85mm', source: 'prompt' },
              { text: '', source: 'persona', private: true },
            ],
            negative: [{ text: `no ${mail}`, source: 'talent x' }],
            loras: [],
            sliders: {},
            finish: mail,
          },
        ],
      },
    ],
  }
}

t.test('redact replaces personal data in every word of a plan and tells where', async t => {
  const { plan: guarded, problems } = guardPlan(plan(), 'redact')
  const [mix] = guarded.series[0]?.mixes ?? []
  t.notOk(JSON.stringify(guarded).includes(mail))
  t.equal(mix?.positive[1]?.text, 'a keeper, [email], [phone]')
  t.same(mix?.positive[3], plan().series[0]?.mixes[0]?.positive[3], 'weights and the jargon of prompts stay')
  t.equal(mix?.positive[4]?.private, true)
  t.same(
    problems.map(({ severity, path, found }) => [severity, path, found]),
    [
      ['warning', 'prompt', 'email'],
      ['warning', 'persona.description of jo', 'email, phone'],
      ['warning', 'finish [email]', 'email'],
      ['warning', 'talent x', 'email'],
      ['warning', 'persona.finish of jo', 'email'],
    ],
  )
})

t.test('redact replaces personal data in the labels of a sweep, also where they show half of it', async t => {
  const long = `a letter addressed to ${mail}`
  const swept = plan()
  const texts = [mail, long, 'a plain wall']
  const binding = { family: 'sd15', save: [], parameters: { words: { type: 'text', places: [] } } }
  // Only what the gate reads of a workflow.
  swept.workflows = { 'sd15-text': { binding } as unknown as PlannedWorkflow }
  swept.series = swept.series.map(each => ({
    ...each,
    parameters: texts.map(words => ({ words })),
    variations: texts.map(() => ({})),
    composite: {
      ...{ over: 'variations', columns: 3, tile: 64, gap: 0, background: '#000000' },
      heading: { title: 'jo', detail: describeValues({ words: mail }) },
      labels: texts.map(words => ({ caption: describeValues({ words }), detail: 'no style LoRA' })),
    },
  }))
  const { plan: guarded, problems } = guardPlan(swept, 'redact')
  const composite = guarded.series[0]?.composite
  t.strictSame(
    composite?.labels.map(({ caption }) => caption),
    ['words [email]', 'words a letter addressed to [e', 'words a plain wall'],
  )
  t.equal(composite?.heading?.detail, 'words [email]')
  t.ok(problems.some(({ path }) => path === 'parameters.words'))
  t.notMatch(JSON.stringify(guarded), /jo@/)
})

t.test('reject makes each place an error, and repeats nothing of it', async t => {
  const { problems } = guardPlan(plan(), 'reject')
  t.equal(problems.length, 5)
  for (const problem of problems) t.match(problem, { severity: 'error', code: 'PERSONAL_DATA' })
  t.notOk(JSON.stringify(problems).includes(mail))
})

t.test('off lets everything through', async t => {
  t.same(guardPlan(plan(), 'off'), { plan: plan(), problems: [] })
  const said = [{ severity: 'warning', code: 'X', message: mail }] as const
  t.same(guardProblems(said, 'off'), said)
  t.equal(guardProblems(said, 'redact')[0]?.message, '[email]')
})

t.test('a clean plan is the same plan, so that its hash is', async t => {
  const clean = plan()
  const [series] = clean.series
  if (series)
    series.mixes = [{ positive: [{ text: 'a keeper', source: 'prompt' }], negative: [], loras: [], sliders: {} }]
  t.same(guardPlan(clean, 'redact'), { plan: clean, problems: [] })
})
