import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { WebSocket } from 'ws'
import { reasonOf } from '../../src/plugins/contract.js'
import type { Address } from './address.js'
import { decodeBinary, decodeText, type PreviewFrame, type ServerMessage } from './frames.js'

/** Times in milliseconds. */
export interface SocketTimes {
  /** A socket that says nothing this long after it was asked for is dead. */
  firstStatusMs: number
  pingMs: number
  pongMs: number
  /** Before a new socket after one that worked, and the longest wait after several that did not. */
  reconnectMsMin: number
  reconnectMsMax: number
  /** A socket that lived this long has worked. */
  stableMs: number
}

export const socketTimes: SocketTimes = {
  firstStatusMs: 5000,
  pingMs: 20_000,
  pongMs: 10_000,
  reconnectMsMin: 50,
  reconnectMsMax: 30_000,
  stableMs: 500,
}

/** Previews and outputs of custom nodes can be large. */
const frameSizeBytesMax = 64 * 1024 * 1024

export interface SocketListener {
  heard(clientId: string, message: ServerMessage): void
  shown(clientId: string, preview: PreviewFrame): void
  /** Nothing more is heard under this id. */
  lost(clientId: string): void
  /** Whether a lost socket is to be replaced. */
  isWanted(): boolean
}

interface Parts {
  address: Address
  log: Logger
  times: SocketTimes
  listener: SocketListener
}

/**
 * The one event socket of a connection. Every new socket gets a new client id: the server forgets an id that
 * two sockets shared. It is live from its first `status` on, pinged, and always read to the end.
 */
export class EventSocket {
  readonly #parts: Parts
  #socket: WebSocket | undefined
  #liveId: string | undefined
  #liveAt = 0
  #failures = 0
  #opening: Promise<string | undefined> | undefined
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The client id of the live socket. */
  get clientId(): string | undefined {
    return this.#liveId
  }

  /**
   * The client id of a live socket. Waits for the first one, at most `firstStatusMs`; while the server keeps failing
   * to give one, answers at once with nothing: such jobs are followed by asking.
   */
  async open(): Promise<string | undefined> {
    if (this.#liveId !== undefined || this.#isClosed) return this.#liveId
    if (this.#failures > 0) {
      this.#planRetry()
      return undefined
    }
    clearTimeout(this.#retry)
    this.#retry = undefined
    return this.#connect()
  }

  /** Gives up a socket that is open and says nothing. */
  replace(clientId: string): void {
    if (clientId !== this.#liveId) return
    this.#parts.log.debug('event socket is deaf')
    // It has not worked, however long it lived.
    this.#liveAt = performance.now()
    this.#socket?.terminate()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
    this.#socket?.terminate()
  }

  #connect(): Promise<string | undefined> {
    this.#opening ??= this.#openSocket()
    return this.#opening
  }

  #openSocket(): Promise<string | undefined> {
    const { address, times } = this.#parts
    const clientId = randomUUID()
    const socket = new WebSocket(address.socketUrl(clientId), {
      headers: { ...address.headers },
      handshakeTimeout: times.firstStatusMs,
      maxPayload: frameSizeBytesMax,
      perMessageDeflate: false,
      ...(address.ca !== undefined && { ca: address.ca }),
    })
    this.#socket = socket
    return new Promise(resolve => {
      const patience = setTimeout(() => socket.terminate(), times.firstStatusMs)
      let heartbeat: Heartbeat | undefined
      socket.on('open', () => socket.send(negotiation))
      socket.on('message', (data, isBinary) => {
        const message = this.#take(clientId, data as Buffer, isBinary)
        if (message?.type !== 'status' || this.#liveId === clientId || socket !== this.#socket) return
        clearTimeout(patience)
        heartbeat = startHeartbeat(socket, times)
        this.#liveId = clientId
        this.#liveAt = performance.now()
        this.#opening = undefined
        resolve(clientId)
      })
      // 'close' always follows.
      socket.on('error', thrown => this.#parts.log.debug({ reason: reasonOf(thrown) }, 'event socket failed'))
      socket.on('close', () => {
        clearTimeout(patience)
        heartbeat?.end()
        if (this.#liveId !== clientId) this.#opening = undefined
        this.#lose(clientId)
        resolve(undefined)
      })
    })
  }

  #take(clientId: string, frame: Buffer, isBinary: boolean): ServerMessage | undefined {
    if (isBinary) {
      const preview = decodeBinary(frame)
      if (preview) this.#parts.listener.shown(clientId, preview)
      return undefined
    }
    const message = decodeText(frame)
    if (message) this.#parts.listener.heard(clientId, message)
    return message
  }

  #lose(clientId: string): void {
    const hasWorked = this.#liveId === clientId && performance.now() - this.#liveAt >= this.#parts.times.stableMs
    this.#failures = hasWorked ? 0 : this.#failures + 1
    if (this.#liveId === clientId) this.#liveId = undefined
    this.#parts.listener.lost(clientId)
    if (this.#parts.listener.isWanted()) this.#planRetry()
  }

  #planRetry(): void {
    if (this.#isClosed || this.#retry || this.#opening) return
    const { reconnectMsMin, reconnectMsMax } = this.#parts.times
    const waitMs = Math.min(reconnectMsMax, reconnectMsMin * 2 ** Math.min(this.#failures, 20))
    // Spread, so that a farm does not come back to a server all at once.
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined
        if (this.#parts.listener.isWanted()) void this.#connect()
      },
      waitMs * (0.5 + Math.random() / 2),
    )
  }
}

/** Asks for previews that name their job. The server takes it only as the first frame. */
const negotiation = JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: true } })

interface Heartbeat {
  end(): void
}

/** The server never pings: a link that died silently is found by pinging it. */
function startHeartbeat(socket: WebSocket, times: SocketTimes): Heartbeat {
  let deadline: NodeJS.Timeout | undefined
  const timer = setInterval(() => {
    clearTimeout(deadline)
    deadline = setTimeout(() => socket.terminate(), times.pongMs)
    socket.ping()
  }, times.pingMs)
  const hearPong = (): void => clearTimeout(deadline)
  socket.on('pong', hearPong)
  return {
    end() {
      clearInterval(timer)
      clearTimeout(deadline)
    },
  }
}
