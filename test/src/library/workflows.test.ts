import { join } from 'node:path'
import t from 'tap'
import { sha256 } from '../../../src/files/hash.js'
import { readWorkflow, readWorkflows } from '../../../src/library/workflows.js'
import { parseGraph } from '../../../src/workflow/parse-graph.js'

const graph = {
  '3': { class_type: 'KSampler', inputs: { seed: 1 } },
  '9': { class_type: 'SaveImage', inputs: { images: ['3', 0] } },
}
const binding = 'family: sd15\npositive: [{node: "3", input: text}]\nseed: [{node: "3", input: seed}]\nsave: ["9"]\n'

t.test('readWorkflows reads graphs and their bindings by name', async t => {
  const text = JSON.stringify(graph)
  const folder = t.testdir({
    shipped: { 'a.json': text, 'a.binding.yaml': binding, 'b.json': text },
    own: {
      'b.json': JSON.stringify({ prompt: { ...graph, _comment: 'mine' } }),
      'b.binding.yml': binding,
      'notes.txt': '',
    },
  })
  const { workflows, problems } = await readWorkflows(
    [join(folder, 'shipped'), join(folder, 'own'), join(folder, 'gone')],
    parseGraph,
  )
  t.strictSame(problems, [])
  t.strictSame([...workflows.keys()], ['a', 'b'])
  const a = workflows.get('a')
  t.strictSame(a?.graph, graph)
  t.equal(a?.graphSha256, sha256(text))
  t.equal(a?.bindingSha256, sha256(binding))
  t.strictSame(a?.binding?.save, ['9'])
  t.match(workflows.get('b'), { name: 'b', path: join(folder, 'own', 'b.json'), graph, binding: { family: 'sd15' } })
})

t.test('readWorkflows tells what is wrong with each and keeps the others', async t => {
  const folder = t.testdir({
    'a.json': JSON.stringify(graph),
    'a.binding.yaml': 'family: sd14\n',
    'b.json': '{"nodes": [], "links": []}',
    'c.json': '{"prompt": {"1": {"class_type": "A", "inputs": {"x": ["7",\n 0]}}}}',
    'd.json': '{"1": {"class_type": "A", "inputs": {}},}',
    'e.binding.yaml': binding,
  })
  const { workflows, problems } = await readWorkflows([folder], parseGraph)
  t.strictSame([...workflows.keys()], ['a'])
  t.equal(workflows.get('a')?.binding, undefined)
  t.match(
    problems.map(p => `${p.file?.split('/').at(-1)}:${p.line} ${p.path} ${p.code}`),
    [
      'a.binding.yaml:1 positive DOCUMENT_REQUIRED',
      'a.binding.yaml:1 seed DOCUMENT_REQUIRED',
      'a.binding.yaml:1 save DOCUMENT_REQUIRED',
      'a.binding.yaml:1 family DOCUMENT_VALUE_CHOICE',
      'b.json:undefined undefined WORKFLOW_UI_FORMAT',
      'c.json:1 ["1"].inputs.x WORKFLOW_LINK_DANGLING',
      'd.json:1 undefined DOCUMENT_SYNTAX',
      'e.binding.yaml:undefined undefined BINDING_UNUSED',
    ],
  )
  t.match(problems.find(p => p.code === 'WORKFLOW_UI_FORMAT')?.message, /Export \(API\)/)
})

t.test('readWorkflow reads one file with its binding and nothing else', async t => {
  const folder = t.testdir({ 'a.json': JSON.stringify(graph), 'a.binding.yaml': binding, 'broken.json': '{' })
  const { workflow, problems } = await readWorkflow(join(folder, 'a.json'), parseGraph)
  t.match(workflow, { name: 'a', binding: { family: 'sd15' } })
  t.strictSame(problems, [])
  t.match(await readWorkflow(join(folder, 'gone.json'), parseGraph), {
    problems: [{ code: 'FILE_UNREADABLE', file: 'gone.json' }],
  })
  t.match(await readWorkflow(join(folder, 'broken.json'), parseGraph), { problems: [{ code: 'DOCUMENT_INCOMPLETE' }] })
})
