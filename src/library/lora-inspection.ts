import { hasErrors, type Problem } from '../errors.js'
import { openRegular } from '../files/read-bounded.js'
import { isWhole, reasonUnread, type UnreadReason, unreadSentences } from './comfyui-names.js'
import { toFileProblem } from './file-problem.js'
import { type Adapter, readAdapter } from './lora-adapter.js'
import { readAlphas } from './lora-alphas.js'
import type { LoraFamily } from './lora-family.js'
import { describeLora, likelyFamilies, type LoraFacts, type Spread, spreadOf } from './lora-header.js'
import { collectModules, type LoraModule, splitTensorName } from './lora-modules.js'
import { meantAlpha, planRenaming, type Renaming } from './lora-rename.js'
import { readSafetensorsHeader } from './safetensors.js'
import { hashSafetensors, type WeightsHash } from './safetensors-hash.js'
import type { SafetensorsHeader } from './safetensors-header.js'

/** What ComfyUI does with a LoRA file. */
export interface LoraInspection {
  file: string
  /** `unjudged` where the names of the base model are not known here. */
  verdict: 'loads' | 'partly' | 'nothing' | 'unjudged'
  facts: LoraFacts
  hash: WeightsHash
  layers: { all: number; read: number; textEncoder: number }
  /** Layers, or parts of them, that are passed over, by cause; the names of a few. */
  unread: { reason: UnreadReason; why: string; layers: number; examples: string[] }[]
  /** Tensors that belong to no adapter. */
  strays: { tensors: number; examples: string[] }
  /** Number of tensors by type, alphas left out. */
  dtypes: Record<string, number>
  alpha: {
    /** Values as they stand in the file, where it has any. */
    values?: Spread
    /** Layers without one: there a loader takes the factor 1. */
    missing: number
    /** Alpha ÷ rank: what the strength is multiplied by. */
    factor?: Spread
    /** What the factor should be by an adapter's own configuration, where there is one. */
    meant?: { factor: Spread; source: string }
  }
  /** Whether a conversion would change what is read, or how strongly. */
  isConvertible: boolean
}

/** A file with everything that was read of it, for who goes on from there. */
export interface LoraFile {
  inspection: LoraInspection
  header: SafetensorsHeader
  renaming: Renaming
}

/**
 * Reads header, alphas and hashes, never a whole tensor into memory. `file` is what problems and the answer call it. Without a
 * file where one of the problems is an error. Throws nothing that the file could cause.
 */
export async function inspectLora(
  path: string,
  { file = path, family, index }: InspectOptions = {},
): Promise<{ found?: LoraFile; problems: Problem[] }> {
  const { header, problems } = await readSafetensorsHeader(path, { file })
  if (!header) return { problems }
  if (header.tensors.size > tensorsMax) return { problems: [...problems, tooMany(file, header.tensors.size)] }
  const facts = { ...describeLora(header), ...(family && { family, candidates: [family], evidence: 'as it was told' }) }
  if (facts.modules === 0) return { problems: [...problems, notLora(file)] }
  const read = await readRest(path, { header, index }).catch((thrown: unknown) => toFileProblem(thrown, file))
  if ('severity' in read) return { problems: [...problems, read] }
  const { adapter, problems: adapterProblems } = await readAdapter(path, header.metadata)
  problems.push(...adapterProblems)
  if (hasErrors(problems)) return { problems }
  const found = inspect(file, { header, facts, adapter, ...read })
  return {
    found,
    problems: [...problems, ...compare(found.inspection, header.metadata).map(each => ({ ...each, file }))],
  }
}

export interface InspectOptions {
  file?: string
  /** Where the names and shapes leave it open. */
  family?: LoraFamily | undefined
  /** Remembers the hashes of large files. */
  index?: { hashOf(path: string): Promise<WeightsHash> } | undefined
}

const examplesMax = 3
/** Adapters of the largest models have some ten thousand. */
const tensorsMax = 50_000

interface Rest {
  alphas: ReadonlyMap<string, number>
  hash: WeightsHash
}

async function readRest(
  path: string,
  { header, index }: { header: SafetensorsHeader; index: InspectOptions['index'] },
): Promise<Rest> {
  const { handle } = await openRegular(path, { sizeBytesMax: Number.MAX_SAFE_INTEGER })
  try {
    const alphas = await readAlphas(handle, header)
    return { alphas, hash: index ? await index.hashOf(path) : (await hashSafetensors(path)).hash }
  } finally {
    await handle.close()
  }
}

interface Known extends Rest {
  header: SafetensorsHeader
  facts: LoraFacts
  adapter: Adapter | undefined
}

/** Pure. */
function inspect(file: string, { header, facts, adapter, alphas, hash }: Known): LoraFile {
  const modules = collectModules(header.tensors)
  const families = likelyFamilies(facts)
  const reasonByName = new Map<string, UnreadReason>()
  for (const module of modules) {
    const reason = reasonUnread(module, families) ?? (isWhole(module) ? undefined : 'half')
    if (reason) reasonByName.set(module.name, reason)
  }
  const read = modules.filter(({ name }) => !reasonByName.has(name))
  const renaming = planRenaming(header.tensors, { families, adapter })
  const alpha = describeAlpha(modules, { alphas, adapter })
  const inspection: LoraInspection = {
    file,
    verdict: judge({ all: modules.length, read: read.length, isKnown: families.length > 0 }),
    facts: { ...facts, modulesIgnored: modules.length - read.length },
    hash,
    layers: {
      all: modules.length,
      read: read.length,
      textEncoder: read.filter(module => module.isTextEncoder).length,
    },
    unread: listUnread(modules, reasonByName),
    strays: listStrays(header, modules),
    dtypes: countDtypes(header),
    alpha,
    isConvertible: families.length > 0 && (isMendable(modules, reasonByName) || isOff(alpha)),
  }
  return { inspection, header, renaming }
}

const nameReasons: ReadonlySet<UnreadReason> = new Set(['peft-prefix', 'dotted-attention', 'no-prefix'])

/** Whether other names help. */
function isMendable(modules: readonly LoraModule[], reasonByName: ReadonlyMap<string, UnreadReason>): boolean {
  return [...reasonByName.values()].some(reason => nameReasons.has(reason)) || modules.some(hasPeftMagnitude)
}

function judge({ all, read, isKnown }: { all: number; read: number; isKnown: boolean }): LoraInspection['verdict'] {
  if (read === 0) return 'nothing'
  if (!isKnown) return 'unjudged'
  return read === all ? 'loads' : 'partly'
}

function listUnread(
  modules: readonly LoraModule[],
  reasonByName: ReadonlyMap<string, UnreadReason>,
): LoraInspection['unread'] {
  const namesByReason = new Map<UnreadReason, string[]>()
  const add = (reason: UnreadReason, name: string) => {
    const names = namesByReason.get(reason)
    if (names) names.push(name)
    else namesByReason.set(reason, [name])
  }
  for (const [name, reason] of reasonByName) add(reason, name)
  for (const module of modules)
    if (hasPeftMagnitude(module)) add('magnitude-name', `${module.name}.lora_magnitude_vector`)
  return [...namesByReason].map(([reason, names]) => ({
    reason,
    why: unreadSentences[reason],
    layers: names.length,
    examples: names.slice(0, examplesMax).map(shorten),
  }))
}

function hasPeftMagnitude({ suffixes }: LoraModule): boolean {
  return suffixes.includes('.lora_magnitude_vector')
}

function listStrays({ tensors }: SafetensorsHeader, modules: readonly LoraModule[]): LoraInspection['strays'] {
  const known = new Set(modules.map(module => module.name))
  const strays = [...tensors.keys()].filter(name => {
    const { module, suffix } = splitTensorName(name)
    return suffix === undefined || !known.has(module)
  })
  return { tensors: strays.length, examples: strays.slice(0, examplesMax).map(shorten) }
}

function countDtypes({ tensors }: SafetensorsHeader): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const [name, { dtype }] of tensors) if (!name.endsWith('.alpha')) counts[dtype] = (counts[dtype] ?? 0) + 1
  return counts
}

function describeAlpha(
  modules: readonly LoraModule[],
  { alphas, adapter }: { alphas: ReadonlyMap<string, number>; adapter: Adapter | undefined },
): LoraInspection['alpha'] {
  const ranked = modules.filter(module => module.rank !== undefined)
  const values = ranked.flatMap(({ name }) => alphas.get(name) ?? [])
  const factors = ranked.map(({ name, rank = 1 }) => (alphas.get(name) ?? rank) / rank)
  const meant = ranked.map(module => (alphas.get(module.name) ?? meantAlpha(module, adapter) ?? 1) / (module.rank ?? 1))
  return {
    ...(values.length > 0 && { values: spreadOf(values) }),
    missing: ranked.length - values.length,
    ...(factors.length > 0 && { factor: spreadOf(factors) }),
    ...(adapter && meant.length > 0 && { meant: { factor: spreadOf(meant), source: adapter.source } }),
  }
}

/** Whether the layers are read with another strength than they were trained with. */
function isOff({ factor, meant }: LoraInspection['alpha']): boolean {
  return meant !== undefined && JSON.stringify(meant.factor) !== JSON.stringify(factor)
}

const hashOfNothing = 'e3b0c44298fc'

/** Pure: where metadata says one thing and the tensors another, and what has no effect although it is read. */
function compare({ facts, hash, alpha }: LoraInspection, metadata: Readonly<Record<string, string>>): Problem[] {
  const told = (key: string) => metadata[key] ?? ''
  const differs = (key: string, actual: number | undefined) =>
    /^[\d.]+$/.test(told(key)) && actual !== undefined && Number(told(key)) !== actual
      ? [contradiction(key, told(key), String(actual))]
      : []
  const family = facts.metadataFamily
  const open = facts.candidates.length > 0 && family !== undefined && !facts.candidates.includes(family)
  const hashTold = told('sshs_model_hash').toLowerCase()
  const isOther = hashTold !== '' && !hashTold.startsWith(hashOfNothing) && hashTold !== hash.tensorSha256
  return [
    ...(open ? [contradiction('base model', family, facts.candidates.join(' or '))] : []),
    ...differs('ss_network_dim', facts.rank?.usual),
    ...differs('ss_network_alpha', alpha.values?.usual),
    ...(isOther
      ? [contradiction('sshs_model_hash', hashTold.slice(0, 12), hash.tensorSha256?.slice(0, 12) ?? '')]
      : []),
    ...(alpha.factor && (alpha.factor.min === 0 || !Number.isFinite(alpha.factor.min + alpha.factor.max))
      ? [warning('LORA_ALPHA_UNUSABLE', 'an alpha is 0 or no number: its layers have no effect, or spoil the picture')]
      : []),
    ...(isOff(alpha)
      ? [
          {
            ...warning('LORA_ALPHA_UNREAD', `the alpha of ${alpha.meant?.source} is not read by ComfyUI`),
            found: `factor ${alpha.factor?.usual}`,
            allowed: `factor ${alpha.meant?.factor.usual}, as it was trained`,
          },
        ]
      : []),
  ]
}

function contradiction(what: string, found: string, allowed: string): Problem {
  return { ...warning('LORA_METADATA_CONTRADICTS', `metadata says another ${what} than the tensors`), found, allowed }
}

function warning(code: string, message: string): Problem {
  return { severity: 'warning', code, message }
}

function tooMany(file: string, found: number): Problem {
  const message = 'holds more tensors than any LoRA'
  return {
    ...warning('LORA_TENSORS_TOO_MANY', message),
    severity: 'error',
    file,
    found: `${found}`,
    allowed: `${tensorsMax}`,
  }
}

function notLora(file: string): Problem {
  return { severity: 'error', code: 'LORA_MISSING', message: 'holds no LoRA: no tensor is named like one', file }
}

const shownMax = 160

function shorten(name: string): string {
  return name.length > shownMax ? `${name.slice(0, shownMax)}…` : name
}
