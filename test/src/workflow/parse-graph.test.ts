import t from 'tap'
import { graphNodesMax, parseGraph } from '../../../src/workflow/parse-graph.js'
import { node, readSample, sampleNames } from './samples.js'

const tiny = { '1': node('EmptyImage', { width: 8 }), '2': node('SaveImage', { images: ['1', 0] }) }

for (const name of sampleNames()) {
  t.test(`parseGraph takes ${name} as it is`, async t => {
    const { graph, problems } = parseGraph(readSample(name), name)
    t.same(problems, [])
    t.same(graph, readSample(name))
  })
}

const taken: Record<string, { value: unknown; graph?: unknown }> = {
  'a plain graph': { value: tiny },
  'the body of a request': { value: { prompt: tiny, client_id: 'c', extra_data: {} } },
  'both formats in one file': { value: { output: tiny, workflow: { nodes: [], links: [], version: 0.4 } } },
  'comments beside the nodes': { value: { _comment: 'mine', '//': 1, '# todo': {}, note: 'x', ...tiny } },
  'a node whose id looks like a comment': {
    value: { ...tiny, _3: node('Note') },
    graph: { ...tiny, _3: node('Note') },
  },
  'a node whose id is the name of a wrapper': {
    value: { prompt: node('PrimitiveString'), output: node('X') },
    graph: { prompt: node('PrimitiveString'), output: node('X') },
  },
  'keys that a server ignores or wrongly trusts': {
    value: { '1': { ...node('A', {}, 'First'), is_changed: ['x'], pos: [1, 2] }, '2': { ...node('B'), _meta: 'x' } },
    graph: { '1': node('A', {}, 'First'), '2': node('B') },
  },
  'lists that are wrapped': { value: { '1': node('A', { list: { __value__: [1, 2, 3] }, none: null, on: true }) } },
  'ids with colons and names of the prototype': {
    value: { '4:7': node('A', { constructor: 1 }), toString: node('B', { in: ['4:7', 0] }) },
  },
}
for (const [title, { value, graph }] of Object.entries(taken)) {
  t.test(`parseGraph takes ${title}`, async t => {
    const result = parseGraph(value, 'w.json')
    t.same(result.problems, [])
    t.same(result.graph, graph ?? (title.startsWith('lists') || title.startsWith('ids') ? value : tiny))
  })
}

const editor = { last_node_id: 9, last_link_id: 9, nodes: [{ id: 3, type: 'KSampler' }], links: [], version: 0.4 }
const link = (value: unknown) => ({ '1': node('A'), '12': node('B', { model: value }) })
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })
const refused: Record<string, { value: unknown; problems: [code: string, path: string | undefined][] }> = {
  'the format of the editor': { value: editor, problems: [['WORKFLOW_UI_FORMAT', undefined]] },
  'the newer format of the editor': {
    value: { nodes: [], state: {}, version: 1 },
    problems: [['WORKFLOW_UI_FORMAT', undefined]],
  },
  'the format of the editor in a request': { value: { prompt: editor }, problems: [['WORKFLOW_UI_FORMAT', undefined]] },
  'only the half for the editor': { value: { workflow: editor }, problems: [['WORKFLOW_UI_FORMAT', undefined]] },
  'no object': { value: [tiny], problems: [['WORKFLOW_NOT_GRAPH', undefined]] },
  nothing: { value: null, problems: [['WORKFLOW_NOT_GRAPH', undefined]] },
  'halves of characters wherever they stand': {
    value: { '\ud800': node('A'), '2': node('\udc00'), '3': node('A', { '\ud800': 1, deep: { '\udc00': 1 } }) },
    problems: [
      ['WORKFLOW_NODE_INVALID', '["2"].class_type'],
      ['WORKFLOW_NODE_INVALID', '["\\ud800"]'],
      ['WORKFLOW_VALUE_INVALID', '["3"].inputs["\\ud800"]'],
      ['WORKFLOW_VALUE_INVALID', '["3"].inputs.deep'],
    ],
  },
  'no nodes': { value: { _comment: 'later' }, problems: [['WORKFLOW_EMPTY', undefined]] },
  'too many nodes': {
    value: Object.fromEntries(Array.from({ length: graphNodesMax + 1 }, (_, id) => [id, node('A')])),
    problems: [['WORKFLOW_TOO_LARGE', undefined]],
  },
  'nodes of the wrong shape, all at once': {
    value: { '1': 'text', '2': {}, '3': { class_type: 4, inputs: [] }, '4': { class_type: '', inputs: {} }, '5': null },
    problems: [
      ['WORKFLOW_NODE_INVALID', '["1"]'],
      ['WORKFLOW_NODE_INVALID', '["2"].class_type'],
      ['WORKFLOW_NODE_INVALID', '["2"].inputs'],
      ['WORKFLOW_NODE_INVALID', '["3"].class_type'],
      ['WORKFLOW_NODE_INVALID', '["3"].inputs'],
      ['WORKFLOW_NODE_INVALID', '["4"].class_type'],
      ['WORKFLOW_NODE_INVALID', '["5"]'],
    ],
  },
  'an id that would change the prototype': {
    value: JSON.parse('{"__proto__": {"class_type": "A", "inputs": {}}}'),
    problems: [['WORKFLOW_NODE_INVALID', '["__proto__"]']],
  },
  'a link of three parts': { value: link(['1', 0, 0]), problems: [['WORKFLOW_LINK_INVALID', '["12"].inputs.model']] },
  'a link with a number for an id': {
    value: link([1, 0]),
    problems: [['WORKFLOW_LINK_INVALID', '["12"].inputs.model']],
  },
  'a link to a negative output': {
    value: link(['1', -1]),
    problems: [['WORKFLOW_LINK_INVALID', '["12"].inputs.model']],
  },
  'a link to nowhere': { value: link(['99', 0]), problems: [['WORKFLOW_LINK_DANGLING', '["12"].inputs.model']] },
  'a link to a name of the prototype': {
    value: link(['constructor', 0]),
    problems: [['WORKFLOW_LINK_DANGLING', '["12"].inputs.model']],
  },
  'an input whose name is no word': {
    value: { '1': node('A', { 'images.image 0': ['2', 0] }) },
    problems: [['WORKFLOW_LINK_DANGLING', '["1"].inputs["images.image 0"]']],
  },
  'a node that waits for itself': {
    value: { '1': node('A', { in: ['1', 0] }) },
    problems: [['WORKFLOW_CYCLE', '["1"]']],
  },
  'two circles': {
    value: {
      '1': node('A', { in: ['2', 0], also: ['4', 0] }),
      '2': node('A', { in: ['3', 0] }),
      '3': node('A', { in: ['1', 0] }),
      '4': node('A', { in: ['5', 0] }),
      '5': node('A', { in: ['4', 0] }),
    },
    problems: [
      ['WORKFLOW_CYCLE', '["4"]'],
      ['WORKFLOW_CYCLE', '["1"]'],
    ],
  },
  'numbers that lost digits, and halves of characters': {
    value: { '1': node('A', { steps: 2 ** 60, cfg: Infinity, text: '\ud800', list: { __value__: ['a', 2 ** 70] } }) },
    problems: [
      ['WORKFLOW_VALUE_INVALID', '["1"].inputs.steps'],
      ['WORKFLOW_VALUE_INVALID', '["1"].inputs.cfg'],
      ['WORKFLOW_VALUE_INVALID', '["1"].inputs.text'],
      ['WORKFLOW_VALUE_INVALID', '["1"].inputs.list'],
    ],
  },
  'values nested too deep': {
    value: { '1': node('A', { in: deep(101) }) },
    problems: [['WORKFLOW_VALUE_INVALID', '["1"].inputs.in']],
  },
}
for (const [title, { value, problems }] of Object.entries(refused)) {
  t.test(`parseGraph refuses ${title}`, async t => {
    const result = parseGraph(value, 'w.json')
    t.equal(result.graph, undefined)
    t.same(
      result.problems.map(each => [each.code, each.path]),
      problems,
    )
    t.ok(result.problems.every(each => each.file === 'w.json' && each.severity === 'error'))
  })
}

t.test('parseGraph says how to export a workflow of the editor', async t => {
  t.match(parseGraph(editor, 'w.json').problems[0]?.message, /Export \(API\)/)
})

t.test('parseGraph names the nodes of a circle', async t => {
  const circle = { a: node('A', { in: ['b', 0] }), b: node('A', { in: ['a', 0] }) }
  t.equal(parseGraph(circle, 'w.json').problems[0]?.found, 'a → b → a')
})

t.test('parseGraph puts an exact seed in place of one that lost digits, and leaves the value it was given', async t => {
  const value = { '1': node('KSampler', { seed: 2 ** 64 }), '2': node('A', { seed: 12 }) }
  const { graph, problems } = parseGraph(value, 'w.json')
  t.same(
    problems.map(each => [each.severity, each.code, each.path]),
    [['warning', 'WORKFLOW_NUMBER_ROUNDED', '["1"].inputs.seed']],
  )
  t.ok(Number.isSafeInteger(graph?.['1']?.inputs.seed))
  t.equal(graph?.['2']?.inputs.seed, 12)
  t.equal(value['1'].inputs.seed, 2 ** 64)
})

t.test('parseGraph takes the longest chain', async t => {
  const chain = Object.fromEntries(
    Array.from({ length: graphNodesMax }, (_, id) => [
      id,
      node('A', id + 1 < graphNodesMax ? { in: [String(id + 1), 0] } : {}),
    ]),
  )
  t.same(parseGraph(chain, 'w.json').problems, [])
  const closed = { ...chain, [graphNodesMax - 1]: node('A', { in: ['0', 0] }) }
  t.same(
    parseGraph(closed, 'w.json').problems.map(each => each.code),
    ['WORKFLOW_CYCLE'],
  )
})
