import t from 'tap'
import type { Binding } from '../../../src/schema/binding.js'
import { analyseGraph } from '../../../src/workflow/analyse.js'
import type { ApiGraph } from '../../../src/workflow/api-graph.js'
import { convertUi } from '../../../src/workflow/convert-ui.js'
import { frozen, readEditorSample, readExpected, readObjectInfo, readSample, sampleNames } from './samples.js'
import { describeClasses, inSubgraphs, renamed, toUi, toVersionOne, withReroutes } from './ui-builder.js'

const file = 'mine.json'
const convert = (ui: object, objectInfo: Record<string, unknown>) =>
  convertUi(frozen(ui as Record<string, unknown>), { objectInfo, file })

const samples = new Map(sampleNames().map(name => [name, readSample(name)]))
const classes = describeClasses([...samples.values()])
/** An editor never exports reroutes, and has widgets of its own for these LoRAs. */
const notBuilt = ['reroutes', 'power-loras']
const graphs = new Map([...samples].filter(([name]) => !notBuilt.includes(name)))

t.test('there are enough workflows, each in both formats', async t => {
  t.ok(graphs.size >= 60, `${graphs.size}`)
})

// Saved by hand, trait by trait: groups of bypassed nodes, subgraphs two deep, variables, group nodes, older files, widgets of a pack.
const known = {
  ...classes,
  ...readObjectInfo(),
  'Power Lora Loader (rgthree)': {
    input: { required: {}, optional: { model: ['MODEL'], clip: ['CLIP'] } },
    output: [],
  },
}
const saved = [...samples].flatMap(([name, sample]) => {
  const editor = readEditorSample(name)
  return editor ? [{ name, sample, editor }] : []
})
t.equal(saved.length, 6)
for (const { name, sample, editor } of saved) {
  t.test(`convertUi gives ${name} as it is exported from the file of the editor`, async t => {
    const { graph, problems } = convert(editor, known)
    t.same(graph, sample)
    t.notOk(problems.some(each => each.severity === 'error'))
  })
}

for (const [name, sample] of graphs) {
  t.test(`convertUi gives ${name} as it was exported`, async t => {
    const ui = toUi(sample, classes)
    const forms: [string, object, ApiGraph][] = [
      ['version 0.4', ui, sample],
      [
        'version 1, with all widgets among the inputs',
        toVersionOne(toUi(sample, classes, { listsWidgets: true })),
        sample,
      ],
      ['values by name', toUi(sample, classes, { isNamed: true }), sample],
      ['reroutes', withReroutes(ui), sample],
      ['nested subgraphs', inSubgraphs(ui), renamed(sample, id => `50:60:${id}`)],
    ]
    for (const [form, value, expected] of forms) {
      const { graph, problems } = convert(value, classes)
      t.strictSame(
        problems.filter(each => each.severity === 'error'),
        [],
        form,
      )
      t.same(graph, expected, form)
    }
    const { graph } = convert(ui, classes)
    const expected = readExpected(name) as { problems: object[]; binding?: Binding } // files of ours, written for tests
    const { binding, problems } = analyseGraph(graph ?? {})
    t.same(binding, expected.binding, 'bound as the API format is')
    t.match(problems, expected.problems, 'or refused with the same question')
  })
}
