import { pino } from 'pino'
import t from 'tap'
import { createEmbeddedEngine } from '../../../src/farm/embedded-engine.js'
import { EngineWindow } from '../../../src/farm/engine-window.js'
import type { RunGroup } from '../../../src/farm/run-backlog.js'
import type { Job } from '../../../src/plan/job.js'
import { wholeJobs } from '../../../src/plugins/conformance/engine-jobs.js'

const groupOf = (run: string, rest: Partial<RunGroup> = {}): RunGroup => ({
  lane: `${run}/0`,
  run,
  renderer: 'draft',
  band: 1,
  weight: 1,
  modelSet: 'a',
  models: [],
  loras: [],
  work: 'sd15/x',
  tags: ['sd15'],
  labels: [],
  waiting: 1,
  since: 0,
  ...rest,
})

/** A window over runs of so many jobs, each a group of its own. */
function openWindow(runs: Record<string, { jobs: number; group?: Partial<RunGroup> }>, roomMax: number) {
  const waiting = new Map<string, Job[]>()
  const groups = Object.entries(runs).map(([run, { jobs, group }]) => {
    waiting.set(
      run,
      wholeJobs(jobs, `${run}-`).map(job => ({ ...job, run })),
    )
    return groupOf(run, group)
  })
  const released: string[] = []
  const state = { engine: createEmbeddedEngine(), isAway: false }
  const window: EngineWindow = new EngineWindow({
    desk: {
      groups: async () => groups.filter(group => (waiting.get(group.run)?.length ?? 0) > 0),
      take: async group => waiting.get(group.run)?.shift(),
      release: job => void released.push(job.id),
    },
    log: pino({ level: 'silent' }),
    engine: () => (state.isAway ? undefined : state.engine),
    renderers: () => new Set(['draft']),
    mayOffer: () => true,
    room: () => roomMax - window.size,
    placesOf: run => window.placesOf(run),
  })
  const filled = async () => {
    window.wake()
    while (window.size < roomMax && groups.some(({ run }) => (waiting.get(run)?.length ?? 0) > 0))
      await new Promise(resolve => setImmediate(resolve))
    await window.offerAgain()
  }
  return { window, state, groups, released, filled }
}

t.test('a window offers no more than there is room for, in fair shares', async t => {
  const { window, state, filled } = openWindow({ one: { jobs: 50, group: { weight: 3 } }, two: { jobs: 50 } }, 16)
  await filled()
  t.equal(window.size, 16)
  t.strictSame([window.placesOf('one'), window.placesOf('two')], [12, 4])
  t.equal(window.jobsOf('sd15'), 16)
  t.strictSame(await state.engine.counts(), new Map([['1/draft/a', 16]]))
})

t.test('what an engine has lost is offered again, and what it has once only', async t => {
  const { window, state, filled } = openWindow({ one: { jobs: 4 } }, 16)
  await filled()
  await state.engine.drain()
  await window.offerAgain()
  await window.offerAgain()
  t.strictSame(await state.engine.counts(), new Map([['1/draft/a', 4]]))
})

t.test('what was taken while the engine was away arrives once it is there', async t => {
  const { window, state, filled } = openWindow({ one: { jobs: 4 } }, 16)
  state.isAway = true
  await filled()
  state.isAway = false
  await window.offerAgain()
  t.strictSame(await state.engine.counts(), new Map([['1/draft/a', 4]]))
})

t.test('jobs move to another lane when the priority of their run was changed', async t => {
  const { window, state, groups, filled } = openWindow({ one: { jobs: 3 } }, 16)
  await filled()
  for (const group of groups) group.band = 0
  await window.offerAgain()
  t.strictSame(await state.engine.counts(), new Map([['0/draft/a', 3]]))
})

t.test('the job that was offered last goes to a server here that is free', async t => {
  const { window, state, filled, released } = openWindow({ one: { jobs: 3 } }, 16)
  await filled()
  t.equal(
    window.withdraw(() => false),
    undefined,
  )
  t.equal(window.withdraw(({ run }) => run === 'one')?.job.id, 'one-2')
  t.equal(window.size, 2)
  t.strictSame(await state.engine.counts(), new Map([['1/draft/a', 2]]))
  t.strictSame(released, [], 'it is still taken')
})

t.test('what is dropped, or left when it closes, is nobody’s any more', async t => {
  const { window, state, filled, released } = openWindow({ one: { jobs: 2 }, two: { jobs: 2 } }, 16)
  await filled()
  window.drop(({ job }) => job.run === 'one')
  t.strictSame(released, ['one-0', 'one-1'])
  await window.close(1000)
  t.equal(released.length, 4)
  t.strictSame(await state.engine.counts(), new Map())
})
