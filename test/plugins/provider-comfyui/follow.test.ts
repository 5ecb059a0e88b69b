import { strict as assert } from 'node:assert'
import { once, setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Times } from '../../../plugins/provider-comfyui/connection.js'
import type { RenderEvent } from '../../../src/plugins/contract.js'
import { collect, makeAttempt, makeJob, outcomeOf } from './make-job.js'
import { ScriptedServer, sendText } from './scripted-server.js'
import { quick, startConnection, type Started, until } from './start-connection.js'

/** A poll that never comes: whatever happens was told by the socket. */
const never: Times = { ...quick, pollMs: 600_000, pollMsMin: 600_000 }

const start = (test: Parameters<typeof startConnection>[0], times: Times = quick): Promise<Started> =>
  startConnection(test, { times })

const { signal } = new AbortController()
setMaxListeners(0, signal)

t.test('follow is told everything by the socket, and asks for no history', async t => {
  const { server, connection } = await start(t, never)
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const events = collect(connection.follow(attempt, signal))
  server.start(attempt.promptId)
  server.tell(attempt.promptId, 'progress', { value: 1, max: 20, node: '2' })
  server.tell('', 'progress', { value: 9, max: 9, prompt_id: 'foreign' })
  server.finish(attempt.promptId)
  const kinds = (await events).map(event => event.kind)
  t.equal(outcomeOf(await events), 'finished: jtest-1_00001_.png')
  t.same(
    kinds.filter(kind => kind !== 'progress'),
    ['started', 'output', 'finished'],
  )
  t.match((await events).at(-1), { timings: { renderMs: 250 } })
  t.equal(server.calls.filter(call => call.url.startsWith('/history')).length, 0)
})

t.test('follow passes over a progress that is no number', async t => {
  const { server, connection } = await start(t, never)
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const events = collect(connection.follow(attempt, signal))
  const data = `{"prompt_id":"${attempt.promptId}","value":1e999,"max":20}`
  for (const socket of server.sockets.values()) socket.send(`{"type":"progress","data":${data}}`)
  server.finish(attempt.promptId)
  t.notOk((await events).some(({ kind }) => kind === 'progress'))
})

t.test('follow gives all it knows to whoever comes late', async t => {
  const { server, connection } = await start(t, never)
  const attempt = makeAttempt()
  server.taken = ({ promptId }) => server.finish(promptId)
  await connection.submit(makeJob(), attempt, signal)
  t.equal(outcomeOf(await collect(connection.follow(attempt, signal))), 'finished: jtest-1_00001_.png')
})

t.test('follow takes frames that come before the answer to the POST', async t => {
  const { server, connection } = await start(t, never)
  const attempt = makeAttempt()
  server.answers.set('POST /prompt', async ({ body }, response) => {
    const promptId = server.take(body)
    server.finish(promptId)
    await sleep(100)
    sendText(response, JSON.stringify({ prompt_id: promptId, number: 0, node_errors: {} }))
  })
  await connection.submit(makeJob(), attempt, signal)
  t.equal(outcomeOf(await collect(connection.follow(attempt, signal))), 'finished: jtest-1_00001_.png')
})

t.test('follow after a crash asks the history, and takes what was saved under the attempt', async t => {
  const { server, connection } = await start(t)
  const attempt = makeAttempt('j9', 2)
  const stem = `j9-2-${attempt.promptId.slice(0, 8)}`
  const images = (...names: string[]) => ({
    images: names.map(filename => ({ filename, subfolder: '', type: 'output' })),
  })
  server.settle(attempt.promptId, 'success', {
    outputs: {
      '8': images('other_00001_.png'),
      '9': images(`${stem}_00001_.png`, `${stem}_00002_.png`),
      '7': { text: ['x'] },
    },
    last: ['execution_success', { timestamp: 3000 }],
  })
  const events = await collect(connection.follow(attempt, signal))
  t.equal(outcomeOf(events), 'finished: j9-2_00001_.png j9-2_00002_.png')
  t.match(events.at(-1), { timings: { renderMs: 2000 } })
})

t.test('follow takes every kept file where none is named after the attempt', async t => {
  const { server, connection } = await start(t)
  const attempt = makeAttempt()
  const outputs = {
    '8': { images: [{ filename: 'seen.png', subfolder: '', type: 'temp' }] },
    '9': { gifs: [{ filename: 'kept.png', subfolder: 'a', type: 'output' }], animated: [true] },
  }
  server.settle(attempt.promptId, 'success', { outputs, last: ['execution_success', {}] })
  t.equal(outcomeOf(await collect(connection.follow(attempt, signal))), 'finished: kept.png')
})

t.test('follow asks the history when frames were missed', async t => {
  const cases: Record<string, (server: ScriptedServer, promptId: string) => void> = {
    'the executed frame': (server, id) => {
      server.start(id)
      server.tell(id, 'execution_success', { timestamp: 1250 })
      const outputs = { '3': { images: [{ filename: 'a.png', subfolder: '', type: 'output' }] } }
      server.settle(id, 'success', { outputs, last: ['execution_success', {}] })
    },
    'every frame but the last': (server, id) => {
      server.pending.delete(id)
      const outputs = { '3': { images: [{ filename: 'a.png', subfolder: '', type: 'output' }] } }
      server.settle(id, 'success', { outputs, last: ['execution_success', {}] })
    },
  }
  for (const [title, run] of Object.entries(cases)) {
    const { server, connection } = await start(t, never)
    const attempt = makeAttempt()
    await connection.submit(makeJob(), attempt, signal)
    const events = collect(connection.follow(attempt, signal))
    run(server, attempt.promptId)
    t.equal(outcomeOf(await events), 'finished: a.png', title)
  }
})

t.test('follow waits for a history that comes after the end was told', async t => {
  const { server, connection } = await start(t, { ...quick, pollMs: 60_000 })
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const events = collect(connection.follow(attempt, signal))
  const { promptId } = attempt
  server.start(promptId)
  server.tell(promptId, 'executing', { node: null })
  await until(() => server.callsTo(`GET /history/${promptId}`).length >= 3)
  server.finish(promptId)
  t.match(outcomeOf(await events), /^finished/)
})

t.test('follow goes on by asking when the socket is dropped, and the next job has a new client id', async t => {
  const { server, connection } = await start(t)
  const [first, second] = [makeAttempt(), makeAttempt('jtest', 2)]
  await connection.submit(makeJob(), first, signal)
  const events = collect(connection.follow(first, signal))
  server.start(first.promptId)
  for (const socket of server.sockets.values()) socket.terminate()
  await until(() => server.callsTo(`GET /history/${first.promptId}`).length > 0)
  server.finish(first.promptId)
  t.equal(outcomeOf(await events), 'finished: jtest-1_00001_.png')
  await connection.submit(makeJob(), second, signal)
  const later = collect(connection.follow(second, signal))
  server.finish(second.promptId)
  t.equal(outcomeOf(await later), 'finished: jtest-2_00001_.png')
  t.not(server.posted[0]?.clientId, server.posted[1]?.clientId)
})

t.test('follow goes on by asking while the clock of the machine is set back', async t => {
  const { server, connection } = await start(t)
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const events = collect(connection.follow(attempt, signal))
  server.start(attempt.promptId)
  for (const socket of server.sockets.values()) socket.terminate()
  await until(() => server.callsTo(`GET /history/${attempt.promptId}`).length > 0)
  const { now } = Date
  t.teardown(() => (Date.now = now))
  Date.now = () => now() - 3_600_000
  const asked = server.callsTo(`GET /history/${attempt.promptId}`).length
  await until(() => server.callsTo(`GET /history/${attempt.promptId}`).length > asked + 1)
  server.finish(attempt.promptId)
  t.equal(outcomeOf(await events), 'finished: jtest-1_00001_.png')
})

t.test('follow does without a socket', async t => {
  const cases: Record<string, (server: ScriptedServer) => void> = {
    'that is refused': server => server.answers.set('GET /ws', (_, response) => void response.writeHead(403).end()),
    'that stays silent from the start': server => (server.greets = () => false),
  }
  for (const [title, spoil] of Object.entries(cases)) {
    const { server, connection } = await start(t)
    spoil(server)
    for (const number of [1, 2]) {
      const attempt = makeAttempt('jtest', number)
      await connection.submit(makeJob(), attempt, signal)
      const events = collect(connection.follow(attempt, signal))
      server.finish(attempt.promptId)
      t.equal(outcomeOf(await events), `finished: jtest-${number}_00001_.png`, title)
    }
  }
})

t.test('follow replaces a socket that greets and then says nothing', async t => {
  const { server, connection } = await start(t, { ...quick, pollMs: 30 })
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const [deaf] = server.sockets.keys()
  const socket = server.sockets.get(deaf ?? '')
  server.sockets.clear()
  const events = collect(connection.follow(attempt, signal))
  server.start(attempt.promptId)
  assert(socket)
  await once(socket, 'close')
  await until(() => server.sockets.size > 0)
  server.finish(attempt.promptId)
  t.match(outcomeOf(await events), /^finished/)
  t.not([...server.sockets.keys()][0], deaf)
})

t.test('a socket is pinged, and replaced when nobody answers', async t => {
  const { server, connection } = await start(t, { ...quick, pingMs: 20, pongMs: 20 })
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const following = collect(connection.follow(attempt, signal))
  const [first] = server.sockets.keys()
  await sleep(100)
  t.ok(server.sockets.has(first ?? ''), 'it stays while pings are answered')
  server.answersPings = false
  await until(() => !server.sockets.has(first ?? ''))
  server.answersPings = true
  await until(() => server.sockets.size > 0)
  server.finish(attempt.promptId)
  t.match(outcomeOf(await following), /^finished/)
})

t.test('follow tells how a job failed', async t => {
  const error = {
    node_id: '4',
    node_type: 'KSampler',
    current_inputs: { text: ['secret words'] },
    traceback: ['/srv/x.py'],
  }
  const cases: Record<string, [Record<string, unknown>, string]> = {
    'out of memory by type': [{ exception_type: 'torch.OutOfMemoryError', exception_message: 'tips' }, 'out-of-memory'],
    'out of memory by message': [
      { exception_type: 'RuntimeError', exception_message: 'CUDA error: out of memory\n' },
      'out-of-memory',
    ],
    'a broken file': [
      { exception_type: 'safetensors._safetensors_rust.SafetensorError', exception_message: 'header too small' },
      'missing-model',
    ],
    'a missing file': [
      { exception_type: 'FileNotFoundError', exception_message: "No such file: '/srv/models/loras/a.safetensors'" },
      'missing-model',
    ],
    'anything else': [{ exception_type: 'RuntimeError', exception_message: 'raised at step 3\n' }, 'node-error'],
  }
  for (const [title, [data, reason]] of Object.entries(cases)) {
    const { server, connection } = await start(t, never)
    const attempt = makeAttempt()
    await connection.submit(makeJob(), attempt, signal)
    server.fail(attempt.promptId, 'execution_error', { ...error, ...data })
    const events = await collect(connection.follow(attempt, signal))
    t.equal(outcomeOf(events), `failed: ${reason}`, title)
    const last = events.at(-1)
    const told = last?.kind === 'failed' ? `${last.failure.message} ${JSON.stringify(last.failure.details)}` : ''
    t.match(told, /KSampler/, title)
    t.notMatch(told, /secret words|\/srv/, title)
  }
})

t.test('follow tells an interruption, and a success without a picture', async t => {
  const { server, connection } = await start(t)
  const [first, second, third] = [makeAttempt(), makeAttempt(), makeAttempt()]
  await connection.submit(makeJob(), first, signal)
  server.fail(first.promptId, 'execution_interrupted')
  t.equal(outcomeOf(await collect(connection.follow(first, signal))), 'failed: interrupted')
  await connection.submit(makeJob(), second, signal)
  server.finish(second.promptId, [])
  t.equal(outcomeOf(await collect(connection.follow(second, signal))), 'failed: no-output')
  await connection.submit(makeJob(), third, signal)
  server.finish(third.promptId, [['77', 'other.png']])
  t.equal(outcomeOf(await collect(connection.follow(third, signal))), 'failed: no-output', 'of another node')
})

t.test('follow tells a job that the server has forgotten as lost, and not before it is sure', async t => {
  const { server, connection } = await start(t)
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const events = collect(connection.follow(attempt, signal))
  server.start(attempt.promptId)
  server.running.clear()
  for (const socket of server.sockets.values()) socket.terminate()
  t.equal(outcomeOf(await events), 'failed: lost')
  t.ok(server.callsTo('GET /queue').length >= 2)
})

t.test('follow bears a server that restarts, and then tells the loss', async t => {
  const { server, connection } = await start(t)
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const events = collect(connection.follow(attempt, signal))
  const { port } = server
  await server.stop()
  await sleep(100)
  const restarted = await ScriptedServer.start(port)
  t.teardown(() => restarted.stop())
  t.equal(outcomeOf(await events), 'failed: lost')
})

t.test('follow gives up a server that stays away beyond its grace', async t => {
  const { server, connection } = await start(t, { ...quick, graceMs: 150 })
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const events = collect(connection.follow(attempt, signal))
  await server.stop()
  t.equal(outcomeOf(await events), 'failed: unreachable')
})

t.test('follow ends without a last event when its signal or the connection ends', async t => {
  const { server, connection } = await start(t)
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const stopper = new AbortController()
  const stopped = collect(connection.follow(attempt, stopper.signal))
  const closed = collect(connection.follow(attempt, signal))
  server.start(attempt.promptId)
  await until(() => server.callsTo('GET /queue').length > 0)
  stopper.abort()
  t.match(outcomeOf(await stopped), /^ended at/)
  await connection.close()
  t.match(outcomeOf(await closed), /^ended at/)
})

t.test('follow shows previews of both kinds, of its own job only', async t => {
  const { server, connection } = await start(t, never)
  const attempt = makeAttempt()
  await connection.submit(makeJob(), attempt, signal)
  const [socket] = server.sockets.values()
  const seen: RenderEvent[] = []
  const reading = (async () => {
    for await (const event of connection.follow(attempt, signal)) {
      seen.push(event)
      const previews = seen.filter(each => each.kind === 'preview').length
      if (event.kind === 'preview' && previews === 1) socket?.send(plainPreview('second', 2))
      if (event.kind === 'preview' && previews === 2) server.finish(attempt.promptId)
    }
  })()
  server.start(attempt.promptId)
  socket?.send(describedPreview('foreign', 'other'))
  socket?.send(Buffer.from([0, 0, 0, 9, 1, 2, 3, 4, 5]))
  socket?.send(describedPreview('first', attempt.promptId))
  await reading
  t.same(
    seen.flatMap(event => (event.kind === 'preview' ? [`${event.mime} ${event.bytes.toString()}`] : [])),
    ['image/jpeg first', 'image/png second'],
  )
})

t.test('one poller asks for all followed jobs together', async t => {
  const { server, connection } = await start(t, { ...quick, pollMs: 40 })
  const attempts = Array.from({ length: 20 }, (_, index) => makeAttempt('jtest', index + 1))
  for (const attempt of attempts) await connection.submit(makeJob(), attempt, signal)
  for (const socket of server.sockets.values()) socket.terminate()
  const following = attempts.map(attempt => collect(connection.follow(attempt, signal)))
  await until(() => server.callsTo('GET /queue').length >= 3)
  const asked = server.calls.filter(call => call.url.startsWith('/history/')).length
  t.ok(asked >= 20 * server.callsTo('GET /queue').length - 40, 'the queue is asked once for many')
  for (const attempt of attempts) server.finish(attempt.promptId)
  for (const events of following) t.match(outcomeOf(await events), /^finished/)
})

function describedPreview(text: string, promptId: string): Buffer {
  const about = Buffer.from(JSON.stringify({ node_id: '2', prompt_id: promptId, image_type: 'image/jpeg' }))
  const head = Buffer.alloc(8)
  head.writeUInt32BE(4, 0)
  head.writeUInt32BE(about.length, 4)
  return Buffer.concat([head, about, Buffer.from(text)])
}

function plainPreview(text: string, format: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(1, 0)
  head.writeUInt32BE(format, 4)
  return Buffer.concat([head, Buffer.from(text)])
}
