import { join } from 'node:path'
import { failure } from '../errors.js'
import { makeFolder, replaceFile } from '../files/durable.js'
import { isSha256, sha256Aside } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import { type ReferenceFile, referenceSizeBytesMax } from '../library/references.js'

/** The reference pictures of a home, each once and named by its SHA-256 alone, for as long as the home lasts. */
export class References {
  constructor(private readonly folder: string) {}

  /**
   * Copies those that are not there, or damaged; durable when it answers. Throws FILE_CHANGED_WHILE_READ for one that is not what it
   * was when its drop was read, and what reading and writing files throw.
   */
  async keep(files: readonly ReferenceFile[]): Promise<void> {
    for (const file of new Map(files.map(each => [each.sha256, each])).values())
      if ((await this.hashOf(file.sha256)) !== file.sha256) await this.copy(file)
  }

  /** Its bytes, hashed again. Throws REFERENCE_MISSING. */
  async read(sha256: string): Promise<Buffer> {
    const bytes = await this.bytesOf(sha256)
    if (!bytes || (await sha256Aside(bytes)) !== sha256) throw failure('REFERENCE_MISSING', { sha256 })
    return bytes
  }

  /** SHA-256 of what lies in its place; undefined where nothing does. */
  async hashOf(sha256: string): Promise<string | undefined> {
    const bytes = await this.bytesOf(sha256)
    return bytes && sha256Aside(bytes)
  }

  private async bytesOf(sha256: string): Promise<Buffer | undefined> {
    // It may come from the record of a picture that somebody else has written.
    if (!isSha256(sha256)) return undefined
    const bounds = { sizeBytesMax: referenceSizeBytesMax, root: this.folder }
    return readBounded(join(this.folder, sha256), bounds).then(
      read => read.bytes,
      () => undefined,
    )
  }

  private async copy({ path, sha256 }: ReferenceFile): Promise<void> {
    const { bytes } = await readBounded(path, { sizeBytesMax: referenceSizeBytesMax })
    if ((await sha256Aside(bytes)) !== sha256) throw failure('FILE_CHANGED_WHILE_READ', { file: path })
    await makeFolder(this.folder)
    await replaceFile(join(this.folder, sha256), bytes)
  }
}
