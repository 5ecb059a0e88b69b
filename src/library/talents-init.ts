import { lstat, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { failure, hasErrors, type Problem, reasonOf } from '../errors.js'
import { copyDurable, makeFolder, replaceFile, syncFolder, temporaryName } from '../files/durable.js'
import type { AdapterConfig } from '../schema/adapter-config.js'
import { familyBySdxVersion, type PromptsFile, type TalentFile, talentSchema } from '../schema/talent.js'
import { families, type Family } from '../schema/template.js'
import { adapterFileName, readAdapter } from './lora-adapter.js'
import { inspectLora, type LoraInspection } from './lora-inspection.js'
import { readTrainingWords, type TrainingWords } from './lora-words.js'
import { roleOf } from './talents-checks.js'
import { readTalent } from './talents-kit.js'

export interface InitOptions {
  /** The weights, which are copied. */
  from: string
  /** The folder of the new kit, which bears its id. */
  folder: string
  /** What the file does not tell, or tells wrongly. */
  token?: string | undefined
  license?: string | undefined
  family?: Family | undefined
  baseModel?: string | undefined
  rank?: number | undefined
  defaultWeight?: number | undefined
  /** Whether words may come from the tags of the training pictures. */
  areTagsTaken: boolean
}

export interface NewKit {
  folder: string
  file: TalentFile
  prompts: PromptsFile
  /** Where facts come from that nobody told, as sentences. */
  taken: string[]
  inspection: LoraInspection
  /** Warnings of the new kit. */
  problems: Problem[]
}

/**
 * Makes a kit that can be used from a file of weights: whole, or not at all. Throws USAGE_INVALID for an id that is none, for a
 * folder that is there, and with everything that must be told; WEIGHTS_INVALID, FILE_WRITE_FAILED.
 */
export async function initTalent(id: string, options: InitOptions): Promise<NewKit> {
  const { from, folder } = options
  checkId(id)
  await checkFree(folder, id)
  const { found, problems } = await inspectLora(from)
  if (!found) throw failure('WEIGHTS_INVALID', { file: from, problems })
  const { adapter } = await readAdapter(from, found.header.metadata)
  const config = adapter?.byPart.get('')
  const words = readTrainingWords(found.header.metadata)
  const kit = describeKit(id, { options, words, config, inspection: found.inspection })
  const staging = join(dirname(folder), temporaryName())
  try {
    const staged = join(staging, id)
    await makeFolder(staged)
    await fill(staged, { from, kit, ...(adapter?.source === adapterFileName && config && { config }) })
    const read = await readTalent(staged, { root: staging })
    if (hasErrors(read.problems)) throw failure('WEIGHTS_INVALID', { file: folder, problems: read.problems })
    await publish(staged, folder)
    return { ...kit, folder, inspection: found.inspection, problems: read.problems }
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

function checkId(id: string): void {
  if (new RegExp(talentSchema.properties.id.pattern).test(id) && id.length <= talentSchema.properties.id.maxLength)
    return
  const { description } = talentSchema.properties.id
  throw failure('USAGE_INVALID', { problem: `"${id}" is no id of a talent`, next: `write ${description}` })
}

async function checkFree(folder: string, id: string): Promise<void> {
  if (basename(folder) !== id)
    throw failure('USAGE_INVALID', {
      problem: `The folder of a kit bears its id, and ${folder} does not`,
      next: `write --to ${join(folder, id)}`,
    })
  const there = await lstat(folder).catch(() => undefined)
  if (there)
    throw failure('USAGE_INVALID', {
      problem: `${folder} is there already`,
      next: 'choose another id, or move it away',
    })
}

interface Known {
  options: InitOptions
  words: TrainingWords
  config: AdapterConfig | undefined
  inspection: LoraInspection
}

type Described = Pick<NewKit, 'file' | 'prompts' | 'taken'>

/** Pure. Throws USAGE_INVALID with everything that neither the file nor the options tell. */
function describeKit(id: string, { options, words, config, inspection }: Known): Described {
  const { facts, hash } = inspection
  const isIdentity = roleOf(id) === 'identity'
  const family = options.family ?? facts.family
  const rank = options.rank ?? facts.rank?.usual
  const token = options.token ?? tokenOf(words, isIdentity)
  const version = versions.find(each => familyBySdxVersion[each] === family)
  const baseModel = chooseBaseModel({ options, config, version })
  const lacks = [
    version === undefined && lackOfFamily(facts),
    version !== undefined && baseModel === undefined && lackOfBaseModel,
    rank === undefined && 'it has no rank: add --rank N',
    rank !== undefined &&
      rank > rankMax &&
      `its rank ${rank} is more than the ${rankMax} that a kit may have: resize it`,
    isIdentity && token === undefined && lackOfToken(words, options.areTagsTaken),
  ].filter(each => each !== false)
  if (version === undefined || rank === undefined || baseModel === undefined || lacks.length > 0)
    throw failure('USAGE_INVALID', { problem: `${id} cannot be made of ${options.from} yet`, next: lacks.join('; ') })
  const taken = baseModel.origin === undefined ? [] : [baseModel.origin]
  const license = options.license ?? words.license
  if (options.license === undefined && license !== undefined) taken.push(`license "${license}" from modelspec.license`)
  if (token !== undefined && options.token === undefined) taken.push(`token "${token}" from modelspec.trigger_phrase`)
  const file: TalentFile = {
    id,
    category: 'Presence/Avatar',
    kind: 'lora',
    sdx_version: version,
    base_model: baseModel.id,
    ...(token !== undefined && { token }),
    lora_rank: rank,
    default_weight: options.defaultWeight ?? (isIdentity ? 1 : styleWeight),
    size_mb: Math.max(sizeMbMin, Math.round((hash.sizeBytes / 2 ** 20) * 100) / 100),
    ...(words.trainedAt !== undefined && { created_at: words.trainedAt }),
    ...(license !== undefined && { metadata: { license } }),
  }
  return {
    file,
    prompts: choosePrompts({ token, words, isIdentity, areTagsTaken: options.areTagsTaken }, taken),
    taken,
  }
}

const rankMax = talentSchema.properties.lora_rank.maximum
const sizeMbMin = talentSchema.properties.size_mb.minimum
/** Styles are mixed, and two at full strength fight. */
const styleWeight = 0.8
const tagsInPhrase = 3

const versions = talentSchema.properties.sdx_version.enum

/** The usual one of a family. SD3 has none: its medium and large models take no LoRAs of each other. */
const baseModels: Readonly<Partial<Record<TalentFile['sdx_version'], string>>> = {
  '1.5': 'runwayml/stable-diffusion-v1-5',
  xl: 'stabilityai/stable-diffusion-xl-base-1.0',
  flux: 'black-forest-labs/FLUX.1-dev',
}
const lackOfBaseModel =
  'SD3 comes in several sizes: add --base-model ID, e.g. stabilityai/stable-diffusion-3.5-medium or stabilityai/stable-diffusion-3.5-large'

function lackOfFamily({ family, candidates, evidence }: LoraInspection['facts']): string {
  if (family !== 'unknown') return `it is for ${family} (${evidence}), and kits are for ${listed}`
  return `its base model is not certain (${candidates.join(' or ') || evidence}): add --family with one of ${listed}`
}

const listed = families.join(', ')

function lackOfToken({ tags }: TrainingWords, areTagsTaken: boolean): string {
  const frequent = areTagsTaken && tags.length > 0 ? ` (its most frequent tags are ${tags.join(', ')})` : ''
  return `an identity needs the word that calls it, which the file does not name: add --token WORD${frequent}`
}

const tokenForm = new RegExp(talentSchema.properties.token.pattern)

/** A style is called by its phrase; its token would only stand in the way of it. */
function tokenOf({ trigger }: TrainingWords, isIdentity: boolean): string | undefined {
  const isToken =
    trigger !== undefined && tokenForm.test(trigger) && trigger.length <= talentSchema.properties.token.maxLength
  return isIdentity && isToken ? trigger : undefined
}

/** A hub id; never the path of a file, which is nobody else's business. */
const hubId = /^[\w-][\w.-]{0,95}\/[\w-][\w.-]{0,95}$/

/** As it was told, else as the adapter says, else the usual one; `origin` is a sentence about what nobody told. */
function chooseBaseModel({
  options,
  config,
  version,
}: Pick<Known, 'options' | 'config'> & { version: TalentFile['sdx_version'] | undefined }):
  { id: string; origin?: string } | undefined {
  if (options.baseModel !== undefined) return { id: options.baseModel }
  const told = config?.base_model_name_or_path ?? ''
  if (hubId.test(told)) return { id: told, origin: `base model ${told} from ${adapterFileName}` }
  const usual = version && baseModels[version]
  return usual === undefined
    ? undefined
    : { id: usual, origin: `base model ${usual}, the usual one: say another with --base-model` }
}

function choosePrompts(
  {
    token,
    words,
    isIdentity,
    areTagsTaken,
  }: { token: string | undefined; words: TrainingWords; isIdentity: boolean; areTagsTaken: boolean },
  taken: string[],
): PromptsFile {
  const { trigger, tags } = words
  const none = { positive_prompts: [], negative_prompts: [], style_prompts: [] }
  if (isIdentity) return { ...none, positive_prompts: [`a ${token}`] }
  if (trigger !== undefined) {
    taken.push(`words "${trigger}" from modelspec.trigger_phrase`)
    return { ...none, style_prompts: [trigger] }
  }
  const phrase = tags.slice(0, tagsInPhrase).join(', ')
  if (phrase === '' || !areTagsTaken) return token === undefined ? none : { ...none, style_prompts: [token] }
  taken.push(
    `words "${phrase}" from ss_tag_frequency: tags of training pictures may be private, so look at prompts.json`,
  )
  return { ...none, style_prompts: [token === undefined ? phrase : `${token}, ${phrase}`] }
}

async function fill(
  folder: string,
  { from, kit, config }: { from: string; kit: Described; config?: AdapterConfig },
): Promise<void> {
  const { file, prompts } = kit
  const write = (name: string, text: string) => replaceFile(join(folder, name), text)
  await copyDurable(from, join(folder, 'weights.safetensors'))
  await write('talent.json', toText(file))
  await write('prompts.json', toText(prompts))
  const facts = [`Base model: ${file.base_model}`, `SDX version: ${file.sdx_version}`, `LoRA rank: ${file.lora_rank}`]
  await write('base.txt', `${facts.join('\n')}\n`)
  await write('LICENSE.txt', `${file.metadata?.license ?? noLicense}\n`)
  // How strong it was trained stands in there alone; where its owner keeps files does not belong into a kit.
  if (config) await write(adapterFileName, toText(strengthOf(config)))
}

function strengthOf({ r, lora_alpha, alpha_pattern, use_rslora }: AdapterConfig): AdapterConfig {
  const fields = Object.entries({ r, lora_alpha, alpha_pattern, use_rslora }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(fields)
}

const noLicense =
  'No licence was told when this kit was made. Until its owner names one here and in talent.json, others may not use it.'

function toText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

async function publish(staged: string, folder: string): Promise<void> {
  try {
    await rename(staged, folder)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? reasonOf(error)
    throw failure('FILE_WRITE_FAILED', { file: folder, reason }, error)
  }
  await syncFolder(dirname(folder))
}
