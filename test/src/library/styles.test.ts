import { join } from 'node:path'
import t from 'tap'
import { readStyles } from '../../../src/library/styles.js'

t.test('readStyles reads the style of each folder that has one', async t => {
  const folder = t.testdir({
    a: { 'style.yaml': 'name: a\nsliders:\n  mecha: {left: {label: Mecha}, right: {label: Creature}}\n' },
    b: { 'README.md': '' },
    c: { 'style.yaml': 'name: c\nsliders:\n  mecha: {left: {label: Mecha}}\n' },
    d: { 'style.yaml': {} },
  })
  const { styles, problems } = await readStyles(['a', 'b', 'c', 'd'].map(name => join(folder, name)))
  t.match(styles, [{ style: { name: 'a', sliders: { mecha: { curve: 'v' } } }, sha256: /^[0-9a-f]{64}$/ }])
  t.match(problems, [{ code: 'DOCUMENT_REQUIRED', path: 'sliders.mecha.right', line: 3 }, { code: 'FILE_NOT_REGULAR' }])
})
