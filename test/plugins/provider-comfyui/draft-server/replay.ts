import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { WebSocket } from 'ws'
import type { DraftVersion, Faults } from '../../../../plugins/provider-comfyui/draft-server/options.js'
import type { Recording, Step } from './recording.js'
import { startRecorderServer, timeScale, type RecorderServer, type StepGate } from './recorder-server.js'

/** What a replay saw, in the form of a recording. */
export interface Replayed {
  responses: Map<number, { status: number; headers: Record<string, string>; bytes: Buffer }>
  frames: Map<string, (Buffer | string)[]>
  closes: Map<string, number>
  opened: Map<string, { status: number; extensions: string }>
  /** Ids that the replayed server made, by the recorded ones. */
  ids: Map<string, string>
}

/** Without any news for so long, a wait for recorded frames is given up and the comparison tells what is missing. */
const quietMsMax = 1500

/** Does what the client of a recording did, each action after everything that the client had seen before it. */
export async function replay(recording: Recording, version: DraftVersion, faults: Partial<Faults>): Promise<Replayed> {
  const gate = createGate(recording)
  const place = await startRecorderServer(version, gate, faults)
  try {
    return await act(recording, place, gate)
  } finally {
    gate.openAll()
    await place.server.close()
  }
}

async function act(recording: Recording, { server, models }: RecorderServer, gate: Gate): Promise<Replayed> {
  const seen: Replayed = {
    responses: new Map(),
    frames: new Map(),
    closes: new Map(),
    opened: new Map(),
    ids: new Map(),
  }
  const sockets = new Map<string, WebSocket>()
  const headerValues = new Map<string, string>()
  const openRequests = new Map<number, Promise<void>>()
  const expectedFrames = new Map<string, number>()
  let news = performance.now()
  let isAway = false
  let lastMs = 0

  const actions: Partial<Record<Step['dir'], (step: Step) => Promise<void> | void>> = {
    'http-request': step => void openRequests.set(step.req ?? 0, send(step)),
    'http-response': async step => await openRequests.get(step.req ?? 0),
    'ws-open': open,
    'ws-in': step => {
      expectedFrames.set(String(step.conn), (expectedFrames.get(String(step.conn)) ?? 0) + 1)
      gate.pass(step)
    },
    'ws-out': speak,
    'ws-close': close,
    note: meddle,
  }

  for (const [name, content] of Object.entries(laidFiles)) {
    if (recording.scenario.startsWith('view'))
      await server.files.put('output', 'rec', name, { bytes: Buffer.from(content) })
  }
  for (const step of recording.steps) {
    if (step.dir !== 'note' && isAway) continue
    if (['http-request', 'ws-open', 'ws-out', 'ws-close', 'note'].includes(step.dir)) await settle(step)
    await actions[step.dir]?.(step)
    lastMs = step.t_ms
  }
  await waitForFrames()
  // Anything beyond the recording would come now.
  await sleep(20)
  for (const socket of sockets.values()) socket.terminate()
  return seen

  /** Waits until the replay stands where the recording stood. */
  async function settle(step: Step): Promise<void> {
    await waitForFrames()
    const gapMs = step.t_ms - lastMs
    if (gapMs < 100 || step.control === 'close') return
    await sleep(gapMs * timeScale)
    // The recorder waited for jobs that it could not hear.
    while (server.ledger.at(-1)?.outcome === 'running' && !(await isSlow())) await sleep(3)
  }

  async function isSlow(): Promise<boolean> {
    const { body } = await request(`${server.url}/queue`)
    const queue = (await body.json()) as { queue_running: unknown[] }
    return JSON.stringify(queue.queue_running).includes('SlowSteps')
  }

  async function waitForFrames(): Promise<void> {
    news = performance.now()
    const isComplete = () => [...expectedFrames].every(([conn, count]) => (seen.frames.get(conn)?.length ?? 0) >= count)
    while (!isComplete() && performance.now() - news < quietMsMax) await sleep(2)
  }

  async function send({ req = 0, method = 'GET', path = '/', headers = {}, body }: Step): Promise<void> {
    // No two recorded jobs were made in the same millisecond: it orders their list.
    if (method === 'POST') await sleep(2)
    const answer = await request(server.url + translate(path), {
      method: method as 'GET',
      headers: ownHeaders(headers),
      body: body === undefined ? null : toBody(body),
    })
    const bytes = Buffer.from(await answer.body.arrayBuffer())
    const received = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]))
    seen.responses.set(req, { status: answer.statusCode, headers: received, bytes })
    learn(req, bytes, received)
  }

  /** Tags of files and the port of the server are its own. */
  function ownHeaders(headers: Record<string, string>): Record<string, string> {
    const own = (value: string) => headerValues.get(value) ?? value.replace(/:1818[89]$/, `:${server.port}`)
    return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, own(value)]))
  }

  /** Values that only the answering server can make, for the requests that send them back. */
  function learn(req: number, bytes: Buffer, headers: Record<string, string>): void {
    const recorded = recording.steps.find(step => step.dir === 'http-response' && step.req === req)
    for (const name of ['etag', 'last-modified']) {
      const old = recorded?.headers?.[name]
      if (old !== undefined && headers[name] !== undefined) headerValues.set(old, headers[name])
    }
    const oldId = (recorded?.body as { prompt_id?: unknown } | undefined)?.prompt_id
    if (typeof oldId === 'string' && bytes.length > 0) {
      const { prompt_id: id } = JSON.parse(bytes.toString()) as { prompt_id?: string }
      if (id !== undefined && id !== oldId) seen.ids.set(oldId, id)
    }
    const letters = /ComfyUI_temp_[a-z]{5}/
    const old = letters.exec(JSON.stringify(recorded?.body ?? ''))?.[0]
    const own = letters.exec(bytes.toString('latin1'))?.[0]
    if (old && own) seen.ids.set(old, own)
  }

  function translate(path: string): string {
    return [...seen.ids].reduce((text, [old, own]) => text.replaceAll(old, own), path)
  }

  async function open({ conn = '', path = '', extensions, headers = {} }: Step): Promise<void> {
    const socket = new WebSocket(server.url.replace('http', 'ws') + path, {
      perMessageDeflate: extensions !== undefined,
      headers: ownHeaders(headers),
    })
    sockets.set(conn, socket)
    const frames: (Buffer | string)[] = []
    seen.frames.set(conn, frames)
    socket.on('message', (data: Buffer, isBinary) => {
      news = performance.now()
      frames.push(isBinary ? data : data.toString())
    })
    socket.on('pong', () => frames.push('pong'))
    socket.on('close', code => seen.closes.set(conn, code))
    const status = await new Promise<number>((resolve, reject) => {
      socket.on('error', reject)
      socket.once('open', () => resolve(101))
      socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode ?? 0))
    })
    seen.opened.set(conn, { status, extensions: socket.extensions })
  }

  function speak({ conn = '', body, control, code }: Step): void {
    const socket = sockets.get(conn)
    if (control === 'ping') socket?.ping()
    else if (control === 'close') socket?.close(code)
    else socket?.send(toMessage(body))
  }

  async function close({ conn = '', by = '' }: Step): Promise<void> {
    const socket = sockets.get(conn)
    if (by.includes('dropped')) socket?.terminate()
    for (let waited = 0; !seen.closes.has(conn) && waited < quietMsMax; waited += 2) await sleep(2)
  }

  /** What was done to the real server by hand. */
  function meddle({ text = '' }: Step): void {
    if (text.startsWith('the file is deleted on disk')) server.files.delete('output', 'rec', 'a_00001_.png')
    if (text.startsWith('style/new.safetensors is added')) models.loras = { ...models.loras, ...newLora }
    if (text.startsWith('an uploaded file removed')) server.files.delete('input', 'personas/p7', 'face.png')
    if (text.startsWith('SIGKILL')) isAway = true
    if (text.startsWith('restart')) {
      isAway = false
      server.restart()
    }
  }
}

/** Files that the recorder laid into the output folder itself. */
const laidFiles = { 'x.html': '<b>x</b>', 'a b#c&d.txt': 'hello', 't.txt': 'no picture' }

const newLora = { 'style/new.safetensors': { sizeBytes: 0 } }

function toBody(body: unknown): string | Buffer {
  if (typeof body === 'string') return body
  const parts = (body as { multipart?: MultipartPart[] }).multipart
  return parts ? toMultipart(parts) : JSON.stringify(body)
}

interface MultipartPart {
  name: string
  filename?: string
  content_type?: string
  value: string | { base64: string }
}

function toMultipart(parts: MultipartPart[]): Buffer {
  const boundary = '----recorder-boundary'
  const chunks = parts.flatMap(({ name, filename, content_type: type, value }) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"` +
        `${filename === undefined ? '' : `; filename="${filename}"`}\r\n` +
        `${type === undefined ? '' : `content-type: ${type}\r\n`}\r\n`,
    ),
    typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64'),
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)])
}

/** Frames of clients: texts, JSON, a few bytes, and one that is too long to be written down. */
function toMessage(body: unknown): string | Buffer {
  if (typeof body === 'string') return body
  const { base64_prefix: prefix, bytes } = body as { base64_prefix?: string; bytes?: number }
  if (prefix !== undefined) return Buffer.from(prefix, 'base64')
  return bytes === undefined ? JSON.stringify(body) : JSON.stringify({ x: 'y'.repeat(bytes - 8) })
}

interface Gate extends StepGate {
  /** A frame of the recording has been reached. */
  pass(step: Step): void
  openAll(): void
}

/** Steps that the recording shows are held until it is reached; those it does not show go by the clock. */
function createGate({ steps }: Recording): Gate {
  const shown = new Map<string, number>()
  const reached = new Map<string, number>()
  const interrupted = new Set<string>()
  let isOpen = false
  for (const step of steps) {
    const tick = tickOf(step)
    if (tick) shown.set(tick.promptId, Math.max(shown.get(tick.promptId) ?? 0, tick.value))
    const end = frameOf(step)
    if (end?.type === 'execution_interrupted') interrupted.add(end.data.prompt_id ?? '')
  }
  return {
    pass(step) {
      const tick = tickOf(step)
      if (tick) reached.set(tick.promptId, Math.max(reached.get(tick.promptId) ?? 0, tick.value))
      const end = frameOf(step)
      if (end?.type === 'execution_interrupted') interrupted.delete(end.data.prompt_id ?? '')
    },
    waitMs(promptId, step) {
      const last = shown.get(promptId) ?? 0
      const isHeld = step <= last ? (reached.get(promptId) ?? 0) < step : last > 0 && interrupted.has(promptId)
      if (isHeld && !isOpen) return undefined
      return step <= last || isOpen ? 0 : 1000 * timeScale
    },
    openAll() {
      isOpen = true
    },
  }
}

interface Frame {
  type: string
  data: { prompt_id?: string; value?: number; nodes?: Record<string, { state: string; value: number }> }
}

function frameOf({ dir, body }: Step): Frame | undefined {
  return dir === 'ws-in' && typeof body === 'object' && body !== null && 'data' in body ? (body as Frame) : undefined
}

function tickOf(step: Step): { promptId: string; value: number } | undefined {
  const frame = frameOf(step)
  if (!frame) return undefined
  const running = Object.values(frame.data.nodes ?? {}).find(each => each.state === 'running' && each.value > 0)
  const value = frame.type === 'progress' ? frame.data.value : running?.value
  return value === undefined ? undefined : { promptId: frame.data.prompt_id ?? '', value }
}
