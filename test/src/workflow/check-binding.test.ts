import t from 'tap'
import type { Binding } from '../../../src/schema/binding.js'
import type { ApiGraph } from '../../../src/workflow/api-graph.js'
import { checkBinding } from '../../../src/workflow/check-binding.js'
import { changed, node, readSample } from './samples.js'

const graph = readSample('sd15-plain')
const binding: Binding = {
  family: 'sd15',
  positive: [{ node: '6', input: 'text' }],
  seed: [{ node: '3', input: 'seed' }],
  width: [{ node: '5', input: 'width' }],
  height: [{ node: '5', input: 'height' }],
  lora: { model: { node: '4', slot: 0 }, clip: { node: '4', slot: 1 } },
  models: [{ node: '4', input: 'ckpt_name', folder: 'checkpoints' }],
  save: ['9'],
}

const wide = Object.fromEntries(Array.from({ length: 60 }, (_, id) => [id + 100, node('A')]))
const cases: Record<string, { graph?: ApiGraph; binding?: Partial<Binding>; problems: object[] }> = {
  'accepts what fits': { problems: [] },
  'tells a node that is not there': {
    binding: { negative: [{ node: '70', input: 'text' }] },
    problems: [
      { code: 'WORKFLOW_NODE_UNKNOWN', path: 'negative[0].node', found: '70', allowed: '3, 4, 5, 6, 7, 8, 9' },
    ],
  },
  'shortens the list of nodes': {
    graph: { ...graph, ...wide },
    binding: { save: ['x'] },
    problems: [
      ...['positive[0]', 'seed[0]', 'width[0]', 'height[0]', 'models[0]'].map(path => ({
        code: 'WORKFLOW_NODE_IDLE',
        path,
      })),
      { code: 'WORKFLOW_NODE_UNKNOWN', path: 'save[0]', allowed: /132, …$/ },
    ],
  },
  'tells an input that is not there': {
    binding: { steps: [{ node: '3', input: 'step' }] },
    problems: [{ code: 'WORKFLOW_INPUT_UNKNOWN', path: 'steps[0].input', found: 'step', allowed: /seed, steps, cfg/ }],
  },
  'tells an input with a name of the prototype': {
    binding: { steps: [{ node: '3', input: 'constructor' }] },
    problems: [{ code: 'WORKFLOW_INPUT_UNKNOWN' }],
  },
  'warns of a link that is replaced': {
    graph: { ...changed(graph, { '6': { text: ['20', 0] } }), '20': node('PrimitiveString', { value: 'x' }) },
    problems: [{ severity: 'warning', code: 'WORKFLOW_LINK_REPLACED', path: 'positive[0]' }],
  },
  'tells values of the wrong kind': {
    binding: { positive: [{ node: '3', input: 'cfg' }], seed: [{ node: '6', input: 'text' }] },
    problems: [
      { code: 'WORKFLOW_INPUT_UNFIT', path: 'positive[0]', message: /text/, found: '8' },
      { code: 'WORKFLOW_INPUT_UNFIT', path: 'seed[0]', message: /number/ },
    ],
  },
  'tells an input that is bound twice': {
    binding: { negative: [{ node: '6', input: 'text' }] },
    problems: [{ code: 'WORKFLOW_INPUT_TWICE', path: 'negative[0]', message: /positive\[0\]/ }],
  },
  'warns of a node that changes no picture': {
    graph: { ...graph, '20': node('KSampler', { cfg: 3 }) },
    binding: { cfg: [{ node: '20', input: 'cfg' }] },
    problems: [{ severity: 'warning', code: 'WORKFLOW_NODE_IDLE', path: 'cfg[0]' }],
  },
  'tells a width without height': {
    binding: { height: [] },
    problems: [{ code: 'WORKFLOW_SIZE_HALF', path: 'width' }],
  },
  'tells a height without width': {
    binding: { width: [] },
    problems: [{ code: 'WORKFLOW_SIZE_HALF', path: 'height' }],
  },
  'tells LoRA outputs that nothing uses': {
    binding: { lora: { model: { node: '4', slot: 3 }, clip: { node: '44', slot: 0 } } },
    problems: [
      { code: 'WORKFLOW_OUTPUT_UNUSED', path: 'lora.model' },
      { code: 'WORKFLOW_NODE_UNKNOWN', path: 'lora.clip.node' },
    ],
  },
  'accepts LoRAs without CLIP, and none at all': {
    binding: { lora: { model: { node: '4', slot: 0 } } },
    problems: [],
  },
  'tells a save node without prefix': {
    graph: changed(graph, { '9': { filename_prefix: undefined } }),
    problems: [{ severity: 'error', code: 'WORKFLOW_SAVE_UNFIT', path: 'save[0]' }],
  },
}
for (const [title, { graph: given, binding: more, problems }] of Object.entries(cases)) {
  t.test(`checkBinding ${title}`, async t => {
    const found = checkBinding(given ?? graph, { ...binding, ...more })
    t.equal(found.length, problems.length)
    t.match(found, problems)
  })
}
