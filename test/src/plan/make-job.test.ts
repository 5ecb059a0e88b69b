import t from 'tap'
import type { GraphJob } from '../../../src/plan/job.js'
import { type JobContext, jobMaker, promptIdOf } from '../../../src/plan/make-job.js'
import type { Lora, RunPlan, Series } from '../../../src/schema/run.js'
import { requestPartSchema } from '../../../src/schema/trace.js'
import { validateValue } from '../../../src/files/validate.js'
import { samplePlan, sampleSeries, slotOf } from './sample-plan.js'

const lora: Lora = {
  talent: 'avatar.style.mecha',
  role: 'style',
  raw: 0.5,
  effective: 0.4,
  source: 'slider mecha',
  weightsSha256: 'c'.repeat(64),
  sizeBytes: 10,
  hasTextEncoder: true,
  draft: false,
}
const base = {
  folder: 'checkpoints',
  name: 'sub/base.safetensors',
  identity: 'name:sub/base.safetensors',
  proven: false,
}

function contextOf(plan: RunPlan, changes: Partial<JobContext> = {}): JobContext {
  return {
    run: 'run-1',
    plan,
    dropSha256: 'd'.repeat(64),
    models: [base],
    privateTexts: new Map(),
    plugins: ['styles@1'],
    ...changes,
  }
}
function jobOf(plan = samplePlan(), changes: Partial<JobContext> = {}, ordinal = 0): GraphJob {
  const job = jobMaker(contextOf(plan, changes)).make(slotOf(plan, ordinal))
  if (!job) throw new Error('no job')
  return job
}
function mixed(changes: Partial<Series['mixes'][number]>, more: Partial<Series> = {}): RunPlan {
  const series = sampleSeries(more)
  return samplePlan({ ...series, mixes: series.mixes.map(mix => ({ ...mix, ...changes })) })
}
function withWorkflow(change: (workflow: RunPlan['workflows'][string]) => void): RunPlan {
  const plan = samplePlan()
  const workflow = plan.workflows['tiny']
  if (workflow) change(workflow)
  return plan
}
function setInput(plan: RunPlan['workflows'][string], node: string, input: string, value: unknown): void {
  Object.assign((plan.graph[node] as { inputs: object }).inputs, { [input]: value })
}

t.test('jobMaker gives the same job for the same slot, in any order', async t => {
  const plan = samplePlan(sampleSeries({ count: 3 }), sampleSeries({ subject: 'pop', count: 2 }))
  const maker = jobMaker(contextOf(plan))
  const forwards = [0, 1, 2, 3, 4].map(at => maker.make(slotOf(plan, at)))
  const backwards = [4, 3, 2, 1, 0].map(at => jobMaker(contextOf(plan)).make(slotOf(plan, at))).reverse()
  t.strictSame(forwards, backwards)
  t.equal(new Set(forwards.map(job => job?.id)).size, 5)
  t.equal(new Set(forwards.map(job => job?.renderHash)).size, 5, 'pop differs by its seed')
  t.ok(forwards.every(job => /^j[a-z2-7]{26}$/.test(job?.id ?? '')))
})

t.test('jobMaker fills in everything that the binding names', async t => {
  const job = jobOf(mixed({ loras: [lora] }))
  t.match(job.graph, {
    '2': { inputs: { text: 'a robot' } },
    '3': { inputs: { width: 64, height: 64, batch_size: 1 } },
    '4': { inputs: { seed: job.slot.seed } },
  })
  const chain = Object.values(job.graph).find(node => node.class_type === 'LoraLoader')
  t.match(chain, { inputs: { lora_name: 'talent:avatar.style.mecha', strength_model: 0.4, strength_clip: 0.4 } })
  t.strictSame(job.models, [base])
  t.strictSame(job.request.sampler, { steps: 20 })
  t.strictSame(validateValue(requestPartSchema, { ...job.request, renderHash: job.renderHash }).problems, [])
})

t.test('jobMaker gives no job for a slot without anything to render', async t => {
  const skipped = samplePlan(sampleSeries({ skipped: 'no transcript', mixes: [] }))
  t.equal(jobMaker(contextOf(skipped)).make(slotOf(skipped)), undefined)
  const { workflows: _, ...rest } = samplePlan()
  const bare = { ...rest, workflows: {} }
  t.equal(jobMaker(contextOf(bare)).make(slotOf(bare)), undefined, 'nor without its workflow')
  const plan = samplePlan()
  t.equal(jobMaker(contextOf(plan)).make({ ...slotOf(plan), series: 9 }), undefined, 'nor without its series')
})

const other = 'e'.repeat(64)
const reference = jobOf(mixed({ loras: [lora] }))
const changing: Record<string, () => GraphJob> = {
  'the seed': () => jobOf(mixed({ loras: [lora] }, { seeds: [1] })),
  'the prompt': () => jobOf(mixed({ loras: [lora], positive: [{ text: 'a cat', source: 's' }] })),
  'the size': () => jobOf(mixed({ loras: [lora] }, { width: 128 })),
  'the weight of a LoRA': () => jobOf(mixed({ loras: [{ ...lora, effective: 0.3 }] })),
  'the content of a LoRA': () => jobOf(mixed({ loras: [{ ...lora, weightsSha256: other }] })),
  'which LoRAs there are': () => jobOf(mixed({ loras: [] })),
  'the identity of a model': () =>
    jobOf(mixed({ loras: [lora] }), { models: [{ ...base, identity: `sha256:${other}`, proven: true }] }),
  'the renderer': () => jobOf({ ...mixed({ loras: [lora] }), renderer: 'comfyui' }),
  'another node of the graph': () => {
    const plan = mixed({ loras: [lora] })
    const workflow = plan.workflows['tiny']
    if (workflow) setInput(workflow, '4', 'steps', 21)
    return jobOf(plan)
  },
}
for (const [title, make] of Object.entries(changing))
  t.test(`renderHash changes with ${title}`, async t => t.not(make().renderHash, reference.renderHash))

const keeping: Record<string, () => GraphJob> = {
  'the save prefix': () => jobOf(withWorkflow(workflow => setInput(workflow, '6', 'filename_prefix', 'elsewhere'))),
  'titles of nodes': () => jobOf(withWorkflow(workflow => Object.assign(workflow.graph['6'] as object, { _meta: {} }))),
  'what the batch was': () => jobOf(withWorkflow(workflow => setInput(workflow, '3', 'batch_size', 9))),
  'where a word comes from': () => jobOf(mixed({ positive: [{ text: 'a robot', source: 'elsewhere' }] })),
  'the drop, the run and the plugins': () =>
    jobOf(samplePlan(), { dropSha256: other, run: 'run-2', plugins: ['more@2'] }),
  'how many there are': () => jobOf(samplePlan(sampleSeries({ count: 5 }))),
}
for (const [title, make] of Object.entries(keeping))
  t.test(`renderHash does not change with ${title}`, async t => t.equal(make().renderHash, jobOf().renderHash))

t.test('a job is of its run: the same picture in another run is another job', async t => {
  t.not(jobOf(samplePlan(), { run: 'run-2' }).id, jobOf().id)
})

t.test('jobs with the same models share a lane, whatever their LoRAs', async t => {
  t.equal(reference.modelSet, jobOf().modelSet)
  t.not(jobOf(samplePlan(), { models: [{ ...base, identity: 'other' }] }).modelSet, jobOf().modelSet)
  t.strictSame(jobOf(samplePlan(), { models: [] }).models, [base], 'a model nobody identified goes by its name')
})

t.test('a workflow that names no models, or reaches them by a link, has none', async t => {
  const unnamed = withWorkflow(workflow => delete workflow.binding.models)
  t.strictSame(jobOf(unnamed).models, [])
  t.strictSame(jobOf(withWorkflow(workflow => setInput(workflow, '1', 'ckpt_name', ['9', 0]))).models, [])
})

t.test('private words reach the server and nothing else', async t => {
  const series = {
    ...sampleSeries(),
    mixes: [
      {
        positive: [
          { text: '', source: 'persona', private: true },
          { text: 'portrait', source: 'template tiny' },
        ],
        negative: [],
        loras: [],
        sliders: { mecha: 0.5 },
        palette: { primary: '#1F6F78' },
        finish: 'flat',
        leftOut: [{ talent: 'x', reason: 'not there' }],
      },
    ],
  }
  const plan = samplePlan(series)
  const job = jobOf(plan, { privateTexts: new Map([[0, 'Jane with a scar']]) })
  t.match(job.graph, { '2': { inputs: { text: /Jane with a scar/ } } })
  t.notMatch(JSON.stringify(job.request), /Jane/)
  t.ok(job.isPrivate)
  t.match(job.request.positive, { sha256: /^[0-9a-f]{64}$/, sources: ['persona', 'template tiny'] })
  t.match(job.request, { palette: { primary: '#1F6F78' }, finish: 'flat', leftOut: [{ talent: 'x' }] })
  t.not(job.renderHash, jobOf(plan, { privateTexts: new Map([[0, 'John']]) }).renderHash)
})

t.test('promptIdOf is a canonical UUID, one for each attempt of a job', async t => {
  const ids = [
    promptIdOf('n', 'j1', 1),
    promptIdOf('n', 'j1', 2),
    promptIdOf('n', 'j2', 1),
    promptIdOf('n', 'j1', 12),
    promptIdOf('m', 'j1', 1),
  ]
  t.equal(new Set(ids).size, 5)
  for (const id of ids) t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.equal(promptIdOf('n', 'j1', 1), ids[0])
})

t.test('the trace tells a seed that was too large for its workflow', async t => {
  const plan = withWorkflow(({ binding }) => Object.assign(binding, { seedMax: 9 }))
  const { request, slot, graph } = jobOf(plan)
  t.ok(slot.seed > 9)
  t.match(request, { seed: slot.seed, fittedSeed: slot.seed % 10 })
  t.match(graph, { '4': { inputs: { seed: slot.seed % 10 } } })
  t.strictSame(validateValue(requestPartSchema, structuredClone(request)).problems, [])
  t.notOk('fittedSeed' in jobOf().request, 'nothing is told where it fits')
})
