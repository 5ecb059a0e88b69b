import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { hashJson, type Job } from '../../../src/plugins/contract.js'
import { collect, makeAttempt, makeJob, makeLora, makeServer, outcomeOf, smallGraph } from './make-job.js'
import { type Call, ScriptedServer, sendJson, sendText } from './scripted-server.js'
import { failureOf, quick, startConnection } from './start-connection.js'

const { signal } = new AbortController()

interface Body {
  client_id: string
  prompt_id: string
  prompt: Record<string, { inputs: Record<string, unknown> }>
  extra_data: { extra_pnginfo: { foundry: unknown } }
}

function bodyOf(server: ScriptedServer): Body {
  return JSON.parse(server.callsTo('POST /prompt').at(-1)?.body ?? '{}') as Body
}

t.test('submit sends the job under its own id, to the socket it hears, with the request in the picture', async t => {
  const { server, connection } = await startConnection(t)
  const [job, attempt] = [makeJob({ id: 'jabc' }), makeAttempt('jabc', 3)]
  Object.assign(job.graph['1'] ?? {}, { is_changed: ['x'] })
  const receipt = await connection.submit(job, attempt, signal)
  const body = bodyOf(server)
  t.match(body, { prompt_id: attempt.promptId, extra_data: { extra_pnginfo: { foundry: job.request } } })
  t.ok(server.sockets.has(body.client_id), 'the socket was open before the job was sent')
  t.match(body.prompt['3']?.inputs['filename_prefix'], /^foundry\/jabc-3-[0-9a-f]{8}$/)
  t.notOk('is_changed' in (body.prompt['1'] ?? {}))
  const bare = smallGraph()
  Object.assign(bare['3']?.inputs ?? {}, { filename_prefix: '' })
  t.same(receipt, {
    promptId: attempt.promptId,
    submittedSha256: hashJson(bare),
    sizeBytes: Buffer.byteLength(server.callsTo('POST /prompt')[0]?.body ?? ''),
  })
  const again = await connection.submit(job, makeAttempt('jabc', 4), signal)
  t.equal(again.submittedSha256, receipt.submittedSha256, 'attempts of a job differ in their prefix only')
  t.equal(job.graph['3']?.inputs['filename_prefix'], 'ComfyUI', 'the job stays as it is')
})

t.test('submit translates logical names into those of the server', async t => {
  const { server, connection } = await startConnection(t, {
    entry: { loras: { aliased: 'sub/renamed.safetensors' }, models: { 'base.safetensors': 'xl/base-v1.safetensors' } },
  })
  serveModels(server, {
    loras: { 'style\\ink.safetensors': 255, 'other/ink.safetensors': 9, 'sub\\renamed.safetensors': 255 },
    checkpoints: { 'xl\\base-v1.safetensors': 1 },
    vae: { 'v\\a.safetensors': 1 },
  })
  const hashed = makeLora({ talent: 'hashed' })
  const graph = {
    ...smallGraph(),
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'base.safetensors' } },
    '5': { class_type: 'VAELoader', inputs: { vae_name: 'v/a.safetensors' } },
    '6': { class_type: 'LoraLoader', inputs: { lora_name: 'talent:ink', text: 'a talent:ink and base' } },
    '7': { class_type: 'LoraLoader', inputs: { lora_name: 'talent:aliased' } },
  }
  const job = makeJob({
    graph,
    loras: [makeLora(), makeLora({ talent: 'aliased' })],
    models: [
      { folder: 'checkpoints', name: 'base.safetensors', identity: '', proven: false },
      { folder: 'vae', name: 'v/a.safetensors', identity: '', proven: false },
    ],
  })
  await connection.submit(job, makeAttempt(), signal)
  const { prompt } = bodyOf(server)
  t.equal(prompt['4']?.inputs['ckpt_name'], 'xl\\base-v1.safetensors')
  t.equal(prompt['5']?.inputs['vae_name'], 'v\\a.safetensors')
  t.same(prompt['6']?.inputs, { lora_name: 'style\\ink.safetensors', text: 'a talent:ink and base' })
  t.equal(prompt['7']?.inputs['lora_name'], 'sub\\renamed.safetensors')
  const asked = server.callsTo('GET /models/loras').length
  await connection.submit(job, makeAttempt(), signal)
  t.equal(server.callsTo('GET /models/loras').length, asked, 'the lists are not asked for with every job')
  const failure = await failureOf(connection.submit(makeJob({ loras: [hashed] }), makeAttempt(), signal))
  t.equal(failure.reason, 'missing-model')
  t.match(failure.details, { problems: [{ code: 'COMFYUI_LORA_MISSING', path: 'loras[0]', allowed: /0123456789ab/ }] })
})

t.test('submit never sends draft weights to a real server, nor a job to another renderer', async t => {
  const { server, connection } = await startConnection(t)
  serveModels(server, { loras: { 'ink.safetensors': 255 } })
  const cases: Record<string, Job> = {
    COMFYUI_LORA_DRAFT: makeJob({ loras: [makeLora({ draft: true })] }),
    COMFYUI_RENDERER_OTHER: makeJob({ target: { renderer: 'draft', family: 'sd15', workflow: 'small' } }),
  }
  for (const [code, job] of Object.entries(cases)) {
    const failure = await failureOf(connection.submit(job, makeAttempt(), signal))
    t.match(failure.details, { problems: [{ code }] })
  }
  t.equal(server.posted.length, 0)
})

t.test('submit tells what became of a job that was not taken', async t => {
  const cases: Record<string, [string, (call: Call, server: ScriptedServer) => Reply]> = {
    'a wrong value': ['invalid-graph', () => [400, rejection('value_bigger_than_max', 'steps', 20_001)]],
    'a missing model': ['missing-model', () => [400, rejection('value_not_in_list', 'ckpt_name', 'a.safetensors')]],
    'a missing node': [
      'missing-node',
      () => [400, { error: { type: 'missing_node_type', message: 'gone', details: "Node ID '#2'" }, node_errors: {} }],
    ],
    'a missing node, as older servers say it': [
      'missing-node',
      () => [400, { error: { type: 'invalid_prompt', message: 'gone', details: "Node ID '#2'" }, node_errors: {} }],
    ],
    'a cycle': ['invalid-graph', () => [400, { error: { type: 'prompt_outputs_failed_validation' }, node_errors: {} }]],
    'a graph that is taken in part': [
      'invalid-graph',
      ({ body }, server) => [
        200,
        { prompt_id: server.take(body), ...rejection('value_not_in_list', 'scheduler', 'magic') },
      ],
    ],
    'an id of its own': ['refused', ({ body }, server) => [200, { prompt_id: server.take(withOwnId(body)) }]],
    'trouble in the server': ['refused', () => [500, '500 Internal Server Error']],
    'a body that is too large': ['refused', () => [413, 'Maximum request body size 1048576 exceeded.']],
    'missing credentials': ['refused', () => [403, '']],
    'the page of a login': ['refused', () => [200, '<html>', 'text/html']],
    'a gateway that gave up': ['unknown-outcome', () => [504, 'Gateway Time-out']],
    'half an answer': ['unknown-outcome', () => [200, '{"prompt_id": "0000']],
    'no answer in time': ['unknown-outcome', () => 'silence'],
    'a connection that is cut': ['unknown-outcome', () => 'cut'],
  }
  for (const [title, [reason, reply]] of Object.entries(cases)) {
    const { server, connection } = await startConnection(t, { entry: { timeoutSeconds: 0.3 } })
    server.answers.set('POST /prompt', (call, response) => {
      const answer = reply(call, server)
      if (answer === 'cut') response.destroy()
      else if (answer !== 'silence')
        sendText(response, typeof answer[1] === 'string' ? answer[1] : JSON.stringify(answer[1]), answer[0], answer[2])
    })
    const failure = await failureOf(connection.submit(makeJob(), makeAttempt(), signal))
    t.equal(failure.reason, reason, title)
    t.equal(server.pending.size, 0, `${title}: nothing is left in the queue`)
    await connection.close()
  }
})

t.test('submit lists every mistake of every node, without the texts of prompts', async t => {
  const { server, connection } = await startConnection(t)
  const error = (type: string, input_name: string, received_value: unknown, input_config: unknown) => ({
    type,
    message: 'wrong',
    details: `${String(received_value)}`,
    extra_info: { input_name, received_value, input_config },
  })
  server.answers.set('POST /prompt', (_, response) =>
    sendJson(
      response,
      {
        error: { type: 'prompt_outputs_failed_validation', message: 'Prompt outputs failed validation' },
        node_errors: {
          '3': {
            class_type: 'KSampler',
            errors: [
              error('value_not_in_list', 'scheduler', 'nope', [['a', 'b'], {}]),
              error('value_smaller_than_min', 'steps', 0, ['INT', { min: 1, max: 10_000 }]),
            ],
          },
          '6': {
            class_type: 'CLIPTextEncode',
            errors: [error('invalid_input_type', 'text', 'secret', ['STRING', {}])],
          },
        },
      },
      400,
    ),
  )
  const failure = await failureOf(connection.submit(makeJob(), makeAttempt(), signal))
  t.same(failure.details['problems'], [
    {
      severity: 'error',
      code: 'COMFYUI_VALUE_NOT_IN_LIST',
      message: 'KSampler: wrong',
      path: '3.scheduler',
      found: 'nope',
      allowed: 'a, b',
    },
    {
      severity: 'error',
      code: 'COMFYUI_VALUE_SMALLER_THAN_MIN',
      message: 'KSampler: wrong',
      path: '3.steps',
      found: '0',
      allowed: '1 to 10000',
    },
    {
      severity: 'error',
      code: 'COMFYUI_INVALID_INPUT_TYPE',
      message: 'CLIPTextEncode: wrong',
      path: '6.text',
      allowed: 'STRING',
    },
  ])
})

t.test('submit tells a server that is not there as unreachable: nothing was sent', async t => {
  const { server, connection } = await startConnection(t)
  await connection.submit(makeJob(), makeAttempt(), signal)
  await server.stop()
  await failureOf(connection.find(makeAttempt(), signal))
  t.equal((await failureOf(connection.submit(makeJob(), makeAttempt(), signal))).reason, 'unreachable')
})

t.test('an attempt whose answer was lost is found, and followed to its end', async t => {
  const { server, connection } = await startConnection(t)
  const attempt = makeAttempt()
  server.answers.set('POST /prompt', ({ body }, response) => {
    server.take(body)
    response.destroy()
  })
  t.equal((await failureOf(connection.submit(makeJob(), attempt, signal))).reason, 'unknown-outcome')
  t.equal(await connection.find(attempt, signal), 'queued')
  server.finish(attempt.promptId)
  t.equal(outcomeOf(await collect(connection.follow(attempt, signal))), 'finished: jtest-1_00001_.png')
})

t.test('an attempt that the server took after its answer was given up is neither lost nor gone', async t => {
  const { server, connection } = await startConnection(t, { entry: { timeoutSeconds: 0.1 } })
  const attempt = makeAttempt()
  let body = ''
  server.answers.set('POST /prompt', call => void (body = call.body))
  t.equal((await failureOf(connection.submit(makeJob(), attempt, signal))).reason, 'unknown-outcome')
  t.equal(await connection.cancel(attempt, signal), 'unknown')
  const events = collect(connection.follow(attempt, signal))
  await sleep((quick.lostMs ?? 0) * 3)
  server.take(body)
  server.finish(attempt.promptId)
  t.match(outcomeOf(await events), /^finished/)
})

t.test('stopping a submission is told by how far it came', async t => {
  const { server, connection } = await startConnection(t)
  await connection.submit(makeJob(), makeAttempt(), signal)
  const stopper = new AbortController()
  server.answers.set('POST /prompt', () => stopper.abort())
  const sent = await failureOf(connection.submit(makeJob(), makeAttempt(), stopper.signal))
  t.equal(sent.reason, 'unknown-outcome')
  const unsent = await failureOf(connection.submit(makeJob(), makeAttempt(), stopper.signal))
  t.equal(unsent.reason, 'unreachable')
})

t.test('no message tells a secret', async t => {
  const server = await ScriptedServer.start()
  t.teardown(() => server.stop())
  const { openConnection } = await import('../../../plugins/provider-comfyui/connection.js')
  const { makeHost } = await import('./make-job.js')
  const secrets = { token: 'tok-secret', headers: { 'X-Key': 'key-secret' } }
  const url = `${server.url.replace('//', '//user:pass-secret@')}/farm/?token=query-secret`
  const connection = await openConnection(makeServer(url, secrets), makeHost(), quick)
  server.answers.set('GET /farm/system_stats', (_, response) => sendJson(response, { system: {} }))
  server.answers.set('POST /farm/prompt', (_, response) => void response.writeHead(403).end())
  const failure = await failureOf(connection.submit(makeJob(), makeAttempt(), signal))
  t.notMatch(`${failure.message} ${JSON.stringify(failure.details)} ${failure.stack ?? ''}`, /secret/)
  const [post, socket] = [server.callsTo('POST /farm/prompt')[0], server.callsTo('WS /farm/ws')[0]]
  for (const call of [post, socket]) {
    t.match(call?.headers, { authorization: 'Bearer tok-secret', 'x-key': 'key-secret' })
    t.match(call?.url, /token=query-secret/)
  }
  await connection.close()
})

type Reply = [status: number, body: unknown, type?: string] | 'silence' | 'cut'

function rejection(type: string, input: string, received: unknown): Record<string, unknown> {
  return {
    error: { type: 'prompt_outputs_failed_validation', message: 'Prompt outputs failed validation', details: '' },
    node_errors: {
      '2': {
        class_type: 'AnyNode',
        dependent_outputs: ['3'],
        errors: [{ type, message: 'wrong', details: '', extra_info: { input_name: input, received_value: received } }],
      },
    },
  }
}

function serveModels(server: ScriptedServer, folders: Record<string, Record<string, number>>): void {
  for (const [folder, sizes] of Object.entries(folders)) {
    server.answers.set(`GET /models/${folder}`, (_, response) => sendJson(response, Object.keys(sizes)))
    server.answers.set(`GET /experiment/models/${folder}`, (_, response) =>
      sendJson(
        response,
        Object.entries(sizes).map(([name, size]) => ({ name: name.replaceAll('\\', '/'), size })),
      ),
    )
  }
}

function withOwnId(body: string): string {
  return JSON.stringify({ ...(JSON.parse(body) as object), prompt_id: 'own' })
}
