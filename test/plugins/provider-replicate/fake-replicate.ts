import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import sharp from 'sharp'

/** What one create is answered with, and what becomes of its prediction. Left out: it is taken, and succeeds. */
export interface Part {
  /** Refused with this status. */
  status?: number
  body?: object
  headers?: Record<string, string>
  /** `after`: taken, and the connection dies before the answer · `before`: it dies, and nothing was taken. */
  loses?: 'before' | 'after'
  /** Ends so. */
  ends?: 'failed' | 'canceled' | 'aborted'
  error?: string
  /** In place of the address of a picture. */
  output?: unknown
  isRemoved?: boolean
  /** Tells nothing of the input any more. */
  forgetsInput?: boolean
}

/** A prediction that was created: each of these was paid for. */
export interface Created {
  id: string
  model: string
  input: Record<string, unknown>
  cancelAfter: string | undefined
  at: number
  startsAt: number
  endsAt: number
  isCanceled: boolean
  part: Part
}

export interface Asked {
  method: string
  path: string
  /** Whether the key came along. */
  hasKey: boolean
}

/** A picture that was uploaded. */
export interface StoredFile {
  id: string
  name: string
  bytes: Buffer
}

export const token = 'r8_0123456789abcdefghijklmnopqrstuvwxyzABC'

/**
 * A service that speaks as Replicate does, as far as its reference tells, on loopback. One prediction is rendered after the other on
 * each of its places. It plays the parts that it is given, one for each create, and keeps a ledger of what was paid.
 */
export class FakeReplicate {
  readonly ledger: Created[] = []
  readonly asked: Asked[] = []
  /** What was uploaded and not deleted. */
  readonly files = new Map<string, StoredFile>()
  /** Every upload, also of what was deleted since. */
  uploads = 0
  /** What uploads are answered with, while set; `lost`: the connection dies behind them. */
  uploadsEnd: number | 'lost' | undefined
  /** Of the creates to come, in order. */
  parts: Part[] = []
  jobMs = 0
  places = 1
  /** How long a new prediction stays out of the list. */
  listLagMs = 0
  pageSize = 100
  /** What every answer to a question of this kind is, while set. */
  statusOfReads: number | undefined
  statusOfOutputs: number | undefined
  /** Outputs are given only to who shows the key. */
  outputsNeedKey = false
  /** The next pictures are cut short. */
  truncated = 0
  /** Where the output leads, instead of the picture. */
  redirect: string | undefined
  /** Creates are held back until this resolves. */
  gate: Promise<void> = Promise.resolve()
  private readonly freeAt: number[] = []

  private constructor(private readonly server: ReturnType<typeof createServer>) {
    server.on('request', (request, response) => void this.answer(request, response))
  }

  static async start(port = 0): Promise<FakeReplicate> {
    const server = createServer()
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return new FakeReplicate(server)
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** As `url` of a server entry. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`
  }

  get creates(): number {
    return this.ledger.length
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    if (!this.server.listening) return
    this.server.close()
    await once(this.server, 'close')
  }

  /** Nothing is known any more. */
  forget(): void {
    this.ledger.length = 0
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake')
    const hasKey = request.headers.authorization === `Bearer ${token}`
    this.asked.push({ method: request.method ?? '', path: url.pathname, hasKey })
    const body = await bytesOf(request)
    const output = /^\/output\/(\w+)\.png$/.exec(url.pathname)
    if (output) return this.giveOutput(response, { id: output[1] ?? '', hasKey })
    if (!hasKey) return send(response, 401, { title: 'Unauthenticated', detail: 'You did not pass a valid token' })
    const create = /^\/v1\/models\/([\w.-]+\/[\w.-]+)\/predictions$/.exec(url.pathname)
    if (create && request.method === 'POST')
      return this.create(request, response, { model: create[1] ?? '', body: body.toString('utf8') })
    if (this.statusOfReads !== undefined) return send(response, this.statusOfReads, { detail: 'as it was told to' })
    if (url.pathname.startsWith('/v1/files')) return this.giveFile(request, response, { url, body })
    if (url.pathname === '/v1/predictions') return this.list(url, response)
    const one = /^\/v1\/predictions\/(\w+)(\/cancel)?$/.exec(url.pathname)
    const created = this.ledger.find(({ id }) => id === one?.[1])
    if (!created) return send(response, 404, { detail: 'Not found', status: 404 })
    if (one?.[2] && this.statusOf(created) !== 'succeeded') this.cancel(created)
    return send(response, 200, this.tell(created))
  }

  private giveFile(
    request: IncomingMessage,
    response: ServerResponse,
    { url, body }: { url: URL; body: Buffer },
  ): void {
    if (request.method === 'POST') {
      if (typeof this.uploadsEnd === 'number') return send(response, this.uploadsEnd, { detail: 'as it was told to' })
      const form = body.toString('latin1')
      const [, name = '', type = ''] =
        /name="content"; filename="([^"]*)"\r\nContent-Type: (\S+)\r\n\r\n/.exec(form) ?? []
      const from = form.indexOf('\r\n\r\n', form.indexOf('name="content"')) + 4
      const bytes = body.subarray(from, form.lastIndexOf('\r\n--'))
      const id = `f${String(++this.uploads)}`
      this.files.set(id, { id, name, bytes })
      if (this.uploadsEnd === 'lost') return void request.socket.destroy()
      return send(response, 201, { ...this.tellFile(id), content_type: type })
    }
    const id = url.pathname.split('/').at(-1) ?? ''
    if (!this.files.has(id)) return send(response, 404, { detail: 'Not found' })
    if (request.method === 'GET') return send(response, 200, this.tellFile(id))
    this.files.delete(id)
    response.writeHead(204).end()
  }

  private tellFile(id: string): object {
    const { name = '', bytes = Buffer.alloc(0) } = this.files.get(id) ?? {}
    return { id, name, size: bytes.length, urls: { get: `${this.url}/files/${id}` } }
  }

  private async create(
    request: IncomingMessage,
    response: ServerResponse,
    { model, body }: { model: string; body: string },
  ): Promise<void> {
    const part = this.parts.shift() ?? {}
    if (part.loses === 'before') return void request.socket.destroy()
    if (part.status !== undefined) return send(response, part.status, part.body ?? {}, part.headers)
    const { input, ...others } = JSON.parse(body) as { input: Record<string, unknown> }
    if (Object.keys(others).length > 0) return send(response, 422, { detail: 'Additional properties are not allowed' })
    const created = this.take({ model, input, part, cancelAfter: String(request.headers['cancel-after']) })
    if (part.loses === 'after') return void request.socket.destroy()
    await this.gate
    send(response, 201, this.tell(created))
  }

  private take(of: Pick<Created, 'model' | 'input' | 'part' | 'cancelAfter'>): Created {
    const at = Date.now()
    const place = this.freeAt.findIndex(free => free <= at)
    const taken = place >= 0 ? place : this.freeAt.length < this.places ? this.freeAt.length : earliest(this.freeAt)
    const startsAt = Math.max(at, this.freeAt[taken] ?? 0)
    const endsAt = startsAt + this.jobMs
    this.freeAt[taken] = endsAt
    const id = `p${String(at)}x${String(this.ledger.length)}`
    const created = { ...of, id, at, startsAt, endsAt, isCanceled: false }
    this.ledger.push(created)
    return created
  }

  private cancel(created: Created): void {
    created.isCanceled = true
    created.endsAt = Math.min(created.endsAt, Date.now())
  }

  private statusOf({ startsAt, endsAt, isCanceled, part }: Created): string {
    if (isCanceled) return 'canceled'
    const now = Date.now()
    if (now < startsAt) return 'starting'
    return now < endsAt ? 'processing' : (part.ends ?? 'succeeded')
  }

  private tell(created: Created): object {
    const { id, model, input, at, startsAt, endsAt, part } = created
    const status = this.statusOf(created)
    const isDone = status === 'succeeded'
    const picture = `http://127.0.0.1:${this.port}/output/${id}.png`
    const output = part.isRemoved ? null : 'output' in part ? part.output : picture
    const deadline = part.ends === 'canceled' || part.ends === 'aborted' ? endsAt : at + 3_600_000
    return {
      id,
      model,
      version: 'hidden',
      status,
      input: part.forgetsInput ? {} : input,
      output: isDone ? output : null,
      error: status === 'failed' ? (part.error ?? "KeyError: 'sample'") : null,
      source: 'api',
      data_removed: isDone && part.isRemoved === true,
      created_at: new Date(at).toISOString(),
      deadline: new Date(deadline).toISOString(),
      ...(isDone && { completed_at: new Date(endsAt).toISOString() }),
      metrics: isDone ? { predict_time: (endsAt - startsAt) / 1000, total_time: (endsAt - at) / 1000 } : {},
      // Nobody follows these: an answer must not lead the key anywhere.
      urls: {
        get: `http://127.0.0.2:9/v1/predictions/${id}`,
        cancel: `http://127.0.0.2:9/v1/predictions/${id}/cancel`,
      },
    }
  }

  private list(url: URL, response: ServerResponse): void {
    const after = Date.parse(url.searchParams.get('created_after') ?? '1970-01-01')
    const from = Number(url.searchParams.get('cursor') ?? 0)
    const visible = this.ledger.filter(({ at }) => at > after && Date.now() - at >= this.listLagMs).reverse()
    const rest = new URLSearchParams({ ...Object.fromEntries(url.searchParams), cursor: String(from + this.pageSize) })
    // On another host: only the query of this is of use.
    const next = visible.length > from + this.pageSize ? `http://127.0.0.2:9/v1/predictions?${rest.toString()}` : null
    const results = visible.slice(from, from + this.pageSize).map(each => this.tell(each))
    send(response, 200, { next, previous: null, results })
  }

  private async giveOutput(response: ServerResponse, { id, hasKey }: { id: string; hasKey: boolean }): Promise<void> {
    const created = this.ledger.find(each => each.id === id)
    if (this.redirect !== undefined) return send(response, 302, {}, { location: this.redirect })
    if (this.outputsNeedKey && !hasKey) return send(response, 403, {})
    if (!created) return send(response, 404, {})
    if (this.statusOfOutputs !== undefined) return send(response, this.statusOfOutputs, {})
    const bytes = await paint(created.input)
    const isWhole = this.truncated <= 0
    if (!isWhole) this.truncated--
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': bytes.length })
    if (isWhole) response.end(bytes)
    else response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
  }
}

/** A picture of the size that was asked for, different for each seed. */
export async function paint({ width = 64, height = 64, seed = 0 }: Record<string, unknown>): Promise<Buffer> {
  const [across, down, start] = [Number(width), Number(height), Number(seed) % 251]
  const pixels = Buffer.alloc(across * down * 3)
  for (let at = 0; at < pixels.length; at++) pixels[at] = (start + (at % 256) + (at >> 9)) & 0xff
  return sharp(pixels, { raw: { width: across, height: down, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer()
}

function earliest(times: readonly number[]): number {
  return times.indexOf(Math.min(...times))
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}
