import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { OpenFoundry } from '../daemon.js'
import { FoundryError, reasonOf } from '../errors.js'
import { callByName } from '../operations/operations.js'

const bodySizeBytesMax = 1024 * 1024

/**
 * Lets other commands ask the one that owns the home, over its control socket, for as long as it lasts: every operation is
 * answered at `/operations/<name>`, and any path may be given, because its callers own the files.
 */
export function serveControl({ foundry, ownership }: OpenFoundry): void {
  const http = createServer((request, response) => {
    void answer(request, ownership.token, foundry).then(
      body => send(response, 200, body),
      (error: unknown) => send(response, statusOf(error), { error: toBody(error) }),
    )
  })
  ownership.server.on('connection', socket => {
    // A command that was stopped leaves its connection in the middle of anything.
    socket.on('error', () => undefined)
    http.emit('connection', socket)
  })
}

async function answer(request: IncomingMessage, token: string, foundry: OpenFoundry['foundry']): Promise<unknown> {
  if (!isSame(request.headers.authorization ?? '', `Bearer ${token}`))
    throw new FoundryError('TOKEN_MISSING', 'The control socket belongs to the owner of the home')
  const name = (request.url ?? '').replace(/^\/operations\//, '')
  const input: unknown = JSON.parse((await readBody(request)) || '{}')
  return callByName(name, foundry, input, { by: 'command line', reach: 'machine' })
}

function statusOf(error: unknown): number {
  const code = error instanceof FoundryError ? error.code : undefined
  return code === 'TOKEN_MISSING' ? 401 : code === 'OPERATION_UNKNOWN' ? 404 : 400
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > bodySizeBytesMax) throw new FoundryError('BODY_TOO_LARGE', 'The question is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}))
}

function toBody(error: unknown): { code: string; message: string; details: unknown } {
  const isOurs = error instanceof FoundryError
  return {
    code: isOurs ? error.code : 'FOUNDRY_FAILED',
    message: reasonOf(error),
    details: isOurs ? error.details : {},
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
