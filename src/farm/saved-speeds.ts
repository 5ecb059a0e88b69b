import type { Logger } from 'pino'
import { reasonOf } from '../errors.js'
import { replaceFile } from '../files/durable.js'
import { readBounded } from '../files/read-bounded.js'
import { validateValue } from '../files/validate.js'
import type { FromSchema } from '../schema/from-schema.js'
import type { Rates, Speeds } from './speeds.js'

/** Keeps what was measured between starts. It is a guess for later: lost, damaged or of another version, it begins anew. */
export interface SavedSpeeds {
  /** Saves a last time, durably; writes nothing where nothing changed. */
  close(): Promise<void>
  /** Ends without saving. */
  stop(): Promise<void>
}

export interface SavedSpeedsOptions {
  speeds: Speeds
  /** Where a server is: what was measured elsewhere under the same name does not count. Undefined for one that is not listed. */
  addressOf(server: string): string | undefined
  log: Logger
  /** How often it is looked whether there is something to save. */
  saveEveryMs?: number
}

const fileBytesMax = 4 * 1024 * 1024
const serversMax = 256
const worksMax = 256
const saveEveryMsDefault = 30_000

const rateSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['ms', 'count', 'spreadMs'],
  properties: {
    ms: { type: 'number', minimum: 0 },
    count: { type: 'integer', minimum: 1 },
    spreadMs: { type: 'number', minimum: 0 },
  },
} as const

const speedsSchema = {
  $id: 'speeds/1',
  type: 'object',
  required: ['version', 'servers'],
  properties: {
    version: { const: 1 },
    servers: {
      type: 'array',
      maxItems: serversMax,
      items: {
        type: 'object',
        required: ['server', 'address', 'works'],
        properties: {
          server: { type: 'string' },
          address: { type: 'string' },
          works: { type: 'object', maxProperties: worksMax, additionalProperties: rateSchema },
          models: rateSchema,
          loras: rateSchema,
        },
      },
    },
  },
} as const

type Saved = FromSchema<typeof speedsSchema>['servers'][number]

/** Gives `speeds` what earlier processes measured, and keeps the file up to date until it is closed. */
export async function openSavedSpeeds(file: string, options: SavedSpeedsOptions): Promise<SavedSpeeds> {
  const { speeds, addressOf, log, saveEveryMs = saveEveryMsDefault } = options
  const earlier = await readSpeeds(file)
  const isHere = ({ server, address }: Saved) => addressOf(server) === address
  // Today's command may name other servers than tomorrow's: what is known of those stays.
  const others = earlier.filter(each => !isHere(each))
  speeds.import(earlier.filter(isHere))
  const collect = () => {
    const own = speeds.export().map(rates => toSaved(rates, addressOf(rates.server) ?? ''))
    const rest = others.filter(each => !own.some(({ server, address }) => isSame(each, { server, address })))
    return JSON.stringify({ version: 1, servers: [...rest, ...own].slice(-serversMax) })
  }
  let saved = collect()
  let saving = Promise.resolve()
  const save = () => {
    saving = saving.then(async () => {
      const now = collect()
      if (now === saved) return
      try {
        await replaceFile(file, `${now}\n`)
        saved = now
      } catch (error) {
        log.warn({ reason: reasonOf(error) }, 'measured speeds not saved')
      }
    })
    return saving
  }
  const timer = setInterval(() => void save(), saveEveryMs).unref()
  return {
    close() {
      clearInterval(timer)
      return save()
    },
    stop() {
      clearInterval(timer)
      return saving
    },
  }
}

async function readSpeeds(file: string): Promise<Saved[]> {
  try {
    const { bytes } = await readBounded(file, { sizeBytesMax: fileBytesMax })
    return validateValue(speedsSchema, JSON.parse(bytes.toString('utf8')), file).value?.servers ?? []
  } catch {
    // Missing or damaged: speeds are measured anew.
    return []
  }
}

function toSaved({ works, ...rates }: Rates, address: string): Saved {
  return { ...rates, address, works: Object.fromEntries(Object.entries(works).slice(-worksMax)) }
}

function isSame(a: Pick<Saved, 'server' | 'address'>, b: Pick<Saved, 'server' | 'address'>): boolean {
  return a.server === b.server && a.address === b.address
}
