import { readFile } from 'node:fs/promises'
import { validateHeaderValue } from 'node:http'
import { reasonOf, type ServerEntry } from '../../src/plugins/contract.js'
import { replicateFailure } from './errors.js'

/** Where the service is, and how it is spoken to. The headers hold the key: they go to this origin, and are never logged. */
export interface Address {
  /** The server as messages name it. */
  label: string
  base: URL
  headers: Readonly<Record<string, string>>
  token: string
  /** Certificate authority, PEM. */
  ca?: string
}

const defaultUrl = 'https://api.replicate.com/v1'
const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** Reads the entry and its CA file. Throws REPLICATE_TOKEN_MISSING, REPLICATE_TOKEN_INVALID, REPLICATE_URL_INVALID, REPLICATE_CA_UNREADABLE. */
export async function readAddress({ name, url = defaultUrl, token = '', headers, ca }: ServerEntry): Promise<Address> {
  const base = URL.canParse(url) ? new URL(url.replace(/\/+$/, '')) : undefined
  const isSafe = base?.protocol === 'https:' || (base?.protocol === 'http:' && loopback.test(base.hostname))
  if (!base || !isSafe || base.username || base.password || base.search)
    throw replicateFailure('URL_INVALID', { server: name, url: base ? `${base.protocol}//${base.host}` : 'no address' })
  if (token === '') throw replicateFailure('TOKEN_MISSING', { server: name })
  const all = { 'user-agent': 'persona-foundry', ...headers, authorization: `Bearer ${token}` }
  for (const value of Object.values(all)) requireHeader(name, value)
  return {
    label: `${name} (${base.host})`,
    base,
    headers: all,
    token,
    ...(ca !== undefined && { ca: await readCa(name, ca) }),
  }
}

function requireHeader(server: string, value: string): void {
  try {
    validateHeaderValue('authorization', value)
  } catch {
    throw replicateFailure('TOKEN_INVALID', { server })
  }
}

async function readCa(server: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (thrown) {
    throw replicateFailure('CA_UNREADABLE', { server, file, reason: reasonOf(thrown) }, thrown)
  }
}
