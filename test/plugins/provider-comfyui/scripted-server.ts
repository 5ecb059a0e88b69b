import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

export interface Call {
  method: string
  /** With query. */
  url: string
  headers: IncomingMessage['headers']
  body: string
}

type Answer = (call: Call, response: ServerResponse) => void | Promise<void>

interface Posted {
  promptId: string
  clientId: string
  graph: Record<string, { class_type: string; inputs: Record<string, unknown> }>
  extraData: Record<string, unknown>
}

/**
 * A ComfyUI server of the barest kind, on real sockets, whose every step a test decides: nothing runs by itself.
 * `answers` replaces routes by `METHOD /path` (without query).
 */
export class ScriptedServer {
  readonly calls: Call[] = []
  readonly posted: Posted[] = []
  readonly pending = new Set<string>()
  readonly running = new Set<string>()
  readonly history = new Map<string, unknown>()
  readonly answers = new Map<string, Answer>()
  readonly sockets = new Map<string, WebSocket>()
  /** Called for each new socket before its first status; false keeps it silent. */
  greets: (clientId: string, headers: IncomingMessage['headers']) => boolean = () => true
  answersPings = true
  /** Called after a job was taken. */
  taken: (posted: Posted) => void = () => undefined
  readonly #http = createServer((request, response) => void this.#answer(request, response))
  readonly #ws = new WebSocketServer({ noServer: true, autoPong: false })
  readonly #connections = new Set<Socket>()
  #url = ''

  static async start(port = 0): Promise<ScriptedServer> {
    const server = new ScriptedServer()
    server.#http.on('upgrade', (request, socket, head) => {
      server.#ws.handleUpgrade(request, socket, head, client => server.#greet(client, request))
    })
    server.#http.on('connection', socket => {
      server.#connections.add(socket)
      socket.on('close', () => server.#connections.delete(socket))
    })
    await new Promise<void>(listening => server.#http.listen(port, '127.0.0.1', listening))
    server.#url = `http://127.0.0.1:${(server.#http.address() as AddressInfo).port}`
    return server
  }

  get url(): string {
    return this.#url
  }

  get port(): number {
    return Number(new URL(this.#url).port)
  }

  async stop(): Promise<void> {
    for (const socket of this.#connections) socket.destroy()
    this.#ws.close()
    await new Promise(closed => this.#http.close(closed))
  }

  callsTo(route: string): Call[] {
    return this.calls.filter(call => `${call.method} ${call.url.split('?')[0]}` === route)
  }

  /** Sends a message to the socket of the client that posted the job. */
  tell(promptId: string, type: string, data: Record<string, unknown> = {}): void {
    const { clientId } = this.posted.find(each => each.promptId === promptId) ?? { clientId: '' }
    this.sockets.get(clientId)?.send(JSON.stringify({ type, data: { ...data, prompt_id: promptId } }))
  }

  start(promptId: string): void {
    this.pending.delete(promptId)
    this.running.add(promptId)
    this.tell(promptId, 'execution_start', { timestamp: 1000 })
  }

  /** Runs a job to its end: one picture per save node, frames and history as a real server orders them. */
  finish(promptId: string, files = this.#filesOf(promptId)): void {
    if (!this.running.has(promptId)) this.start(promptId)
    const outputs: Record<string, unknown> = {}
    for (const [node, filename] of files) {
      const output = { images: [{ filename, subfolder: 'foundry', type: 'output' }] }
      outputs[node] = output
      this.tell(promptId, 'executing', { node, display_node: node })
      this.tell(promptId, 'executed', { node, display_node: node, output })
    }
    this.tell(promptId, 'execution_success', { timestamp: 1250 })
    this.settle(promptId, 'success', { outputs, last: ['execution_success', { timestamp: 1250 }] })
  }

  fail(promptId: string, type: 'execution_error' | 'execution_interrupted', data: Record<string, unknown> = {}): void {
    if (!this.running.has(promptId)) this.start(promptId)
    this.tell(promptId, type, data)
    this.settle(promptId, 'error', { outputs: {}, last: [type, data] })
  }

  /** Writes the history, then tells that the job is over. */
  settle(promptId: string, status: string, { outputs, last }: { outputs: unknown; last: [string, object] }): void {
    this.running.delete(promptId)
    const messages = [['execution_start', { prompt_id: promptId, timestamp: 1000 }], last]
    this.history.set(promptId, {
      prompt: [],
      outputs,
      status: { status_str: status, completed: status === 'success', messages },
    })
    this.tell(promptId, 'executing', { node: null })
  }

  #filesOf(promptId: string): [string, string][] {
    const graph = this.posted.find(each => each.promptId === promptId)?.graph ?? {}
    return Object.entries(graph)
      .filter(([, node]) => node.class_type === 'SaveImage')
      .map(([id, node]) => [id, `${String(node.inputs['filename_prefix']).split('/').at(-1) ?? ''}_00001_.png`])
  }

  #greet(client: WebSocket, request: IncomingMessage): void {
    const clientId = new URL(request.url ?? '', 'http://localhost').searchParams.get('clientId') ?? ''
    this.calls.push({ method: 'WS', url: request.url ?? '', headers: request.headers, body: '' })
    if (!this.greets(clientId, request.headers)) return
    this.sockets.set(clientId, client)
    client.on('ping', () => this.answersPings && client.pong())
    client.on('close', () => this.sockets.delete(clientId))
    client.send(
      JSON.stringify({ type: 'status', data: { status: { exec_info: { queue_remaining: 0 } }, sid: clientId } }),
    )
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url = '', headers } = request
    const call = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') }
    this.calls.push(call)
    const route = `${method} ${url.split('?')[0]}`
    await (this.answers.get(route) ?? this.#route(route))(call, response)
  }

  #route(route: string): Answer {
    const routes: Record<string, Answer> = {
      'GET /system_stats': (_, response) =>
        sendJson(response, { system: { comfyui_version: '0.12.1', argv: ['main.py'] }, devices: [{ vram_total: 8 }] }),
      'GET /prompt': (_, response) =>
        sendJson(response, { exec_info: { queue_remaining: this.pending.size + this.running.size } }),
      'GET /queue': (_, response) =>
        sendJson(response, {
          queue_running: [...this.running].map(id => [0, id, {}, {}, []]),
          queue_pending: [...this.pending].map(id => [1, id, {}, {}, []]),
        }),
      'POST /queue': ({ body }, response) => {
        for (const id of (JSON.parse(body) as { delete: string[] }).delete) this.pending.delete(id)
        response.end()
      },
      'POST /interrupt': ({ body }, response) => {
        const { prompt_id: id } = JSON.parse(body) as { prompt_id: string }
        if (this.running.has(id)) this.fail(id, 'execution_interrupted')
        response.end()
      },
      'POST /history': ({ body }, response) => {
        for (const id of (JSON.parse(body) as { delete: string[] }).delete) this.history.delete(id)
        response.end()
      },
      'POST /free': (_, response) => void response.end(),
      'POST /prompt': ({ body }, response) => {
        const promptId = this.take(body)
        sendJson(response, { prompt_id: promptId, number: 0, node_errors: {} })
      },
    }
    const id = /^GET \/history\/(.+)$/.exec(route)?.[1]
    if (id !== undefined) {
      const entry = this.history.get(id)
      return (_, response) => sendJson(response, entry === undefined ? {} : { [id]: entry })
    }
    return routes[route] ?? ((_, response) => void response.writeHead(404).end())
  }

  /** Queues the job of a POST body and gives its prompt id. */
  take(body: string): string {
    const posted = JSON.parse(body) as {
      prompt: Posted['graph']
      client_id: string
      prompt_id: string
      extra_data: Record<string, unknown>
    }
    const job = {
      promptId: posted.prompt_id,
      clientId: posted.client_id,
      graph: posted.prompt,
      extraData: posted.extra_data,
    }
    this.posted.push(job)
    this.pending.add(job.promptId)
    this.taken(job)
    return job.promptId
  }
}

export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  sendText(response, JSON.stringify(body), status)
}

export function sendText(response: ServerResponse, text: string, status = 200, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(text)
}
