import t from 'tap'
import type { Drop } from '../../../src/library/drop.js'
import { checkAsked, referencesWanted } from '../../../src/operations/plan-references.js'

const picture = { sha256: 'a', sizeBytes: 1, format: 'png', width: 1, height: 1, path: '/a.png' } as const
const kit = { dot_id: 'mara', version: '1.0.0' }

t.test('a persona manifest takes no pictures, since its personas are several', async t => {
  const manifest: Drop = { kind: 'persona-manifest', manifest: [], folder: '' }
  t.match(checkAsked({ drop: manifest, asked: [picture] }), [{ severity: 'error', code: 'REFERENCES_UNFIT' }])
  t.strictSame(checkAsked({ drop: manifest }), [])
  t.strictSame(checkAsked({ drop: { kind: 'persona-kit', kit, folder: '' }, asked: [picture] }), [])
})

t.test('a workflow must take as many as the persona with the most of them has', async t => {
  const kits = [
    { path: 'a', kit, sha256: '' },
    { path: 'b', kit, sha256: '', references: [picture, picture] },
  ]
  const drop: Drop = { kind: 'render-order', order: { personas: ['a', 'b'] }, kits, folder: '' }
  t.equal(referencesWanted({ drop }), 2)
  t.equal(referencesWanted({ drop: { ...drop, references: [picture] } }), 1)
  t.equal(referencesWanted({ drop, asked: [picture, picture, picture] }), 3)
})
