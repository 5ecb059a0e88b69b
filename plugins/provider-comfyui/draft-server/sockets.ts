import type { IncomingMessage, Server } from 'node:http'
import { WebSocketServer, type WebSocket } from 'ws'
import type { ClientHub } from './client-hub.js'

/** Longest frame from a client. */
const frameBytesMax = 4 * 1024 * 1024
/** Compression is agreed to where a client offers it, and saves nothing on loopback. */
const compressedFromBytes = 1024 * 1024

/** Takes WebSocket connections on `/ws` and `/api/ws` of an HTTP server. */
export function acceptSockets(http: Server, hub: ClientHub): WebSocketServer {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: frameBytesMax,
    perMessageDeflate: { threshold: compressedFromBytes },
  })
  http.on('upgrade', (request: IncomingMessage, socket, head) => {
    const url = requestUrl(request)
    // Until the handshake is done nobody else listens to this socket's failures; the client sees them itself.
    socket.on('error', () => socket.destroy())
    if (!/^(\/api)?\/ws$/.test(url.pathname)) return void socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
    if (isForeignOrigin(request)) return void socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n')
    sockets.handleUpgrade(request, socket, head, opened => {
      imitateClosing(opened)
      hub.attach(opened, url.searchParams.get('clientId'))
    })
  })
  return sockets
}

/** What a request asks for; nonsense asks for a path that nothing answers. */
export function requestUrl({ url = '/' }: IncomingMessage): URL {
  const base = 'http://127.0.0.1'
  return new URL(URL.canParse(url, base) ? url : '/unreadable', base)
}

/** A page of another site must not reach a server on this machine; programs send no origin at all. */
export function isForeignOrigin({ headers: { host, origin } }: IncomingMessage): boolean {
  if (!host || !origin || !URL.canParse(origin) || !URL.canParse(`http://${host}`)) return false
  const asked = new URL(`http://${host}`)
  const from = new URL(origin)
  if (!loopbackNames.has(asked.hostname)) return false
  return asked.hostname !== from.hostname || asked.port !== from.port
}

const loopbackNames = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** The real server answers every close with 1000, and cuts the connection of a client that sends too much. */
function imitateClosing(socket: WebSocket): void {
  const close = socket.close.bind(socket)
  const tooBig = 1009
  socket.close = code => (code === tooBig ? socket.terminate() : close(1000))
}
