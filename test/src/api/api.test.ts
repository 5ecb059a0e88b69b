import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { createEventHub } from '../../../src/api/events.js'
import { watchDelay } from '../../../src/api/metrics.js'
import { checkAddress, createApi } from '../../../src/api/server.js'
import { loadConfig } from '../../../src/config/config.js'
import { openFoundry } from '../../../src/daemon.js'
import { operationList } from '../../../src/operations/operations.js'
import type { FoundryEvent } from '../../../src/record/events.js'
import { eventually } from '../../daemon/start-daemon.js'

const kit = (id: string) => JSON.stringify({ dot_id: id, version: '1.0.0' })
const token = 'a token that nobody guesses'

async function openApi(t: Test, { withToken = false, files = {} } = {}) {
  const home = t.testdir({
    'foundry.yaml': JSON.stringify({ templates: ['hero-portrait'], callFolders: ['calls'], api: { token } }),
    manifests: { 'a.json': kit('a'), 'bad.json': '[]' },
    calls: {},
    'outside.json': kit('outside'),
    'secret.txt': 'secret',
    ...files,
  })
  const config = await loadConfig({ home, draft: true }, {}, '1.2.3')
  const open = await openFoundry(config, { log: pino({ level: 'silent' }) })
  const events = createEventHub(open.foundry.ledger)
  const delay = watchDelay()
  const api = await createApi({
    foundry: open.foundry,
    events,
    delay,
    token: withToken ? token : undefined,
    isReady: () => true,
  })
  const url = await api.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    events.close()
    delay.stop()
    await api.close()
    await open.close(0)
  })
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${url}${path}`, init)
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json')
    return { status: response.status, body: (isJson ? JSON.parse(text) : text) as never as Answer }
  }
  const post = (path: string, body?: unknown) =>
    ask(path, {
      method: 'POST',
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
  return { ...open, home, url, ask, post, api }
}

interface Answer extends Record<string, unknown> {
  error: { code: string; message: string; details?: Record<string, unknown> }
  run: string
  total: number
}

/** As `fetch`, with headers that it does not let one set. */
async function rawGet(url: string, path: string, headers: Record<string, string>): Promise<number> {
  const asked = request(`${url}${path}`, { headers })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode ?? 0
}

t.test('API serves a run from its acceptance to its end', async t => {
  const { ask, post, foundry, home } = await openApi(t)
  t.match(await ask('/health'), { status: 200, body: { ok: true } })
  t.match(await ask('/ready'), { status: 503, body: { ready: false } })
  const { status, body } = await post('/runs', { path: 'manifests/a.json' })
  t.match({ status, body }, { status: 200, body: { isNew: true, slots: 1, run: /^a-/ } })
  const { run } = body
  t.match(await post('/runs', { path: join(home, 'manifests', 'a.json') }), { body: { run, isNew: false } })
  t.match(await ask('/runs'), { body: { total: 1, runs: [{ run, key: 'a.json', state: 'waiting' }] } })
  t.match(await post(`/runs/${run}/cancel`), { status: 200, body: { state: 'cancelled' } })
  t.match(
    await post(`/runs/${run}/cancel`),
    { status: 200, body: { state: 'cancelled', slots: 0 } },
    'no act, no error',
  )
  t.match(await post(`/runs/${run}/approve`), { status: 409, body: { error: { code: 'RUN_STATE_UNFIT' } } })
  await foundry.farm.start()
  t.match(await post(`/runs/${run}/retry`, {}), { status: 200, body: { run } })
  await eventually('the end of the run', async () => (await ask(`/runs/${run}`)).body['state'] === 'done' || undefined)
  t.match(await ask('/ready'), { status: 200, body: { ready: true, servers: [{ name: 'draft', state: 'ready' }] } })
  t.match(await ask(`/runs/${run}?state=done&limit=1`), { body: { total: 1, slots: [{ state: 'done' }] } })
  t.match(await ask(`/runs/${run.slice(0, 6)}/manifest`), { body: { $schema: 'run-manifest/1', run, state: 'done' } })
  t.match(await ask(`/runs/${run}/events`), { body: { events: [{ kind: 'run-accepted' }] } })
  t.match(await ask(`/runs/${run}/thumbnails/0`), { body: { mime: 'image/jpeg' } })
  t.match(await post(`/runs/${run}/verify`), { body: { images: 1, differences: [] } })
  t.match(await ask('/servers'), { body: { servers: [{ name: 'draft' }] } })
  t.match(await ask('/status'), { body: { version: '1.2.3', slots: { done: 1 }, runs: { done: 1 } } })
  t.match(await ask('/drops'), { body: { total: 0, drops: [] } })
  const { slots } = (await ask(`/runs/${run}`)).body as unknown as { slots: { file: string }[] }
  const image = `runs/${run}/${slots[0]?.file}`
  t.match(await post('/reproduce', { image }), { status: 200, body: { sameGraph: true, samePixels: true } })
  t.match(await post('/reproduce', { image }), { status: 400, body: { error: { code: 'USAGE_INVALID' } } }, 'once')
  t.match(await post('/reproduce', { image: `${image}x` }), { body: { error: { code: 'FILE_UNREADABLE' } } })
  const metrics = String((await ask('/metrics')).body)
  for (const line of ['foundry_slots{state="done"} 1', 'foundry_runs 1', 'foundry_server_ready{server="draft"} 1'])
    t.ok(metrics.includes(`\n${line}\n`), line)
  t.match(metrics, /\nnodejs_eventloop_delay_seconds\{quantile="0.99"\} \d/)
  t.match(metrics, /\nnodejs_heap_size_used_bytes \d+\n/)
  t.match(await post('/runs/prune', { days: 1 }), { body: { removed: [] } })
  t.match(await ask(`/runs/${run}`, { method: 'DELETE' }), { body: { removed: [run] } })
  t.match(await ask(`/runs/${run}`), { status: 404, body: { error: { code: 'RUN_UNKNOWN' } } })
})

t.test('API says what is wrong, with its code and status', async t => {
  const { ask, post } = await openApi(t)
  const json = { 'content-type': 'application/json' }
  const cases: Record<string, [ReturnType<typeof ask>, number, string]> = {
    'an unknown route': [ask('/nothing'), 404, 'ROUTE_UNKNOWN'],
    'an unknown method': [ask('/status', { method: 'PUT' }), 404, 'ROUTE_UNKNOWN'],
    'an operation by name': [post('/operations/status'), 404, 'ROUTE_UNKNOWN'],
    'an unknown run': [ask('/runs/nothing-like-it'), 404, 'RUN_UNKNOWN'],
    'a junk id': [ask('/runs/%00%ff'), 400, 'REQUEST_INVALID'],
    'an id that climbs': [ask('/runs/..%2f..%2fetc/manifest'), 400, 'OPERATION_INVALID'],
    'an id that climbs by dots': [post('/runs/%2e%2e/cancel'), 404, 'ROUTE_UNKNOWN'],
    'a long id': [ask(`/runs/${'a'.repeat(129)}`), 400, 'OPERATION_INVALID'],
    'an endless id': [ask(`/runs/${'a'.repeat(500)}`), 414, 'REQUEST_INVALID'],
    'a number that is none': [ask('/runs?limit=many'), 400, 'OPERATION_INVALID'],
    'a number too large': [ask('/runs?limit=1e9'), 400, 'OPERATION_INVALID'],
    'a number twice': [ask('/runs?limit=1&limit=2'), 400, 'OPERATION_INVALID'],
    'an unknown question': [ask('/runs?colour=red'), 400, 'OPERATION_INVALID'],
    'events without a WebSocket': [ask('/events?seq=1'), 426, 'UPGRADE_MISSING'],
    'no path': [post('/runs', {}), 400, 'OPERATION_INVALID'],
    'no body': [post('/runs'), 400, 'OPERATION_INVALID'],
    'an unknown field': [post('/runs', { path: 'manifests/a.json', colour: 'red' }), 400, 'OPERATION_INVALID'],
    'a list as body': [post('/runs', [1]), 400, 'BODY_INVALID'],
    'half a body': [ask('/runs', { method: 'POST', headers: json, body: '{"path"' }), 400, 'REQUEST_INVALID'],
    'a body with a prototype': [
      ask('/runs', { method: 'POST', headers: json, body: '{"__proto__": {"path": "x"}}' }),
      400,
      'REQUEST_INVALID',
    ],
    'a form': [ask('/runs', { method: 'POST', body: new URLSearchParams({ path: 'a' }) }), 415, 'REQUEST_INVALID'],
    'a body too large': [post('/runs', { path: 'x'.repeat(2 ** 20) }), 413, 'REQUEST_INVALID'],
    'a drop that is refused': [post('/runs', { path: 'manifests/bad.json' }), 422, 'DROP_INVALID'],
    'a drop that is missing': [post('/runs', { path: 'manifests/missing.json' }), 422, 'DROP_INVALID'],
  }
  for (const [title, [asked, status, code]] of Object.entries(cases)) {
    const answer = await asked
    t.match(answer, { status, body: { error: { code, message: /./ } } }, title)
  }
  t.match((await post('/runs', { path: 'manifests/bad.json' })).body.error.details, {
    problems: [{ severity: 'error', code: 'DOCUMENT_LENGTH' }],
  })
})

t.test('API reaches no file outside of the home and its call folders', async t => {
  const { post, home, ask } = await openApi(t)
  const elsewhere = mkdtempSync(join(tmpdir(), 'foundry-elsewhere-'))
  t.teardown(() => rmSync(elsewhere, { recursive: true }))
  writeFileSync(join(elsewhere, 'kit.json'), kit('elsewhere'))
  symlinkSync(join(elsewhere, 'kit.json'), join(home, 'manifests', 'link.json'))
  const escapes: [string, object][] = [
    ['/runs', { path: join(elsewhere, 'kit.json') }],
    ['/runs', { path: '/etc/passwd' }],
    ['/runs', { path: '../elsewhere/kit.json' }],
    ['/runs', { path: 'manifests/link.json' }],
    ['/runs', { path: '.foundry/owner.json' }],
    ['/runs', { path: 'manifests/a.json', callFolder: elsewhere }],
    ['/runs', { path: 'manifests/a.json', workflow: join(elsewhere, 'kit.json') }],
    ['/runs', { path: 'manifests/a.json', backdropWorkflow: '../../workflow.json' }],
    ['/reproduce', { image: join(elsewhere, 'picture.png') }],
    ['/reproduce', { image: '.foundry/epoch' }],
  ]
  for (const [path, body] of escapes)
    t.match(await post(path, body), { status: 422, body: { error: { code: 'PATH_ESCAPES' } } }, JSON.stringify(body))
  for (const path of ['foundry.yaml', 'secret.txt'])
    t.match(await post('/runs', { path }), { status: 400, body: { error: { code: 'USAGE_INVALID' } } }, path)
  t.match(await ask('/runs'), { body: { total: 0 } })
  t.match(await post('/runs', { path: 'outside.json', dryRun: true }), { status: 200 }, 'the home itself is inside')
  writeFileSync(join(home, 'calls', 'b.json'), kit('b'))
  t.match(await post('/runs', { path: 'calls/b.json', dryRun: true }), { status: 200 })
})

t.test('API answers only pages of its own: Host and Origin are checked', async t => {
  const { url } = await openApi(t)
  const port = new URL(url).port
  const cases: [Record<string, string>, number][] = [
    [{ host: `127.0.0.1:${port}` }, 200],
    [{ host: `localhost:${port}`, origin: `http://localhost:${port}` }, 200],
    [{ host: `[::1]:${port}` }, 200],
    [{ host: `LOCALHOST:${port}` }, 200],
    [{ host: `evil.example:${port}` }, 403],
    [{ host: `127.0.0.1.evil.example:${port}` }, 403],
    [{ host: `localhost:${port}@evil.example` }, 403],
    [{ host: `127.0.0.1:${port}`, origin: 'http://evil.example' }, 403],
    [{ host: `127.0.0.1:${port}`, origin: 'null' }, 403],
    [{ host: `127.0.0.1:${port}`, origin: `https://127.0.0.1:${port}` }, 403],
    [{ host: `127.0.0.1:${port}`, origin: 'http://127.0.0.1:1' }, 403],
  ]
  for (const [headers, status] of cases) {
    t.equal(await rawGet(url, '/health', headers), status, JSON.stringify(headers))
    const socket = new WebSocket(`${url.replace('http', 'ws')}/events`, { headers })
    const opened = await new Promise(done =>
      socket
        .on('open', () => done(200))
        .on('unexpected-response', (_, response) => done(response.statusCode))
        .on('error', () => undefined),
    )
    t.equal(opened, status, `the same for events: ${JSON.stringify(headers)}`)
    socket.terminate()
  }
})

t.test('checkAddress refuses to listen beyond loopback without credentials', async t => {
  for (const [host, given] of [
    ['127.0.0.1', undefined],
    ['::1', undefined],
    ['localhost', 'x'],
    ['0.0.0.0', token],
  ] as const)
    t.doesNotThrow(() => checkAddress(host, given))
  for (const [host, given] of [
    ['0.0.0.0', undefined],
    ['::', undefined],
    ['192.168.1.5', ''],
    ['foundry.example', 'short'],
    ['127.0.0.1', ''],
  ] as const)
    t.throws(() => checkAddress(host, given), { code: 'USAGE_INVALID' }, `${host} ${given}`)
})

t.test('API describes every operation as OpenAPI 3', async t => {
  const { ask, url } = await openApi(t)
  interface Parameter {
    in: string
    name: string
    required?: boolean
    schema: object
  }
  interface Described {
    operationId?: string
    summary: string
    parameters?: Parameter[]
    requestBody?: { content: Record<string, { schema: { type: string; properties: object } }> }
    responses: object
  }
  const page = (await ask('/openapi.json')).body as unknown as {
    openapi: string
    info: object
    paths: Record<string, Record<string, Described>>
  }
  t.match(page.openapi, /^3\.0\.\d+$/)
  t.match(page.info, { title: 'Persona Foundry', version: '1.2.3' })
  const described = Object.entries(page.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, each]) => ({ path, method, ...each })),
  )
  for (const { path, method, summary, parameters = [], responses } of described) {
    t.match(summary, /^[A-Z]/, `${method} ${path}`)
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = parameters.filter(each => each.in === 'path')
    t.strictSame(declared.map(({ name }) => name).sort(), inPath.sort(), `${path} declares its parameters`)
    t.ok(declared.every(({ required, schema }) => required === true && schema !== undefined))
    t.ok(Object.keys(responses).length > 0)
  }
  for (const { name, summary, route, input } of operationList) {
    const found = page.paths[route.path.replaceAll(/:(\w+)/g, '{$1}')]?.[route.method.toLowerCase()]
    t.match(found, { operationId: name, summary }, name)
    const body = found?.requestBody?.content['application/json']?.schema.properties ?? {}
    const names = [...Object.keys(body), ...(found?.parameters ?? []).map(each => each.name)]
    const { properties = {} } = input as { properties?: object }
    t.strictSame(names.sort(), Object.keys(properties).sort(), `${name} describes its input`)
  }
  for (const path of ['/health', '/ready', '/metrics', '/events']) t.ok(page.paths[path]?.['get'], path)
  const ids = described.flatMap(({ operationId }) => operationId ?? [])
  t.equal(new Set(ids).size, operationList.length)
  t.ok(url)
})

interface Received {
  seq: number
  event: { kind: string; at: number }
}

function listen(t: Test, url: string, query = '') {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/events${query}`)
  const received: Received[] = []
  socket.on('message', data => received.push(JSON.parse(String(data)) as Received))
  t.teardown(() => socket.terminate())
  const closed = once(socket, 'close').then(([code, reason]) => ({ code: code as number, reason: String(reason) }))
  return { socket, received, closed, opened: once(socket, 'open') }
}

t.test('API events go on after any seq: in order, each once, while more happen', async t => {
  const { foundry, url } = await openApi(t)
  const { ledger } = foundry
  const event = (at: number): FoundryEvent => ({ kind: 'drop-gone', at, drop: '/r/a', root: '/r' })
  const from = ledger.journal.sequence
  for (let at = 0; at < 3000; at += 100) await ledger.append(...Array.from({ length: 100 }, (_, i) => event(at + i)))
  const live = listen(t, url)
  await live.opened
  const resumed = [from, from + 1, from + 1500, ledger.journal.sequence].map(seq => ({
    seq,
    ...listen(t, url, `?seq=${seq}`),
  }))
  for (let at = 3000; at < 6000; at += 10) await ledger.append(...Array.from({ length: 10 }, (_, i) => event(at + i)))
  const last = ledger.journal.sequence
  for (const { seq, received } of resumed) {
    await eventually('the last event', () => (received.at(-1)?.seq === last ? true : undefined))
    t.strictSame(
      received.map(each => each.seq),
      Array.from({ length: last - seq }, (_, i) => seq + 1 + i),
      `after ${seq}`,
    )
  }
  await eventually('the last event', () => (live.received.at(-1)?.seq === last ? true : undefined))
  t.strictSame(
    live.received.map(each => each.event.at),
    Array.from({ length: 3000 }, (_, i) => 3000 + i),
    'without seq only what happens',
  )
  t.match(live.received[0]?.event, { kind: 'drop-gone', drop: 'a' })
  t.notOk(JSON.stringify(live.received[0]).includes('/r'), 'no path of the machine leaves it')
})

t.test('API events refuse a seq that is none, and one beyond the end', async t => {
  const { foundry, url } = await openApi(t)
  for (const query of [
    '?seq=',
    '?seq=abc',
    '?seq=-1',
    '?seq=1.5',
    '?seq=1e3',
    '?seq=1&seq=2',
    '?seq=99999999999999999',
  ])
    t.match(await listen(t, url, query).closed, { code: 1008, reason: /not a sequence/ }, query)
  const last = foundry.ledger.journal.sequence
  t.match(await listen(t, url, `?seq=${last + 1}`).closed, { code: 1008, reason: /beyond the end/ })
  const { opened, closed, socket } = listen(t, url, '?seq=0')
  await opened
  socket.send('whatever a client says means nothing')
  socket.send(Buffer.alloc(70_000))
  t.match(await closed, { code: 1009 }, 'and much of it ends the connection')
})

t.test('API events cut off a client that does not read', async t => {
  const { foundry, url } = await openApi(t)
  const slow = listen(t, url)
  await slow.opened
  slow.socket.pause()
  const reason = 'x'.repeat(100_000)
  const fast = listen(t, url)
  await fast.opened
  const event: FoundryEvent = { kind: 'slot-failed', at: 1, run: 'none', slot: 0, reason }
  for (let count = 0; count < 200; count++) await foundry.ledger.append(event)
  await eventually('all events', () => (fast.received.length === 200 ? true : undefined))
  slow.socket.resume()
  t.match(await slow.closed, { code: 1013, reason: /reads too slowly/ })
  t.ok(slow.received.length < 200)
  const resumed = listen(t, url, `?seq=${slow.received.at(-1)?.seq ?? 0}`)
  await eventually('the rest', () => (resumed.received.length + slow.received.length === 200 ? true : undefined))
})
