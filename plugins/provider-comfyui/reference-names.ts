import {
  type Job,
  type ProviderHost,
  type Reference,
  referenceExtensions,
  referenceName,
  RenderFailure,
} from '../../src/plugins/contract.js'
import type { Http } from './http.js'
import { uploadPicture } from './upload.js'

/** Pictures that are remembered to lie on a server. */
const rememberedMax = 1000

/** What a server calls the reference pictures of jobs. Each is uploaded once, as long as the server keeps it. */
export class ReferenceNames {
  private readonly names = new Map<string, Promise<string>>()

  constructor(
    private readonly http: Http,
    private readonly host: ProviderHost,
    /** Of the connection: jobs share uploads, and the end of one ends none. */
    private readonly signal: AbortSignal,
  ) {}

  /** The names of a job's pictures by what its graph calls them. Rejects with RenderFailure. */
  async of({ references = [] }: Job): Promise<ReadonlyMap<string, string>> {
    const named = references.map(
      async reference => [referenceName(reference.sha256), await this.nameOf(reference)] as const,
    )
    return new Map(await Promise.all(named))
  }

  /** The server may have lost what it was sent. */
  forget(): void {
    this.names.clear()
  }

  private nameOf(reference: Reference): Promise<string> {
    const { sha256 } = reference
    const known = this.names.get(sha256)
    if (known) return known
    if (this.names.size >= rememberedMax) this.forget()
    const name = this.upload(reference)
    this.names.set(sha256, name)
    name.catch(() => this.names.delete(sha256))
    return name
  }

  private async upload(reference: Reference): Promise<string> {
    const { sha256, format } = reference
    if (!this.host.readReference) throw new RenderFailure('invalid-graph', 'No reference pictures can be read here')
    const bytes = await this.host.readReference(reference)
    try {
      return await uploadPicture(this.http, { bytes, sha256, extension: referenceExtensions[format] }, this.signal)
    } catch (thrown) {
      // No job was sent yet, whatever became of the picture.
      if (thrown instanceof RenderFailure && thrown.reason === 'unknown-outcome')
        throw new RenderFailure('unreachable', thrown.message, thrown.details, thrown)
      throw thrown
    }
  }
}
