import t from 'tap'
import { exceededLimit } from '../../../src/farm/limits.js'

const limits = { sd15: 2, 'flux-text': 0, 'avatar.style.mecha': 1 }
const underWay = new Map([
  ['sd15', 1],
  ['avatar.style.mecha', 1],
])
const cases: [string, string[], string | undefined][] = [
  ['lets pass what no limit names', ['sdxl', 'sdxl-text'], undefined],
  ['lets pass as long as there is room', ['sd15', 'sd15-text'], undefined],
  ['stops what has as many already', ['sd15', 'avatar.style.mecha'], 'avatar.style.mecha'],
  ['lets nothing pass where the limit is 0', ['flux', 'flux-text'], 'flux-text'],
]
for (const [title, tags, exceeded] of cases)
  t.test(`exceededLimit ${title}`, async t =>
    t.equal(
      exceededLimit(limits, tags, tag => underWay.get(tag) ?? 0),
      exceeded,
    ),
  )
