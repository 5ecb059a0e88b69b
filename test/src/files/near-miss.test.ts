import t from 'tap'
import { findNearMiss } from '../../../src/files/near-miss.js'

const names = ['dot_id', 'version', 'personas', 'templates', 'seed', 'seeds', 'constructor']
const cases = {
  dotId: 'dot_id',
  'dot-id': 'dot_id',
  persona: 'personas',
  tempaltes: 'templates',
  Version: 'version',
  seed: 'seed',
  sed: 'seed',
  colour: undefined,
  x: undefined,
  '': undefined,
  ['seed'.repeat(100)]: undefined,
}
for (const [written, meant] of Object.entries(cases))
  t.test(`findNearMiss of ${written.slice(0, 20)} gives ${meant}`, async t =>
    t.equal(findNearMiss(written, names), meant),
  )
