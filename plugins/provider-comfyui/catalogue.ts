import { RenderFailure } from '../../src/plugins/contract.js'
import type { Http } from './http.js'
import { isRecord, listOf, recordOf } from './json.js'
import { readIdentity, type ServerIdentity } from './server-identity.js'
import { type Shelf, toShelf } from './shelf.js'

/** How long what a server has is believed, and how soon it is asked again about something it did not have. */
const ageMsMax = 60_000
export const doubtMs = 1000
/** `/object_info` of many custom nodes with long lists of models. */
const objectInfoSizeBytesMax = 128 * 1024 * 1024
const namesSizeBytesMax = 16 * 1024 * 1024
const namesMax = 100_000

interface Parts {
  http: Http
  label: string
  /** Ends with the connection: an answer serves everyone who waits for it. */
  signal: AbortSignal
}

interface Cached<Value> {
  at: number
  value: Promise<Value>
}

/** What a server is and has, asked once and believed for a while. Rejects with RenderFailure or a comfyFailure. */
export class Catalogue {
  readonly #parts: Parts
  readonly #cache = new Map<string, Cached<unknown>>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async identity(ageMs = ageMsMax): Promise<ServerIdentity> {
    return this.#cached('/system_stats', ageMs, async route => {
      const body = await this.#getJson(route)
      if (body === undefined) throw this.#foreign(route)
      return readIdentity(body, this.#parts.label)
    })
  }

  /** Names of the model folders; nothing where the server does not list them. */
  async folders(ageMs = ageMsMax): Promise<readonly string[] | undefined> {
    return this.#cached('/models', ageMs, async route => {
      const body = await this.#tolerant(route)
      return body === undefined ? undefined : namesOf(body)
    })
  }

  /** The files of a model folder; nothing where the server has no such folder. */
  async shelf(folder: string, ageMs = ageMsMax): Promise<Shelf | undefined> {
    return this.#cached(`/models/${encodeURIComponent(folder)}`, ageMs, async route => {
      const [names, sizes] = await Promise.all([this.#getJson(route), this.#tolerant(`/experiment${route}`)])
      return names === undefined ? undefined : toShelf(namesOf(names), sizesOf(sizes))
    })
  }

  /** Descriptions of node classes. Those that the server does not have are absent. */
  async classes(names: Iterable<string>, ageMs = ageMsMax): Promise<Record<string, unknown>> {
    const described = await Promise.all(
      [...new Set(names)].map(name =>
        this.#cached(`/object_info/${encodeURIComponent(name)}`, ageMs, async route => {
          const description = recordOf(await this.#getJson(route, objectInfoSizeBytesMax))[name]
          return [name, description] as const
        }),
      ),
    )
    return Object.fromEntries(described.filter(([, description]) => description !== undefined))
  }

  /** Descriptions of all node classes. */
  async allClasses(ageMs = ageMsMax): Promise<Record<string, unknown>> {
    return this.#cached('/object_info', ageMs, async route => {
      const body = await this.#getJson(route, objectInfoSizeBytesMax)
      if (!isRecord(body)) throw this.#foreign(route)
      return body
    })
  }

  /** Believes nothing any more: another server may stand behind the address now. */
  clear(): void {
    this.#cache.clear()
  }

  async #cached<Value>(route: string, ageMs: number, ask: (route: string) => Promise<Value>): Promise<Value> {
    // Each route is always asked by the same function, which fixes the type of its value.
    const known = this.#cache.get(route) as Cached<Value> | undefined
    if (known && performance.now() - known.at <= ageMs) return known.value
    const cached = { at: performance.now(), value: ask(route) }
    this.#cache.set(route, cached)
    cached.value.catch(() => {
      if (this.#cache.get(route) === cached) this.#cache.delete(route)
    })
    return cached.value
  }

  #getJson(route: string, sizeBytesMax = namesSizeBytesMax): Promise<unknown> {
    return this.#parts.http.getJson(route, { signal: this.#parts.signal, sizeBytesMax })
  }

  /** Nothing where an optional route is absent or in trouble. */
  async #tolerant(route: string): Promise<unknown> {
    try {
      return await this.#getJson(route)
    } catch (thrown) {
      if (thrown instanceof RenderFailure && thrown.reason === 'refused') return undefined
      throw thrown
    }
  }

  #foreign(route: string): RenderFailure {
    return new RenderFailure('refused', `${this.#parts.label} has no ${route}: check the path in its address`)
  }
}

function namesOf(body: unknown): string[] {
  return listOf(body)
    .filter(name => typeof name === 'string')
    .slice(0, namesMax)
}

function sizesOf(body: unknown): Map<string, number> {
  const sizes = new Map<string, number>()
  for (const item of listOf(body).filter(isRecord)) {
    const { name, size } = item
    if (typeof name === 'string' && typeof size === 'number') sizes.set(name.replaceAll('\\', '/'), size)
  }
  return sizes
}
