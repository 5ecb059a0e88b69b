import t from 'tap'
import { type PlanRequest, type PlanSubject, planRun } from '../../../src/plan/plan-run.js'
import { indexSlots } from '../../../src/plan/slots.js'
import { kit, style, talent, talentsById, template } from '../mixing/samples.js'
import { sampleWorkflow } from './sample-plan.js'

const persona: PlanSubject = { kind: 'persona', id: 'nova', kit }
const speaker: PlanSubject = {
  kind: 'private',
  id: 'call_anna',
  what: 'persona',
  call: 'call',
  speaker: 'anna',
  sha256: 's'.repeat(64),
  exports: 'avatar/anna',
}
const setting: PlanSubject = { kind: 'private', id: 'call', what: 'transcript', call: 'call', sha256: 't'.repeat(64) }
const backdrop = { ...template, id: 'backdrop', subject: 'backdrop' as const, views: [{ id: 'wide' }] }

function planned(changes: Partial<PlanRequest> = {}) {
  return planRun({
    renderer: 'draft',
    orderSeed: 3,
    set: {},
    styleBudget: 1.5,
    subjects: [persona],
    templates: [template],
    workflows: new Map([
      ['bust', sampleWorkflow()],
      ['backdrop', sampleWorkflow()],
    ]),
    style,
    talents: talentsById(...['mecha', 'creature', 'abstract', 'animal'].map(name => talent(`avatar.style.${name}`))),
    inputs: [{ name: 'drop', sha256: 'd'.repeat(64) }],
    ...changes,
  })
}
const codes = ({ problems }: ReturnType<typeof planned>) => problems.map(problem => problem.code)
const errors = ({ problems }: ReturnType<typeof planned>) =>
  problems.flatMap(({ severity, code }) => (severity === 'error' ? [code] : []))

t.test('planRun makes a series of each persona and template', async t => {
  const { plan } = planned({ count: 3, subjects: [persona, { ...persona, id: 'zoe' }] })
  t.match(plan, { renderer: 'draft', orderSeed: 3, inputs: [{ name: 'drop' }], workflows: { tiny: { name: 'tiny' } } })
  t.strictSame(
    plan.series.map(({ subject, views, count, width, height }) => [subject, views, count, width, height]),
    [
      ['nova', ['front', 'bare'], 3, 512, 512],
      ['zoe', ['front', 'bare'], 3, 512, 512],
    ],
  )
  t.equal(plan.series[0]?.mixes.length, 2, 'one mix for each view')
  t.equal(indexSlots(plan).count, 12)
})

t.test('planRun is the same for the same request', async t => {
  t.strictSame(planned({ set: { mecha: [0, 1] } }), planned({ set: { mecha: [0, 1] } }))
})

t.test('planRun combines slider values, the last key changing fastest', async t => {
  const { plan } = planned({ set: { mecha: [0, 1], animal: [0.2, 0.4] } })
  t.strictSame(plan.series[0]?.variations, [
    { mecha: 0, animal: 0.2 },
    { mecha: 0, animal: 0.4 },
    { mecha: 1, animal: 0.2 },
    { mecha: 1, animal: 0.4 },
  ])
  t.equal(plan.series[0]?.mixes.length, 8, 'for each view and variation')
})

t.test('planRun refuses a sweep without end', async t => {
  const many = Array.from({ length: 101 }, (_, at) => at / 101)
  t.strictSame(errors(planned({ set: { mecha: many, animal: many } })), ['PLAN_SWEEP_TOO_LARGE'])
})

t.test('planRun takes exact seeds before counts, and the count of the template where nobody counts', async t => {
  t.match(planned({ seeds: [4, 5], count: 9 }).plan.series[0], { seeds: [4, 5], count: 2 })
  t.equal(planned().plan.series[0]?.count, template.count)
})

t.test('planRun keeps palette and finish of a persona', async t => {
  const look = { palette: { primary: '#112233' }, finish: 'flat' }
  const { plan } = planned({ subjects: [{ kind: 'persona', id: 'nova', kit: { ...kit, ...look } }], prompt: 'bright' })
  t.match(plan.series[0]?.mixes[0], { ...look, positive: [{ text: 'bright' }] })
})

t.test('planRun gives settings to backdrops and characters to the rest', async t => {
  const subjects = [persona, speaker, setting]
  const { plan } = planned({ subjects, templates: [template, backdrop], set: { mecha: [0, 1] } })
  t.strictSame(
    plan.series.map(({ subject, template: id, variations }) => [subject, id, variations.length]),
    [
      ['nova', 'bust', 2],
      ['call_anna', 'bust', 1],
      ['call', 'backdrop', 1],
    ],
    'and sweeps personas alone',
  )
})

t.test('planRun names where private text lies, and holds none', async t => {
  const { plan } = planned({
    subjects: [speaker, { ...setting, before: 'a backdrop of' }],
    templates: [template, backdrop],
  })
  t.match(plan.series[0], {
    privateSource: { kind: 'persona', call: 'call', speaker: 'anna', sha256: 's'.repeat(64) },
    exports: 'avatar/anna',
  })
  t.strictSame(plan.series[1]?.privateSource, { kind: 'transcript', call: 'call', sha256: 't'.repeat(64) })
  const [, words] = plan.series.map(series => series.mixes[0]?.positive ?? [])
  t.ok(words?.some(fragment => fragment.text === 'a backdrop of'))
  t.ok(words?.some(fragment => fragment.private && fragment.text === ''))
})

t.test('planRun skips what has no text, with the reason', async t => {
  const { sha256: _, ...silent } = setting
  const skipped = (subject: PlanSubject) => planned({ subjects: [subject], templates: [backdrop] }).plan.series[0]
  t.match(skipped({ ...silent, skipped: 'no transcript' }), { skipped: 'no transcript', mixes: [], count: 1 })
  t.match(skipped(silent), { skipped: 'nothing to render' })
  t.equal(skipped(silent)?.privateSource, undefined)
})

t.test('planRun says what it cannot plan', async t => {
  t.strictSame(errors(planned({ templates: [] })), ['PLAN_EMPTY'])
  t.strictSame(errors(planned({ templates: [backdrop] })), ['PLAN_EMPTY'])
  t.strictSame(
    errors(planned({ workflows: new Map() })),
    ['PLAN_EMPTY'],
    'a workflow that was not found is told elsewhere',
  )
  const flux = { ...sampleWorkflow(), family: 'flux' as const }
  const without = planned({ workflows: new Map([['bust', flux]]) })
  t.strictSame(errors(without), ['TEMPLATE_SIZE_MISSING', 'PLAN_EMPTY'])
  const sized = planned({ workflows: new Map([['bust', flux]]), sizes: new Map([['bust', { width: 8, height: 16 }]]) })
  t.match(sized.plan.series[0], { width: 8, height: 16 }, 'unless the workflow brings its own size')
})

t.test('planRun refuses pictures that would be called the same', async t => {
  const hero = { ...template, id: 'hero', views: [{ id: 'front' }, { id: 'side' }] }
  const side = { ...template, id: 'hero-side', views: [{ id: 'main' }] }
  const workflows = new Map([hero, side].map(({ id }) => [id, sampleWorkflow()]))
  const both = planned({ templates: [hero, side], workflows })
  t.strictSame(errors(both), ['PLAN_NAME_TWICE'])
  t.match(
    both.problems.at(-1)?.message,
    /nova\/hero-side-0001: of template hero, view side, and of template hero-side, view main/,
  )
  for (const alone of [hero, side]) t.strictSame(errors(planned({ templates: [alone], workflows })), [])
})

t.test('planRun leaves drafts out of real pictures, and tells it once', async t => {
  const talents = talentsById(talent('avatar.style.mecha', { isDraft: true }))
  const request = { talents, set: { mecha: [0, 0.1] }, subjects: [persona, { ...persona, id: 'zoe' }] }
  const real = planned({ ...request, renderer: 'comfyui' })
  t.strictSame(
    codes(real).filter(code => code === 'TALENTS_DRAFT'),
    ['TALENTS_DRAFT'],
  )
  t.notOk(codes(planned(request)).includes('TALENTS_DRAFT'), 'drafts may have them')
})
