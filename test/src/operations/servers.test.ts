import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { startDraftServer } from '../../../plugins/provider-comfyui/draft-server/draft-server.js'
import { loadConfig } from '../../../src/config/config.js'
import { openFoundry } from '../../../src/daemon.js'
import type { ServerStatus } from '../../../src/farm/worker-host.js'
import type { ToldAct } from '../../../src/operations/audit.js'
import { callByName } from '../../../src/operations/operations.js'
import { eventually } from '../../daemon/start-daemon.js'
import { tinyTemplates } from '../../tiny-templates.js'

interface Answer extends ServerStatus {
  isNew: boolean
  left: number
  run: string
  warnings: object[]
  servers: ServerStatus[]
  acts: ToldAct[]
  counts: Record<string, number>
  total: number
}

const order = (changes: object = {}) =>
  JSON.stringify({ personas: ['pip.json'], templates: ['tiny'], count: 6, ...changes })

/** Draft servers, and a home whose foundry.yaml lists some of them. */
async function openHome(t: Test, { drafts = 2, jobMs = 0, config = (_urls: string[]): object => ({}) } = {}) {
  const servers = await Promise.all(
    Array.from({ length: drafts }, () => startDraftServer({ faults: { prepared: true, jobMs } })),
  )
  t.teardown(() => Promise.all(servers.map(server => server.close())))
  const urls = servers.map(({ url }) => url)
  const home = t.testdir({
    templates: tinyTemplates,
    'foundry.yaml': JSON.stringify(config(urls)),
    'pip.json': JSON.stringify({ dot_id: 'pip', version: '1.0.0' }),
    'order.json': order(),
  })
  const open = async (env: NodeJS.ProcessEnv = {}, isWorking = true) => {
    const opened = await openFoundry(await loadConfig({ home }, env, '1.2.3'), { log: pino({ level: 'silent' }) })
    t.teardown(() => opened.close(0))
    const ask = async (name: string, input: object = {}, reach: 'machine' | 'home' = 'machine') =>
      (await callByName(name, opened.foundry, input, { by: 'tester', reach })) as Answer
    const statusOf = async (name: string) =>
      (await ask('servers.list')).servers.find(each => each.name === name) ?? ({} as Partial<ServerStatus>)
    const isDone = (run: string) =>
      eventually(`the end of ${run}`, async () => {
        const { counts } = await ask('runs.show', { id: run, limit: 0 })
        return counts['done'] === counts['slots'] || undefined
      })
    if (isWorking) await opened.foundry.farm.start()
    return { ...opened, ask, statusOf, isDone }
  }
  const submit = (opened: { ask: Awaited<ReturnType<typeof open>>['ask'] }, changes: object = {}) => {
    writeFileSync(join(home, 'order.json'), order(changes))
    return opened.ask('submit', { path: join(home, 'order.json') })
  }
  return { home, servers, urls, open, submit }
}

const listed =
  (...indexes: number[]) =>
  (urls: string[]) => ({
    servers: indexes.map(at => ({ name: `gpu${at}`, url: urls[at], depth: 2 })),
  })

t.test('a server is added while a run goes on, and works on it; the next start knows it', async t => {
  const { open, submit, urls, servers } = await openHome(t, { jobMs: 150, config: listed(0) })
  const opened = await open()
  const { run } = await submit(opened, { count: 12 })
  await eventually('a job', async () => servers[0]?.ledger[0])
  const added = await opened.ask('servers.add', { name: 'gpu1', url: urls[1], labels: ['new'] })
  t.match(added, { name: 'gpu1', state: 'ready', mode: 'active', isNew: true, isKept: true, depth: 2, labels: ['new'] })
  t.match(await opened.ask('servers.add', { name: 'gpu1', url: urls[1], labels: ['new'] }), { isNew: false })
  await opened.isDone(run)
  t.ok((servers[1]?.ledger.length ?? 0) > 0, 'it has rendered')
  t.match(await opened.statusOf('gpu1'), { rendered: Number, renderer: 'draft', models: [/safetensors/], failed: 0 })
  for (const [input, code] of [
    [{ name: 'gpu1', url: 'http://other' }, 'SERVER_EXISTS'],
    [{ name: 'gpu0', url: 'http://other' }, 'SERVER_EXISTS'],
    [{ name: 'gpu2', url: `${urls[1]}/` }, 'SERVER_ADDRESS_TAKEN'],
    [{ name: 'gpu2', url: 'gpu2:8188' }, 'SERVER_INVALID'],
    [{ name: 'gpu2', url: 'file:///etc/passwd' }, 'SERVER_INVALID'],
    [{ name: 'gpu2', url: 'draft' }, 'SERVER_INVALID'],
    [{ name: 'gpu2', url: 'http://gpu2', token: 'abc' }, 'SERVER_INVALID'],
    [{ name: 'gpu2', url: 'http://gpu2', token: '${NOWHERE}' }, 'SERVER_INVALID'],
    [{ name: 'gpu2', url: 'http://gpu2', provider: 'nobody' }, 'USAGE_INVALID'],
    [{ name: 'gpu2', url: 'http://gpu2', ca: '/etc/passwd' }, 'OPERATION_INVALID'],
    [{ name: 'gpu2', url: 'http://gpu2', quietHours: ['always'] }, 'OPERATION_INVALID'],
  ] as const)
    await t.rejects(opened.ask('servers.add', input), { code }, JSON.stringify(input))
  await opened.close(0)
  const next = await open()
  t.match(await next.ask('servers.list'), { servers: [{ name: 'gpu0' }, { name: 'gpu1', labels: ['new'] }] })
  t.match(await next.ask('audit'), {
    acts: [{ act: 'server-added', server: 'gpu1', by: 'tester', details: { url: urls[1], labels: ['new'] } }, {}],
  })
})

t.test('who reaches the API alone neither names nor sends a secret of the machine', async t => {
  const { open } = await openHome(t, { drafts: 1, config: listed(0) })
  const { ask, foundry } = await open({ GPU2_TOKEN: 'secret' }, false)
  const entry = { name: 'gpu2', url: 'http://127.0.0.1:9' }
  await t.rejects(ask('servers.add', { ...entry, token: '${GPU2_TOKEN}' }, 'home'), {
    code: 'SERVER_INVALID',
    message: /not named over the API.*the command line/,
  })
  await t.rejects(ask('servers.add', { ...entry, headers: { a: '${GPU2_TOKEN}' } }, 'home'), { code: 'SERVER_INVALID' })
  t.match(await ask('servers.add', { ...entry, token: '${GPU2_TOKEN}' }), { state: 'unreachable' })
  t.equal(foundry.ledger.state.servers.get('gpu2')?.entry?.token, '${GPU2_TOKEN}')
  t.notMatch(JSON.stringify([await ask('audit'), await ask('servers.list')]), /secret/)
})

t.test('one whose variable is not set any more harms no other, and says so', async t => {
  const { open } = await openHome(t, { drafts: 1, config: listed(0) })
  const first = await open({ GPU2_TOKEN: 'secret' }, false)
  await first.ask('servers.add', { name: 'gpu2', url: 'http://127.0.0.1:9', token: '${GPU2_TOKEN}' })
  await first.close(0)
  const next = await open({})
  await eventually('the others', async () => (await next.statusOf('gpu0')).state === 'ready' || undefined)
  t.match(await next.statusOf('gpu2'), { state: 'unreachable', avoided: /The variable GPU2_TOKEN is not set/ })
  t.match(await next.ask('servers.remove', { name: 'gpu2' }), { removed: 'gpu2' })
})

t.test('a drained server ends what it has and gets nothing more until it is resumed', async t => {
  const { open, submit, servers } = await openHome(t, { jobMs: 400, config: listed(0, 1) })
  const opened = await open()
  const { run } = await submit(opened, { count: 20 })
  await eventually('jobs', async () => (servers[0]?.ledger[0] && servers[1]?.ledger[0]) || undefined)
  const hasty = await opened.ask('servers.drain', { name: 'gpu0', waitSeconds: 0 })
  t.ok(hasty.left > 0, 'what it has is told')
  t.match(hasty, { mode: 'draining', jobs: { length: hasty.left }, avoided: /being drained/ })
  t.match(await opened.ask('servers.drain', { name: 'gpu0' }), { left: 0, jobs: { length: 0 }, isNew: false })
  const sofar = servers[0]?.ledger.length
  const before = servers[1]?.ledger.length ?? 0
  await eventually('more of the other', async () => (servers[1]?.ledger.length ?? 0) > before + 2 || undefined)
  t.equal(servers[0]?.ledger.length, sofar, 'it got nothing more')
  const ended = opened.foundry.ledger.state.runs.get(run)?.leases.values() ?? []
  t.ok([...ended].every(lease => lease.server === 'gpu1'))

  t.match(await opened.ask('servers.resume', { name: 'gpu0' }), { mode: 'active', avoided: undefined })
  await eventually('more of this one', async () => (servers[0]?.ledger.length ?? 0) > (sofar ?? 0) || undefined)
  for (const server of servers) server.setFaults({ prepared: true, jobMs: 0 })
  await opened.isDone(run)
})

t.test('a paused server stays paused over a restart, others do the work, and an unknown one is named', async t => {
  const { open, submit, servers } = await openHome(t, { config: listed(0, 1) })
  const first = await open({}, false)
  t.match(await first.ask('servers.pause', { name: 'gpu1' }), { mode: 'paused', isNew: true, isKept: true })
  t.match(await first.ask('servers.pause', { name: 'gpu1' }), { isNew: false })
  for (const act of ['pause', 'resume', 'drain', 'forgive', 'remove'])
    await t.rejects(
      first.ask(`servers.${act}`, { name: 'gpu9' }),
      { code: 'SERVER_UNKNOWN', message: /gpu0, gpu1/ },
      act,
    )
  await t.rejects(first.ask('servers.remove', { name: 'gpu1' }), {
    message: /stands in foundry.yaml: take it out there/,
  })
  await first.close(0)
  const next = await open()
  t.match(await next.statusOf('gpu1'), { mode: 'paused' })
  const { run } = await submit(next)
  await next.isDone(run)
  t.equal(servers[1]?.ledger.length, 0)
  t.match(await next.ask('servers.forgive', { name: 'gpu0' }), { isNew: true })
  t.match(await next.ask('audit', { limit: 9 }), {
    acts: [{ act: 'server-forgiven', server: 'gpu0' }, {}, { act: 'server-mode', details: { mode: 'paused' } }],
  })
})

t.test('a server is removed with jobs on it, and each picture is there once', async t => {
  const { open, submit, servers, urls } = await openHome(t, { jobMs: 60_000, config: listed(0) })
  servers[0]?.setFaults({ prepared: true, jobMs: 30 })
  const opened = await open()
  await opened.ask('servers.add', { name: 'gpu1', url: urls[1] })
  const { run } = await submit(opened, { count: 10 })
  await eventually('jobs on it', async () => servers[1]?.ledger[0])
  t.match(await opened.ask('servers.remove', { name: 'gpu1', waitSeconds: 0.1 }), { removed: 'gpu1' })
  t.match(await opened.ask('servers.list'), { servers: { length: 1 } })
  await opened.isDone(run)
  const state = opened.foundry.ledger.state.runs.get(run)
  t.equal(new Set([...(state?.done.values() ?? [])].map(({ file }) => file)).size, 10)
  t.ok([...(state?.done.values() ?? [])].every(({ server }) => server === 'gpu0'))
  t.equal(servers[0]?.ledger.length, 10, 'and was rendered once')
  t.ok(
    servers[1]?.ledger.every(({ outcome }) => outcome === 'interrupted'),
    'it was told to stop',
  )
})

t.test('one that is added stands in the place of the usual address, which is back when it is removed', async t => {
  const { open, urls } = await openHome(t, { drafts: 1 })
  const first = await open({}, false)
  const names = async (opened: typeof first) => (await opened.ask('servers.list')).servers.map(({ name }) => name)
  t.strictSame(await names(first), ['comfyui'])
  await t.rejects(first.ask('servers.remove', { name: 'comfyui' }), { message: /the usual address/ })
  await first.ask('servers.add', { name: 'gpu0', url: urls[0] })
  await eventually('its leave', async () => (await names(first)).length === 1 || undefined)
  t.strictSame(await names(first), ['gpu0'])
  await first.close(0)
  const next = await open({}, false)
  t.strictSame(await names(next), ['gpu0'])
  await next.ask('servers.remove', { name: 'gpu0' })
  t.strictSame(await names(next), ['comfyui'])
  t.match(await next.ask('servers.add', { name: 'comfyui', url: urls[0] }), { url: urls[0], state: 'ready' })
})

t.test('a limit holds across all servers, and one of a server on it alone', async t => {
  const { open, submit, servers } = await openHome(t, {
    jobMs: 60,
    config: urls => ({
      limits: { sd15: 1 },
      servers: urls.map((url, at) => ({ name: `gpu${at}`, url })),
    }),
  })
  const opened = await open()
  const { run } = await submit(opened)
  let most = 0
  const watch = setInterval(() => {
    const jobs = opened.foundry.farm.status().reduce((sum, each) => sum + each.jobs.length, 0)
    most = Math.max(most, jobs)
  }, 1)
  await opened.isDone(run)
  clearInterval(watch)
  t.equal(most, 1)
  const times = servers.flatMap(({ ledger }) => ledger)
  t.equal(times.length, 6)
})

t.test('a server with a limit of 0 gets none of it', async t => {
  const { open, submit, servers } = await openHome(t, {
    config: urls => ({ servers: urls.map((url, at) => ({ name: `gpu${at}`, url, limits: { sd15: at } })) }),
  })
  const opened = await open()
  await opened.isDone((await submit(opened)).run)
  t.equal(servers[0]?.ledger.length, 0)
  t.equal(servers[1]?.ledger.length, 6)
})

t.test('a run with labels goes only to servers that have them, and others may be given later', async t => {
  const { open, submit, servers, home } = await openHome(t, {
    config: urls => ({
      servers: [
        { name: 'gpu0', url: urls[0], labels: ['night'] },
        { name: 'gpu1', url: urls[1], labels: ['big', 'night'] },
      ],
    }),
  })
  const opened = await open()
  const { run } = await submit(opened, { labels: ['big', 'night'] })
  await opened.isDone(run)
  t.equal(servers[0]?.ledger.length, 0)
  t.equal(servers[1]?.ledger.length, 6)
  t.match(await opened.ask('runs.show', { id: run, limit: 0 }), { labels: ['big', 'night'] })

  const path = join(home, 'order.json')
  writeFileSync(path, order({ count: 2, seed: 5 }))
  const waiting = await opened.ask('submit', { path, labels: ['huge'] })
  t.match(waiting, { isNew: true, warnings: [{ code: 'LABELS_UNMET', message: /No server has the label huge/ }] })
  await sleep(300)
  t.match(await opened.ask('runs.show', { id: waiting.run, limit: 0 }), { state: 'waiting' })
  const again = await opened.ask('submit', { path, labels: ['night'] })
  t.match(again, { run: waiting.run, isNew: false, changed: { labels: ['night'] }, warnings: [] })
  await opened.isDone(waiting.run)
  t.match(await opened.ask('runs.change', { id: run, priority: 'rush' }).catch((error: unknown) => error), {
    code: 'RUN_STATE_UNFIT',
  })
  t.match(await opened.ask('audit', { limit: 1 }), { acts: [{ act: 'changed', details: { labels: ['night'] } }] })
})

t.test('in its quiet hours a server is idle', async t => {
  const { open, submit, servers } = await openHome(t, {
    config: urls => ({
      servers: [
        { name: 'gpu0', url: urls[0], quietHours: ['00:00-00:00'] },
        { name: 'gpu1', url: urls[1] },
      ],
    }),
  })
  const opened = await open()
  await opened.isDone((await submit(opened)).run)
  t.equal(servers[0]?.ledger.length, 0)
  t.match(await opened.statusOf('gpu0'), { state: 'ready', mode: 'active', avoided: /quiet hours/ })
})
