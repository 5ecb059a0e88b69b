import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { request } from 'undici'
import { startDraftServer } from '../../../../plugins/provider-comfyui/draft-server/draft-server.js'
import type { LedgerEntry } from '../../../../plugins/provider-comfyui/draft-server/ledger.js'
import type { DraftServerOptions } from '../../../../plugins/provider-comfyui/draft-server/options.js'
import { pngSize, readPngText } from '../../../../src/record/png-text.js'
import { DraftClient, sampledGraph, smallGraph, type HistoryView } from './draft-client.js'
import { plainNode } from '../../../plain-node.js'

async function open(t: Test, options: DraftServerOptions = {}) {
  const server = await startDraftServer({ ...options, faults: { prepared: true, ...options.faults } })
  const client = await DraftClient.open(server)
  t.teardown(async () => {
    client.close()
    await server.close()
  })
  return { server, client }
}

async function picture(client: DraftClient, entry: HistoryView): Promise<Buffer> {
  const [file] = Object.values(entry.outputs).flatMap(({ images }) => images ?? [])
  const query = new URLSearchParams({ ...file })
  return (await client.ask('GET', `/view?${query.toString()}`)).bytes
}

/** What the foundry writes into a request. */
const record = {
  run: 'r1',
  slot: 'aurora/hero-front-0',
  job: 'j1',
  subject: 'Aurora',
  template: 'hero-portrait',
  view: 'front',
  index: 0,
  positive: [{ text: 'a portrait of Aurora', source: 'persona.description' }],
  negative: [{ text: 'blurry', source: 'template' }],
  seed: 7,
  width: 64,
  height: 96,
  sliders: { mecha: 0.2 },
  palette: { primary: '#336699' },
  loras: [{ talent: 'ink', effective: 0.6 }],
}

t.test('a draft has the size asked for and carries the graph and every key of extra_pnginfo', async t => {
  const { client, server } = await open(t, { faults: { prepared: false } })
  const entry = await client.run(sampledGraph(5, 'out/x'), 'p1', {
    extra_data: { extra_pnginfo: { foundry: record, note: 'ü' } },
  })
  const bytes = await picture(client, entry)
  t.strictSame(pngSize(bytes), { width: 64, height: 96 })
  t.ok((await sharp(bytes).stats()).entropy > 1, 'something is painted')
  const texts = new Map(readPngText(bytes).map(({ keyword, text }) => [keyword, text]))
  t.strictSame([...texts.keys()], ['prompt', 'foundry', 'note'])
  t.strictSame(JSON.parse(texts.get('prompt') ?? ''), sampledGraph(5, 'out/x'))
  t.strictSame(JSON.parse(texts.get('foundry') ?? ''), record)
  t.equal(texts.get('note'), '"\\u00fc"')
  t.match(server.ledger, [{ promptId: 'p1', job: 'j1', slot: record.slot, prefix: 'out/x', outcome: 'success' }])
  t.ok((server.ledger[0]?.serviceMs ?? 0) > 0)
})

t.test('private text changes the picture and is nowhere in it', async t => {
  const { client } = await open(t, { faults: { prepared: false } })
  const sent = { ...record, positive: { sha256: 'a'.repeat(64), sources: ['persona.description'] } }
  const entry = await client.run(smallGraph(1, 'p'), 'p1', { extra_data: { extra_pnginfo: { foundry: sent } } })
  const open1 = await client.run(smallGraph(2, 'p'), 'p2', { extra_data: { extra_pnginfo: { foundry: record } } })
  t.notOk((await picture(client, entry)).equals(await picture(client, open1)))
})

t.test('unknown classes and names are drafted, and refused where the server is strict', async t => {
  const graph = sampledGraph(1, 'x')
  const custom = {
    ...graph,
    '20': { class_type: 'FancyRefiner', inputs: { samples: ['3', 0], how: 'well' } },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['20', 3], vae: ['4', 2] } },
    '9': { class_type: 'Image Save Deluxe', inputs: { images: ['8', 0], filename_prefix: 'fancy' } },
  }
  const { client } = await open(t)
  const entry = await client.run(custom, 'p1')
  t.strictSame(entry.outputs['9']?.images, [{ filename: 'fancy_00001_.png', subfolder: '', type: 'output' }])
  t.strictSame(pngSize(await picture(client, entry)), { width: 64, height: 96 })

  const strict = await open(t, { lenient: false, models: { checkpoints: { 'real.safetensors': { sizeBytes: 1 } } } })
  t.match(await strict.client.submit(custom, 'p2'), { status: 400, json: { error: { type: 'missing_node_type' } } })
  t.match(await strict.client.submit(graph, 'p3'), {
    json: { node_errors: { '4': { errors: [{ type: 'value_not_in_list' }] } } },
  })
})

t.test('seeds of 64 bits stay exact', async t => {
  const { client } = await open(t)
  const seed = '18446744073709551615'
  const graph = JSON.stringify(smallGraph(123, 'big')).replace('123', seed)
  await client.ask('POST', '/prompt', `{"prompt": ${graph}, "client_id": "${client.id}", "prompt_id": "p1"}`)
  await client.ended('p1')
  t.match(String((await client.ask('GET', '/history/p1')).bytes), `"seed":${seed}`)
})

const jobFaults: Record<
  string,
  { faults: DraftServerOptions['faults']; outcome: string; type?: string; last?: object }
> = {
  'fails the next jobs': { faults: { failNext: 1 }, outcome: 'error', last: { exception_type: 'RuntimeError' } },
  'runs out of memory': {
    faults: { failRate: 1, failWith: 'out-of-memory' },
    outcome: 'error',
    last: { exception_type: 'torch.OutOfMemoryError' },
  },
  'reports no output': { faults: { noOutputs: 1 }, outcome: 'success' },
}
for (const [title, { faults, outcome, last }] of Object.entries(jobFaults)) {
  t.test(`the draft server, when told, ${title}`, async t => {
    const { client, server } = await open(t, { ...(faults && { faults }) })
    const entry = await client.run(sampledGraph(1, 'f'), 'p1')
    t.equal(entry.status.status_str, outcome)
    t.strictSame(entry.outputs, {})
    if (last) t.match(entry.status.messages.at(-1), ['execution_error', last])
    t.equal(server.ledger[0]?.outputs.length, outcome === 'error' ? 0 : 1, 'the ledger knows what was painted')
  })
}

t.test('a failing share of jobs is the same for the same seed', async t => {
  const outcomes = async (failSeed: number) => {
    const { client, server } = await open(t, { faults: { failRate: 0.5, failSeed } })
    for (let seed = 0; seed < 12; seed++) await client.run(smallGraph(seed, `s${seed}`), `p${seed}`)
    return server.ledger.map(each => each.outcome)
  }
  const first = await outcomes(3)
  t.strictSame(await outcomes(3), first)
  t.ok(first.includes('error') && first.includes('success'))
})

const pictureFaults = { wrongSize: 1, black: 1 } as const
t.test('pictures are bent as told, once per use', async t => {
  const { client, server } = await open(t)
  const draw = async (seed: number) =>
    await picture(client, await client.run(sampledGraph(seed, `w${seed}`), `p${seed}`))
  server.setFaults({ wrongSize: pictureFaults.wrongSize })
  t.strictSame(pngSize(await draw(1)), { width: 72, height: 88 })
  server.setFaults({ black: pictureFaults.black })
  const { channels } = await sharp(await draw(2)).stats()
  t.strictSame(
    channels.map(each => each.max),
    [0, 0, 0],
  )
  t.strictSame(pngSize(await draw(3)), { width: 64, height: 96 })
})

t.test('the character drifts from the told picture on', async t => {
  const drawTwo = async (driftFrom: number) => {
    const { client } = await open(t, { faults: { prepared: false, driftFrom, driftBy: 1 } })
    const info = { extra_data: { extra_pnginfo: { foundry: record } } }
    const draw = async (id: string) =>
      await sharp(await picture(client, await client.run(smallGraph(1, id), id, info)))
        .raw()
        .toBuffer()
    return [await draw('one'), await draw('two')] as const
  }
  const [faithful, drifted] = await drawTwo(2)
  t.notOk(faithful.equals(drifted))
  const [one, two] = await drawTwo(0)
  t.ok(one.equals(two), 'without drift the same request gives the same pixels')
})

t.test('a cut transfer, a late and a lost answer', async t => {
  const { client, server } = await open(t)
  const entry = await client.run(smallGraph(1, 'cut'), 'p1')
  server.setFaults({ viewTruncated: 1 })
  await t.rejects(picture(client, entry))
  t.equal(readPngText(await picture(client, entry)).length, 1, 'the next transfer is whole')

  server.setFaults({ postLost: 1 })
  await t.rejects(client.submit(smallGraph(2, 'lost'), 'p2'))
  await client.ended('p2')
  t.equal(server.ledger.length, 2, 'the job ran although nobody was told')

  server.setFaults({ postDelayMs: 40 })
  const submitted = client.submit(smallGraph(3, 'late'), 'p3')
  await client.ended('p3')
  t.equal(
    client.answers.at(-1)?.asked,
    'GET /view?filename=cut_00001_.png&subfolder=&type=output',
    'ended before the answer',
  )
  t.equal((await submitted).status, 200)
})

t.test('durations are kept, and loading is charged once per set of models', async t => {
  const { client, server } = await open(t, { faults: { jobMs: 60, modelLoadMs: 250 } })
  for (const seed of [1, 2]) await client.run(sampledGraph(seed, `d${seed}`), `p${seed}`)
  const [first = 0, second = 0] = server.ledger.map(each => each.serviceMs)
  t.ok(first >= 309 && second >= 59, `${first} ms with loading, ${second} ms without`)
  t.ok(second < first, 'the second job found its models loaded')
  const progress = client.frames.filter(({ type, data }) => type === 'progress' && data.prompt_id === 'p1')
  t.strictSame(
    progress.map(({ data }) => data.value),
    [1, 2, 3, 4],
  )
})

t.test('a change of LoRAs is charged once, and told in the ledger', async t => {
  const { client, server } = await open(t, { faults: { loraLoadMs: 120 } })
  const graph = (seed: number, lora: string) => {
    const made = sampledGraph(seed, `l${seed}`)
    Object.assign(made['10']?.inputs ?? {}, { lora_name: lora })
    return made
  }
  const loads = () => server.ledger.map(({ loadMs }) => loadMs)
  for (const [at, lora] of ['a', 'a', 'b', 'a'].entries()) await client.run(graph(at, lora), `p${at}`)
  t.strictSame(loads(), [120, undefined, 120, 120])
  t.ok((server.ledger[2]?.serviceMs ?? 0) >= 119, 'it takes its time')
  await client.run(smallGraph(1, 'plain'), 'p4')
  await client.run(graph(5, 'a'), 'p5')
  t.strictSame(loads().slice(4), [undefined, 120], 'a job without LoRAs lets go of them, and pays nothing')
  await client.ask('POST', '/free', { free_memory: true })
  await client.run(graph(6, 'a'), 'p6')
  t.equal(loads().at(-1), 120, 'what was freed is loaded again')
})

t.test('requests are counted, without those that only a draft server knows', async t => {
  const { client } = await open(t)
  const asked = async () => (await client.ask('GET', '/draft/requests')).json
  t.strictSame(await asked(), { requests: 0 })
  await client.run(smallGraph(1, 'r'), 'p1')
  t.strictSame(await asked(), { requests: 2 }, 'one submitted, one asked for the history')
})

t.test('a lost queue and an empty restart leave no trace of their jobs', async t => {
  const { client, server } = await open(t, { faults: { stepMs: 5_000 } })
  await client.submit(sampledGraph(1, 'q'), 'p1')
  await client.submit(sampledGraph(2, 'q'), 'p2')
  await client.frame(({ type }) => type === 'execution_start')
  server.loseQueue()
  t.strictSame((await client.ask('GET', '/queue')).json, { queue_running: [], queue_pending: [] })
  t.strictSame((await client.ask('GET', '/history')).json, {})

  server.setFaults({ stepMs: 0 })
  const entry = await client.run(smallGraph(3, 'kept'), 'p3')
  const closed = once(client.socket, 'close')
  await client.ask('POST', '/draft/faults', { restart: true }).catch(() => undefined)
  t.strictSame((await closed)[0], 1006)
  t.strictSame((await client.ask('GET', '/history')).json, {})
  t.ok((await picture(client, entry)).length > 0, 'files outlive the restart')
  t.match(await client.submit(smallGraph(4, 'n'), 'p4'), { json: { number: 0 } })
  t.strictSame(
    server.ledger.slice(0, 2).map(each => each.outcome),
    ['lost', 'success'],
  )
})

t.test('silent sockets carry nothing, and dropped ones close', async t => {
  const { client, server } = await open(t, { faults: { silentSockets: true } })
  await client.submit(smallGraph(1, 's'), 'p1')
  while (server.ledger[0]?.outcome !== 'success') await client.ask('GET', '/history/p1')
  t.strictSame(client.frames, [])
  const closed = once(client.socket, 'close')
  server.setFaults({ dropSocketsEveryMs: 10 })
  t.equal((await closed)[0], 1006)
})

t.test('a dead worker accepts jobs and runs none until it is told to', async t => {
  const { client, server } = await open(t, { faults: { workerDead: true } })
  t.equal((await client.submit(smallGraph(1, 's'), 'p1')).status, 200)
  t.strictSame((await client.ask('GET', '/prompt')).json, { exec_info: { queue_remaining: 1 } })
  t.equal(server.ledger.length, 0)
  server.setFaults({ workerDead: false })
  await client.ended('p1')
})

t.test('faults are set over HTTP, and wrong ones are refused whole', async t => {
  const { client, server } = await open(t)
  t.equal((await client.ask('POST', '/draft/faults', { failNext: 2, failWith: 'out-of-memory' })).status, 200)
  t.match(server.faults, { failNext: 2, failWith: 'out-of-memory' })
  for (const wrong of [
    { nope: 1 },
    { failNext: 'x' },
    { failNext: -1 },
    { failWith: 'rain' },
    { failNext: 5, nope: 1 },
  ]) {
    t.match(await client.ask('POST', '/draft/faults', wrong), { status: 400 })
  }
  t.equal(server.faults.failNext, 2)
})

t.test('a body beyond the limit is refused', async t => {
  const { server } = await open(t, { bodyBytesMax: 1000 })
  const { statusCode, body } = await request(`${server.url}/prompt`, { method: 'POST', body: 'x'.repeat(2000) })
  await body.dump()
  t.equal(statusCode, 413)
})

t.test('a list of options starts a server for each in one process', async t => {
  const main = fileURLToPath(new URL('../../../../plugins/provider-comfyui/draft-server/main.js', import.meta.url))
  const options = [{ faults: { jobMs: 1 } }, { version: '0.3.64', faults: { jobMs: 2 } }]
  const child = spawn(...plainNode([main, '--options', JSON.stringify(options)]))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { urls } = JSON.parse(String(line)) as { urls: string[] }
  t.equal(new Set(urls).size, 2)
  for (const [at, url] of urls.entries()) {
    t.match(await (await request(`${url}/draft/faults`)).body.json(), options[at]?.faults)
  }
  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [0, null])
})

t.test('as a process of its own it prints its address, and its ledger outlives a kill', async t => {
  const ledgerFile = join(t.testdir(), 'ledger.jsonl')
  const main = fileURLToPath(new URL('../../../../plugins/provider-comfyui/draft-server/main.js', import.meta.url))
  const options = JSON.stringify({ faults: { prepared: true } })
  const child = spawn(...plainNode([main, '--options', options, '--ledger-file', ledgerFile]))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { url } = JSON.parse(String(line)) as { url: string }
  const post = async (path: string, body: unknown) => {
    const answer = await request(url + path, { method: 'POST', body: JSON.stringify(body) })
    return await answer.body.json()
  }
  const ledger = () =>
    readFileSync(ledgerFile, 'utf8')
      .trim()
      .split('\n')
      .map(each => JSON.parse(each) as LedgerEntry)
  const until = async (count: number) => {
    while (!existsSync(ledgerFile) || ledger().length < count) await new Promise(resolve => setTimeout(resolve, 5))
  }
  await post('/prompt', { prompt: smallGraph(1, 'a'), prompt_id: 'p1' })
  while (!existsSync(ledgerFile) || readFileSync(ledgerFile, 'utf8').split('\n').length < 3)
    await new Promise(resolve => setTimeout(resolve, 5))
  await post('/draft/faults', { stepMs: 60_000 })
  await post('/prompt', { prompt: sampledGraph(2, 'b'), prompt_id: 'p2' })
  await until(3)
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.strictSame(
    ledger().map(each => [each.promptId, each.outcome]),
    [
      ['p1', 'running'],
      ['p1', 'success'],
      ['p2', 'running'],
    ],
  )
})
