import { randomUUID } from 'node:crypto'
import type { WebSocket } from 'ws'
import { isRecord } from './graph.js'
import { printExact } from './exact-json.js'

/**
 * Who hears what. A message goes to the one client that a job names, or to everyone. Sockets are kept by client id, and
 * a closing socket frees its id even when a newer socket has taken it over: that newer one then stays open and hears
 * nothing. The real server has this fault, and clients must cope with it.
 */
export class ClientHub {
  /** The node that is running for a client: told to a socket that opens meanwhile. */
  running: { clientId: string; node: string } | undefined
  /** Sockets stay open and carry nothing. */
  isSilent = false
  private readonly byClient = new Map<string, WebSocket>()
  private readonly open = new Set<WebSocket>()
  private readonly withMetadata = new Set<WebSocket>()

  constructor(
    private readonly features: Record<string, unknown>,
    private readonly status: () => Record<string, unknown>,
  ) {}

  attach(socket: WebSocket, requestedId: string | null): void {
    const clientId = requestedId || randomUUID().replaceAll('-', '')
    this.byClient.set(clientId, socket)
    this.open.add(socket)
    socket.on('close', () => {
      this.byClient.delete(clientId)
      this.open.delete(socket)
      this.withMetadata.delete(socket)
    })
    socket.on('error', () => socket.terminate())
    this.listenForFeatures(socket)
    this.sendTo(socket, 'status', { ...this.status(), sid: clientId })
    if (this.running?.clientId === clientId) this.sendTo(socket, 'executing', { node: this.running.node })
  }

  /** To one client, or with undefined to everyone. Clients without a socket miss it for good. */
  send(clientId: string | undefined, type: string, data: Record<string, unknown>): void {
    if (this.isSilent || this.byClient.size === 0) return
    this.write(clientId, printExact({ type, data }))
  }

  sendBytes(clientId: string | undefined, bytes: Buffer): void {
    this.write(clientId, bytes)
  }

  /** Whether the client's socket negotiated previews with metadata. Those for everyone never have it. */
  takesMetadata(clientId: string | undefined): boolean {
    const socket = clientId === undefined ? undefined : this.byClient.get(clientId)
    return socket !== undefined && this.withMetadata.has(socket)
  }

  sendStatus(): void {
    this.send(undefined, 'status', this.status())
  }

  /** Cuts every connection without a close handshake. */
  dropAll(): void {
    for (const socket of this.open) socket.terminate()
  }

  private receivers(clientId: string | undefined): Iterable<WebSocket> {
    if (clientId === undefined) return this.byClient.values()
    const socket = this.byClient.get(clientId)
    return socket ? [socket] : []
  }

  private write(clientId: string | undefined, message: string | Buffer): void {
    if (this.isSilent) return
    for (const socket of this.receivers(clientId)) socket.send(message)
  }

  private sendTo(socket: WebSocket, type: string, data: Record<string, unknown>): void {
    if (!this.isSilent) socket.send(JSON.stringify({ type, data }))
  }

  /** Only the first JSON object of a socket can negotiate; what comes before as no JSON does not count. */
  private listenForFeatures(socket: WebSocket): void {
    const listen = (data: unknown, isBinary: boolean) => {
      const message = isBinary ? undefined : parseObject(String(data))
      if (!message) return
      socket.off('message', listen)
      if (message.type !== 'feature_flags') return
      if (isRecord(message.data) && message.data.supports_preview_metadata) this.withMetadata.add(socket)
      this.sendTo(socket, 'feature_flags', this.features)
    }
    socket.on('message', listen)
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    // Not JSON: ignored, as every other message is.
    return undefined
  }
}
