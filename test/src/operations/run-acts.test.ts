import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { startDraftServer } from '../../../plugins/provider-comfyui/draft-server/draft-server.js'
import { loadConfig } from '../../../src/config/config.js'
import { openFoundry } from '../../../src/daemon.js'
import type { ToldAct } from '../../../src/operations/audit.js'
import { callByName } from '../../../src/operations/operations.js'
import type { ActAnswer } from '../../../src/operations/run-acts.js'
import { openLedger } from '../../../src/record/ledger.js'
import { eventually } from '../../daemon/start-daemon.js'
import { tinyTemplates } from '../../tiny-templates.js'

const kit = (id: string) => JSON.stringify({ dot_id: id, version: '1.0.0' })
const order = (changes: object = {}) =>
  JSON.stringify({ personas: ['pip.json', 'pop.json'], templates: ['tiny'], count: 3, ...changes })

type Answer = ActAnswer & {
  changed?: object
  error?: never
  slots: number
  runs: ActAnswer[]
  total: number
  acts: ToldAct[]
}

/** A home with one server, whose farm works. */
async function openHome(t: Test, { jobMs = 0, order: changes = {}, isWorking = true } = {}) {
  const server = await startDraftServer({ faults: { prepared: true, jobMs } })
  t.teardown(() => server.close())
  const home = t.testdir({
    templates: tinyTemplates,
    'foundry.yaml': JSON.stringify({ servers: [{ name: 'one', url: server.url, depth: 2 }] }),
    'pip.json': kit('pip'),
    'pop.json': kit('pop'),
    'order.json': order(changes),
  })
  const open = async () => {
    const opened = await openFoundry(await loadConfig({ home }, {}, '1.2.3'), { log: pino({ level: 'silent' }) })
    t.teardown(() => opened.close(0))
    const ask = async (name: string, input: object = {}, by = 'tester') =>
      (await callByName(name, opened.foundry, input, { by, reach: 'machine' })) as Answer
    if (isWorking) await opened.foundry.farm.start()
    return { ...opened, ask }
  }
  const opened = await open()
  const { run } = await opened.ask('submit', { path: join(home, 'order.json') })
  const isIn = (state: string) => async () =>
    (await opened.ask('runs.show', { id: run, limit: 0 })).state === state || undefined
  return { ...opened, open, home, server, run, until: (state: string) => eventually(state, isIn(state)) }
}

t.test('a persona or a slot of a run is paused, cancelled and tried again by itself', async t => {
  const { ask, run, server, until } = await openHome(t, { jobMs: 60_000 })
  await eventually('jobs', async () => server.ledger.length > 0 || undefined)
  t.match(await ask('runs.pause', { id: run, subject: 'pop' }), { part: 'pop', slots: 3, pausedSlots: 3 })
  const shown = (await ask('runs.show', { id: run, state: 'held' })) as unknown as { slots: object[] }
  t.match(
    shown.slots,
    [1, 2, 3].map(at => ({ slot: `pop/tiny-000${at}`, reason: 'Paused by tester' })),
  )

  t.match(await ask('runs.cancel', { id: run, subject: 'pip' }), {
    part: 'pip',
    slots: 3,
    state: 'held',
    waitsFor: 'resume',
    counts: { cancelled: 3, running: 0, held: 3 },
  })
  t.ok(
    server.ledger.every(({ outcome }) => outcome === 'interrupted'),
    'its server was told',
  )
  server.setFaults({ prepared: true, jobMs: 0 })
  t.match(await ask('runs.resume', { id: run, slot: 'pop/tiny-0002' }), { slots: 1, pausedSlots: 2 })
  await until('held')
  t.match(await ask('runs.resume', { id: run }), { slots: 2 })
  await until('cancelled')
  t.match(await ask('runs.show', { id: run, limit: 0 }), { counts: { done: 3, cancelled: 3 } })
  t.match(await ask('runs.retry', { id: run, slot: 'pip/tiny-0003' }), { part: /0003$/, slots: 1 })
  await until('cancelled')
  t.match(await ask('runs.show', { id: run, limit: 0 }), { counts: { done: 4, cancelled: 2 } })
  t.match(await ask('runs.retry', { id: run }), { slots: 2 })
  await until('done')
})

t.test('a preview is rendered first, and the rest once it is approved', async t => {
  const { ask, home } = await openHome(t)
  const { run } = await ask('submit', { path: join(home, 'order.json'), preview: 3, seed: 9 })
  const until = (state: string) =>
    eventually(state, async () => (await ask('runs.show', { id: run, limit: 0 })).state === state || undefined)
  await until('held')
  t.match(await ask('runs.show', { id: run, limit: 0 }), {
    preview: 3,
    waitsFor: 'approval',
    counts: { done: 2, held: 4 },
  })
  t.match(await ask('runs.list', { state: 'held' }), { total: 1, runs: [{ run }] })
  const early = /it cannot be tried again before "foundry runs approve/
  await t.rejects(ask('runs.retry', { id: run }), { code: 'RUN_STATE_UNFIT', message: early })
  t.match(await ask('runs.approve', { id: run }), { slots: 4, preview: undefined, waitsFor: undefined })
  await until('done')
})

t.test('a run that is paused waits for who resumes it', async t => {
  const { ask, run, foundry, until } = await openHome(t, { isWorking: false })
  t.match(await ask('runs.pause', { id: run }), { state: 'paused', isPaused: true, waitsFor: 'resume', slots: 6 })
  t.match(await ask('runs.list', { state: 'paused' }), { total: 1 })
  t.match(await ask('status'), { runs: { paused: 1 } })
  t.match(await ask('runs.pause', { id: run, subject: 'pip' }), { state: 'paused', pausedSlots: 3 })
  t.match(await ask('runs.resume', { id: run }), { state: 'waiting', isPaused: false, pausedSlots: 3 })
  t.match(await ask('runs.resume', { id: run }), { state: 'waiting', pausedSlots: undefined })
  await ask('runs.pause', { id: run })
  t.match(await ask('runs.cancel', { id: run }), { state: 'cancelled', isPaused: false })
  await ask('runs.retry', { id: run })
  await foundry.farm.start()
  await until('done')
})

t.test('of a paused run nothing new is begun, while other runs go on', async t => {
  const { ask, run, home, server } = await openHome(t, { jobMs: 300 })
  await eventually('jobs', async () => server.ledger.length > 0 || undefined)
  await ask('runs.pause', { id: run })
  const other = await ask('submit', { path: join(home, 'pip.json'), seed: 7, templates: ['tiny'], count: 4 })
  await eventually('the end of the other run', async () => {
    const { state } = await ask('runs.show', { id: other.run, limit: 0 })
    return state === 'done' || undefined
  })
  const { state, counts } = await ask('runs.show', { id: run, limit: 0 })
  t.match({ state, running: counts['running'] }, { state: 'paused', running: 0 })
  t.ok((counts['waiting'] ?? 0) > 0, JSON.stringify(counts))
})

t.test('priority and weight come with the drop, change by hand, and make no other run', async t => {
  const { ask, run, home } = await openHome(t, { isWorking: false, order: { priority: 'batch', weight: 3 } })
  const path = join(home, 'order.json')
  const shown = async () => {
    const { priority, weight } = await ask('runs.show', { id: run, limit: 0 })
    return [priority, weight]
  }
  t.strictSame(await shown(), ['batch', 3])
  t.match(await ask('runs.change', { id: run, priority: 'rush' }), { priority: 'rush', weight: 3 })
  t.match(await ask('submit', { path }), { run, isNew: false, changed: undefined })
  t.strictSame(await shown(), ['rush', 3], 'what was changed by hand counts, not what the order says')
  const changed = { priority: 'default', weight: 0.5 }
  t.match(await ask('submit', { path, ...changed }), { run, isNew: false, changed })
  t.match(await ask('submit', { path, ...changed }), { run, changed: undefined }, 'once')
  t.match(await ask('audit', { run }), { total: 3 })
  await t.rejects(ask('runs.change', { id: run }), { code: 'USAGE_INVALID' })
  for (const weight of [0, -1, 101, 'much'])
    await t.rejects(ask('runs.change', { id: run, weight }), { code: 'OPERATION_INVALID' }, `weight ${weight}`)
  await t.rejects(ask('runs.change', { id: run, priority: 'urgent' }), { code: 'OPERATION_INVALID' })
  await t.rejects(ask('submit', { path, preview: 1 }), { code: 'OPERATION_INVALID' })
})

t.test('an act that means nothing is refused', async t => {
  const { ask, run } = await openHome(t, { isWorking: false })
  const cases: [name: string, input: object, code: string, message: RegExp][] = [
    ['runs.pause', { subject: 'pup' }, 'SUBJECT_UNKNOWN', /no persona "pup": it has pip, pop/],
    ['runs.cancel', { slot: 'pip/tiny-0004' }, 'SLOT_UNKNOWN', /no slot/],
    ['runs.retry', { subject: 'pip', slot: 'pip/tiny-0001' }, 'USAGE_INVALID', /together/],
    ['runs.retry', { subject: 'pip' }, 'SLOTS_UNFIT', /Nothing of pip in run .* can be tried again/],
    ['runs.resume', {}, 'RUN_STATE_UNFIT', /is waiting: it cannot be resumed/],
    ['runs.resume', { subject: 'pip' }, 'SLOTS_UNFIT', /can be resumed/],
    ['runs.approve', {}, 'RUN_STATE_UNFIT', /is waiting: it cannot be approved/],
  ]
  for (const [name, input, code, message] of cases)
    await t.rejects(ask(name, { id: run, ...input }), { code, message }, `${name} ${JSON.stringify(input)}`)
  await ask('runs.pause', { id: run, subject: 'pip' })
  await t.rejects(ask('runs.pause', { id: run, subject: 'pip' }), { code: 'SLOTS_UNFIT' })
  await ask('runs.pause', { id: run })
  t.match(await ask('runs.pause', { id: run }), { isPaused: true, slots: 0 }, 'again changes nothing')
  await ask('runs.cancel', { id: run, slot: 'pip/tiny-0001' })
  await t.rejects(ask('runs.cancel', { id: run, slot: 'pip/tiny-0001' }), { code: 'SLOTS_UNFIT' })
  await ask('runs.cancel', { id: run })
  await t.rejects(ask('runs.pause', { id: run }), { code: 'RUN_STATE_UNFIT', message: /is cancelled/ })
})

t.test('an audit tells every act, the newest first, also on runs that are removed', async t => {
  const { ask, run, home, foundry, until } = await openHome(t, { isWorking: false })
  await ask('runs.pause', { id: run, subject: 'pip' }, 'jane')
  await ask('runs.resume', { id: run, subject: 'pip' }, 'joe')
  await ask('runs.change', { id: run, priority: 'rush' })
  const kinds = async (input: object = {}) => (await ask('audit', input)).acts.map(({ act }) => act)
  const all = ['changed', 'resumed', 'paused', 'accepted']
  t.strictSame(await kinds(), all)
  t.strictSame(await kinds({ run: run.slice(0, 5) }), all)
  for (let offset = 0; offset <= 5; offset++)
    t.strictSame(await kinds({ limit: 2, offset }), all.slice(offset, offset + 2), `from ${offset} on`)
  const { acts, total } = await ask('audit', { limit: 1, offset: 2 })
  t.equal(total, 4)
  t.match(acts, [{ at: /^\d{4}-.*Z$/, by: 'jane', act: 'paused', run, details: { part: 'pip', slots: [[0, 2]] } }])
  const told = JSON.stringify(await ask('audit'))
  for (const secret of [home, foundry.ledger.state.runs.get(run)?.accepted.nonce ?? ''])
    t.notOk(told.includes(secret), 'nothing of the machine')

  await foundry.farm.start()
  await until('done')
  await ask('runs.remove', { id: run })
  t.strictSame(await kinds(), ['removed', ...all])
  t.strictSame(await kinds({ run }), ['removed', ...all], 'by its whole name')
  for (const unknown of ['nobody', 'nobody-0123456789'])
    await t.rejects(ask('audit', { run: unknown }), { code: 'RUN_UNKNOWN' }, unknown)
})

t.test('the acts on a run are known after the journal has let go of them', async t => {
  const { ask, run, home, until, close, open } = await openHome(t)
  await until('done')
  t.match(await ask('audit', { run }), { total: 1 })
  await close(0)
  const journal = join(home, '.foundry', 'journal')
  for (const at of [1, 2]) {
    const ledger = await openLedger(journal, { epoch: 1, snapshotAfter: 1 })
    await ledger.append({ kind: 'drop-gone', at, drop: '/d', root: '/' })
    await ledger.close()
  }
  t.equal(readdirSync(journal).filter(name => name.endsWith('.snapshot')).length, 2)
  const again = await open()
  t.match(await again.ask('audit', { run }), { total: 1, acts: [{ act: 'accepted', by: 'tester' }] })
  await again.ask('runs.remove', { id: run })
  t.match(await again.ask('audit'), { acts: [{ act: 'removed', run }] })
})
