import { readFile } from 'node:fs/promises'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { reasonOf, type ServerEntry } from '../../src/plugins/contract.js'
import { comfyFailure } from './errors.js'

/** Where a server is and how it is spoken to, from its entry. The headers may hold secrets: they are never logged. */
export interface Address {
  /** The server as messages name it: without credentials, prefix or query. */
  label: string
  origin: string
  headers: Readonly<Record<string, string>>
  /** Certificate authority, PEM. */
  ca?: string
  /** The path of a route under the prefix of this server, with the query that its entry asks for. */
  pathOf(route: string): string
  /** WebSocket URL of one client. */
  socketUrl(clientId: string): string
}

const defaultUrl = 'http://127.0.0.1:8188'

/** Reads the entry and its CA file. Throws COMFYUI_URL_INVALID, COMFYUI_HEADER_INVALID, COMFYUI_CA_UNREADABLE. */
export async function readAddress(server: ServerEntry): Promise<Address> {
  const url = parseUrl(server)
  const ca = server.ca === undefined ? undefined : await readCa(server.name, server.ca)
  const prefix = url.pathname.replace(/\/+$/, '')
  const pathOf = (route: string): string => {
    if (url.search === '') return prefix + route
    return `${prefix}${route}${route.includes('?') ? '&' : '?'}${url.search.slice(1)}`
  }
  return {
    label: `${server.name} (${url.origin})`,
    origin: url.origin,
    headers: headersOf(server, url),
    ...(ca !== undefined && { ca }),
    pathOf,
    socketUrl: clientId => url.origin.replace(/^http/, 'ws') + pathOf(`/ws?clientId=${encodeURIComponent(clientId)}`),
  }
}

function parseUrl(server: ServerEntry): URL {
  const text = server.url ?? defaultUrl
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol)) return url
  const shown = url ? `${url.protocol}//${url.host}` : text.slice(0, 100).replace(/\/\/[^@/]*@/, '//')
  throw comfyFailure('URL_INVALID', { server: server.name, url: shown })
}

/** A token wins over a user in the URL; the entry's own headers win over both. */
function headersOf(server: ServerEntry, url: URL): Record<string, string> {
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  const basic = user === ':' ? undefined : `Basic ${Buffer.from(user).toString('base64')}`
  const authorization = server.token ? `Bearer ${server.token}` : basic
  const own = Object.entries(server.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const)
  const headers = { ...(authorization !== undefined && { authorization }), ...Object.fromEntries(own) }
  for (const [header, value] of Object.entries(headers)) requireHeader(server.name, header, value)
  return headers
}

/** What is thrown names the header and never its value, which may be a secret. */
function requireHeader(server: string, header: string, value: string): void {
  try {
    validateHeaderName(header)
    validateHeaderValue(header, value)
  } catch {
    throw comfyFailure('HEADER_INVALID', { server, header })
  }
}

async function readCa(server: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (thrown) {
    throw comfyFailure('CA_UNREADABLE', { server, file, reason: reasonOf(thrown) }, thrown)
  }
}
