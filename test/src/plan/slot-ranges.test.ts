import t from 'tap'
import {
  countSlotsIn,
  isMeant,
  isWithin,
  joinRanges,
  rangesOfSlot,
  rangesOfSubject,
  type SlotRange,
  withoutRanges,
} from '../../../src/plan/slot-ranges.js'
import { indexSlots } from '../../../src/plan/slots.js'
import { samplePlan, sampleSeries } from './sample-plan.js'

t.test('the slots of a persona are ranges, whatever it is rendered as; those of nobody are none', async t => {
  const index = indexSlots(
    samplePlan(
      sampleSeries({ subject: 'pip', count: 3 }),
      sampleSeries({ subject: 'pop', count: 2 }),
      sampleSeries({ subject: 'pip', template: 'big', count: 2 }),
      sampleSeries({ subject: 'pip', template: 'none', skipped: 'no text', mixes: [] }),
    ),
  )
  t.strictSame(rangesOfSubject(index, 'pip'), [
    [0, 2],
    [5, 7],
  ])
  t.strictSame(rangesOfSubject(index, 'pi'), [])
  t.strictSame(rangesOfSlot(index, 'pip/big-0002'), [[6, 6]])
  t.strictSame(rangesOfSlot(index, 'pip/none'), [[7, 7]])
  for (const id of ['pip/big-0003', 'pip/big-0000', 'pip/big', 'pip', '']) t.strictSame(rangesOfSlot(index, id), [], id)
})

t.test('a slot is found by its name in a plan of a million, however it varies', async t => {
  const index = indexSlots(
    samplePlan(
      sampleSeries({ subject: 'pip', count: 500_000 }),
      sampleSeries({ subject: 'pop', views: ['front', 'back'], variations: [{ a: 0 }, { a: 1 }], count: 125_000 }),
    ),
  )
  t.equal(index.count, 1_000_000)
  t.strictSame(rangesOfSlot(index, 'pip/tiny-500000'), [[499_999, 499_999]])
  t.strictSame(rangesOfSlot(index, 'pop/tiny-back-v002-125000'), [[999_999, 999_999]])
  t.strictSame(rangesOfSlot(index, 'pop/tiny-back-v003-0001'), [])
})

t.test('ranges are joined, taken away, searched and counted as the sets that they are', async t => {
  const random = (seed: number) => () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32
  const chance = random(11)
  const setOf = (ranges: readonly SlotRange[]) =>
    ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at))
  const some = () =>
    Array.from({ length: Math.floor(chance() * 6) }, (): SlotRange => {
      const first = Math.floor(chance() * 40)
      return [first, first + Math.floor(chance() * 6)]
    })
  for (let round = 0; round < 300; round++) {
    const [a, b] = [some(), some()]
    const joined = joinRanges(a)
    const expected = [...new Set(setOf(a))].sort((one, other) => one - other)
    t.strictSame(setOf(joined), expected)
    t.ok(joined.every(([first], at) => at === 0 || first > (joined[at - 1]?.[1] ?? 0) + 1))
    t.equal(countSlotsIn(joined), expected.length)
    t.strictSame(
      Array.from({ length: 50 }, (_, at) => at).filter(at => isWithin(joined, at)),
      expected,
    )
    const taken = new Set(setOf(b))
    t.strictSame(
      setOf(withoutRanges(joined, b)),
      expected.filter(each => !taken.has(each)),
    )
  }
})

t.test('no ranges mean every slot, and an empty list of them none', async t => {
  t.ok(isMeant(undefined, 7))
  t.notOk(isMeant([], 7))
  t.ok(isMeant([[5, 7]], 7))
  t.notOk(isMeant([[5, 7]], 8))
})
