import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { RunState } from '../../../src/record/state.js'
import { ended, openFarm } from './open-farm.js'

const folder = t.testdir()
const gb = 2 ** 30
/** Of 10 GB, as servers on Windows spell it. */
const sizes = { checkpoints: { 'sub\\base.safetensors': 10 * gb } }

/** Two servers that have the model of the sample run, with the memory of their cards. */
function cards(small: number | undefined, large: number | undefined, hint?: number) {
  const having = (vramTotalBytes: number | undefined) => ({
    with: () => ({
      probe: async () => ({
        renderer: 'draft',
        models: {},
        modelSizes: sizes,
        queueRemaining: 0,
        tookMs: 1,
        ...(vramTotalBytes !== undefined && { vramTotalBytes }),
      }),
    }),
  })
  return { small: { ...having(small), ...(hint !== undefined && { vramGB: hint }) }, large: having(large) }
}

function doneOn(run: RunState, server: string): number {
  return [...run.done.values()].filter(each => each.server === server).length
}

t.test('a model that is larger than a card goes to the server that has room', async t => {
  const { farm, desk, ...open } = await openFarm(t, {
    folder: join(folder, 'told'),
    seed: 1,
    servers: cards(8 * gb, 24 * gb),
  })
  await farm.look()
  const run = await open.accept('one', 12)
  await desk.groups(new Set(['draft']))
  const [group] = desk.backlog()
  const why = 'sub/base.safetensors (10 GB) is larger than its card (8 GB), and large has room'
  t.match(group && farm.outlook.stands(group), [
    { server: 'small', unfit: why },
    { server: 'large', unfit: undefined },
  ])
  t.match(farm.status(), [{ avoided: `It is spared what is too large for it: ${why}` }, { avoided: undefined }])
  t.match(farm.outlook.plan(group ? [group] : [], new Map()).get('one'), { shares: [{ server: 'large', slots: 12 }] })
  const lacks = new Map([[group?.lane ?? '', new Map([['large', 'it lacks a node']])]])
  t.match(farm.outlook.plan(group ? [group] : [], lacks).get('one'), { shares: [{ server: 'small', slots: 12 }] })
  await farm.start()
  await ended(run)
  t.strictSame([doneOn(run, 'small'), doneOn(run, 'large')], [0, 12])
})

t.test('what the configuration says of a card counts more than what the server says', async t => {
  const { farm, ...open } = await openFarm(t, {
    folder: join(folder, 'hint'),
    seed: 1,
    servers: cards(64 * gb, 64 * gb, 9.9),
  })
  await farm.start()
  const run = await open.accept('one', 6)
  await ended(run)
  t.equal(doneOn(run, 'large'), 6)
})

t.test('a server that has not answered yet is waited for, one that does not answer is not', async t => {
  for (const answers of [true, false]) {
    const servers = cards(8 * gb, 24 * gb)
    const { probe } = servers.large.with()
    const late = async () => {
      await sleep(300)
      if (!answers) throw new Error('nobody is there')
      return probe()
    }
    const open = await openFarm(t, {
      folder: join(folder, `late-${answers}`),
      seed: 1,
      servers: { ...servers, large: { with: () => ({ probe: late }) } },
    })
    await open.farm.start()
    const run = await open.accept('one', 4)
    await ended(run)
    t.strictSame([doneOn(run, 'small'), doneOn(run, 'large')], answers ? [0, 4] : [4, 0])
  }
})

t.test('where nobody who takes jobs has room, the small card renders it', async t => {
  const { farm, ...open } = await openFarm(t, {
    folder: join(folder, 'alone'),
    seed: 1,
    servers: cards(8 * gb, 24 * gb),
  })
  await farm.start()
  farm.setMode('large', 'paused')
  const run = await open.accept('one', 6)
  await ended(run)
  t.equal(doneOn(run, 'small'), 6)
})

t.test('where nobody tells how much a card has, everybody renders', async t => {
  const { farm, ...open } = await openFarm(t, { folder: join(folder, 'untold'), seed: 1, servers: cards(undefined, 1) })
  await farm.start()
  farm.setMode('large', 'paused')
  const run = await open.accept('one', 6)
  await ended(run)
  t.equal(doneOn(run, 'small'), 6)
})

t.test('a job that failed where there is room is tried there again', async t => {
  const servers = cards(8 * gb, 24 * gb)
  const { farm, fake, ...open } = await openFarm(t, {
    folder: join(folder, 'failed'),
    seed: 1,
    attemptsMax: 3,
    odds: { fails: 1, unanswered: 0, vanishes: 0, unreachable: 0, deserts: 0, forgets: 0 },
    servers,
  })
  await farm.start()
  const run = await open.accept('one', 1)
  await ended(run)
  t.equal(run.counts.failed, 1)
  t.ok(fake.renders >= 3)
})
