import t from 'tap'
import type { PersonaKit } from '../../../src/schema/persona-kit.js'
import type { PlannedWorkflow } from '../../../src/schema/run.js'
import { jobMaker } from '../../../src/plan/make-job.js'
import { type PlanRequest, planRun } from '../../../src/plan/plan-run.js'
import { indexSlots, setParameters } from '../../../src/plan/slots.js'
import { kit, style, talent, talentsById, template } from '../mixing/samples.js'
import { sampleWorkflow, slotOf } from './sample-plan.js'

function workflow(): PlannedWorkflow {
  const sample = sampleWorkflow()
  const parameters = {
    steps: { node: '4', input: 'steps', type: 'integer' as const, min: 1, max: 50 },
    scale: { node: '3', input: 'batch_scale', type: 'number' as const, default: 2 },
  }
  return { ...sample, binding: { ...sample.binding, parameters } }
}

function planned(changes: Partial<PlanRequest> = {}, own: Partial<PersonaKit> = {}) {
  return planRun({
    renderer: 'draft',
    orderSeed: 3,
    set: {},
    styleBudget: 1.5,
    subjects: [{ kind: 'persona', id: 'nova', kit: { ...kit, ...own } }],
    templates: [{ ...template, views: template.views.slice(0, 1) }],
    workflows: new Map([['bust', workflow()]]),
    style,
    talents: talentsById(...['mecha', 'creature', 'abstract', 'animal'].map(name => talent(`avatar.style.${name}`))),
    inputs: [],
    count: 2,
    ...changes,
  })
}
const errors = ({ problems }: ReturnType<typeof planned>) => problems.filter(each => each.severity === 'error')

t.test('planRun sweeps parameters beside sliders, each combination with its mix', async t => {
  const { plan } = planned({ set: { mecha: [0, 1] }, parameters: { steps: ['5,6', 7] } })
  const [series] = plan.series
  t.strictSame(
    series?.variations,
    [0, 0, 0, 1, 1, 1].map(mecha => ({ mecha })),
  )
  t.strictSame(
    series?.parameters,
    [5, 6, 7, 5, 6, 7].map(steps => ({ steps })),
  )
  t.strictSame(
    series?.mixes.map(mix => mix.sliders['mecha']),
    [0, 0, 0, 1, 1, 1],
  )
  const index = indexSlots(plan)
  t.equal(index.count, 12)
  t.strictSame(setParameters(index, slotOf(plan, 11)), { steps: 7 })
  const context = { run: 'r', plan, dropSha256: 'd'.repeat(64), models: [], privateTexts: new Map(), plugins: [] }
  const jobs = [0, 2].map(ordinal => jobMaker(context).make(slotOf(plan, ordinal)))
  t.match(jobs[0]?.graph, { '4': { inputs: { steps: 5 } }, '3': { inputs: { batch_scale: 2 } } })
  t.match(jobs[0]?.request, { parameters: { steps: 5, scale: 2 }, sampler: { steps: 5 } })
  t.match(jobs[1]?.request, { parameters: { steps: 6, scale: 2 } })
  t.equal(new Set(jobs.map(job => job?.renderHash)).size, 2, 'the value is part of what is rendered')
})

t.test('planRun is as before where nothing is set', async t => {
  t.notOk('parameters' in (planned().plan.series[0] ?? {}))
})

t.test('planRun takes the word of the run before that of the persona', async t => {
  const own = { parameters: { steps: 9, scale: 3 } }
  t.strictSame(planned({}, own).plan.series[0]?.parameters, [{ steps: 9, scale: 3 }])
  t.strictSame(planned({ parameters: { steps: [4] } }, own).plan.series[0]?.parameters, [{ scale: 3, steps: 4 }])
})

t.test('planRun tells every wrong value and unknown name at once', async t => {
  const found = errors(planned({ parameters: { steps: ['0', 'x'], scael: [1] } }, { parameters: { scale: 'wide' } }))
  t.match(found, [
    { code: 'PARAMETER_UNFIT', path: 'parameters.scale', found: '"wide"', allowed: 'a number' },
    { code: 'PARAMETER_UNFIT', path: 'parameters.steps', found: '"0"', allowed: 'a whole number from 1 to 50' },
    { code: 'PARAMETER_UNFIT', path: 'parameters.steps', found: '"x"' },
    { code: 'PARAMETER_UNKNOWN', path: 'parameters.scael', message: /did you mean "scale"/, allowed: 'steps, scale' },
  ])
  t.equal(found.length, 4)
})

t.test('planRun only warns of what a persona says to other workflows', async t => {
  const result = planned({}, { parameters: { step: 9 } })
  t.strictSame(errors(result), [])
  t.match(result.problems, [
    { severity: 'warning', code: 'PARAMETER_UNKNOWN', message: /"step".*did you mean "steps"/ },
  ])
})

t.test('planRun says where a workflow has no parameters at all', async t => {
  const [problem] = errors(planned({ workflows: new Map([['bust', sampleWorkflow()]]), parameters: { cfg: [1] } }))
  t.match(problem, { code: 'PARAMETER_UNKNOWN', allowed: 'none, because tiny.binding.yaml names none' })
})

t.test('planRun refuses a sweep of both without end', async t => {
  const many = Array.from({ length: 101 }, (_, at) => at / 101)
  const parameters = { scale: many.map(each => each + 1) }
  t.match(errors(planned({ set: { mecha: many }, parameters })), [
    { code: 'PLAN_SWEEP_TOO_LARGE', path: 'parameters.scale' },
  ])
})
