import t from 'tap'
import { RunBacklog } from '../../../src/farm/run-backlog.js'
import { indexSlots } from '../../../src/plan/slots.js'
import type { Series } from '../../../src/schema/run.js'
import { samplePlan, sampleSeries } from '../plan/sample-plan.js'

const lora = (talent: string): Series['mixes'][number]['loras'][number] => ({
  talent,
  role: 'style',
  raw: 0.5,
  effective: 0.5,
  source: 'test',
  weightsSha256: 'f'.repeat(64),
  sizeBytes: 1,
  hasTextEncoder: false,
  draft: true,
})
const withLoras = (subject: string, count: number, ...talents: string[]) => {
  const series = sampleSeries({ subject, count })
  return { ...series, mixes: series.mixes.map(mix => ({ ...mix, loras: talents.map(lora) })) }
}

function open(series: Series[]) {
  const index = indexSlots(samplePlan(...series))
  const busy = new Set<number>()
  const isWaiting = (ordinal: number) => !busy.has(ordinal)
  const backlog = new RunBacklog({ run: 'r', renderer: 'draft', index, models: [], isWaiting }, 5)
  const take = (at: number, isFit: (ordinal: number) => boolean = () => true) => {
    const group = backlog.groups[at]
    const ordinal = group && backlog.take(group, 9, isFit)
    if (ordinal !== undefined) busy.add(ordinal)
    return ordinal
  }
  return { backlog, busy, take }
}

t.test('slots are grouped by what they need, whatever series they are of', async t => {
  const { backlog } = open([withLoras('a', 3, 'x'), withLoras('b', 2, 'y'), withLoras('c', 4, 'x')])
  t.strictSame(
    backlog.groups.map(({ loras, waiting, since }) => [loras, waiting, since]),
    [
      [['x@0.5'], 7, 5],
      [['y@0.5'], 2, 5],
    ],
  )
  t.equal(backlog.waiting, 9)
  t.equal(new Set(backlog.groups.map(({ lane }) => lane)).size, 2)
})

t.test('slots of a group come in the order of the plan, each once', async t => {
  const { backlog, take } = open([withLoras('a', 2, 'x'), withLoras('b', 1, 'y'), withLoras('c', 2, 'x')])
  t.strictSame([take(0), take(0), take(0), take(0), take(0)], [0, 1, 3, 4, undefined])
  t.equal(backlog.groups[0]?.since, 9, 'it was served')
  t.equal(backlog.waiting, 1)
})

t.test('a slot that is given back comes first, and one that is not fit waits for somebody else', async t => {
  const { backlog, busy, take } = open([withLoras('a', 4, 'x')])
  t.strictSame([take(0), take(0)], [0, 1])
  busy.delete(0)
  backlog.giveBack(0, 12)
  t.equal(backlog.waiting, 3)
  t.equal(
    take(0, ordinal => ordinal > 2),
    3,
  )
  t.equal(backlog.waiting, 2)
  t.strictSame([take(0), take(0), take(0)], [0, 2, undefined])
  t.equal(backlog.waiting, 0)
})

t.test('a slot that waits no more is passed over, and counted when all is looked at again', async t => {
  const { backlog, busy, take } = open([withLoras('a', 4, 'x')])
  busy.add(0)
  busy.add(1)
  t.equal(take(0), 2)
  backlog.giveBack(1, 12)
  t.equal(backlog.waiting, 3, 'it is not given back while somebody has it')
  backlog.recount()
  t.equal(backlog.waiting, 1)
  busy.clear()
  backlog.recount()
  t.strictSame([take(0), take(0), take(0), take(0), take(0)], [0, 1, 2, 3, undefined])
})

t.test('a group whose slots are all unfit tells how many wait', async t => {
  const { backlog, take } = open([withLoras('a', 3, 'x')])
  t.equal(
    take(0, () => false),
    undefined,
  )
  t.equal(backlog.waiting, 3)
})

t.test('a group has something for a server unless all that waits has come back from it', async t => {
  const { backlog, busy, take } = open([withLoras('a', 2, 'x')])
  const [group] = backlog.groups
  if (!group) throw new Error('there is one')
  const never = () => false
  t.ok(backlog.hasFit(group, never), 'what was never tried')
  take(0)
  take(0)
  t.notOk(backlog.hasFit(group, never))
  busy.delete(1)
  backlog.giveBack(1, 40)
  t.equal(group.since, 40, 'it waits since it came back')
  t.notOk(backlog.hasFit(group, never))
  t.ok(backlog.hasFit(group, ordinal => ordinal === 1))
})

t.test('nothing waits in a series that is skipped', async t => {
  const { backlog } = open([{ ...withLoras('a', 3, 'x'), skipped: 'no transcript' }, withLoras('b', 1, 'x')])
  t.equal(backlog.waiting, 1)
})
