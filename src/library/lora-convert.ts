import { dirname, join } from 'node:path'
import type { FileHandle } from 'node:fs/promises'
import { failure, hasErrors, type Problem } from '../errors.js'
import { copyDurable, replaceFile, writeFirst } from '../files/durable.js'
import { type FileStamp, openRegular, sameStamp, stampAt } from '../files/read-bounded.js'
import type { LoraFamily } from './lora-family.js'
import { likelyFamilies } from './lora-header.js'
import { inspectLora, type LoraFile, type LoraInspection } from './lora-inspection.js'
import { safetensorsPieces, type TensorToWrite } from './safetensors-write.js'

export interface ConvertOptions {
  /** What problems call the source. */
  file?: string
  /** The new file; without it the source is replaced, and stays beside the new one under a name with its hash. */
  to?: string | undefined
  /** Where the file leaves its base model open. */
  family?: LoraFamily | undefined
  /** Nothing is written. */
  isDryRun?: boolean
}

export interface Conversion {
  before: LoraInspection
  /** Absent where nothing was written. */
  after?: LoraInspection
  /** How many tensors got another name. */
  renamed: number
  /** How many alphas were added. */
  alphas: number
  /** Where the source lies now, if it was replaced. */
  kept?: string
  problems: Problem[]
}

/** Hashes over tensors in their old order; and what an adapter's configuration says stands in alphas now. */
const outdatedKeys = ['sshs_model_hash', 'sshs_legacy_hash', 'modelspec.hash_sha256', 'lora_adapter_metadata']
const originKey = 'foundry_converted_from'
const lengthBytes = 8

/**
 * Writes a LoRA so that ComfyUI reads all of it with the strength it was trained with: other names, and alphas where they were
 * missing; the tensors' bytes stay, and are never in memory as a whole. Nothing is written where nothing would change. Throws
 * WEIGHTS_INVALID, USAGE_INVALID where the base model is not known or other bytes lie at `to`, FILE_CHANGED_WHILE_READ,
 * FILE_WRITE_FAILED.
 */
export async function convertLora(path: string, options: ConvertOptions = {}): Promise<Conversion> {
  const { file = path, family, isDryRun = false } = options
  const stamp = await stampAt(path)
  const { found, problems } = await inspectLora(path, { file, family })
  if (!found || !stamp) throw failure('WEIGHTS_INVALID', { file, problems })
  const { inspection: before, renaming } = found
  checkFamily(before)
  if (hasErrors(renaming.problems)) throw failure('WEIGHTS_INVALID', { file, problems: renaming.problems })
  const planned = { before, renamed: renaming.renamed, alphas: renaming.alphas.length, problems }
  if (!before.isConvertible) return { ...planned, renamed: 0, alphas: 0 }
  if (isDryRun) return planned
  const written = await write(path, { found, stamp, to: options.to })
  const target = options.to ?? path
  const { found: now, problems: left } = await inspectLora(target, { file: options.to ?? file, family })
  if (!now) throw failure('WEIGHTS_INVALID', { file: target, problems: left })
  return { ...planned, ...written, after: now.inspection, problems: left }
}

function checkFamily({ file, facts }: LoraInspection): void {
  if (likelyFamilies(facts).length > 0) return
  const found = facts.family === 'unknown' ? 'its base model is not known' : 'the names of its base model are not known'
  throw failure('USAGE_INVALID', {
    problem: `${file} cannot be converted, since ${found} (${facts.evidence})`,
    next: 'name the base model with --family if you know it to be sd15, sd2, sdxl, sd3 or flux',
  })
}

interface Source {
  found: LoraFile
  stamp: FileStamp
  to: string | undefined
}

async function write(path: string, { found, stamp, to }: Source): Promise<{ kept?: string }> {
  const { handle } = await openRegular(path, { sizeBytesMax: Number.MAX_SAFE_INTEGER })
  try {
    const pieces = piecesOf(path, { found, stamp, handle })
    if (to !== undefined) {
      if ((await writeFirst(to, pieces)) === 'different') throw taken(to)
      return {}
    }
    const kept = join(dirname(path), `weights-${found.inspection.hash.sha256.slice(0, 12)}.safetensors`)
    if ((await copyDurable(path, kept)) === 'different') throw taken(kept)
    await replaceFile(path, pieces)
    return { kept }
  } finally {
    await handle.close()
  }
}

/** Ends with a failure, and so before the new file gets its name, where the old one has changed meanwhile. */
async function* piecesOf(
  path: string,
  { found, stamp, handle }: { found: LoraFile; stamp: FileStamp; handle: FileHandle },
): AsyncGenerator<Uint8Array> {
  const { header, renaming, inspection } = found
  const offset = lengthBytes + header.headerBytes
  const tensors: TensorToWrite[] = [
    ...renaming.tensors.map(({ to: name, tensor: { dtype, shape, begin, end } }) => ({
      name,
      dtype,
      shape,
      content: { begin: offset + begin, end: offset + end },
    })),
    ...renaming.alphas.map(({ name, value }) => ({ name, dtype: 'F32', shape: [], content: single(value) })),
  ]
  const kept = Object.entries(header.metadata).filter(([key]) => !outdatedKeys.includes(key))
  const metadata = { ...Object.fromEntries(kept), [originKey]: inspection.hash.sha256 }
  yield* safetensorsPieces(tensors, { metadata, source: handle, file: path })
  if (!sameStamp(stamp, await stampAt(path))) throw failure('FILE_CHANGED_WHILE_READ', { file: path })
}

function single(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}

function taken(file: string) {
  return failure('USAGE_INVALID', { problem: `${file} is there already, with other bytes`, next: 'name another file' })
}
