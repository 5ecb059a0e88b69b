import type { LoraModule } from './lora-modules.js'

/** The base models that kits are told apart by; `other` is a known model that is none of these. */
export type LoraFamily = 'sd15' | 'sd2' | 'sdxl' | 'sd3' | 'flux' | 'other' | 'unknown'

export interface FamilyFinding {
  family: LoraFamily
  /** What it was told by, for people. */
  evidence: string
  /** The families that the evidence leaves open: one where `family` is certain, none where nothing is known. */
  candidates: readonly LoraFamily[]
}

/** The family by names and shapes of the tensors, which cannot lie about what they fit. The first rule that answers decides. */
export function findFamily(modules: readonly LoraModule[]): FamilyFinding {
  const encoder = modules.filter(module => module.isTextEncoder)
  const model = modules.filter(module => !module.isTextEncoder)
  if (model.length === 0) return findByTextEncoder(encoder)
  return (
    findOther(model) ??
    findFlux(model) ??
    findSd3(model) ??
    findByCrossAttention(model) ??
    findByGeography(model) ??
    findByEncoderNames(model, encoder) ??
    nothingFound
  )
}

/** The family that trainers wrote down; undefined where they wrote nothing that is known. */
export function findFamilyInMetadata(metadata: Readonly<Record<string, string>>): LoraFamily | undefined {
  const architecture = metadata['modelspec.architecture'] ?? ''
  const version = metadata['ss_base_model_version'] ?? ''
  const named = [architecture, version].map(text => text.toLowerCase()).filter(text => text !== '' && text !== 'none')
  for (const name of named) {
    const [family] = metadataNames.find(([, pattern]) => pattern.test(name)) ?? []
    if (family) return family
  }
  if (metadata['ss_v2']?.toLowerCase() === 'true') return 'sd2'
  return named.length > 0 ? 'other' : undefined
}

const metadataNames: readonly (readonly [LoraFamily, RegExp])[] = [
  ['flux', /^flux[._-]?1/],
  ['sdxl', /^(?:sdxl|stable-diffusion-xl)/],
  ['sd3', /^(?:sd_?3|stable-diffusion-v?3)/],
  ['sd2', /^(?:sd_v?2|stable-diffusion-v2)/],
  ['sd15', /^(?:sd_v?1|stable-diffusion-v1)/],
]

const nothingFound: FamilyFinding = { family: 'unknown', evidence: 'no name or shape tells', candidates: [] }

function certain(family: LoraFamily, evidence: string): FamilyFinding {
  return { family, evidence, candidates: [family] }
}

function open(candidates: readonly LoraFamily[], evidence: string): FamilyFinding {
  return { family: 'unknown', evidence, candidates }
}

function findOther(modules: readonly LoraModule[]): FamilyFinding | undefined {
  for (const [name, pattern] of otherPlaces) {
    const found = modules.find(module => pattern.test(module.place) || pattern.test(module.name))
    if (found) return certain('other', `${name}: ${found.place}`)
  }
  return undefined
}

const otherPlaces: readonly (readonly [string, RegExp])[] = [
  ['Stable Cascade', /^lora_prior_unet_/],
  ['Hunyuan Video', /^double_blocks_\d+_(?:img|txt)_mod_linear/],
  ['Chroma', /^distilled_guidance_layer/],
  ['Qwen-Image', /^transformer_blocks_\d+_img_mlp_/],
  ['Z-Image', /^(?:layers_\d+_(?:adaLN_modulation|feed_forward|attention)|context_refiner_|noise_refiner_)/],
  ['Wan', /^blocks_\d+_(?:cross_attn|self_attn)_/],
]

/** Flux.1 and Flux.2 share their names: size and number of blocks tell them apart. */
function findFlux(modules: readonly LoraModule[]): FamilyFinding | undefined {
  const blocks = modules.filter(module => fluxPlace.test(module.place))
  const [first] = blocks
  if (!first) return undefined
  const second = blocks.map(flux2Evidence).find(evidence => evidence !== undefined)
  return second === undefined ? certain('flux', `Flux.1: ${first.place}`) : certain('other', `Flux.2: ${second}`)
}

const fluxPlace = /^(?:double_blocks_\d+_|single_blocks_\d+_|single_transformer_blocks_\d+_(?:attn_to_k|proj_out))/
const flux1Hidden = 3072
const flux1LastDouble = 18
const flux1LastSingle = 37
const flux2MlpOutput = 18432

function flux2Evidence({ place, inputSize, outputSize }: LoraModule): string | undefined {
  const [, kind, index] = /^(double_blocks|single_blocks|single_transformer_blocks)_(\d+)_/.exec(place) ?? []
  if (Number(index) > (kind === 'double_blocks' ? flux1LastDouble : flux1LastSingle)) return place
  const isHiddenInput = /_attn_qkv$|_attn_to_k$|_attn_proj$|_linear1$/.test(place)
  if (isHiddenInput && inputSize !== undefined && inputSize !== flux1Hidden) return `hidden size ${inputSize}`
  return /_mlp_0$/.test(place) && outputSize === flux2MlpOutput ? `feed-forward size ${outputSize}` : undefined
}

function findSd3(modules: readonly LoraModule[]): FamilyFinding | undefined {
  const joint = modules.find(module => module.place.startsWith('joint_blocks_'))
  if (joint) return certain('sd3', joint.place)
  // Flux names its double blocks the same way in this layout; its hidden size is 3072.
  const attention = modules.find(
    ({ place, inputSize = 0 }) => /^transformer_blocks_\d+_attn_to_[qkv]$/.test(place) && sd3Hidden.has(inputSize),
  )
  return attention && certain('sd3', `hidden size ${attention.inputSize}`)
}

const sd3Hidden: ReadonlySet<number> = new Set([1536, 2432])

/** What the text encoders give to the UNet has its own size in each family. */
function findByCrossAttention(modules: readonly LoraModule[]): FamilyFinding | undefined {
  const sizes = new Set(
    modules.flatMap(({ place, inputSize }) => (/_attn2_to_[kv]$/.test(place) ? (inputSize ?? []) : [])),
  )
  const [size, ...more] = sizes
  if (size === undefined) return undefined
  if (more.length > 0) return open([], `cross-attention inputs of several models: ${[...sizes].join(', ')}`)
  const family = familyByCrossAttention.get(size)
  return family ? certain(family, `cross-attention input ${size}`) : open(['other'], `cross-attention input ${size}`)
}

const familyByCrossAttention: ReadonlyMap<number, LoraFamily> = new Map([
  [768, 'sd15'],
  [1024, 'sd2'],
  [2048, 'sdxl'],
])

/** SDXL has more transformers, and in other blocks of the UNet, than its elders. */
function findByGeography(modules: readonly LoraModule[]): FamilyFinding | undefined {
  const sdxl = modules.find(module => onlyInSdxl.test(module.place))
  if (sdxl) return certain('sdxl', sdxl.place)
  const elder = modules.find(module => notInSdxl.test(module.place))
  return elder && open(['sd15', 'sd2'], elder.place)
}

const onlyInSdxl =
  /^(?:(?:down|up|mid|input|output|middle)_block.*_transformer_blocks_(?:[2-9]|\d\d)_|up_blocks_0_attentions_|output_blocks_[012]_1_transformer_)/
const notInSdxl =
  /^(?:down_blocks_0_attentions_|up_blocks_[23]_attentions_|input_blocks_[12]_1_|output_blocks_(?:[6-9]|1[01])_1_transformer_)/

function findByEncoderNames(modules: readonly LoraModule[], encoder: readonly LoraModule[]): FamilyFinding | undefined {
  const isUnet = modules.some(module => /^(?:down|up|input|output)_blocks_|^(?:mid|middle)_block_/.test(module.place))
  if (!isUnet) return undefined
  const second = encoder.find(({ name }) => /^(?:lora_te[12]_|text_encoder_2\.)/.test(name))
  return second ? certain('sdxl', second.name) : open(['sd15', 'sd2', 'sdxl'], 'UNet blocks that several models have')
}

/** A file for text encoders alone says which encoder it is for, and several models may share that one. */
function findByTextEncoder(modules: readonly LoraModule[]): FamilyFinding {
  const attention = modules.find(({ place }) => /self_attn_[qkv]_proj$|SelfAttention_[qkv]$/.test(place))
  const size = attention?.inputSize
  const candidates = size === undefined ? undefined : familiesByEncoderSize.get(size)
  if (candidates === undefined) return nothingFound
  const [only, ...more] = candidates
  const evidence = `text encoder of size ${size} only`
  return only !== undefined && more.length === 0 ? certain(only, evidence) : open(candidates, evidence)
}

const familiesByEncoderSize: ReadonlyMap<number, readonly LoraFamily[]> = new Map<number, readonly LoraFamily[]>([
  [768, ['sd15', 'sdxl', 'sd3', 'flux']],
  [1024, ['sd2']],
  [1280, ['sdxl', 'sd3']],
  [4096, ['flux', 'sd3', 'other']],
])
