import { dirname, join } from 'node:path'
import { hasErrors, type Problem } from '../errors.js'
import { parseDocument } from '../files/document.js'
import { readBounded } from '../files/read-bounded.js'
import { validateDocument } from '../files/validate.js'
import { type AdapterConfig, adapterConfigSchema } from '../schema/adapter-config.js'
import { isMissing, toFileProblem } from './file-problem.js'

/**
 * How strong an adapter of PEFT is meant to be, which stands outside of its tensors: `adapter_config.json` beside the file, or
 * `lora_adapter_metadata` in it, where newer diffusers writes the fields of each part of the model behind its name
 * (`unet.lora_alpha`). ComfyUI reads neither.
 */
export interface Adapter {
  source: string
  /** By the part of the model: `unet`, `transformer`, `text_encoder`, `text_encoder_2`; '' for all. */
  byPart: ReadonlyMap<string, AdapterConfig>
}

export const adapterFileName = 'adapter_config.json'
const metadataKey = 'lora_adapter_metadata'
const sizeBytesMax = 1024 * 1024
const parts = ['unet', 'transformer', 'text_encoder', 'text_encoder_2', 'text_encoder_3']

/** What stands in the file counts before what lies beside it. Throws nothing that the files could cause. */
export async function readAdapter(
  path: string,
  metadata: Readonly<Record<string, string>>,
): Promise<{ adapter?: Adapter; problems: Problem[] }> {
  const text = metadata[metadataKey]
  if (text !== undefined) return fromMetadata(text)
  const beside = join(dirname(path), adapterFileName)
  try {
    const { bytes } = await readBounded(beside, { sizeBytesMax })
    const document = parseDocument(bytes, { file: beside, format: 'json' })
    const { value, problems } = validateDocument(adapterConfigSchema, document)
    return finish(adapterFileName, value && new Map([['', value]]), problems)
  } catch (thrown) {
    return { problems: isMissing(thrown) ? [] : [toFileProblem(thrown, beside)] }
  }
}

/**
 * The alpha that gives a layer the strength it was trained with, where a loader takes alpha ÷ rank. `path` is dotted, without
 * what says which part it is of. Undefined where the adapter does not tell.
 * rsLoRA divides by √rank instead of rank: https://arxiv.org/abs/2312.03732.
 */
export function alphaOf(
  { byPart }: Adapter,
  { part, path, rank }: { part: string; path: string; rank: number },
): number | undefined {
  const config = byPart.get(part) ?? byPart.get('')
  if (!config) return undefined
  const pattern = Object.entries(config.alpha_pattern ?? {}).find(([key]) => isAbout(key, path))
  const alpha = pattern?.[1] ?? config.lora_alpha
  if (alpha === undefined) return undefined
  return config.use_rslora ? alpha * Math.sqrt(rank) : alpha
}

function fromMetadata(text: string): { adapter?: Adapter; problems: Problem[] } {
  const file = metadataKey
  const document = parseDocument(Buffer.from(text.slice(0, sizeBytesMax)), { file, format: 'json' })
  const { value } = document
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return finish(file, undefined, document.problems)
  const byPart = new Map<string, AdapterConfig>()
  const problems = [...document.problems]
  for (const [part, fields] of splitParts(value)) {
    const checked = validateDocument(adapterConfigSchema, { ...document, value: fields, problems: [] })
    problems.push(...checked.problems)
    if (checked.value) byPart.set(part, checked.value)
  }
  return finish(file, byPart, problems)
}

function splitParts(value: object): Map<string, Record<string, unknown>> {
  const fieldsByPart = new Map<string, Record<string, unknown>>()
  for (const [key, field] of Object.entries(value)) {
    const part = parts.find(each => key.startsWith(`${each}.`)) ?? ''
    const fields = fieldsByPart.get(part) ?? (Object.create(null) as Record<string, unknown>)
    fields[part === '' ? key : key.slice(part.length + 1)] = field
    fieldsByPart.set(part, fields)
  }
  return fieldsByPart
}

function finish(
  source: string,
  byPart: Map<string, AdapterConfig> | undefined,
  found: readonly Problem[],
): { adapter?: Adapter; problems: Problem[] } {
  const patterns = [...(byPart?.values() ?? [])].flatMap(config => Object.keys(config.alpha_pattern ?? {}))
  const problems = [...found, ...patterns.filter(each => !plainPattern.test(each)).map(each => notPlain(source, each))]
  return byPart && !hasErrors(problems) ? { adapter: { source, byPart }, problems } : { problems }
}

/** PEFT takes the keys for regular expressions; those of a stranger are not run. */
const plainPattern = /^\^?[\w.]+$/

function isAbout(key: string, path: string): boolean {
  const name = key.replace(/^\^/, '')
  return path === name || (!key.startsWith('^') && path.endsWith(`.${name}`))
}

function notPlain(file: string, key: string): Problem {
  return {
    severity: 'error',
    code: 'LORA_PATTERN_INVALID',
    message: 'a regular expression is not followed here',
    file,
    path: 'alpha_pattern',
    found: key.slice(0, 120),
    allowed: 'names of layers: letters, digits, _ and dots',
  }
}
