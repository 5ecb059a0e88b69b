import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseExact, printExact } from './exact-json.js'

/** One request and the means to answer it as the real server would. */
export class Exchange {
  readonly query: URLSearchParams
  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly url: URL,
    readonly bodyBytesMax: number,
    private readonly headers: Record<string, string>,
  ) {
    this.query = url.searchParams
  }

  json(value: unknown, status = 200): void {
    const body = Buffer.from(printExact(value))
    this.head(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': String(body.length) })
    this.response.end(body)
  }

  empty(status: number): void {
    this.head(status, { 'content-length': '0' })
    this.response.end()
  }

  text(status: number, body: string): void {
    this.head(status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
    })
    this.response.end(body)
  }

  bytes(status: number, headers: Record<string, string>, parts: readonly Buffer[]): void {
    this.head(status, headers)
    if (this.request.method === 'HEAD') return void this.response.end()
    this.response.cork()
    for (const part of parts) this.response.write(part)
    this.response.end()
  }

  /** The whole body. Throws TooLarge beyond the limit. */
  async body(): Promise<Buffer> {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    for await (const chunk of this.request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length
      if (sizeBytes > this.bodyBytesMax) throw new TooLarge()
      chunks.push(chunk)
    }
    return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
  }

  /** The body as JSON, whatever its content type says. Throws Stumble for anything else. */
  async jsonBody(): Promise<unknown> {
    const text = (await this.body()).toString()
    try {
      return parseExact(text)
    } catch {
      throw new Stumble()
    }
  }

  private head(status: number, headers: Record<string, string>): void {
    // The two answers that the real server gives before its own code runs carry no headers of it.
    const own = status === 500 || status === 413 ? {} : this.headers
    this.response.writeHead(status, { ...headers, ...own })
  }
}

/** The body has more bytes than the server takes: HTTP 413. */
export class TooLarge extends Error {}

/** The real server's code falls over here: HTTP 500 with its one sentence. */
export class Stumble extends Error {}

/** A number in a query, as Python's int() reads it; absent: undefined. Throws Stumble for other text. */
export function queryInt(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (value === null) return undefined
  if (!/^\s*[+-]?\d+\s*$/.test(value)) throw new Stumble()
  return Number(value)
}
