import t from 'tap'
import { readModels, shippedModels } from '../../../plugins/provider-replicate/models.js'
import { toSentInput } from '../../../plugins/provider-replicate/sent-input.js'
import { makeLora, smallGraph } from '../provider-comfyui/make-job.js'
import { flux2, graphOf, hostedJob } from './open-fake.js'

const kontext = 'black-forest-labs/flux-kontext-pro'
const { models } = readModels({})
const known = { models, gone: new Set<string>(), today: '2026-11-22' }
const codesOf = (job: Parameters<typeof toSentInput>[0], more: object = {}) =>
  toSentInput(job, { ...known, ...more }).problems.map(({ code, path }) => `${code} ${path ?? ''}`.trim())

t.test('the inputs of the node are sent, without what is ours', async t => {
  const graph = graphOf(flux2, { seed: 2 ** 53 - 1, width: 512, height: 768, aspect_ratio: 'custom', resolution: '' })
  const { input, problems } = toSentInput(hostedJob({ graph }), known)
  t.same(problems, [])
  t.same(input, {
    prompt: 'portrait of mara',
    seed: 2 ** 31 - 1,
    output_format: 'png',
    width: 512,
    height: 768,
    aspect_ratio: 'custom',
  })
})

t.test('the nearest ratio is that of the job', async t => {
  const cases: [width: number, height: number, ratio: string][] = [
    [1024, 1024, '1:1'],
    [832, 1216, '2:3'],
    [1360, 768, '16:9'],
    [2048, 512, '21:9'],
    [0, 0, '1:1'],
  ]
  const graph = graphOf(kontext, { aspect_ratio: 'nearest' })
  for (const [width, height, ratio] of cases)
    t.equal(toSentInput(hostedJob({ graph, width, height }), known).input['aspect_ratio'], ratio)
})

t.test('everything that is wrong with a job is told at once', async t => {
  const graph = graphOf(flux2, {
    prompt: null,
    width: 100_000,
    height: 300.5,
    aspect_ratio: '7:1',
    output_format: 'webp',
    steps: 20,
    seed: ['4', 0],
    input_images: Array.from({ length: 9 }, (_, at) => `data:image/png;base64,${at}`),
  })
  const target = { renderer: 'comfyui', family: 'flux', workflow: 'w' }
  t.same(codesOf(hostedJob({ graph, target, loras: [makeLora()] })).sort(), [
    'REPLICATE_FORMAT_UNFIT 1.inputs.output_format',
    'REPLICATE_INPUT_MISSING 1.inputs.prompt',
    'REPLICATE_INPUT_UNFIT 1.inputs.aspect_ratio',
    'REPLICATE_INPUT_UNFIT 1.inputs.height',
    'REPLICATE_INPUT_UNFIT 1.inputs.seed',
    'REPLICATE_INPUT_UNFIT 1.inputs.width',
    'REPLICATE_INPUT_UNKNOWN 1.inputs.steps',
    'REPLICATE_LORA_UNFIT loras',
    'REPLICATE_REFERENCES_TOO_MANY 1.inputs',
    'REPLICATE_RENDERER_OTHER target.renderer',
  ])
})

t.test('a graph of ComfyUI and a model that nobody knows are told as such', async t => {
  t.same(codesOf(hostedJob({ graph: smallGraph() })), ['REPLICATE_GRAPH_UNFIT'])
  t.same(codesOf(hostedJob({ graph: {} })), ['REPLICATE_GRAPH_UNFIT'])
  const [unknown] = toSentInput(hostedJob({ graph: graphOf('nobody/knows') }), known).problems
  t.match(unknown, { code: 'REPLICATE_MODEL_UNKNOWN', cause: 'missing-model', allowed: /flux-2-pro/ })
})

t.test('a retired model names its successor, from its day on', async t => {
  const options = { models: { [kontext]: { retiredOn: '2026-11-22' } } }
  const table = readModels(options).models
  const job = hostedJob({ graph: graphOf(kontext) })
  t.same(codesOf(job, { models: table, today: '2026-11-21' }), [])
  const [retired] = toSentInput(job, { ...known, models: table }).problems
  t.match(retired, {
    code: 'REPLICATE_MODEL_RETIRED',
    cause: 'missing-model',
    message: /use black-forest-labs\/flux-2-pro/,
  })
  t.same(codesOf(job, { gone: new Set([kontext]) }), ['REPLICATE_MODEL_RETIRED'])
})

t.test('options extend the table, and override it', async t => {
  const { models: extended, problems } = readModels({
    models: {
      'me/mine': { price: 0, inputs: { strength: { type: 'number', minimum: 0, maximum: 1 } } },
      [flux2]: { inputs: { steps: { type: 'integer' } } },
    },
  })
  t.same(problems, [])
  t.equal(extended.size, shippedModels.length + 1)
  t.match(extended.get('me/mine'), {
    price: { amount: 0 },
    inputs: { prompt: { isRequired: true }, strength: { maximum: 1 } },
  })
  t.match(extended.get(flux2)?.inputs, { steps: { type: 'integer' }, width: { maximum: 2048 } })
  t.equal(readModels({ models: { 'a/b': { inputs: { x: { type: 'tensor' } } } } }).problems.length, 1)
})
