import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { OpenFoundry } from '../daemon.js'
import { FoundryError, reasonOf } from '../errors.js'
import { callOperation } from '../operations/operation.js'
import { operationList } from '../operations/operations.js'

const bodySizeBytesMax = 1024 * 1024

/**
 * Lets other commands ask the one that owns the home, over its control socket, for as long as it lasts: what the daemon's API
 * answers at `/operations/<name>`, and nothing else.
 */
export function serveControl({ foundry, ownership }: OpenFoundry): void {
  const http = createServer((request, response) => {
    void answer(request, ownership.token, foundry).then(
      body => send(response, 200, body),
      (error: unknown) => send(response, 400, { error: toBody(error) }),
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
    throw new FoundryError('UNAUTHORISED', 'The control socket belongs to the owner of the home')
  const name = (request.url ?? '').replace(/^\/operations\//, '')
  const operation = operationList.find(each => each.name === name)
  if (!operation) throw new FoundryError('OPERATION_UNKNOWN', `No operation is named "${name}"`)
  const input: unknown = JSON.parse((await readBody(request)) || '{}')
  return callOperation(operation, foundry, input, { by: 'command line', reach: 'machine' })
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
