import t from 'tap'
import { describeRange } from '../../../src/cli/describe-range.js'

const cases: [lowS: number, highS: number, said: string][] = [
  [0, 0.1, 'less than 1 s'],
  [0.6, 1.4, '0.5–1.5 s'],
  [40, 60, '40–60 s'],
  [59.9, 60, 'about 60 s'],
  [90, 170, '1.5–3 min'],
  [5400, 9000, '1.5–2.5 h'],
  [200_000, 260_000, '2.5–3 d'],
]
for (const [lowS, highS, said] of cases)
  t.test(`describeRange says ${said}`, async t => t.equal(describeRange({ lowS, highS }), said))
