import { type Dispatcher, Pool } from 'undici'
import { joinSignals, reasonOf, RenderFailure } from '../../src/plugins/contract.js'
import type { Address } from './address.js'
import { parseJson } from './json.js'

const connectionsMax = 8
const connectTimeoutMsMax = 10_000
/** The whole of an exchange may take this many times the limit of a single silence. */
const exchangeLimits = 10
const keepAliveMs = 4000
/** A read is repeated once: the server may have closed the kept connection while the request was under way. */
const readAttemptsMax = 2
const answerSizeBytesMax = 1024 * 1024

export interface Exchange {
  signal: AbortSignal
  /** Longest body that is read. */
  sizeBytesMax?: number
  /** Makes one body of its parts. */
  join?: (parts: readonly Buffer[], sizeBytes: number) => Buffer
}

export interface Answer {
  status: number
  contentType: string
  /** As announced, where it is. */
  sizeBytes?: number
  bytes: Buffer
}

/**
 * HTTP with one server: kept connections of its own, its headers on every request, a bound on every body and wait.
 * Rejects with RenderFailure: `unreachable` where certainly nothing was done on the server (or the exchange only read),
 * `unknown-outcome` where a POST was written and not answered, `refused` where the answer is not one of ComfyUI.
 */
export class Http {
  readonly #pool: Pool
  readonly #marked: Dispatcher
  readonly #address: Address
  readonly #timeoutMs: number

  constructor(address: Address, timeoutMs: number) {
    this.#address = address
    this.#timeoutMs = timeoutMs
    this.#pool = new Pool(address.origin, {
      connections: connectionsMax,
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: {
        timeout: Math.min(timeoutMs, connectTimeoutMsMax),
        ...(address.ca !== undefined && { ca: address.ca }),
      },
    })
    this.#marked = this.#pool.compose(markWritten)
  }

  /** The answer to a GET, whatever its status. */
  async get(route: string, exchange: Exchange): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#exchange({ method: 'GET', route, ...exchange })
      } catch (thrown) {
        const isReset = thrown instanceof RenderFailure && thrown.details['isReset'] === true
        if (!isReset || attempt === readAttemptsMax || exchange.signal.aborted) throw thrown
      }
    }
  }

  /** The JSON of a route; nothing where the server has no such route or thing (404). */
  async getJson(route: string, exchange: Exchange): Promise<unknown> {
    const answer = await this.get(route, exchange)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw this.refusal(answer, route)
    return this.json(answer, route)
  }

  /** The answer to a POST, whatever its status. Never repeated. */
  async post(route: string, body: Buffer, exchange: Exchange & { contentType?: string }): Promise<Answer> {
    return this.#exchange({ method: 'POST', route, body, ...exchange })
  }

  /** A POST that succeeds with 200 and says nothing. */
  async command(route: string, body: unknown, exchange: Exchange): Promise<void> {
    const answer = await this.post(route, Buffer.from(JSON.stringify(body)), exchange)
    if (answer.status !== 200) throw this.refusal(answer, route)
  }

  json(answer: Answer, route: string): unknown {
    try {
      return parseJson(answer.bytes.toString('utf8'))
    } catch (thrown) {
      const found = answer.contentType.startsWith('text/html') ? 'a web page' : 'something else'
      const message = `${this.#address.label} answered ${pathOnly(route)} with ${found} in place of JSON`
      throw new RenderFailure('refused', message, { status: answer.status }, thrown)
    }
  }

  /** The failure that an unwanted status stands for. */
  refusal(answer: Answer, route: string): RenderFailure {
    const hint = hintByStatus[answer.status]
    const message = `${this.#address.label} answered ${pathOnly(route)} with ${answer.status}${hint ? `: ${hint}` : ''}`
    return new RenderFailure('refused', message, { status: answer.status })
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #exchange(request: Request): Promise<Answer> {
    const wire: Wire = { isWritten: false }
    const limit = limitTime(request.signal, this.#timeoutMs * exchangeLimits)
    try {
      const response = await this.#marked.request({
        method: request.method,
        path: this.#address.pathOf(request.route),
        headers: {
          ...this.#address.headers,
          ...(request.body && { 'content-type': request.contentType ?? 'application/json' }),
        },
        body: request.body ?? null,
        signal: limit.signal,
        opaque: wire,
      })
      const sizeBytes = Number(response.headers['content-length'] ?? NaN)
      return {
        status: response.statusCode,
        contentType: String(response.headers['content-type'] ?? ''),
        ...(Number.isSafeInteger(sizeBytes) && { sizeBytes }),
        bytes: await this.#readBody(response, request),
      }
    } catch (thrown) {
      throw thrown instanceof RenderFailure ? thrown : this.#failureOf(thrown, { request, wire, limit })
    } finally {
      limit.end()
    }
  }

  async #readBody({ body }: Dispatcher.ResponseData<unknown>, request: Request): Promise<Buffer> {
    const sizeBytesMax = request.sizeBytesMax ?? answerSizeBytesMax
    const chunks: Buffer[] = []
    let sizeBytes = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length
      if (sizeBytes > sizeBytesMax) {
        const message = `${this.#address.label} answered ${pathOnly(request.route)} with more than ${sizeBytesMax} bytes`
        throw new RenderFailure('refused', message, { sizeBytesMax })
      }
      chunks.push(chunk)
    }
    if (chunks.length === 1 && chunks[0]) return chunks[0]
    return request.join ? request.join(chunks, sizeBytes) : Buffer.concat(chunks, sizeBytes)
  }

  #failureOf(thrown: unknown, at: { request: Request; wire: Wire; limit: TimeLimit }): RenderFailure {
    const isUnknown = at.request.method === 'POST' && at.wire.isWritten
    const code = codeOf(thrown)
    const isStopped = at.request.signal.aborted
    const why = isStopped
      ? 'the exchange was stopped'
      : at.limit.isOver()
        ? 'it took too long'
        : reasonOf(thrown) || code
    const message = `${this.#address.label} did not answer ${pathOnly(at.request.route)}: ${why}`
    const details = { ...(code !== undefined && { code }), isReset: at.wire.isWritten && resetCodes.has(code ?? '') }
    return new RenderFailure(isUnknown ? 'unknown-outcome' : 'unreachable', message, details, thrown)
  }
}

interface Request extends Exchange {
  method: 'GET' | 'POST'
  route: string
  body?: Buffer
  contentType?: string
}

/** How far a request came: until it is written, the server cannot have done anything. */
interface Wire {
  isWritten: boolean
}

function markWritten(dispatch: Dispatcher['dispatch']): Dispatcher['dispatch'] {
  return (options, handler) =>
    dispatch(options, {
      onRequestStart(controller, context) {
        handler.onRequestStart?.(controller, context)
        const { opaque } = options as { opaque?: Wire }
        if (opaque && !controller.aborted) opaque.isWritten = true
      },
      onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (...args) => handler.onResponseError?.(...args),
    })
}

interface TimeLimit {
  signal: AbortSignal
  isOver(): boolean
  end(): void
}

/** A signal that also ends after a time. */
function limitTime(outer: AbortSignal, limitMs: number): TimeLimit {
  const limit = new AbortController()
  const joined = joinSignals(outer, limit.signal)
  const timer = setTimeout(() => limit.abort(), limitMs)
  return {
    signal: joined.signal,
    isOver: () => limit.signal.aborted,
    end() {
      clearTimeout(timer)
      joined.end()
    },
  }
}

function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** Routes in messages go without their query, which may name files. */
function pathOnly(route: string): string {
  return route.split('?')[0] ?? route
}

const resetCodes = new Set(['UND_ERR_SOCKET', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'ECONNRESET', 'EPIPE'])
const hintByStatus: Record<number, string> = {
  401: 'it wants credentials, set "token" or "headers" of its entry',
  403: 'it wants credentials, or a proxy before it changes Host or Origin',
  404: 'there is no such route, check the path in its address',
  413: 'the request is larger than its --max-upload-size',
  429: 'it is asked too often',
  500: 'it got itself into trouble, its own log says why',
}
