import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { hideWords, joinSignals, reasonOf, RenderFailure } from '../../src/plugins/contract.js'
import type { Address } from './address.js'

const answerSizeBytesMax = 16 * 1024 * 1024
const connectTimeoutMsMax = 10_000
const triesMax = 5
/** A delay that the service asks for is honoured up to this. */
const askedDelayMsMax = 60_000
/** The whole of an exchange may take this many times the limit of a single silence. */
const exchangeLimits = 4
const messageLengthMax = 500

/** Pauses before a request is repeated, in milliseconds. */
export interface RetryTimes {
  retryMsMin: number
  retryMsMax: number
}

export interface Answer {
  status: number
  headers: Readonly<Record<string, string | string[] | undefined>>
  bytes: Buffer
}

export interface Exchange {
  signal: AbortSignal
  sizeBytesMax?: number
}

/**
 * HTTP with the service: the key goes to its own origin alone, redirects are never followed, every body and wait is bounded.
 * A GET is repeated on 429 and 5xx, a POST on 429 alone: nobody pays twice for an answer that was lost. Rejects with RenderFailure:
 * `unreachable` where certainly nothing was done, `unknown-outcome` where a POST may have been taken.
 */
export class Client {
  readonly #agent: Agent
  /** A POST never goes out on a kept connection, which may be closed at that moment: that would look like doubt. */
  readonly #postAgent: Agent
  readonly #timeoutMs: number

  constructor(
    readonly address: Address,
    timeoutMs: number,
    private readonly times: RetryTimes,
  ) {
    this.#timeoutMs = timeoutMs
    const shared = {
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: {
        timeout: Math.min(timeoutMs, connectTimeoutMsMax),
        ...(address.ca !== undefined && { ca: address.ca }),
      },
    }
    this.#agent = new Agent(shared)
    this.#postAgent = new Agent({ ...shared, pipelining: 0 })
  }

  /** The answer to a GET under the base address, whatever its status. */
  get(route: string, exchange: Exchange): Promise<Answer> {
    return this.#repeat(isTransient, exchange.signal, () =>
      this.#exchange({ method: 'GET', url: this.#urlOf(route), headers: this.address.headers, ...exchange }),
    )
  }

  /** The answer to a POST under the base address, whatever its status. */
  post(route: string, body: unknown, exchange: Exchange & { headers?: Record<string, string> }): Promise<Answer> {
    const headers = { ...this.address.headers, 'content-type': 'application/json', ...exchange.headers }
    const text = body === undefined ? undefined : JSON.stringify(body)
    return this.#repeat(
      status => status === 429,
      exchange.signal,
      () =>
        this.#exchange({
          ...exchange,
          method: 'POST',
          url: this.#urlOf(route),
          headers,
          ...(text !== undefined && { body: text }),
        }),
    )
  }

  /** The answer to a POST of a form with a file, whatever its status. Nothing is paid for it, so it is repeated as a GET is. */
  async upload(route: string, form: { contentType: string; body: Buffer }, exchange: Exchange): Promise<Answer> {
    const headers = { ...this.address.headers, 'content-type': form.contentType }
    try {
      return await this.#repeat(isTransient, exchange.signal, () =>
        this.#exchange({ ...exchange, method: 'POST', url: this.#urlOf(route), headers, body: form.body }),
      )
    } catch (thrown) {
      if (!(thrown instanceof RenderFailure)) throw thrown
      throw new RenderFailure('unreachable', thrown.message, thrown.details, thrown)
    }
  }

  /** The answer to a DELETE under the base address, whatever its status. */
  remove(route: string, exchange: Exchange): Promise<Answer> {
    return this.#exchange({ method: 'DELETE', url: this.#urlOf(route), headers: this.address.headers, ...exchange })
  }

  /** The answer to a GET of an address that the caller has found fit, with the key only where `withKey` says so. */
  download(url: URL, { withKey, ...exchange }: Exchange & { withKey: boolean }): Promise<Answer> {
    const headers = withKey ? this.address.headers : {}
    return this.#exchange({ method: 'GET', url, headers, ...exchange })
  }

  /** A text of the service as it may be told: bounded, without keys, signed queries and what was sent, which may be private. */
  redact(text: string, sent: Readonly<Record<string, unknown>>): string {
    const { token } = this.address
    const isText = (each: unknown): each is string => typeof each === 'string' && !each.startsWith('data:')
    // Pictures come back whole, if at all.
    const plain = text.replaceAll(token, '[key]').replaceAll(/data:[^\s"']*/g, '[input]')
    return hideWords(plain, Object.values(sent).flat().filter(isText))
      .replaceAll(/\br8_[A-Za-z0-9]+/g, '[key]')
      .replaceAll(/(https?:\/\/[^\s?"']+)\?[^\s"']*/g, '$1')
      .slice(0, messageLengthMax)
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#postAgent.destroy()])
  }

  #urlOf(route: string): URL {
    const { base } = this.address
    return new URL(`${base.pathname.replace(/\/+$/, '')}${route}`, base)
  }

  async #repeat(
    isAgain: (status: number) => boolean,
    signal: AbortSignal,
    act: () => Promise<Answer>,
  ): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const answer = await act()
      if (!isAgain(answer.status) || tries >= triesMax) return answer
      await this.#rest(askedDelayMs(answer) ?? this.#delayMs(tries), { signal, status: answer.status })
    }
  }

  /** Doubles, with up to a quarter more by chance, so that many do not come back at once. */
  #delayMs(tries: number): number {
    const { retryMsMin, retryMsMax } = this.times
    return Math.min(retryMsMax, retryMsMin * 2 ** (tries - 1)) * (1 + Math.random() / 4)
  }

  async #rest(ms: number, { signal, status }: { signal: AbortSignal; status: number }): Promise<void> {
    await sleep(ms, undefined, { signal }).catch(() => {
      throw new RenderFailure('unreachable', `${this.address.label} answered with ${status}, and was not asked again`)
    })
  }

  async #exchange({ method, url, headers, body, signal, sizeBytesMax = answerSizeBytesMax }: Sent): Promise<Answer> {
    const limit = joinSignals(signal, AbortSignal.timeout(this.#timeoutMs * exchangeLimits))
    try {
      const dispatcher = method === 'POST' ? this.#postAgent : this.#agent
      const response = await request(url, { method, headers, body: body ?? null, signal: limit.signal, dispatcher })
      const bytes = await readBody(response.body, sizeBytesMax)
      const announced = Number(response.headers['content-length'] ?? bytes.length)
      if (announced !== bytes.length) throw new RangeError(`${bytes.length} of ${announced} bytes came`)
      return { status: response.statusCode, headers: response.headers, bytes }
    } catch (thrown) {
      const code = String((thrown as { code?: unknown }).code ?? '')
      const isUnknown = method === 'POST' && !neverSent.has(code)
      const why = signal.aborted ? 'the exchange was stopped' : this.redact(reasonOf(thrown) || code, {})
      const message = `${this.address.label} did not answer ${method} ${url.pathname}: ${why}`
      throw new RenderFailure(isUnknown ? 'unknown-outcome' : 'unreachable', message, { code }, thrown)
    } finally {
      limit.end()
    }
  }
}

interface Sent extends Exchange {
  method: 'GET' | 'POST' | 'DELETE'
  url: URL
  headers: Readonly<Record<string, string>>
  body?: string | Buffer
}

function isTransient(status: number): boolean {
  return status === 429 || status >= 500
}

/** No connection was made, so that nothing was sent. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

async function readBody(body: AsyncIterable<Buffer>, sizeBytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of body) {
    sizeBytes += chunk.length
    if (sizeBytes > sizeBytesMax) throw new RangeError(`more than ${sizeBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, sizeBytes)
}

/** `Retry-After` as seconds or date; undefined where there is none, or it is longer than anybody waits. */
function askedDelayMs({ headers }: Answer): number | undefined {
  const said = headers['retry-after']
  if (typeof said !== 'string') return undefined
  const ms = /^\d+(\.\d+)?$/.test(said) ? Number(said) * 1000 : Date.parse(said) - Date.now()
  return ms >= 0 && ms <= askedDelayMsMax ? ms : undefined
}
