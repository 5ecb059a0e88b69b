import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'

export type FileType = 'input' | 'output' | 'temp'

export interface StoredFile {
  name: string
  sizeBytes: number
  modifiedAt: Date
  etag: string
  /** Of the content; for pictures the server made itself only known where somebody asked. */
  sha256?: string
  /** The bytes, in parts that may be shared with other files. */
  read(): Promise<readonly Buffer[]>
}

/** Bytes of pictures kept in memory; what comes after goes to a folder of the system's temporary place. */
const memoryBytesMax = 64 * 1024 * 1024

/** Files made of shared parts that are kept, at the least. A farm fetches its pictures long before so many others are made. */
const sharedFilesMax = 20_000

/** The three folders of a server. Names and counters live in memory, large contents on disk. */
export class FileStore {
  private readonly folders = new Map<string, Folder>()
  private memoryBytes = 0
  private spillFolder: Promise<string> | undefined
  private spilled = 0
  private readonly shared: { folder: Folder; name: string }[] = []

  get(type: FileType, subfolder: string, name: string): StoredFile | undefined {
    return this.folders.get(keyOf(type, subfolder))?.files.get(name)
  }

  /** Parts given as `shared` are held by others anyway and do not count as memory of this file. */
  async put(
    type: FileType,
    subfolder: string,
    name: string,
    content: { bytes: Buffer } | { shared: readonly Buffer[] },
  ): Promise<StoredFile> {
    const parts = 'bytes' in content ? [content.bytes] : content.shared
    const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0)
    const modifiedAt = new Date()
    const file: StoredFile = {
      name,
      sizeBytes,
      modifiedAt,
      etag: `"${modifiedAt.getTime().toString(16)}-${sizeBytes.toString(16)}"`,
      read: 'bytes' in content ? await this.keep(content.bytes) : async () => parts,
    }
    const key = keyOf(type, subfolder)
    const folder = this.folders.get(key) ?? { files: new Map(), counters: new Map() }
    this.folders.set(key, folder)
    folder.files.set(name, file)
    if ('shared' in content) this.forgetOldest({ folder, name })
    const counted = /^(.*)_(\d+)_\./.exec(name)
    if (counted) folder.counters.set(counted[1] ?? '', Math.max(this.highest(folder, counted[1]), Number(counted[2])))
    return file
  }

  /** The number that the next file with this prefix gets. */
  nextCounter(type: FileType, subfolder: string, prefix: string): number {
    const folder = this.folders.get(keyOf(type, subfolder))
    return folder ? this.highest(folder, prefix) + 1 : 1
  }

  delete(type: FileType, subfolder: string, name: string): void {
    const folder = this.folders.get(keyOf(type, subfolder))
    folder?.files.delete(name)
    // The counter follows the files that are left, as a look into the folder would show.
    folder?.counters.clear()
    for (const [, prefix = '', digits] of [...(folder?.files.keys() ?? [])].map(
      each => /^(.*)_(\d+)_\./.exec(each) ?? [],
    )) {
      if (folder && digits) folder.counters.set(prefix, Math.max(this.highest(folder, prefix), Number(digits)))
    }
  }

  /** Names at the top level of a folder, sorted. */
  names(type: FileType): string[] {
    return [...(this.folders.get(keyOf(type, ''))?.files.keys() ?? [])].sort()
  }

  hasFolder(type: FileType, subfolder: string): boolean {
    return this.folders.has(keyOf(type, subfolder))
  }

  clearTemp(): void {
    for (const key of this.folders.keys()) if (key.startsWith('temp/')) this.folders.delete(key)
  }

  async close(): Promise<void> {
    if (this.spillFolder) await rm(await this.spillFolder, { recursive: true, force: true })
  }

  private forgetOldest(newest: { folder: Folder; name: string }): void {
    this.shared.push(newest)
    if (this.shared.length < 2 * sharedFilesMax) return
    for (const { folder, name } of this.shared.splice(0, sharedFilesMax)) folder.files.delete(name)
  }

  private highest(folder: Folder, prefix = ''): number {
    return folder.counters.get(prefix) ?? 0
  }

  private async keep(bytes: Buffer): Promise<StoredFile['read']> {
    if (this.memoryBytes + bytes.length <= memoryBytesMax) {
      this.memoryBytes += bytes.length
      return async () => [bytes]
    }
    this.spillFolder ??= mkdtemp(join(tmpdir(), 'foundry-draft-'))
    const path = join(await this.spillFolder, String(++this.spilled))
    await writeFile(path, bytes)
    return async () => [await readFile(path)]
  }
}

interface Folder {
  files: Map<string, StoredFile>
  counters: Map<string, number>
}

function keyOf(type: FileType, subfolder: string): string {
  return `${type}/${posix.normalize(subfolder || '.')}`
}

/** The path below its folder, or undefined where it leads out of it. */
export function confine(subfolder: string): string | undefined {
  if (posix.isAbsolute(subfolder)) return undefined
  const normal = posix.normalize(subfolder || '.')
  if (normal === '..' || normal.startsWith('../')) return undefined
  return normal === '.' ? '' : normal
}

/** `x.png [temp]` names a type inside the file name; it wins over any other. */
export function splitAnnotated(name: string, type: FileType): { name: string; type: FileType } {
  const found = /^(.*) ?\[(input|output|temp)\]$/.exec(name)
  return found ? { name: (found[1] ?? '').trimEnd(), type: found[2] as FileType } : { name, type }
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
