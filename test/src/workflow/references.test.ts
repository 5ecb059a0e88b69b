import t from 'tap'
import type { Binding } from '../../../src/schema/binding.js'
import { analyseGraph } from '../../../src/workflow/analyse.js'
import { bindGraph } from '../../../src/workflow/bind.js'
import { checkBinding } from '../../../src/workflow/check-binding.js'
import { referencesTaken } from '../../../src/workflow/references.js'
import { changed, node, readSample } from './samples.js'

const values = { positive: 'p', negative: 'n', seed: 1, width: 64, height: 64, loras: [] }
const base = readSample('image-to-image')
const two = { ...base, '20': node('LoadImage', { image: 'own.png' }), '21': node('Mixer', { image: ['20', 0] }) }
const joined = changed(two, { '11': { pixels: ['22', 0] } })
const graph = { ...joined, '22': node('Blend', { a: ['10', 0], b: ['21', 0] }) }

t.test('of several loaded pictures people say the order, and the workflow is usable before', async t => {
  const { binding, problems } = analyseGraph(graph)
  t.ok(binding)
  t.notOk(binding?.references)
  const asked = problems.find(({ code }) => code === 'WORKFLOW_REFERENCES_UNORDERED')
  t.match(asked, {
    severity: 'warning',
    path: 'references',
    message: /references: \[\{ node: "10", input: "image" \}, \{ node: "20", input: "image" \}\]/,
  })
  const references = [
    { node: '20', input: 'image' },
    { node: '10', input: 'image' },
  ]
  const answered = analyseGraph(graph, { hints: { references } })
  t.strictSame(answered.binding?.references, references)
  t.notOk(answered.problems.some(({ code }) => code === 'WORKFLOW_REFERENCES_UNORDERED'))
})

t.test('pictures go into the inputs in order, and what gets none keeps what stands there', async t => {
  const references = [
    { node: '20', input: 'image' },
    { node: '10', input: 'image' },
  ]
  const binding = analyseGraph(graph, { hints: { references } }).binding as Binding
  const imagesOf = (...hashes: string[]) => {
    const bound = bindGraph({ graph, binding, values: { ...values, references: hashes } })
    return ['20', '10'].map(id => bound[id]?.inputs['image'])
  }
  t.equal(referencesTaken(binding), 2)
  t.strictSame(imagesOf('a', 'b'), ['reference:a', 'reference:b'])
  t.strictSame(imagesOf('a'), ['reference:a', 'start.png'])
  t.strictSame(imagesOf(), ['own.png', 'start.png'])
})

t.test('a list takes the rest, in the form that is no link', async t => {
  const listed = { ...base, '30': node('Edit', { images: { __value__: [] }, first: '', of: ['8', 0] }) }
  const hosted = changed(listed, { '9': { images: ['30', 0] } })
  const references = [
    { node: '30', input: 'first' },
    { node: '30', input: 'images', max: 3 },
  ]
  const binding = { ...(analyseGraph(hosted).binding as Binding), references }
  t.strictSame(checkBinding(hosted, binding), [])
  t.equal(referencesTaken(binding), 4)
  const bound = bindGraph({ graph: hosted, binding, values: { ...values, references: ['a', 'b', 'c'] } })
  t.match(bound['30']?.inputs, { first: 'reference:a', images: { __value__: ['reference:b', 'reference:c'] } })
  const twice = { ...binding, references: [...references, { node: '30', input: 'first' }] }
  t.match(checkBinding(hosted, twice), [{ code: 'WORKFLOW_INPUT_TWICE', path: 'references[2]' }])
  const missing = { ...binding, references: [{ node: '30', input: 'none' }] }
  t.match(checkBinding(hosted, missing), [{ code: 'WORKFLOW_INPUT_UNKNOWN', path: 'references[0].input' }])
})
