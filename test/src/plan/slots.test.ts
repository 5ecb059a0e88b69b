import t from 'tap'
import { indexSlots, seriesLength, slotAt, slotById, slotSeed } from '../../../src/plan/slots.js'
import type { RunPlan, Series } from '../../../src/schema/run.js'

const series = (changes: Partial<Series>): Series => ({
  subject: 'pip',
  template: 'tiny',
  workflow: 'sd15',
  width: 64,
  height: 64,
  views: ['front'],
  variations: [{}],
  mixes: [],
  count: 1,
  ...changes,
})
const plan = (...all: Partial<Series>[]): RunPlan => ({
  renderer: 'draft',
  orderSeed: 7,
  series: all.map(series),
  workflows: {},
  inputs: [],
})

const shapes: Record<string, { series: Partial<Series>; ids: string[] }> = {
  'leaves out what does not vary': { series: { count: 2 }, ids: ['pip/tiny-0001', 'pip/tiny-0002'] },
  'names views': { series: { views: ['front', 'back'] }, ids: ['pip/tiny-front-0001', 'pip/tiny-back-0001'] },
  'numbers variations': {
    series: { variations: [{}, {}], views: ['front', 'back'] },
    ids: ['front-v001', 'front-v002', 'back-v001', 'back-v002'].map(each => `pip/tiny-${each}-0001`),
  },
  'counts exact seeds': { series: { seeds: [5, 5, 9], count: 3 }, ids: [1, 2, 3].map(at => `pip/tiny-000${at}`) },
  'gives a skipped series one slot': { series: { skipped: 'no transcript', mixes: [], count: 4 }, ids: ['pip/tiny'] },
}
for (const [title, { series: shape, ids }] of Object.entries(shapes)) {
  t.test(`indexSlots ${title}`, async t => {
    const index = indexSlots(plan({ subject: 'before', count: 3 }, shape, { subject: 'after' }))
    t.equal(index.count, 3 + ids.length + 1)
    t.equal(seriesLength(series(shape)), ids.length)
    const found = ids.map((_, at) => slotAt(index, 3 + at))
    t.strictSame(
      found.map(slot => slot?.id),
      ids,
    )
    t.ok(
      found.every((slot, at) => slot?.ordinal === 3 + at && slot.series === 1),
      'ordinal and series are right',
    )
    t.equal(slotAt(index, index.count - 1)?.subject, 'after')
    for (const id of ids) t.equal(slotById(index, id)?.id, id)
  })
}

t.test('slotAt knows no slot outside the plan', async t => {
  const index = indexSlots(plan({ count: 3 }))
  for (const ordinal of [-1, 3, 1.5, Number.NaN]) t.equal(slotAt(index, ordinal), undefined, String(ordinal))
  t.equal(slotById(index, 'pip/tiny-0004'), undefined)
  t.equal(slotAt(indexSlots(plan()), 0), undefined)
})

t.test('slotSeed is stable, distinct and safe in JSON', async t => {
  t.equal(slotSeed([0, 'pip', 'tiny', 'front', 0]), slotSeed([0, 'pip', 'tiny', 'front', 0]))
  const index = indexSlots(plan({ count: 2000 }, { subject: 'pop', count: 2000 }, { template: 'big', count: 2000 }))
  const seeds = Array.from({ length: index.count }, (_, at) => slotAt(index, at)?.seed ?? 0)
  t.equal(new Set(seeds).size, index.count)
  t.ok(seeds.every(Number.isSafeInteger))
})

t.test('slotSeed of a slot follows from order, persona, template, view and index alone', async t => {
  const seedOf = (changes: Partial<Series>, ordinal = 0) => slotAt(indexSlots(plan(changes)), ordinal)?.seed
  const own = seedOf({})
  t.equal(seedOf({ count: 9 }), own, 'not from how many there are')
  t.equal(seedOf({ variations: [{}, {}] }, 1), own, 'not from the slider: a sweep keeps its composition')
  t.not(seedOf({ subject: 'pop' }), own)
  t.not(seedOf({ views: ['back'] }), own)
  t.equal(seedOf({ seeds: [42] }), 42, 'exact seeds win')
})
