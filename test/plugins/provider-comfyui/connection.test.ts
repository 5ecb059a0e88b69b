import { createHash } from 'node:crypto'
import t from 'tap'
import { openConnection } from '../../../plugins/provider-comfyui/connection.js'
import provider from '../../../plugins/provider-comfyui/index.js'
import { describeProblem, type Job } from '../../../src/plugins/contract.js'
import { collect, makeAttempt, makeHost, makeJob, makeLora, makeServer, outcomeOf, smallGraph } from './make-job.js'
import { sendJson, sendText } from './scripted-server.js'
import { failureOf, quick, startConnection, until } from './start-connection.js'

const { signal } = new AbortController()
const picture = { filename: 'a b#&ü.png', subfolder: 'foundry\\x', type: 'output' }

t.test('probe tells what the server is and has', async t => {
  const { server, connection } = await startConnection(t)
  server.answers.set('GET /system_stats', (_, response) =>
    sendText(
      response,
      `{"system": {"comfyui_version": "0.12.1", "argv": ["main.py", "--cache-lru", "10"]},
        "devices": [{"vram_total": 8, "vram_free": 5, "odd": NaN}]}`,
    ),
  )
  server.answers.set('GET /models', (_, response) => sendJson(response, ['loras', 'vae', 'custom_nodes']))
  server.answers.set('GET /models/loras', (_, response) => sendJson(response, ['style\\ink.safetensors', 'b.pt']))
  server.answers.set('GET /models/vae', (_, response) => sendJson(response, []))
  server.answers.set('GET /experiment/models/loras', (_, response) =>
    sendJson(response, [{ name: 'style/ink.safetensors', size: 255 }]),
  )
  server.answers.set('GET /experiment/models/vae', (_, response) => void response.writeHead(500).end())
  server.pending.add('other')
  const { tookMs, ...probe } = await connection.probe(signal)
  t.ok(tookMs > 0)
  t.same(probe, {
    renderer: 'comfyui',
    version: '0.12.1',
    cacheMode: 'lru',
    models: { loras: ['style\\ink.safetensors', 'b.pt'], vae: [] },
    modelSizes: { loras: { 'style\\ink.safetensors': 255 }, vae: {} },
    vramTotalBytes: 8,
    vramFreeBytes: 5,
    queueRemaining: 1,
  })
  t.notOk(
    server.calls.some(call => call.url === '/object_info'),
    'the whole catalogue is not asked for',
  )
})

t.test('probe believes no figure that stands for an unknown one', async t => {
  const { server, connection } = await startConnection(t)
  const devices = [{ type: 'privateuseone', vram_total: 1024 ** 3, vram_free: 1024 ** 3 }]
  server.answers.set('GET /system_stats', (_, response) => sendJson(response, { system: {}, devices }))
  const probe = await connection.probe(signal)
  t.notOk('vramTotalBytes' in probe || 'vramFreeBytes' in probe)
})

t.test('probe tolerates a server without optional routes, and knows a draft server', async t => {
  const { server, connection } = await startConnection(t)
  server.answers.set('GET /system_stats', (_, response) => sendJson(response, { system: { foundry_draft: true } }))
  t.match(await connection.probe(signal), { renderer: 'draft', models: {}, queueRemaining: 0 })
})

t.test('probe refuses what cannot be worked with', async t => {
  const { server, connection } = await startConnection(t, { entry: { timeoutSeconds: 0.2 } })
  const cases: Record<string, [unknown, RegExp]> = {
    COMFYUI_SERVER_TOO_OLD: [{ system: { comfyui_version: '0.3.44' } }, /0\.3\.45/],
    COMFYUI_SERVER_FOREIGN: [{ hello: 1 }, /does not answer as ComfyUI/],
  }
  for (const [code, [body, message]] of Object.entries(cases)) {
    server.answers.set('GET /system_stats', (_, response) => sendJson(response, body))
    t.match(await failureOf(connection.probe(signal)), { code, message })
  }
  server.answers.set('GET /system_stats', () => undefined)
  t.match(await failureOf(connection.probe(signal)), { reason: 'unreachable' })
})

t.test('check gives every problem at once', async t => {
  const { server, connection } = await startConnection(t)
  serveSmallCatalogue(server)
  t.same(await connection.check(makeJob(), signal), [])
  const graph = smallGraph()
  Object.assign(graph['1']?.inputs ?? {}, { width: 0, colour: 3 })
  Object.assign(graph['2'] ?? {}, { class_type: 'NoSuchNode' })
  const job = makeJob({
    target: { renderer: 'draft', family: 'sd15', workflow: 'small' },
    graph: { ...graph, '9': { class_type: 'LoraLoader', inputs: { lora_name: 'talent:ink' } } },
    loras: [makeLora({ draft: true })],
  })
  const problems = await connection.check(job, signal)
  t.same(
    problems.map(problem => problem.code).sort(),
    [
      'COMFYUI_LORA_DRAFT',
      'COMFYUI_LORA_MISSING',
      'COMFYUI_NODE_MISSING',
      'COMFYUI_NODE_MISSING',
      'COMFYUI_RENDERER_OTHER',
      'WORKFLOW_INPUT_UNKNOWN',
      'WORKFLOW_VALUE_RANGE',
    ],
    problems.map(describeProblem).join('\n'),
  )
})

t.test('check names what the server lacks: node, file, and where to put it', async t => {
  const { server, connection } = await startConnection(t)
  serveSmallCatalogue(server)
  const describe = (name: string, required: object) => ({
    [name]: { input: { required }, output: ['MODEL'], output_node: false },
  })
  const answers = {
    CheckpointLoaderSimple: describe('CheckpointLoaderSimple', { ckpt_name: [['other.safetensors']] }),
    StyleReader: describe('StyleReader', { 'style file': [['a.pt']] }),
  }
  for (const [name, body] of Object.entries(answers))
    server.answers.set(`GET /object_info/${name}`, (_, response) => sendJson(response, body))
  const graph = smallGraph()
  graph['3'] = { ...graph['3'], class_type: 'SaveImage', inputs: { ...graph['3']?.inputs, a: ['4', 0], b: ['5', 0] } }
  const own = { inputs: { ckpt_name: 'sd\\base.safetensors' }, _meta: { title: 'Load it' } }
  graph['4'] = { class_type: 'CheckpointLoaderSimple', ...own }
  graph['5'] = { class_type: 'StyleReader', inputs: { 'style file': 'b.pt' } }
  const errorsOf = async (job: Job) =>
    (await connection.check(job, signal)).filter(problem => problem.severity === 'error')
  t.match(await errorsOf(makeJob({ graph })), [
    {
      cause: 'missing-model',
      code: 'COMFYUI_MODEL_MISSING',
      path: '["4"].inputs.ckpt_name',
      message:
        /^Node 4 "Load it" \(CheckpointLoaderSimple\): .* no "sd\\base\.safetensors": copy .* to models\/checkpoints there/,
      allowed: /other\.safetensors/,
    },
    { cause: 'missing-model', message: /^Node 5 \(StyleReader\): .* "b\.pt": .* the folder that StyleReader reads/ },
  ])
  graph['5'] = { class_type: 'FaceMender', inputs: { lora_name: 'talent:ink' }, _meta: { title: 'Mend' } }
  t.match(await errorsOf(makeJob({ graph, loras: [makeLora()] })), [
    {
      cause: 'missing-model',
      code: 'COMFYUI_LORA_MISSING',
      message: /^Node 5 "Mend" \(FaceMender\): .* no LoRA of talent "ink"/,
      allowed: /models\/loras of the server as ink-0123456789ab\.safetensors or ink\.safetensors/,
    },
    { cause: 'missing-node', message: /^Node 5 "Mend" \(FaceMender\): .* no node class "FaceMender": .*custom_nodes/ },
    { cause: 'missing-model' },
  ])
})

t.test('check remembers the catalogue, and asks again about what it lacked', async t => {
  const { server, connection } = await startConnection(t)
  let methods = ['nearest']
  serveSmallCatalogue(server, () => methods)
  const graph = smallGraph()
  graph['2'] = { class_type: 'ImageScale', inputs: { image: ['1', 0], method: 'lanczos' } }
  t.match(await connection.check(makeJob({ graph }), signal), [{ code: 'WORKFLOW_VALUE_UNKNOWN' }])
  const asked = server.callsTo('GET /object_info/EmptyImage').length
  await connection.check(makeJob(), signal)
  t.equal(server.callsTo('GET /object_info/EmptyImage').length, asked)
  methods = ['nearest', 'lanczos']
  const { doubtMs } = await import('../../../plugins/provider-comfyui/catalogue.js')
  const startedAt = Date.now()
  await until(() => Date.now() - startedAt > doubtMs)
  t.same(await connection.check(makeJob({ graph }), signal), [])
})

t.test('fetch gives the bytes of a picture as they are', async t => {
  const { server, connection } = await startConnection(t, { entry: { timeoutSeconds: 0.3 } })
  let url = ''
  server.answers.set('GET /view', (call, response) => {
    url = call.url
    response.end('bytes')
  })
  t.equal((await connection.fetch(picture, signal)).toString(), 'bytes')
  t.equal(url, '/view?filename=a%20b%23%26%C3%BC.png&subfolder=foundry%5Cx&type=output')
})

t.test('fetch tells why there is no picture', async t => {
  const { server, connection } = await startConnection(t, { entry: { timeoutSeconds: 0.3 } })
  const cases: Record<string, [string, Parameters<typeof server.answers.set>[1]]> = {
    'that is gone': ['no-output', (_, response) => void response.writeHead(404).end()],
    'that is not given': ['refused', (_, response) => void response.writeHead(403).end()],
    'that is empty': ['unreachable', (_, response) => void response.writeHead(200).end()],
    'that is cut short': [
      'unreachable',
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('half')
        setTimeout(() => response.destroy(), 20)
      },
    ],
    'that never comes': [
      'unreachable',
      (_, response) => void response.writeHead(200, { 'content-length': 9 }).write('h'),
    ],
  }
  for (const [title, [reason, answer]] of Object.entries(cases)) {
    server.answers.set('GET /view', answer)
    t.equal((await failureOf(connection.fetch(picture, signal))).reason, reason, title)
  }
})

t.test('a read that was cut is repeated once', async t => {
  const { server, connection } = await startConnection(t)
  let cuts = 1
  server.answers.set('GET /view', (_, response) => void (cuts-- > 0 ? response.destroy() : response.end('bytes')))
  t.equal((await connection.fetch(picture, signal)).toString(), 'bytes')
})

t.test('find tells where an attempt is, and never takes unknown for done', async t => {
  const { server, connection } = await startConnection(t)
  const attempt = makeAttempt()
  t.equal(await connection.find(attempt, signal), 'unknown')
  await connection.submit(makeJob(), attempt, signal)
  t.equal(await connection.find(attempt, signal), 'queued')
  server.start(attempt.promptId)
  t.equal(await connection.find(attempt, signal), 'running')
  server.fail(attempt.promptId, 'execution_error', { exception_type: 'RuntimeError' })
  t.equal(await connection.find(attempt, signal), 'done', 'a failure is an end too')
  server.history.delete(attempt.promptId)
  t.equal(await connection.find(attempt, signal), 'unknown')
})

t.test('find after a crash fetches the history once for itself and the following', async t => {
  const { server, connection } = await startConnection(t)
  const attempt = makeAttempt()
  const outputs = { '3': { images: [{ filename: 'a.png', subfolder: '', type: 'output' }] } }
  server.settle(attempt.promptId, 'success', { outputs, last: ['execution_success', {}] })
  t.equal(await connection.find(attempt, signal), 'done')
  t.equal(outcomeOf(await collect(connection.follow(attempt, signal))), 'finished: a.png')
  t.equal(server.callsTo(`GET /history/${attempt.promptId}`).length, 1)
})

t.test('cancel takes a job from the queue, or stops it by its id', async t => {
  const { server, connection } = await startConnection(t)
  const [waiting, running, ended] = [makeAttempt(), makeAttempt(), makeAttempt()]
  for (const attempt of [waiting, running, ended]) await connection.submit(makeJob(), attempt, signal)
  server.finish(ended.promptId)
  server.start(running.promptId)
  const following = collect(connection.follow(waiting, signal))
  t.equal(await connection.cancel(waiting, signal), 'gone')
  t.equal(outcomeOf(await following), 'failed: interrupted')
  t.equal(server.callsTo('POST /interrupt').length, 0, 'whatever else runs is left alone')
  t.equal(await connection.cancel(ended, signal), 'ran')
  t.equal(server.callsTo('POST /interrupt').length, 0)
  t.equal(await connection.cancel(running, signal), 'gone')
  t.same(
    server.callsTo('POST /interrupt').map(call => call.body),
    [JSON.stringify({ prompt_id: running.promptId })],
  )
  await server.stop()
  t.equal(await connection.cancel(running, signal), 'unknown')
})

t.test('forget deletes from the history, many in few requests', async t => {
  const { server, connection } = await startConnection(t)
  const attempts = Array.from({ length: 50 }, () => makeAttempt())
  for (const { promptId } of attempts) server.history.set(promptId, {})
  await Promise.all(attempts.map(attempt => connection.forget?.(attempt, signal)))
  t.equal(server.history.size, 0)
  t.ok(server.callsTo('POST /history').length <= 2)
})

t.test('free empties the memory of the server', async t => {
  const { server, connection } = await startConnection(t)
  await connection.free?.(signal)
  t.same(JSON.parse(server.callsTo('POST /free')[0]?.body ?? ''), { unload_models: true, free_memory: true })
})

t.test('upload names a picture by its content, and takes the name that the server gives', async t => {
  const { server, connection } = await startConnection(t)
  const bytes = Buffer.from('picture\r\n--bytes')
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  server.answers.set('POST /upload/image', ({ body, headers }, response) => {
    const boundary = /boundary=(.+)$/.exec(headers['content-type'] ?? '')?.[1] ?? ''
    const parts = body.split(`--${boundary}`)
    t.equal(parts.length, 5)
    t.match(parts[2], /name="subfolder"\r\n\r\nfoundry\r\n/)
    t.match(parts[3], new RegExp(`filename="${sha256}.png"[^]*\r\n\r\npicture\r\n--bytes\r\n$`))
    sendJson(response, { name: `${sha256}.png`, subfolder: 'foundry', type: 'input' })
  })
  t.equal(await connection.upload?.(bytes, sha256, 'png', signal), `foundry/${sha256}.png`)
  await t.rejects(async () => connection.upload?.(bytes, sha256, '../x', signal), { code: 'COMFYUI_UPLOAD_INVALID' })
  await t.rejects(async () => connection.upload?.(bytes, 'x', 'png', signal), { code: 'COMFYUI_UPLOAD_INVALID' })
})

t.test('open refuses a bad entry, and waits for no server', async t => {
  const cases = {
    'an address of another kind': [makeServer('ftp://user:secret@host/'), 'COMFYUI_URL_INVALID'],
    'no address': [makeServer('draft'), 'COMFYUI_URL_INVALID'],
    'an absent authority': [makeServer('https://host', { ca: '/absent.pem' }), 'COMFYUI_CA_UNREADABLE'],
    'a token with a line break': [makeServer('http://host', { token: 'secret\n' }), 'COMFYUI_HEADER_INVALID'],
  } as const
  for (const [title, [entry, code]] of Object.entries(cases)) {
    const thrown = await failureOf(provider.open(entry, makeHost()))
    t.match(thrown, { code }, title)
    t.notMatch(`${thrown.message} ${JSON.stringify(thrown.details)}`, /secret/, title)
  }
  const connection = await provider.open(makeServer('http://127.0.0.1:1'), makeHost())
  await connection.close()
})

t.test('the signal of the host ends a connection', async t => {
  const { server } = await startConnection(t)
  const stopper = new AbortController()
  const connection = await openConnection(makeServer(server.url), makeHost(stopper.signal), quick)
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const following = collect(connection.follow(attempt, signal))
  stopper.abort()
  await following
  await until(() => server.sockets.size === 0)
  t.match(await failureOf(connection.find(attempt, signal)), { reason: 'unreachable' })
})

function serveSmallCatalogue(
  server: Awaited<ReturnType<typeof startConnection>>['server'],
  methods = () => ['nearest'],
): void {
  const classes = (): Record<string, object> => ({
    EmptyImage: {
      input: {
        required: {
          width: ['INT', { min: 1, max: 16_384 }],
          height: ['INT', { min: 1, max: 16_384 }],
          batch_size: ['INT', { min: 1, max: 4096 }],
          color: ['INT', { min: 0, max: 16_777_215 }],
        },
      },
      output: ['IMAGE'],
      output_node: false,
    },
    ImageAddNoise: {
      input: { required: { image: ['IMAGE'], seed: ['INT', { min: 0 }], strength: ['FLOAT', { min: 0, max: 1 }] } },
      output: ['IMAGE'],
      output_node: false,
    },
    ImageScale: {
      input: { required: { image: ['IMAGE'], method: [methods()] } },
      output: ['IMAGE'],
      output_node: false,
    },
    SaveImage: {
      input: { required: { images: ['IMAGE'], filename_prefix: ['STRING', {}] } },
      output: [],
      output_node: true,
    },
  })
  for (const name of [...Object.keys(classes()), 'NoSuchNode', 'LoraLoader']) {
    server.answers.set(`GET /object_info/${name}`, (_, response) => {
      const description = classes()[name]
      sendJson(response, description ? { [name]: description } : {})
    })
  }
}
