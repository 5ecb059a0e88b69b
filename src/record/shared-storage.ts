import { randomBytes } from 'node:crypto'
import { readdir, stat, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { failure, FoundryError } from '../errors.js'
import { makeFolder, removeFile, replaceFile } from '../files/durable.js'
import { sha256Aside } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import { imageSizeBytesMax } from './carried-record.js'

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

/** The folder that the owner of a home and its workers on other machines share: pictures on their way. */
export class SharedStorage {
  constructor(private readonly folder: string) {}

  /** Durable when it answers. Throws FILE_WRITE_FAILED. */
  async put(bytes: Buffer, label: string): Promise<Stored> {
    const hash = await sha256Aside(bytes)
    const name = nameOf(hash, label)
    if (!isName(name)) throw failure('STORAGE_MISSING', { file: name })
    await makeFolder(this.folder)
    await replaceFile(join(this.folder, name), bytes)
    return { name, sha256: hash, sizeBytes: bytes.length }
  }

  /** A reference picture for workers: written where it is not there, and fresh again where it is. Throws FILE_WRITE_FAILED, and what `read` throws. */
  async share(hash: string, read: () => Promise<Buffer>): Promise<void> {
    const now = new Date()
    const isThere = await utimes(join(this.folder, referenceFile(hash)), now, now).then(
      () => true,
      () => false,
    )
    if (!isThere) await this.put(await read(), referenceLabel)
  }

  /** A reference picture that was shared. Throws STORAGE_MISSING. */
  readShared(hash: string): Promise<Buffer> {
    return this.read({ name: referenceFile(hash), sha256: hash })
  }

  /** A small file, by which the other side sees that the folder is the same. */
  prove(): Promise<Stored> {
    return this.put(randomBytes(32), 'proof')
  }

  /** The bytes as they were put, hashed again. Throws STORAGE_MISSING where they are not there, or others. */
  async read({ name, sha256: hash, sizeBytes }: Omit<Stored, 'sizeBytes'> & Partial<Stored>): Promise<Buffer> {
    const until = performance.now() + seenMsMax
    for (;;) {
      const bytes = await this.tryRead(name)
      if (bytes && (sizeBytes ?? bytes.length) === bytes.length && (await sha256Aside(bytes)) === hash) return bytes
      if (performance.now() >= until) throw failure('STORAGE_MISSING', { file: name })
      await sleep(seenEveryMs)
    }
  }

  /** The name and the hash of what was put with this label and nobody has fetched. */
  async find(label: string): Promise<Pick<Stored, 'name' | 'sha256'> | undefined> {
    const names = await readdir(this.folder).catch(() => [])
    const name = names.find(each => isName(each) && each.endsWith(`-${label}`))
    return name === undefined ? undefined : { name, sha256: name.slice(0, sha256Length) }
  }

  /** Never rejects: what stays is swept later. */
  async remove(name: string): Promise<void> {
    if (isName(name)) await removeFile(join(this.folder, name)).catch(() => undefined)
  }

  /** Removes what nobody came for. Answers how many files it was. */
  async sweep(): Promise<number> {
    let swept = 0
    for (const name of await readdir(this.folder).catch(() => [])) {
      const path = join(this.folder, name)
      const found = await stat(path).catch(() => undefined)
      if (!found?.isFile() || Date.now() - found.mtimeMs < keptMsMax) continue
      await unlink(path).then(
        () => swept++,
        // Somebody else has removed it, or nobody may: it is met again.
        () => undefined,
      )
    }
    return swept
  }

  private async tryRead(name: string): Promise<Buffer | undefined> {
    if (!isName(name)) return undefined
    try {
      return (await readBounded(join(this.folder, name), { sizeBytesMax: imageSizeBytesMax, root: this.folder })).bytes
    } catch (error) {
      if (error instanceof FoundryError) return undefined
      throw error
    }
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
