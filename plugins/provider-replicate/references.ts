import { randomUUID } from 'node:crypto'
import {
  type Job,
  type ProviderHost,
  type Reference,
  referenceExtensions,
  referenceIn,
  RenderFailure,
} from '../../src/plugins/contract.js'
import type { Client } from './client.js'
import { failureOfUpload } from './failures.js'
import { isPredictionId as isId, parseJson, recordOf } from './prediction.js'

/** Characters of a data URI that the service advises at most; larger pictures go through its files. */
const dataUriLengthMax = 256_000
/** Files expire at the service: one is uploaded anew some time before, or where it does not say when. */
const reusedMsMax = 6 * 3_600_000
const expiryMarginMs = 3_600_000
const deleteMsMax = 3000
const filesRoute = '/files'

/** A picture among the files of the account. */
interface Uploaded {
  id: string
  /** What a prediction calls it. */
  url: string
  sha256: string
  /** On the clock that never jumps. */
  reusedUntil: number
  /** Prompt ids of attempts that may not have read it yet. */
  users: Set<string>
  timer?: NodeJS.Timeout
}

interface Parts {
  client: Client
  host: ProviderHost
  /** Of the connection: attempts share uploads, and the end of one ends none. */
  signal: AbortSignal
  /** How long a picture stays uploaded that nobody uses. */
  idleMs: number
}

/**
 * Reference pictures as the service takes them: the small ones inside of the request, the others uploaded, once for all attempts that
 * use them at a time. An uploaded one is deleted when no attempt has needed it for a while, and at the end of the connection; what a
 * crash leaves, expires at the service.
 */
export class SentReferences {
  readonly #parts: Parts
  /** By SHA-256. */
  readonly #current = new Map<string, Uploaded>()
  readonly #pending = new Map<string, Promise<Uploaded>>()
  /** Those that newer ones have replaced, too. */
  readonly #all = new Set<Uploaded>()
  #closing: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** An input with all pictures as they are sent. Rejects with RenderFailure; nothing was created then. */
  async toWire(
    input: Readonly<Record<string, unknown>>,
    { references = [] }: Job,
    promptId: string,
  ): Promise<Record<string, unknown>> {
    const wire = new Map<string, string>()
    for (const reference of references) wire.set(reference.sha256, await this.#toWire(reference, promptId))
    const replace = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(replace)
      return wire.get(referenceIn(value) ?? '') ?? value
    }
    return Object.fromEntries(Object.entries(input).map(([field, value]) => [field, replace(value)]))
  }

  /** Whether what the service tells of an input is this picture. False where it does not tell. */
  async isSame(told: unknown, reference: Reference, signal: AbortSignal): Promise<boolean> {
    if (typeof told !== 'string') return false
    if (told.startsWith('data:')) return told === toDataUri(await this.#read(reference), reference)
    const id = this.#idIn(told)
    if (id === undefined) return false
    const answer = await this.#parts.client.get(`${filesRoute}/${id}`, { signal })
    if (answer.status !== 200) return false
    const { name, checksums } = recordOf(parseJson(answer.bytes))
    return name === nameOf(reference) || recordOf(checksums)['sha256'] === reference.sha256
  }

  /** An attempt has read its pictures, or never will. */
  release(promptId: string): void {
    for (const uploaded of this.#all) {
      if (!uploaded.users.delete(promptId) || uploaded.users.size > 0) continue
      uploaded.timer = setTimeout(() => void this.#delete(uploaded), this.#parts.idleMs)
      uploaded.timer.unref()
    }
  }

  /** Deletes what no attempt may still read; asked again, waits for the same. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#deleteUnused()
    return this.#closing
  }

  async #deleteUnused(): Promise<void> {
    const unused = [...this.#all].filter(({ users }) => users.size === 0)
    for (const { timer } of this.#all) clearTimeout(timer)
    await Promise.all(unused.map(each => this.#delete(each)))
  }

  async #toWire(reference: Reference, promptId: string): Promise<string> {
    const current = this.#current.get(reference.sha256)
    if (current && performance.now() < current.reusedUntil) return use(current, promptId)
    const bytes = await this.#read(reference)
    const dataUri = toDataUri(bytes, reference)
    if (dataUri.length <= dataUriLengthMax) return dataUri
    return use(await this.#uploadOnce(bytes, reference), promptId)
  }

  /** Attempts that need it at once wait for the same upload. */
  #uploadOnce(bytes: Buffer, reference: Reference): Promise<Uploaded> {
    const { sha256 } = reference
    const pending = this.#pending.get(sha256)
    if (pending) return pending
    const begun = this.#upload(bytes, reference).finally(() => this.#pending.delete(sha256))
    this.#pending.set(sha256, begun)
    return begun
  }

  async #upload(bytes: Buffer, reference: Reference): Promise<Uploaded> {
    const { client, signal } = this.#parts
    const boundary = `foundry-${randomUUID()}`
    const form = { contentType: `multipart/form-data; boundary=${boundary}`, body: toForm(bytes, reference, boundary) }
    const answer = await client.upload(filesRoute, form, { signal })
    if (answer.status !== 200 && answer.status !== 201) throw failureOfUpload(client, answer)
    const { id, urls, expires_at: expiresAt } = recordOf(parseJson(answer.bytes))
    const { get: url } = recordOf(urls)
    if (!isId(id) || typeof url !== 'string' || this.#idIn(url) !== id)
      throw new RenderFailure('unreachable', `${client.address.label} took a picture and did not say where it is`)
    const { sha256 } = reference
    const uploaded = { id, url, sha256, reusedUntil: reusedUntil(expiresAt), users: new Set<string>() }
    this.#current.set(sha256, uploaded)
    this.#all.add(uploaded)
    return uploaded
  }

  async #delete(uploaded: Uploaded): Promise<void> {
    if (uploaded.users.size > 0 || !this.#all.delete(uploaded)) return
    if (this.#current.get(uploaded.sha256) === uploaded) this.#current.delete(uploaded.sha256)
    const limit = { signal: AbortSignal.timeout(deleteMsMax) }
    // What stays, expires there.
    await this.#parts.client.remove(`${filesRoute}/${uploaded.id}`, limit).catch(() => undefined)
  }

  #read(reference: Reference): Promise<Buffer> {
    const { readReference } = this.#parts.host
    if (!readReference) throw new RenderFailure('invalid-graph', 'No reference pictures can be read here')
    return readReference(reference)
  }

  /** The id in an address of a file at the service itself. */
  #idIn(address: string): string | undefined {
    const url = URL.canParse(address) ? new URL(address) : undefined
    if (url?.origin !== this.#parts.client.address.base.origin) return undefined
    const id = /\/files\/([^/]+)$/.exec(url.pathname)?.[1]
    return isId(id) ? id : undefined
  }
}

function reusedUntil(expiresAt: unknown): number {
  const leftMs = typeof expiresAt === 'string' ? Date.parse(expiresAt) - Date.now() - expiryMarginMs : NaN
  return performance.now() + (Number.isNaN(leftMs) ? reusedMsMax : Math.min(leftMs, reusedMsMax))
}

function use(uploaded: Uploaded, promptId: string): string {
  clearTimeout(uploaded.timer)
  uploaded.users.add(promptId)
  return uploaded.url
}

function toDataUri(bytes: Buffer, { format }: Reference): string {
  return `data:image/${format};base64,${bytes.toString('base64')}`
}

/** By its content: the service is told no name of a user's file. */
function nameOf({ sha256, format }: Reference): string {
  return `${sha256}.${referenceExtensions[format]}`
}

function toForm(bytes: Buffer, reference: Reference, boundary: string): Buffer {
  const name = nameOf(reference)
  const type = `image/${reference.format}`
  const head =
    `--${boundary}\r\nContent-Disposition: form-data; name="filename"\r\n\r\n${name}\r\n` +
    `--${boundary}\r\nContent-Disposition: form-data; name="type"\r\n\r\n${type}\r\n` +
    `--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="${name}"\r\nContent-Type: ${type}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)])
}
