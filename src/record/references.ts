import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { failure } from '../errors.js'
import { makeFolder, replaceFile } from '../files/durable.js'
import { isSha256, sha256Aside, sha256File } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import { type ReferenceFile, referenceSizeBytesMax } from '../library/references.js'

/** The reference pictures of a home, each once and named by its SHA-256 alone, for as long as the home lasts. */
export class References {
  constructor(private readonly folder: string) {}

  /** Copies those that are not there, or damaged; durable when it answers. Throws SOURCE_CHANGED for one that changed meanwhile. */
  async keep(files: readonly ReferenceFile[]): Promise<void> {
    for (const file of new Map(files.map(each => [each.sha256, each])).values())
      if (!(await this.has(file.sha256))) await this.copy(file)
  }

  /** Where it lies. */
  pathOf(sha256: string): string {
    return join(this.folder, sha256)
  }

  /** Its bytes, hashed again. Throws REFERENCE_MISSING. */
  async read(sha256: string): Promise<Buffer> {
    // It may come from the record of a picture that somebody else has written.
    const bytes = isSha256(sha256) ? await this.tryRead(sha256) : undefined
    if (!bytes || (await sha256Aside(bytes)) !== sha256) throw failure('REFERENCE_MISSING', { sha256 })
    return bytes
  }

  private tryRead(sha256: string): Promise<Buffer | undefined> {
    return readBounded(this.pathOf(sha256), { sizeBytesMax: referenceSizeBytesMax, root: this.folder }).then(
      read => read.bytes,
      () => undefined,
    )
  }

  private async has(sha256: string): Promise<boolean> {
    if (!existsSync(this.pathOf(sha256))) return false
    const found = await sha256File(this.pathOf(sha256), { sizeBytesMax: referenceSizeBytesMax }).catch(() => undefined)
    return found?.sha256 === sha256
  }

  private async copy({ path, sha256 }: ReferenceFile): Promise<void> {
    const { bytes } = await readBounded(path, { sizeBytesMax: referenceSizeBytesMax })
    if ((await sha256Aside(bytes)) !== sha256) throw failure('SOURCE_CHANGED', { what: 'A reference picture' })
    await makeFolder(this.folder)
    await replaceFile(this.pathOf(sha256), bytes)
  }
}
