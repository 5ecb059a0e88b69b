import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { eventually, startDaemon } from '../daemon/start-daemon.js'
import { foundry, foundryApart, foundryJson } from './foundry.js'
import { tinyTemplates } from '../tiny-templates.js'

t.setTimeout(120_000)
const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const kit = JSON.stringify({ dot_id: 'a', version: '1.0.0' })
const files = { 'foundry.yaml': '', 'a.json': kit, templates: tinyTemplates }
const words = ['render', 'a.json', '--templates', 'tiny', '--count', '3']

t.test('servers are added, paused and removed without a daemon, and the next command applies it', async t => {
  const call = { cwd: t.testdir(files) }
  const usual = await foundry(['servers'], call)
  t.match(usual.out, /^SERVER +STATE +RENDERS +DEPTH +SINCE START +AT\ncomfyui +/)

  const add = ['servers', 'add', 'gpu1', server.url, '--label', 'big', '--depth', '3']
  t.match(await foundry(add, call), { code: 0, out: /^gpu1 is added: ready\n {2}draft / })
  t.match(await foundry(add, call), { code: 0, out: /^gpu1 was added already: ready\n/ })
  t.match(await foundry(['servers', 'list'], call), {
    code: 0,
    out: /\ngpu1 +ready +draft \S+ +3 +0 rendered, 0 failed +http:\/\/127.0.0.1:\d+\n {2}labels +big\n$/,
  })
  t.match(await foundry([...words, '--label', 'big'], call), { code: 0, out: /3 of 3 rendered/ })
  t.match(await foundry(['servers', 'pause', 'gpu1'], call), { code: 0, out: 'gpu1 is paused\n' })
  const paused = await foundry(['servers'], call)
  t.match(paused.out, /\ngpu1 +ready, paused +.*\n {2}avoided +It was paused; "foundry servers resume"/)
  t.match(await foundry(['servers', 'forgive', 'gpu1'], call), { code: 0, out: 'gpu1 is forgiven\n' })
  t.match(await foundry(['servers', 'resume', 'gpu1'], call), { code: 0, out: 'gpu1 is active\n' })
  t.match(await foundry(['servers', 'drain', 'gpu1', '--wait', '1'], call), { code: 0, out: /^gpu1 is drained: noth/ })
  t.match(await foundryJson(['servers'], call), { answer: { servers: [{ name: 'gpu1', mode: 'draining' }] } })
  t.match(await foundry(['servers', 'remove', 'gpu1'], call), { code: 0, out: 'gpu1 is removed\n' })
  t.match(await foundryJson(['servers'], call), { answer: { servers: [{ name: 'comfyui' }] } })
  const audit = await foundry(['audit'], call)
  t.match(audit.out, / server-removed +gpu1 +\n.* server-mode +gpu1 +mode draining\n/)
  t.match(audit.out, / server-added +gpu1 +.*url http:\S+, depth 3, .*labels big\n/)
})

t.test('what is wrong is said with what to type', async t => {
  const config = JSON.stringify({ servers: [{ name: 'gpu1', url: server.url }] })
  const call = { cwd: t.testdir({ ...files, 'foundry.yaml': config }) }
  for (const [wrong, err] of [
    [['add', 'gpu2', 'gpu2:8188'], /url: Not the address of a server \(found gpu2:8188; allowed: http:\/\/gpu2:8188\)/],
    [['add', 'gpu2', 'http://gpu2', '--token', 'abc123'], /token: A secret is not kept here \(allowed: \$\{NAME\}/],
    [['add', 'gpu2', 'http://gpu2', '--token', '${NOT_SET}'], /token: The variable NOT_SET is not set/],
    [['add', 'gpu1', 'http://gpu2'], /named "gpu1" already/],
    [['add', 'gpu 2', 'http://gpu2'], /name/],
    [
      ['remove', 'gpu1'],
      /gpu1 stands in foundry.yaml: take it out there, or pause it with "foundry servers pause gpu1"/,
    ],
    [['pause', 'gpu9'], /No server is named "gpu9": there are gpu1/],
    [['drian', 'gpu1'], /Did you mean drain/],
    [['drain', 'gpu1', '--wait', 'long'], /Allowed: a number of seconds/],
  ] as const) {
    const { code, err: said } = await foundry(['servers', ...wrong], call)
    t.equal(code, 2, wrong.join(' '))
    t.match(said, err)
    t.notMatch(said, 'abc123')
  }
  const asked = { ...call, env: { FOUNDRY_SERVER: server.url } }
  t.match(await foundry(['servers', 'pause', 'server-1'], asked), { code: 0, err: /not applied when it is started so/ })
  t.match(await foundryJson(['servers'], asked), { answer: { servers: [{ name: 'server-1', mode: 'active' }] } })
})

t.test('a run whose labels no server has waits, and is told where to go instead', async t => {
  const config = JSON.stringify({ servers: [{ name: 'gpu1', url: server.url }] })
  const call = { cwd: t.testdir({ ...files, 'foundry.yaml': config }) }
  const waiting = await foundry([...words, '--label', 'huge', '--timeout', '0.5'], call)
  t.match(waiting, { code: 124, err: /No server has the label huge/ })
  t.match(await foundry(['runs'], call), { out: /NOTES.*\n.* label huge / })
  const relabelled = await foundry(['runs', 'priority', 'a', '--label', 'vast', '--label', 'huge'], call)
  t.match(relabelled, { code: 0, err: /warning No server has the labels vast, huge/, out: /labels vast\+huge/ })
  const again = await foundryJson<object>(['runs', 'priority', 'a', '--label', 'huge'], call)
  t.match(again.answer, { labels: ['huge'], warnings: [{ code: 'LABELS_UNMET' }] })
  t.notMatch(
    await foundry(['runs', 'priority', 'a', 'rush'], call),
    { err: /No server/ },
    'labels are not the question',
  )
  t.match(await foundry(['runs', 'priority', 'a', 'default'], call), { code: 0 })
  t.match(await foundry(['runs', 'priority', 'a', '--any-server'], call), { code: 0, out: /has priority default/ })
  t.match(await foundry(words, call), { code: 0, out: /3 of 3 rendered/ })
})

t.test('a daemon takes a server in and lets it go while it renders', async t => {
  const slow = await Promise.all(
    [0, 1].map(() => startDraftServer({ faults: { prepared: true, jobMs: 300, steps: 4 } })),
  )
  t.teardown(() => Promise.all(slow.map(each => each.close())))
  const home = t.testdir({ templates: tinyTemplates })
  mkdirSync(join(home, 'manifests'))
  const config = { servers: [{ name: 'gpu0', url: slow[0]?.url }], templates: ['tiny'] }
  const daemon = await startDaemon(home, config, { flags: {} })
  t.teardown(() => daemon.kill('SIGKILL'))
  const call = { cwd: home }
  const order = JSON.stringify({ personas: ['a.json'], templates: ['tiny'], count: 20, name: 'o' })
  writeFileSync(join(home, 'a.json'), kit)
  writeFileSync(join(home, 'o.json'), order)
  const render = foundryApart(['render', 'o.json'], call)
  await eventually('a job', () => slow[0]?.ledger[0])

  t.match(await foundry(['servers', 'add', 'gpu1', slow[1]?.url ?? ''], call), { code: 0, out: /is added: ready/ })
  await eventually('a job of the new one', () => slow[1]?.ledger[0])
  const shown = await eventually('a job that runs', async () => {
    const { out } = await foundry(['servers'], call)
    return / running +o-/.test(out) ? out : undefined
  })
  t.match(shown, /\n {2}running {2}o-[0-9a-f]{10} a\/tiny-\d+( \d+\/\d+)?\n/)
  t.match(shown, /\n {2}loaded +\S+\.safetensors.* \([0-9a-f]{8}\)\n/)
  const hasty = await foundry(['servers', 'drain', 'gpu1', '--wait', '0'], call)
  t.match(hasty, { code: 124, out: /^gpu1 still has \d jobs?:\n/ })
  t.match(await foundry(['servers', 'drain', 'gpu1'], call), { code: 0, out: /^gpu1 is drained/ })
  t.match(await (await fetch(`${daemon.url}/servers/gpu1/resume`, { method: 'POST' })).json(), { mode: 'active' })
  await eventually('another job', async () => {
    const { servers } = await daemon.get<{ servers: { name: string; jobs: object[] }[] }>('/servers')
    return servers.find(({ name, jobs }) => name === 'gpu1' && jobs.length > 0)
  })
  const removed = await fetch(`${daemon.url}/servers/gpu1?waitSeconds=0`, { method: 'DELETE' })
  t.match(await removed.json(), { removed: 'gpu1' })
  t.match(await render, { code: 0, out: /20 of 20 rendered/ })
  const all = await foundryJson<{ slots: { file: string }[] }>(['runs', 'show', 'o'], call)
  t.equal(new Set(all.answer.slots.map(({ file }) => file)).size, 20, 'each picture once')
  t.match(await foundry(['verify', 'o'], call), { code: 0 })

  const post = async (body: object) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${daemon.url}/servers`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: answer.status, body: (await answer.json()) as object }
  }
  t.match(await post({ name: 'gpu2', url: 'file:///etc/passwd' }), { status: 422 })
  t.match(await post({ name: 'gpu2', url: 'http://gpu2', token: '${HOME}' }), {
    status: 422,
    body: { error: { code: 'SERVER_INVALID', message: /not named over the API/ } },
  })
  t.match(await post({ name: 'gpu2', url: 'http://gpu2', options: {} }), { status: 400 })
  t.match(await post({ name: 'gpu0', url: 'http://gpu2' }), { status: 409 })
})
