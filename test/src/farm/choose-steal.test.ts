import t from 'tap'
import { chooseSteal } from '../../../src/farm/choose-steal.js'
import type { ServerView } from '../../../src/farm/choose-group.js'

const idle: ServerView = {
  name: 'idle',
  loaded: { modelSet: 'set', loras: [] },
  active: 0,
  busyMs: 0,
  jobMs: work => (work === 'known' ? 100 : undefined),
  swapMs: 500,
  patchMs: 50,
  takes: () => true,
}
const job = (name: string, endsInMs: number, group: object = {}) => ({
  name,
  endsInMs,
  group: { modelSet: 'set', loras: [], work: 'known', ...group },
})

const cases: Record<string, { waiting: ReturnType<typeof job>[]; chosen: string | undefined }> = {
  'takes nothing where nothing waits': { waiting: [], chosen: undefined },
  'takes what gains most': { waiting: [job('a', 300), job('b', 500), job('c', 400)], chosen: 'b' },
  'leaves what would end there as soon': { waiting: [job('a', 100)], chosen: undefined },
  'leaves what gains a few milliseconds': { waiting: [job('a', 124)], chosen: undefined },
  'takes what gains just enough': { waiting: [job('a', 126)], chosen: 'a' },
  'leaves what gains little of a long time': { waiting: [job('a', 650, { modelSet: 'cold' })], chosen: undefined },
  'counts a swap': { waiting: [job('cold', 800, { modelSet: 'cold' }), job('hot', 400)], chosen: 'hot' },
  'takes it in spite of a swap where that pays': { waiting: [job('cold', 900, { modelSet: 'cold' })], chosen: 'cold' },
  'counts a patch': { waiting: [job('patched', 170, { loras: ['a'] })], chosen: undefined },
  'leaves what nobody knows the duration of': { waiting: [job('a', 9000, { work: 'new' })], chosen: undefined },
}
for (const [title, { waiting, chosen }] of Object.entries(cases))
  t.test(`chooseSteal ${title}`, async t => t.equal(chooseSteal(waiting, idle)?.name, chosen))

t.test('chooseSteal counts what the idle server still has to do', async t =>
  t.equal(chooseSteal([job('a', 300)], { ...idle, busyMs: 190 }), undefined),
)
