import t from 'tap'
import { convertUi } from '../../../src/workflow/convert-ui.js'
import { frozen } from './samples.js'
import type { UiLinkFile, UiNodeFile } from './ui-builder.js'

const control = { control_after_generate: true }
const objectInfo = {
  Loader: info({ ckpt_name: [['a.safetensors', 'b.safetensors'], {}] }),
  Text: info({ text: ['STRING', { multiline: true }], clip: ['CLIP', {}] }),
  Sampler: info(
    {
      model: ['MODEL', {}],
      seed: ['INT', { default: 0 }],
      steps: ['INT', { default: 20 }],
      sampler_name: ['COMBO', { options: ['euler', 'fixed'] }],
      positive: ['CONDITIONING', {}],
    },
    { denoise: ['FLOAT', { default: 1 }] },
  ),
  Picture: info({ image: [['x.png'], { image_upload: true }] }, { scale: ['FLOAT', { default: 1 }] }),
  Pick: info({ name: ['COMBO', { options: ['one', 'two'], ...control }], count: ['INT', {}] }),
  Resize: info({
    image: ['IMAGE', {}],
    by: [
      'COMFY_DYNAMICCOMBO_V3',
      {
        options: [
          { key: 'factor', inputs: { required: { factor: ['FLOAT', { default: 2 }] } } },
          { key: 'size', inputs: { required: { width: ['INT', {}], height: ['INT', {}] } } },
        ],
      },
    ],
    method: [['area', 'nearest'], {}],
  }),
  Forced: info({ words: ['STRING', { forceInput: true }], colour: ['COLOR', {}], amount: ['INT', { default: 3 }] }),
  Values: info({ list: ['STRING', {}], isOn: ['BOOLEAN', {}], empty: [[], {}] }),
  Merge: info({ other: ['VAE', {}], model: ['MODEL', {}], clip: ['CLIP', {}] }),
  Save: info({ model: ['MODEL', {}], prefix: ['STRING', { default: 'p' }] }),
}

function info(required: object, optional: object = {}) {
  return { input: { required, optional }, input_order: { required: Object.keys(required) }, output: [] }
}

type Nodes = UiNodeFile[]
const ui = (nodes: Nodes, links: (UiLinkFile | object)[] = [], more: object = {}) => ({
  version: 0.4,
  nodes,
  links,
  ...more,
})
const slot = (name: string, type: string, link: number | null = null, widget?: string) => ({
  name,
  type,
  link,
  ...(widget !== undefined && { widget: { name: widget } }),
})
const out = (...types: string[]) => types.map(type => ({ name: type, type }))
const convert = (file: object) => convertUi(frozen(file as Record<string, unknown>), { objectInfo, file: 'mine.json' })
const loader = (id: number | string, more: Partial<UiNodeFile> = {}): UiNodeFile => ({
  id,
  type: 'Loader',
  outputs: out('MODEL', 'CLIP', 'VAE'),
  widgets_values: ['a.safetensors'],
  ...more,
})
const save = (id: number | string, link: number | null): UiNodeFile => ({
  id,
  type: 'Save',
  inputs: [slot('model', 'MODEL', link)],
  widgets_values: ['p'],
})
const values = (widgets_values: unknown, more: Partial<UiNodeFile> = {}): UiNodeFile => ({
  id: 3,
  type: 'Sampler',
  widgets_values,
  ...more,
})

const sampled = { seed: 7, steps: 30, sampler_name: 'euler', denoise: 0.5 }
const inside = {
  id: 'sub',
  name: 'Sub',
  inputs: [slot('model', 'MODEL'), slot('clip', 'CLIP'), slot('text', 'STRING')],
  outputs: [slot('out', 'MODEL')],
  nodes: [
    {
      id: 1,
      type: 'Text',
      inputs: [slot('clip', 'CLIP', 2), slot('text', 'STRING', 3, 'text')],
      widgets_values: ['from inside'],
    },
    {
      id: 2,
      type: 'Sampler',
      inputs: [slot('model', 'MODEL', 1), slot('positive', 'CONDITIONING', 4)],
      widgets_values: [7, 'randomize', 30, 'euler', 0.5],
    },
  ],
  links: [
    link(1, -10, 0, 2, 0),
    link(2, -10, 1, 1, 0),
    link(3, -10, 2, 1, 1),
    link(4, 1, 0, 2, 1),
    link(5, 2, 0, -20, 0),
  ],
}

/** What the inputs of some nodes are in the end. */
const cases: Record<string, { file: object; expected: Record<string, object | undefined> }> = {
  'takes values in order, past the word behind a seed': {
    file: ui([values([7, 'randomize', 30, 'euler', 0.5])]),
    expected: { '3': sampled },
  },
  'takes values in order where the word is left out': {
    file: ui([values([7, 30, 'euler', 0.5])]),
    expected: { '3': sampled },
  },
  'passes over the word also where the seed comes by a link': {
    file: ui(
      [
        values([7, 'fixed', 30, 'euler', 0.5], { inputs: [slot('seed', 'INT', 1, 'seed')] }),
        { id: 9, type: 'Pick', widgets_values: ['one', 4] },
      ],
      [[1, 9, 0, 3, 0, 'INT']],
    ),
    expected: { '3': { ...sampled, seed: ['9', 0] } },
  },
  'keeps a word that is a value of its input': {
    file: ui([values([7, 'fixed', 30, 'fixed', 0.5])]),
    expected: { '3': { ...sampled, sampler_name: 'fixed' } },
  },
  'passes over mode and filter behind a choice': {
    file: ui([{ id: 1, type: 'Pick', widgets_values: ['two', 'increment', '', 5] }]),
    expected: { '1': { name: 'two', count: 5 } },
  },
  'passes over the mode alone where there is no filter': {
    file: ui([{ id: 1, type: 'Pick', widgets_values: ['two', 'increment', 5] }]),
    expected: { '1': { name: 'two', count: 5 } },
  },
  'passes over the button of an upload in front of optional values': {
    file: ui([{ id: 1, type: 'Picture', widgets_values: ['x.png', 'image', 0.5] }]),
    expected: { '1': { image: 'x.png', scale: 0.5 } },
  },
  'takes the value behind an upload where no button is kept': {
    file: ui([{ id: 1, type: 'Picture', widgets_values: ['x.png', 0.5] }]),
    expected: { '1': { image: 'x.png', scale: 0.5 } },
  },
  'leaves surplus values and the button of an upload out': {
    file: ui([
      { id: 1, type: 'Picture', widgets_values: ['x.png', 'image'] },
      loader(2, { widgets_values: ['b.safetensors', 1, 2] }),
    ]),
    expected: { '1': { image: 'x.png' }, '2': { ckpt_name: 'b.safetensors' } },
  },
  'reads values by name': {
    file: ui([values({ steps: 30, seed: 7, sampler_name: 'euler', denoise: 0.5, videopreview: {} })]),
    expected: { '3': sampled },
  },
  'opens the widgets that a choice brings': {
    file: ui([
      { id: 1, type: 'Resize', widgets_values: ['size', 64, 96, 'nearest'] },
      { id: 2, type: 'Resize', widgets_values: ['factor', 3, 'area'] },
    ]),
    expected: {
      '1': { by: 'size', 'by.width': 64, 'by.height': 96, method: 'nearest' },
      '2': { by: 'factor', 'by.factor': 3, method: 'area' },
    },
  },
  'gives forced inputs no value, and unknown types one where the node shows a widget': {
    file: ui([
      { id: 1, type: 'Forced', widgets_values: [4] },
      { id: 2, type: 'Forced', widgets_values: ['#112233', 5], inputs: [slot('colour', 'COLOR', null, 'colour')] },
    ]),
    expected: { '1': { amount: 4 }, '2': { colour: '#112233', amount: 5 } },
  },
  'wraps lists': {
    file: ui([{ id: 1, type: 'Values', widgets_values: { list: 'x', isOn: true, empty: ['3', 0] } }]),
    expected: { '1': { list: 'x', isOn: true, empty: { __value__: ['3', 0] } } },
  },
  'takes the literal of a primitive for every input that it feeds': {
    file: ui(
      [
        values([7, 'fixed', 30, 'euler', 0.5], {
          inputs: [slot('seed', 'INT', 1, 'seed'), slot('steps', 'INT', 2, 'steps')],
        }),
        { id: 9, type: 'PrimitiveNode', widgets_values: [12, 'randomize'] },
      ],
      [
        [1, 9, 0, 3, 0, 'INT'],
        [2, 9, 0, 3, 1, 'INT'],
      ],
    ),
    expected: { '3': { ...sampled, seed: 12, steps: 12 }, '9': undefined },
  },
  'follows chains of reroutes, and ignores those of the canvas': {
    file: ui(
      [
        loader(4),
        { id: 5, type: 'Reroute', inputs: [slot('', '*', 1)] },
        { id: 6, type: 'Reroute (rgthree)', inputs: [slot('', '*', 2)] },
        save(7, 3),
      ],
      [
        { id: 1, origin_id: 4, origin_slot: 0, target_id: 5, target_slot: 0, type: 'MODEL', parentId: 1 },
        [2, 5, 0, 6, 0, '*'],
        [3, 6, 0, 7, 0, '*'],
      ],
      { extra: { reroutes: [{ id: 1, pos: [0, 0] }], linkExtensions: [{ id: 1, parentId: 1 }] } },
    ),
    expected: { '7': { model: ['4', 0], prefix: 'p' }, '5': undefined, '6': undefined },
  },
  'gives variables what was set': {
    file: ui(
      [
        loader(4),
        { id: 5, type: 'SetNode', inputs: [slot('MODEL', 'MODEL', 1)], widgets_values: ['base'] },
        { id: 6, type: 'GetNode', outputs: out('MODEL'), widgets_values: ['base'] },
        save(7, 2),
      ],
      [
        [1, 4, 0, 5, 0, 'MODEL'],
        [2, 6, 0, 7, 0, 'MODEL'],
      ],
    ),
    expected: { '7': { model: ['4', 0], prefix: 'p' }, '5': undefined, '6': undefined },
  },
  'leaves notes and what is not linked out': {
    file: ui([
      loader(4),
      { id: 5, type: 'Note', widgets_values: ['hello'] },
      { id: 6, type: 'MarkdownNote' },
      { id: 7, type: 'Switches' },
    ]),
    expected: { '4': { ckpt_name: 'a.safetensors' }, '5': undefined, '6': undefined, '7': undefined },
  },
  'takes muted nodes and their links away': {
    file: ui([loader(4, { mode: 2 }), save(7, 1)], [[1, 4, 0, 7, 0, 'MODEL']]),
    expected: { '4': undefined, '7': { prefix: 'p' } },
  },
  'lets a widget count again whose source is muted': {
    file: ui(
      [
        values([7, 'fixed', 30, 'euler', 0.5], { inputs: [slot('steps', 'INT', 1, 'steps')] }),
        { id: 9, type: 'Pick', mode: 2, widgets_values: ['one', 4] },
      ],
      [[1, 9, 0, 3, 0, 'INT']],
    ),
    expected: { '3': sampled },
  },
  'passes a bypassed node by the input of the same place': {
    file: bypassed([slot('model', 'MODEL', 1), slot('clip', 'CLIP', null)]),
    expected: { '5': undefined, '7': { model: ['4', 0], prefix: 'p' } },
  },
  'passes a bypassed node by the input of the same type': {
    file: bypassed([slot('any', 'CLIP', 2), slot('other', '*', 2), slot('model', 'MODEL', 1)]),
    expected: { '7': { model: ['4', 0], prefix: 'p' } },
  },
  'passes a bypassed node by the first input that fits': {
    file: bypassed([slot('clip', 'CLIP', 2), slot('any', 'model,clip', 1)]),
    expected: { '7': { model: ['4', 0], prefix: 'p' } },
  },
  'removes the link where nothing of a bypassed node fits': {
    file: bypassed([slot('clip', 'CLIP', 2)]),
    expected: { '7': { prefix: 'p' } },
  },
  'runs nodes of other modes': {
    file: ui([loader(4, { mode: 3 })]),
    expected: { '4': { ckpt_name: 'a.safetensors' } },
  },
  'opens subgraphs, with links in, links out and values of the node': {
    file: subgraphs({}),
    expected: {
      '20': undefined,
      '20:1': { text: 'from outside', clip: ['4', 1] },
      '20:2': { ...sampled, model: ['4', 0], positive: ['20:1', 0] },
      '7': { model: ['20:2', 0], prefix: 'p' },
    },
  },
  'lets a value inside stand where the node sets none': {
    file: subgraphs({ widgets_values: [] }),
    expected: { '20:1': { text: 'from inside', clip: ['4', 1] } },
  },
  'gives promoted widgets their values, by node and by input': {
    file: subgraphs({
      properties: {
        proxyWidgets: JSON.stringify([
          ['2', 'seed'],
          ['2', 'control_after_generate'],
          ['-1', 'text'],
          ['2', 'steps'],
        ]),
      },
      widgets_values: [99, 'randomize', 'promoted', null],
    }),
    expected: {
      '20:1': { text: 'promoted', clip: ['4', 1] },
      '20:2': { ...sampled, seed: 99, model: ['4', 0], positive: ['20:1', 0] },
    },
  },
  'takes away all that is inside of a muted subgraph': {
    file: subgraphs({ mode: 2 }),
    expected: { '20:1': undefined, '20:2': undefined, '7': { prefix: 'p' } },
  },
  'bypasses a subgraph as one node': {
    file: subgraphs({ mode: 4 }),
    expected: { '20:1': undefined, '20:2': undefined, '7': { model: ['4', 0], prefix: 'p' } },
  },
  'hands values on to subgraphs inside of subgraphs': {
    file: nested(),
    expected: { '30:20:1': { text: 'outermost' }, '30:20:2': { ...sampled, seed: 5 } },
  },
  'opens legacy group nodes': {
    file: groups(),
    expected: {
      '8:0': { text: 'one', clip: ['4', 1] },
      '8:1': { text: 'two', clip: ['4', 1] },
      '8:2': { ...sampled, seed: 8, model: ['4', 0], positive: ['8:0', 0] },
      '7': { model: ['8:2', 0], prefix: 'p' },
    },
  },
}

function bypassed(inputs: UiNodeFile['inputs'] = []) {
  return ui(
    [loader(4), { id: 5, type: 'Merge', mode: 4, inputs, outputs: out('MODEL') }, save(7, 3)],
    [
      [1, 4, 0, 5, 0, 'MODEL'],
      [2, 4, 1, 5, 1, 'CLIP'],
      [3, 5, 0, 7, 0, 'MODEL'],
    ],
  )
}

function link(id: number, origin_id: number, origin_slot: number, target_id: number, target_slot: number) {
  return { id, origin_id, origin_slot, target_id, target_slot, type: '*' }
}

function subgraphs(more: Partial<UiNodeFile>) {
  const instance = {
    id: 20,
    type: 'sub',
    inputs: [slot('model', 'MODEL', 1), slot('clip', 'CLIP', 2), slot('text', 'STRING', null, 'text')],
    outputs: out('MODEL'),
    widgets_values: ['from outside'],
    ...more,
  }
  const links: UiLinkFile[] = [
    [1, 4, 0, 20, 0, 'MODEL'],
    [2, 4, 1, 20, 1, 'CLIP'],
    [3, 20, 0, 7, 0, 'MODEL'],
  ]
  return ui([loader(4), instance, save(7, 3)], links, { definitions: { subgraphs: [inside] } })
}

function nested() {
  const middle = {
    id: 'middle',
    name: 'Middle',
    inputs: [slot('words', 'STRING')],
    outputs: [],
    nodes: [
      {
        id: 20,
        type: 'sub',
        inputs: [slot('model', 'MODEL'), slot('clip', 'CLIP'), slot('text', 'STRING', 1, 'text')],
        widgets_values: ['from the middle'],
        properties: {
          proxyWidgets: [
            ['-1', 'text'],
            ['2', 'seed'],
          ],
        },
      },
    ],
    links: [link(1, -10, 0, 20, 2)],
  }
  const node = {
    id: 30,
    type: 'middle',
    inputs: [slot('words', 'STRING', null, 'words')],
    properties: {
      proxyWidgets: [
        ['-1', 'words'],
        ['20', 'seed'],
      ],
    },
    widgets_values: ['outermost', 5],
  }
  const positive = {
    ...inside,
    nodes: [
      { ...inside.nodes[0], inputs: [slot('text', 'STRING', 3, 'text')] },
      { ...inside.nodes[1], inputs: [] },
    ],
    links: [link(3, -10, 2, 1, 0)],
  }
  return ui([node], [], { definitions: { subgraphs: [middle, positive] } })
}

function groups() {
  const text = (words: string) => ({
    type: 'Text',
    title: words,
    inputs: [slot('clip', 'CLIP')],
    outputs: out('CONDITIONING'),
    widgets_values: [words],
  })
  const group = {
    nodes: [
      text('first'),
      text('second'),
      {
        type: 'Sampler',
        inputs: [slot('model', 'MODEL'), slot('positive', 'CONDITIONING')],
        outputs: out('MODEL'),
        widgets_values: [1, 'fixed', 2, 'euler', 1],
      },
    ],
    links: [[0, 0, 2, 1, 1, 'CONDITIONING']],
    external: [],
  }
  const node = {
    id: 8,
    type: 'workflow>Pair',
    inputs: [slot('clip', 'CLIP', 1), slot('second clip', 'CLIP', 2), slot('model', 'MODEL', 3)],
    outputs: out('CONDITIONING', 'MODEL'),
    widgets_values: ['one', 'two', 8, 'randomize', 30, 'euler', 0.5],
  }
  const links: UiLinkFile[] = [
    [1, 4, 1, 8, 0, 'CLIP'],
    [2, 4, 1, 8, 1, 'CLIP'],
    [3, 4, 0, 8, 2, 'MODEL'],
    [4, 8, 1, 7, 0, 'MODEL'],
  ]
  return ui([loader(4), node, save(7, 4)], links, { extra: { groupNodes: { Pair: group } } })
}

for (const [title, { file, expected }] of Object.entries(cases)) {
  t.test(`convertUi ${title}`, async t => {
    const { graph, problems } = convert(file)
    t.strictSame(
      problems.filter(each => each.severity === 'error'),
      [],
    )
    for (const [id, inputs] of Object.entries(expected)) t.same(graph?.[id]?.inputs, inputs, `node ${id}`)
  })
}

t.test('convertUi keeps titles', async t => {
  t.match(convert(ui([loader(4, { title: 'Base' })])).graph, {
    '4': { class_type: 'Loader', _meta: { title: 'Base' } },
  })
})

const refused: Record<string, { file: object; problems: object[] }> = {
  'all unknown classes at once, also those inside': {
    file: ui(
      [
        { id: 1, type: 'Lodaer', title: 'Base', outputs: out('MODEL') },
        save(7, 1),
        { id: 8, type: 'Saves pictures', inputs: [slot('images', 'IMAGE', 2)] },
        { id: 9, type: 'sub' },
      ],
      [
        [1, 1, 0, 7, 0, 'MODEL'],
        [2, 7, 0, 8, 0, 'IMAGE'],
      ],
      {
        definitions: {
          subgraphs: [{ id: 'sub', nodes: [{ id: 1, type: 'Deep', inputs: [slot('a', 'A', 1)] }], links: [] }],
        },
      },
    ),
    problems: [
      { code: 'WORKFLOW_CLASS_UNKNOWN', path: 'nodes[0]', found: 'Lodaer "Base", node 1', allowed: 'perhaps Loader' },
      { code: 'WORKFLOW_CLASS_UNKNOWN', path: 'nodes[2]', found: 'Saves pictures, node 8' },
      { code: 'WORKFLOW_CLASS_UNKNOWN', path: 'definitions.subgraphs[0].nodes[0]', found: 'Deep, node 9:1' },
    ],
  },
  'values of another version of a node': {
    file: ui([values(['euler', 'normal', 30])]),
    problems: [{ code: 'WORKFLOW_VALUE_UNFIT', path: 'nodes[0].widgets_values', found: 'Sampler, node 3' }],
  },
  'reroutes in a circle': {
    file: ui(
      [
        { id: 5, type: 'Reroute', inputs: [slot('', '*', 2)] },
        { id: 6, type: 'Reroute', inputs: [slot('', '*', 1)] },
        save(7, 3),
      ],
      [
        [1, 5, 0, 6, 0, '*'],
        [2, 6, 0, 5, 0, '*'],
        [3, 6, 0, 7, 0, '*'],
      ],
    ),
    problems: [{ code: 'WORKFLOW_CYCLE' }],
  },
  'a subgraph that holds itself': {
    file: ui([{ id: 1, type: 'sub' }], [], {
      definitions: { subgraphs: [{ id: 'sub', nodes: [{ id: 2, type: 'sub' }], links: [] }] },
    }),
    problems: [{ code: 'WORKFLOW_TOO_LARGE', found: 'sub, node 1:2' }],
  },
  'subgraphs that open into too many nodes': {
    file: ui([{ id: 1, type: 's0' }], [], {
      definitions: {
        subgraphs: Array.from({ length: 14 }, (_, at) => ({
          id: `s${at}`,
          nodes: at === 13 ? [loader(1)] : [1, 2, 3].map(id => ({ id, type: `s${at + 1}` })),
          links: [],
        })),
      },
    }),
    problems: [{ code: 'WORKFLOW_TOO_LARGE' }],
  },
  'too many nodes': {
    file: ui(Array.from({ length: 2001 }, (_, id) => loader(id))),
    problems: [{ code: 'WORKFLOW_TOO_LARGE', path: 'nodes' }],
  },
  'a variable that nothing sets': {
    file: ui([{ id: 6, type: 'GetNode', widgets_values: ['base'] }, save(7, 1)], [[1, 6, 0, 7, 0, 'MODEL']]),
    problems: [{ code: 'WORKFLOW_LINK_DANGLING', found: 'GetNode, node 6' }],
  },
  'what is no node': {
    file: ui(['x', { id: 1 }, { type: 'Loader' }, loader('__proto__')] as unknown as Nodes),
    problems: [0, 1, 2, 3].map(at => ({ code: 'WORKFLOW_NODE_INVALID', path: `nodes[${at}]` })),
  },
  'two nodes of one id': {
    file: ui([loader(4), loader('4')]),
    problems: [{ code: 'WORKFLOW_NODE_INVALID', path: 'nodes[1]', found: '4' }],
  },
  'a node that is called like one inside another': {
    file: ui([{ id: 9, type: 'sub' }, loader('9:1')], [], {
      definitions: { subgraphs: [{ id: 'sub', nodes: [loader(1)], links: [] }] },
    }),
    problems: [{ code: 'WORKFLOW_NODE_INVALID', found: 'Loader, node 9:1' }],
  },
  'too many links': {
    file: ui(
      [loader(4)],
      Array.from({ length: 20_001 }, (_, id) => link(id, 4, 0, 4, 0)),
    ),
    problems: [{ code: 'WORKFLOW_TOO_LARGE', path: 'links', found: '20001' }],
  },
  // Some hundred thousand nodes of a file of some kilobytes: told once, and not followed to their end.
  'subgraphs of unknown nodes that stand in many places': {
    file: ui(
      Array.from({ length: 400 }, (_, id) => ({ id, type: 'sub' })),
      [],
      {
        definitions: {
          subgraphs: [
            {
              id: 'sub',
              nodes: Array.from({ length: 1000 }, (_, id) => ({ id, type: 'Gone', inputs: [slot('a', 'A', 1)] })),
              links: [],
            },
          ],
        },
      },
    ),
    problems: [
      ...Array.from({ length: 200 }, () => ({ code: 'WORKFLOW_CLASS_UNKNOWN' })),
      { code: 'WORKFLOW_TOO_LARGE' },
    ],
  },
  'values that are sent without links': {
    file: ui(
      [{ id: 5, type: 'Anything Everywhere', inputs: [slot('anything', '*', 1)] }, loader(4)],
      [link(1, 4, 0, 5, 0)],
    ),
    problems: [{ code: 'WORKFLOW_LINK_MISSING', message: /Export \(API\)/ }, { code: 'WORKFLOW_CLASS_UNKNOWN' }],
  },
}

for (const [title, { file, problems: expected }] of Object.entries(refused)) {
  t.test(`convertUi refuses ${title}`, async t => {
    const { graph, problems } = convert(file)
    t.equal(graph, undefined)
    const errors = problems.filter(each => each.severity === 'error')
    t.match(errors, expected)
    t.ok(errors.every(each => each.file === 'mine.json'))
    if (expected.length > 1) t.equal(errors.length, expected.length)
  })
}

t.test('convertUi tells what it fills in and leaves out', async t => {
  const { graph, problems } = convert(ui([values([7, 'fixed'], { title: 'Main' }), { id: 7, type: 'Switches' }]))
  t.same(graph?.['3']?.inputs, { seed: 7, steps: 20, sampler_name: 'euler' }, 'optional inputs stay away')
  t.match(problems, [
    {
      severity: 'warning',
      code: 'WORKFLOW_VALUE_FILLED',
      message: /no value for steps: 20 takes/,
      found: 'Sampler "Main", node 3',
    },
    { severity: 'warning', code: 'WORKFLOW_VALUE_FILLED', message: /sampler_name: "euler"/ },
    { severity: 'warning', code: 'WORKFLOW_NODE_LEFT_OUT', found: 'Switches, node 7' },
  ])
})
