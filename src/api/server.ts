import swagger from '@fastify/swagger'
import websocket from '@fastify/websocket'
import { timingSafeEqual } from 'node:crypto'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { failure, FoundryError, reasonOf } from '../errors.js'
import type { Foundry } from '../operations/foundry.js'
import { callOperation } from '../operations/operation.js'
import { operationList } from '../operations/operations.js'
import { type DelayMonitor, metricsText } from './metrics.js'
import { type EventHub, serveEvents } from './events.js'
import { statusByCode } from './status-codes.js'
import { serveWork } from './work-routes.js'

export interface ApiOptions {
  foundry: Foundry
  events: EventHub
  delay: DelayMonitor
  /** Asked for where the API listens beyond loopback. */
  token: string | undefined
  /** False while the foundry is draining. */
  isReady(): boolean
}

const bodySizeBytesMax = 1024 * 1024
const loopbackNames = new Set(['127.0.0.1', 'localhost', '[::1]', '::1'])

/** The operations as HTTP: routes, the OpenAPI page and the event stream. Listens nowhere by itself. */
export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const { foundry } = options
  const answerError = (error: unknown, reply: FastifyReply) => {
    const { status, body } = toAnswer(error)
    if (status >= 500) foundry.log.warn({ reason: reasonOf(error) }, 'request failed')
    return reply.status(status).send(body)
  }
  const app = fastify({
    bodyLimit: bodySizeBytesMax,
    logger: false,
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, _, reply) => void answerError(error, reply),
  })
  app.setErrorHandler((error, _, reply) => answerError(error, reply))
  app.setNotFoundHandler((request, reply) => {
    const message = `Nothing is served at ${request.method} ${pathOf(request)}: see /openapi.json`
    return reply.status(404).send({ error: { code: 'ROUTE_UNKNOWN', message } })
  })
  app.addHook('onRequest', async request => checkCaller(request, options.token))
  app.addHook('onResponse', async (request, reply) => {
    // Nobody else closes the connection of an upgrade that was refused.
    if (request.headers.upgrade !== undefined && reply.statusCode >= 400) request.raw.socket.end()
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.0.3',
      info: { title: 'Persona Foundry', version: foundry.config.version },
      ...(options.token !== undefined && {
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        security: [{ token: [] }],
      }),
    },
  })
  await app.register(websocket, { options: { maxPayload: 64 * 1024 } })
  app.get('/health', { schema: { summary: 'The process lives' } }, async () => ({ ok: true }))
  app.get(
    '/ready',
    { schema: { summary: 'Whether drops are accepted and a server can be reached' } },
    async (_, reply) => {
      const servers = foundry.farm.status()
      const ready = options.isReady() && servers.some(server => server.state === 'ready')
      return reply
        .status(ready ? 200 : 503)
        .send({ ready, servers: servers.map(({ name, state }) => ({ name, state })) })
    },
  )
  app.get('/metrics', { schema: { summary: 'Counters and gauges in the Prometheus text format' } }, async (_, reply) =>
    reply.type('text/plain; version=0.0.4').send(metricsText(foundry, options.delay)),
  )
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  serveEvents(app, options.events)
  for (const operation of operationList) addRoute(app, operation, foundry)
  serveWork(app, foundry.work)
  return app
}

function addRoute(app: FastifyInstance, operation: (typeof operationList)[number], foundry: Foundry): void {
  const { method, path } = operation.route
  app.route({
    method,
    url: path,
    schema: {
      summary: operation.summary,
      operationId: operation.name,
      ...describeInput(operation.input, method, path),
    },
    // The operation checks its own input, so that every door gives the same answers.
    validatorCompiler: () => () => true,
    handler: async request => {
      const query = fromText(request.query as Record<string, unknown>, operation.input)
      const params = fromText(request.params as Record<string, unknown>, operation.input)
      const body = bodyOf(request)
      const caller = { by: `api ${request.ip.replace(/^::ffff:/, '')}`, reach: 'home' } as const
      return callOperation(operation, foundry, { ...query, ...body, ...params }, caller)
    },
  })
}

function bodyOf({ body }: FastifyRequest): object {
  if (body === undefined || body === null) return {}
  if (typeof body === 'object' && !Array.isArray(body)) return body
  throw new FoundryError('BODY_INVALID', 'The body must be a JSON object')
}

interface ObjectSchema {
  properties?: Record<string, { type?: string }>
  required?: readonly string[]
}

/** Path parameters, then query or body: the halves of an operation's input as OpenAPI wants them. */
function describeInput(input: ObjectSchema, method: string, path: string): Record<string, object> {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(match => match[1] ?? '')
  const properties = Object.entries(input.properties ?? {})
  const pick = (isMeant: (name: string) => boolean) => ({
    type: 'object',
    properties: Object.fromEntries(properties.filter(([name]) => isMeant(name))),
    required: (input.required ?? []).filter(isMeant),
    additionalProperties: false,
  })
  const rest = pick(name => !inPath.includes(name))
  const hasRest = Object.keys(rest.properties).length > 0
  return {
    ...(inPath.length > 0 && { params: pick(name => inPath.includes(name)) }),
    ...(hasRest && (method === 'POST' ? { body: rest } : { querystring: rest })),
  }
}

/** Text of a URL as the numbers and booleans that the schema wants; what does not fit stays text and is refused there. */
function fromText(values: Record<string, unknown>, schema: ObjectSchema): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, text]) => {
      // A name that is given twice comes as a list, and is refused by the schema.
      if (typeof text !== 'string') return [name, text]
      const type = schema.properties?.[name]?.type
      if ((type === 'integer' || type === 'number') && text.trim() !== '' && Number.isFinite(Number(text)))
        return [name, Number(text)]
      if (type === 'boolean' && (text === 'true' || text === 'false')) return [name, text === 'true']
      return [name, text]
    }),
  )
}

/**
 * A page of another site must not command a foundry on loopback: `Host` must be a loopback name (against rebinding) and an
 * `Origin` must equal it. With a token, the token decides.
 */
function checkCaller(request: FastifyRequest, token: string | undefined): void {
  if (token !== undefined) {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    if (given === '' || !sameText(given, token))
      throw new FoundryError('TOKEN_MISSING', 'This API asks for a token: send "Authorization: Bearer …"')
    return
  }
  const host = request.headers.host ?? ''
  const name = host.replace(/:\d+$/, '').toLowerCase()
  if (!loopbackNames.has(name))
    throw new FoundryError('HOST_REFUSED', 'Only loopback names are answered without a token')
  const { origin } = request.headers
  if (origin !== undefined && origin !== `http://${host}`)
    throw new FoundryError('ORIGIN_REFUSED', 'Pages of other origins are not answered')
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

const doorStatus: Record<string, number> = {
  BODY_INVALID: 400,
  TOKEN_MISSING: 401,
  HOST_REFUSED: 403,
  ORIGIN_REFUSED: 403,
  UPGRADE_MISSING: 426,
}

function toAnswer(error: unknown): { status: number; body: object } {
  if (error instanceof FoundryError) {
    const status = doorStatus[error.code] ?? (statusByCode as Record<string, number>)[error.code] ?? 500
    return { status, body: { error: { code: error.code, message: error.message, details: error.details } } }
  }
  const status = (error as { statusCode?: number }).statusCode ?? 500
  const message = status < 500 ? reasonOf(error) : 'The foundry failed inside: its log says more'
  return { status, body: { error: { code: status < 500 ? 'REQUEST_INVALID' : 'FOUNDRY_FAILED', message } } }
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0] ?? '/'
}

const tokenLengthMin = 16

/** An API beyond loopback refuses to start without credentials that nobody guesses. Throws USAGE_INVALID. */
export function checkAddress(host: string, token: string | undefined): void {
  if (loopbackNames.has(host) ? token !== '' : (token?.length ?? 0) >= tokenLengthMin) return
  throw failure('USAGE_INVALID', {
    problem: `The API would listen on ${host} without credentials`,
    next: `set api.token in foundry.yaml (or FOUNDRY_API_TOKEN) to ${tokenLengthMin} characters or more, or listen on 127.0.0.1 without one`,
  })
}
