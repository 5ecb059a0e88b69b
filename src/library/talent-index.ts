import { dirname, relative, resolve } from 'node:path'
import { Low, type Adapter } from 'lowdb'
import { replaceFile } from '../files/durable.js'
import { readBounded, stampAt, type FileStamp } from '../files/read-bounded.js'
import type { FromSchema } from '../schema/from-schema.js'
import { sha256Text } from '../schema/text-forms.js'
import { hashSafetensors, type WeightsHash } from './safetensors-hash.js'
import type { IndexEntry } from './talent-index-entry.js'
import { validateValue } from '../files/validate.js'

/**
 * What is expensive to know about the files of the library, kept between starts. It is an index: lost, damaged or of
 * another version, it is built anew from the files.
 */
export interface TalentIndex {
  /**
   * Hashes of a file, remembered as long as the file looks the same (size, time, inode). Whoever must find a byte that
   * was changed in secret hashes the file itself. Throws as `hashSafetensors`.
   */
  hashOf(path: string): Promise<WeightsHash>
  /** The kits as they were listed last. */
  readonly talents: readonly IndexEntry[]
  setTalents(talents: readonly IndexEntry[]): void
  /** Durable; does nothing where nothing changed. Throws FILE_WRITE_FAILED. */
  save(): Promise<void>
}

/** Opens the index in `file`, which need not exist yet. Nothing is written before `save`. */
export async function openIndex(file: string): Promise<TalentIndex> {
  const low = new Low<IndexFile>(durableAdapter(file), { version: 1, talents: [], files: [] })
  await low.read()
  return new SavedIndex(low, dirname(resolve(file)))
}

const indexBytesMax = 64 * 1024 * 1024
const filesMax = 20_000
/** A file written again so soon may have kept its time: such a time is not trusted. */
const timeSettlesMs = 2_000

const indexSchema = {
  $id: 'talent-index/1',
  type: 'object',
  required: ['version', 'talents', 'files'],
  properties: {
    version: { const: 1 },
    talents: { type: 'array', items: { type: 'object' } },
    files: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'sizeBytes', 'mtimeNs', 'ino', 'sha256'],
        properties: {
          /** Relative to the folder of the index, so that a home may move. */
          path: { type: 'string' },
          sizeBytes: { type: 'integer', minimum: 0 },
          mtimeNs: { type: 'string' },
          ino: { type: 'string' },
          sha256: sha256Text,
          tensorSha256: sha256Text,
        },
      },
    },
  },
} as const

type IndexFile = FromSchema<typeof indexSchema>
type KnownFile = IndexFile['files'][number]

/** lowdb's own adapter renames without a sync, which leaves an empty file after a power loss. */
function durableAdapter(file: string): Adapter<IndexFile> {
  return {
    async read() {
      try {
        const { bytes } = await readBounded(file, { sizeBytesMax: indexBytesMax })
        const value: unknown = JSON.parse(bytes.toString('utf8'))
        return validateValue(indexSchema, value, file).value ?? null
      } catch {
        // Missing or damaged: the index is built anew.
        return null
      }
    },
    write: data => replaceFile(file, `${JSON.stringify(data)}\n`),
  }
}

class SavedIndex implements TalentIndex {
  /** The file asked for last is the last one, so that the first ones are dropped when there are too many. */
  readonly #knownByPath: Map<string, KnownFile>
  #isChanged = false

  constructor(
    private readonly low: Low<IndexFile>,
    private readonly folder: string,
  ) {
    this.#knownByPath = new Map(low.data.files.map(known => [known.path, known]))
  }

  get talents(): readonly IndexEntry[] {
    // Only `setTalents` puts something there.
    return this.low.data.talents as unknown as readonly IndexEntry[]
  }

  setTalents(talents: readonly IndexEntry[]): void {
    if (JSON.stringify(talents) === JSON.stringify(this.low.data.talents)) return
    this.low.data.talents = talents.map(entry => ({ ...entry }))
    this.#isChanged = true
  }

  async hashOf(path: string): Promise<WeightsHash> {
    const key = relative(this.folder, resolve(path))
    const known = this.#knownByPath.get(key)
    if (known && looksTheSame(known, await stampAt(path))) {
      this.#remember(known)
      return toHash(known)
    }
    const { hash, stamp } = await hashSafetensors(path)
    if (hasSettled(stamp)) {
      this.#remember({ path: key, mtimeNs: stamp.mtimeNs, ino: stamp.ino, ...hash })
      this.#isChanged = true
    }
    return hash
  }

  async save(): Promise<void> {
    if (!this.#isChanged) return
    this.low.data.files = [...this.#knownByPath.values()].slice(-filesMax)
    await this.low.write()
    this.#isChanged = false
  }

  #remember(known: KnownFile): void {
    this.#knownByPath.delete(known.path)
    this.#knownByPath.set(known.path, known)
  }
}

function looksTheSame(known: KnownFile, stamp: FileStamp | undefined): boolean {
  return known.sizeBytes === stamp?.sizeBytes && known.mtimeNs === stamp.mtimeNs && known.ino === stamp.ino
}

function hasSettled({ mtimeNs }: FileStamp): boolean {
  return BigInt(Date.now() - timeSettlesMs) * 1_000_000n > BigInt(mtimeNs)
}

function toHash({ sha256, tensorSha256, sizeBytes }: KnownFile): WeightsHash {
  return { sha256, ...(tensorSha256 !== undefined && { tensorSha256 }), sizeBytes }
}
