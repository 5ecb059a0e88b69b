import { readFile } from 'node:fs/promises'
import type { RedisOptions } from 'ioredis'
import { type FromSchema, reasonOf } from '../../src/plugins/contract.js'
import { bullmqFailure } from './errors.js'

/** The options of the engine, as `foundry.yaml` gives them. */
export const optionsSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    url: {
      type: 'string',
      default: 'redis://127.0.0.1:6379',
      description: 'redis://host:port/db, or rediss:// with TLS; user and password may stand before the host',
    },
    password: { type: 'string', description: 'Instead of the one in the url' },
    ca: {
      type: 'string',
      description: 'File (PEM) of the certificate authority of the server, where it is a private one',
    },
    prefix: {
      type: 'string',
      pattern: '^[A-Za-z0-9:._-]{1,100}$',
      description: 'Begins the name of every key; by default one for each home',
    },
    timeoutSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 600,
      default: 10,
      description: 'How long one question may wait while Redis is away',
    },
  },
} as const
type Options = FromSchema<typeof optionsSchema>

/** What the engine works with. */
export interface Settings {
  /** Host, port and database: for people, without user and password. */
  address: string
  redis: RedisOptions
  prefix: string
  limitMs: number
}

const defaultPort = 6379

/** Throws BULLMQ_URL_INVALID and BULLMQ_CA_UNREADABLE. */
export async function readSettings(given: Readonly<Record<string, unknown>>, home: string): Promise<Settings> {
  const { url: defaultUrl, timeoutSeconds: defaultSeconds } = optionsSchema.properties
  const options = { url: defaultUrl.default, timeoutSeconds: defaultSeconds.default, ...given } as Options
  const url = parseAddress(options.url)
  const password = options.password ?? url.password
  return {
    address: `${url.host}:${url.port}/${url.db}`,
    prefix: options.prefix ?? `foundry:${encodeURIComponent(home)}`,
    limitMs: options.timeoutSeconds * 1000,
    redis: {
      host: url.host.replace(/^\[|\]$/g, ''),
      port: url.port,
      db: url.db,
      ...(url.username !== '' && { username: url.username }),
      ...(password !== '' && { password }),
      ...(url.isSafe && { tls: options.ca === undefined ? {} : { ca: await readAuthority(options.ca) } }),
    },
  }
}

function parseAddress(text: string) {
  try {
    const url = new URL(text)
    const [, db = '0'] = /^\/?(\d{1,4})?$/.exec(url.pathname) ?? []
    const isOne = /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^\/?\d{0,4}$/.test(url.pathname)
    if (!isOne) throw bullmqFailure('URL_INVALID', {})
    return {
      host: url.hostname,
      port: url.port === '' ? defaultPort : Number(url.port),
      db: Number(db),
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      isSafe: url.protocol === 'rediss:',
    }
  } catch {
    // What is wrong is not repeated: the text may hold a password.
    throw bullmqFailure('URL_INVALID', {})
  }
}

async function readAuthority(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw bullmqFailure('CA_UNREADABLE', { file, reason: reasonOf(error) })
  }
}
