import t from 'tap'
import { formatPath, parsePath, pathOfPointer, valueAt } from '../../../src/files/value-path.js'

const cases: [(string | number)[], string][] = [
  [[], ''],
  [['personas', 2, 'seed'], 'personas[2].seed'],
  [[0, 'a'], '[0].a'],
  [['12', 'inputs', 'model'], '["12"].inputs.model'],
  [['a b', 'c"d', 1], '["a b"]["c\\"d"][1]'],
]
for (const [path, text] of cases)
  t.test(`formatPath and parsePath agree on ${text || 'the root'}`, async t => {
    t.equal(formatPath(path), text)
    t.strictSame(parsePath(text), path)
  })

t.test('formatPath shortens', async t => {
  t.ok(formatPath(['x'.repeat(1000)]).length < 80)
  t.equal(formatPath(Array(200).fill(0)).length, 160)
})

t.test('pointers tell indices from names by the value', async t => {
  const root = { a: [{ 'x/y~z': 1 }], '0': 2 }
  t.strictSame(pathOfPointer('/a/0/x~1y~0z', root), { path: ['a', 0, 'x/y~z'], value: 1 })
  t.strictSame(pathOfPointer('/0', root), { path: ['0'], value: 2 })
  t.equal(valueAt('/a/1', root), undefined)
  t.equal(valueAt('/a/constructor', root), undefined)
})
