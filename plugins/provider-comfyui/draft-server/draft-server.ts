import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import sharp from 'sharp'
import type { WebSocketServer } from 'ws'
import { createCatalogue } from './catalogue.js'
import { ClientHub } from './client-hub.js'
import { FileStore, sha256, splitAnnotated, type FileType } from './file-store.js'
import { History } from './history.js'
import { Exchange, Stumble, TooLarge } from './http-exchange.js'
import { Ledger, type LedgerEntry } from './ledger.js'
import type { NodeCache } from './job-place.js'
import type { FileFacts } from './node-definition.js'
import { noFaults, type DraftServerOptions, type Faults } from './options.js'
import { createPictureMaker } from './picture-maker.js'
import { isPicture } from './mime.js'
import { createRouter } from './routes.js'
import { stumbled } from './routes-info.js'
import type { SavePlace } from './save-pictures.js'
import type { ServerState } from './server-state.js'
import { acceptSockets, isForeignOrigin, requestUrl } from './sockets.js'
import { traitsOf } from './traits.js'
import { Worker } from './worker.js'

export interface DraftServer {
  /** `http://127.0.0.1:PORT` */
  url: string
  port: number
  /** The live faults. Change them here or with `setFaults`, which also wakes what waits for a change. */
  faults: Faults
  setFaults(changes: Partial<Faults>): void
  ledger: readonly LedgerEntry[]
  files: FileStore
  /** Forgets all queued and running jobs silently; history and files stay. */
  loseQueue(): void
  /** Like a killed and restarted process: sockets cut, queue, history, counter, cache and previews gone, files kept. */
  restart(): void
  close(): Promise<void>
}

export interface DraftLog {
  info(fields: object, message: string): void
}

/**
 * Starts a server that speaks ComfyUI's protocol on loopback and paints drafts in place of pictures.
 * Rejects when the port is taken.
 */
export async function startDraftServer(
  options: DraftServerOptions = {},
  { log, signal }: { log?: DraftLog; signal?: AbortSignal } = {},
): Promise<DraftServer> {
  const http = createServer()
  // Connections between requests are the client's to close: a pool should not meet a socket that just ended.
  http.keepAliveTimeout = keepAliveMs
  const state = await createState(options, () => http.closeAllConnections())
  const route = createRouter(state)
  const bodyBytesMax = options.bodyBytesMax ?? 100 * 1024 * 1024
  http.on('request', (request, response) => void answer(request, response, { state, route, bodyBytesMax }))
  const sockets = acceptSockets(http, state.hub)
  await listen(http, options.port ?? 0)
  const { port } = http.address() as AddressInfo
  const dropping = startDropping(state)

  let closing: Promise<void> | undefined
  const close = () => (closing ??= closeAll(http, sockets, state, dropping))
  signal?.addEventListener('abort', () => void close(), { once: true })
  log?.info({ port, version: state.traits.version }, 'draft server started')
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    faults: state.faults,
    setFaults: state.applyFaults,
    ledger: state.ledger.entries,
    files: state.files,
    loseQueue: state.loseQueue,
    restart: state.restart,
    close,
  }
}

const keepAliveMs = 60_000

async function createState(options: DraftServerOptions, cutConnections: () => void): Promise<ServerState> {
  const traits = traitsOf(options.version ?? '0.12.1')
  const models = options.models ?? 'any'
  const faults: Faults = { ...noFaults, ...options.faults }
  const files = new FileStore()
  for (const [path, bytes] of Object.entries(options.input ?? {})) {
    const slash = path.lastIndexOf('/')
    const file = await files.put('input', path.slice(0, Math.max(0, slash)), path.slice(slash + 1), { bytes })
    file.sha256 = sha256(bytes)
  }
  const facts = fileFacts(files, models)
  const catalogue = createCatalogue({
    traits,
    models,
    lenient: options.lenient ?? true,
    nodes: options.nodes ?? [],
    inputFiles: () => files.names('input').filter(isPicture),
  })
  const history = new History()
  const ledger = new Ledger(options.ledgerFile)
  const place: SavePlace = { files, maker: createPictureMaker(faults), tempLetters: fiveLetters() }
  const cache: NodeCache = new Map()
  const status = () => ({ status: { exec_info: { queue_remaining: worker.remaining } } })
  const hub = new ClientHub(traits.features, status)
  const worker: Worker = new Worker({
    traits,
    catalogue,
    hub,
    cache,
    facts,
    save: place,
    faults,
    history,
    ledger,
    crash: () => state.restart(),
  })
  const state: ServerState = {
    traits,
    catalogue,
    models,
    hub,
    worker,
    history,
    files,
    facts,
    faults,
    ledger,
    isDisguised: options.isDisguised ?? false,
    counter: 0,
    startedAt: Date.now(),
    requests: 0,
    applyFaults(changes) {
      Object.assign(faults, changes)
      hub.isSilent = faults.silentSockets
      worker.look()
    },
    loseQueue: () => worker.lose(),
    restart() {
      worker.lose()
      hub.dropAll()
      cutConnections()
      history.clear()
      worker.free(true)
      files.clearTemp()
      place.tempLetters = fiveLetters()
      state.counter = 0
    },
  }
  state.applyFaults({})
  return state
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  place: { state: ServerState; route: ReturnType<typeof createRouter>; bodyBytesMax: number },
): Promise<void> {
  const { state, route, bodyBytesMax } = place
  const url = requestUrl(request)
  const method = request.method ?? 'GET'
  if (!url.pathname.startsWith('/draft/')) state.requests++
  const exchange = new Exchange(request, response, url, bodyBytesMax, state.traits.headers)
  if (isForeignOrigin(request)) return exchange.empty(403)
  if (method === 'OPTIONS') return exchange.empty(200)
  const found = route(method, url.pathname)
  if (!found) {
    if (/^(\/api)?\/ws$/.test(url.pathname)) return exchange.text(400, noUpgrade)
    if (method !== 'GET' && method !== 'HEAD') return exchange.text(405, '405: Method Not Allowed')
    return exchange.bytes(404, { 'content-type': 'application/octet-stream', 'content-length': '0' }, [])
  }
  try {
    await found.handler(exchange, found.parameters)
  } catch (thrown) {
    answerFailure(exchange, thrown)
  }
}

const noUpgrade = 'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".'

function answerFailure(exchange: Exchange, thrown: unknown): void {
  if (exchange.response.headersSent || exchange.response.destroyed) return
  if (thrown instanceof TooLarge) {
    exchange.response.shouldKeepAlive = false
    return exchange.text(413, `Maximum request body size ${exchange.bodyBytesMax} exceeded`)
  }
  exchange.text(500, thrown instanceof Stumble ? stumbled : `${stumbled}\n\n${String(thrown)}`)
}

function fileFacts(files: FileStore, models: NonNullable<DraftServerOptions['models']>): FileFacts {
  const find = (given: string) => {
    const { name, type } = splitAnnotated(given, 'input' as FileType)
    const slash = name.lastIndexOf('/')
    return files.get(type, name.slice(0, Math.max(0, slash)), name.slice(slash + 1))
  }
  return {
    hashOf(name) {
      const file = find(name)
      return file && (file.sha256 ?? file.etag)
    },
    async sizeOf(name) {
      const file = find(name)
      if (!file) return undefined
      const { width, height } = await sharp(Buffer.concat(await file.read()))
        .metadata()
        // A file that is no picture has no size.
        .catch(() => ({ width: 0, height: 0 }))
      return width > 0 ? { width, height } : undefined
    },
    modelState(folder, name) {
      if (models === 'any') return 'fine'
      const model = models[folder]?.[name]
      if (!model) return 'absent'
      return model.sizeBytes === 0 ? 'unreadable' : 'fine'
    },
  }
}

function startDropping({ faults, hub }: ServerState): NodeJS.Timeout {
  let sinceMs = 0
  return setInterval(() => {
    sinceMs += dropTickMs
    if (faults.dropSocketsEveryMs === 0 || sinceMs < faults.dropSocketsEveryMs) return
    sinceMs = 0
    hub.dropAll()
  }, dropTickMs).unref()
}

const dropTickMs = 10

async function listen(http: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, '127.0.0.1', () => {
      http.off('error', reject)
      resolve()
    })
  })
}

async function closeAll(http: Server, sockets: WebSocketServer, state: ServerState, dropping: NodeJS.Timeout) {
  clearInterval(dropping)
  state.hub.dropAll()
  sockets.close()
  const closed = new Promise(resolve => http.close(resolve))
  http.closeAllConnections()
  await state.worker.close()
  await closed
  await state.files.close()
  state.ledger.close()
}

function fiveLetters(): string {
  return Array.from({ length: 5 }, () => String.fromCharCode(97 + Math.floor(Math.random() * 26))).join('')
}
