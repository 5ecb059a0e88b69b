import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { failure } from '../errors.js'
import { isTemporary } from '../files/durable.js'
import { sha256Aside } from '../files/hash.js'
import { imageSizeBytesMax } from './carried-record.js'
import type { Storage } from './storage.js'

/** What lies in the storage, by its content. The name is its own: two attempts may give the same bytes. */
export interface Stored {
  name: string
  sha256: string
  sizeBytes: number
}

const sha256Length = 64
/** A network folder may show a new file a little later. */
const seenMsMax = 2000
const seenEveryMs = 100
/** What nobody has fetched for so long is of an attempt that ended without its worker. */
const keptMsMax = 24 * 60 * 60_000
/** After this it is looked whether a reference is still there. */
const sharedMsMax = 60_000

/** The storage that the owner of a home and its workers on other machines share: pictures on their way. */
export class SharedStorage {
  /** References by name, with when they were seen to be there. */
  private readonly sharedAt = new Map<string, number>()

  constructor(private readonly storage: Storage) {}

  /** Durable when it answers. Rejects as the storage does, in a folder with FILE_WRITE_FAILED. */
  async put(bytes: Buffer, label: string): Promise<Stored> {
    const hash = await sha256Aside(bytes)
    const name = nameOf(hash, label)
    if (!isName(name)) throw failure('STORAGE_MISSING', { file: name })
    await this.storage.put(name, bytes)
    return { name, sha256: hash, sizeBytes: bytes.length }
  }

  /** A reference picture for workers, put where it is not there, or not lately. Rejects as the storage does, and as `read` does. */
  async share(hash: string, read: () => Promise<Buffer>): Promise<void> {
    const name = referenceFile(hash)
    if (performance.now() - (this.sharedAt.get(name) ?? -Infinity) < sharedMsMax) return
    const found = (await this.storage.list()).find(each => each.name === name)
    if (!found || Date.now() - found.putAt > keptMsMax / 2) await this.put(await read(), referenceLabel)
    this.sharedAt.set(name, performance.now())
  }

  /** A reference picture that was shared. Throws STORAGE_MISSING. */
  readShared(hash: string): Promise<Buffer> {
    return this.read({ name: referenceFile(hash), sha256: hash })
  }

  /** A few bytes, by which the other side sees that the storage is the same. */
  prove(): Promise<Stored> {
    return this.put(randomBytes(32), 'proof')
  }

  /** The bytes as they were put, hashed again. Throws STORAGE_MISSING where they are not there, or others. */
  async read({ name, sha256: hash, sizeBytes }: Omit<Stored, 'sizeBytes'> & Partial<Stored>): Promise<Buffer> {
    if (!isName(name)) throw failure('STORAGE_MISSING', { file: name })
    const until = performance.now() + seenMsMax
    for (;;) {
      const bytes = await this.storage.get(name, imageSizeBytesMax)
      if (bytes && (sizeBytes ?? bytes.length) === bytes.length && (await sha256Aside(bytes)) === hash) return bytes
      if (performance.now() >= until) throw failure('STORAGE_MISSING', { file: name })
      await sleep(seenEveryMs)
    }
  }

  /** The name and the hash of what was put with this label and nobody has fetched. */
  async find(label: string): Promise<Pick<Stored, 'name' | 'sha256'> | undefined> {
    const all = await this.storage.list()
    const found = all.find(({ name }) => isName(name) && name.endsWith(`-${label}`))
    return found && { name: found.name, sha256: found.name.slice(0, sha256Length) }
  }

  /** Never rejects: what stays is swept later. */
  async remove(name: string): Promise<void> {
    if (isName(name)) await this.storage.remove(name).catch(() => undefined)
  }

  /** Removes what nobody came for, and nothing but what was put by a foundry. Answers how many it was. */
  async sweep(): Promise<number> {
    const all = await this.storage.list()
    const old = all.filter(({ name, putAt }) => (isName(name) || isTemporary(name)) && Date.now() - putAt >= keptMsMax)
    for (const { name } of old) await this.storage.remove(name).catch(() => undefined)
    return old.length
  }
}

const referenceLabel = 'reference'

function referenceFile(hash: string): string {
  return nameOf(hash, referenceLabel)
}

/** The name under which bytes of this hash lie. */
export function nameOf(hash: string, label: string): string {
  return `${hash}-${label}`
}

/** Names come from other machines, and lead nowhere else. */
function isName(name: string): boolean {
  return /^[0-9a-f]{64}-[a-z0-9-]{1,100}$/.test(name)
}
