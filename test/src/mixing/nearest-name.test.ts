import t from 'tap'
import { nearestName } from '../../../src/mixing/nearest-name.js'

const known = ['mecha', 'animal', 'abstract']
const cases = [
  ['meca', 'mecha'],
  ['MECHA', 'mecha'],
  ['aminal', 'animal'],
  ['abstrakt', 'abstract'],
  ['colour', undefined],
  ['x', undefined],
  ['m'.repeat(100_000), undefined],
] as const
for (const [name, nearest] of cases)
  t.test(`nearestName answers ${nearest} for ${name.slice(0, 10)}`, async t =>
    t.equal(nearestName(name, known), nearest),
  )
