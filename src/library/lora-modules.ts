import type { SafetensorsTensor } from './safetensors-header.js'

/** How the tensors of a LoRA are named, or which other kind of adapter stands in its place. */
export type LoraLayout =
  'kohya' | 'peft' | 'diffusers' | 'loha' | 'lokr' | 'glora' | 'oft' | 'difference' | 'mixed' | 'unknown'

/** The tensors of one layer of the model, taken together. Sizes are absent where the kind of adapter has none. */
export interface LoraModule {
  /** As it stands in the file, without the suffix. */
  name: string
  /** Where in the model, prefixes dropped and dots unified to underscores: `down_blocks_1_attentions_0_…`. */
  place: string
  layout: LoraLayout
  isTextEncoder: boolean
  /** The endings of its tensors, with what stands before them: `.lora_up.weight`. */
  suffixes: readonly string[]
  rank?: number
  inputSize?: number
  outputSize?: number
}

/** The modules of a file by the names and shapes of its tensors. Tensors that belong to no adapter are left out. */
export function collectModules(tensors: ReadonlyMap<string, SafetensorsTensor>): LoraModule[] {
  const partsByModule = new Map<string, Parts>()
  for (const [name, { shape }] of tensors) {
    const { module, suffix } = splitTensorName(name)
    if (suffix === undefined) continue
    const parts = partsByModule.get(module) ?? new Map<string, readonly number[]>()
    partsByModule.set(module, parts.set(suffix, shape))
  }
  return [...partsByModule].map(([name, parts]) => toModule(name, parts)).filter(each => each.layout !== 'unknown')
}

/** The module of a tensor and what the tensor is to it; no suffix where the tensor belongs to no adapter. */
export function splitTensorName(name: string): { module: string; suffix?: string } {
  const suffix = suffixes.find(each => name.endsWith(each))
  return suffix === undefined ? { module: name } : { module: name.slice(0, -suffix.length), suffix }
}

type Parts = Map<string, readonly number[]>

const layoutBySuffix: Readonly<Record<string, LoraLayout | undefined>> = {
  '.lora_down.weight': 'kohya',
  '.lora_up.weight': 'kohya',
  '.lora_mid.weight': 'kohya',
  '.lora_A.weight': 'peft',
  '.lora_B.weight': 'peft',
  '.lora_A.default.weight': 'peft',
  '.lora_B.default.weight': 'peft',
  '.lora_A': 'peft',
  '.lora_B': 'peft',
  '.lora_magnitude_vector': 'peft',
  '.lora_linear_layer.down.weight': 'diffusers',
  '.lora_linear_layer.up.weight': 'diffusers',
  '.lora.down.weight': 'diffusers',
  '.lora.up.weight': 'diffusers',
  '_lora.down.weight': 'diffusers',
  '_lora.up.weight': 'diffusers',
  '.hada_w1_a': 'loha',
  '.hada_w1_b': 'loha',
  '.hada_w2_a': 'loha',
  '.hada_w2_b': 'loha',
  '.hada_t1': 'loha',
  '.hada_t2': 'loha',
  '.lokr_w1': 'lokr',
  '.lokr_w1_a': 'lokr',
  '.lokr_w1_b': 'lokr',
  '.lokr_w2': 'lokr',
  '.lokr_w2_a': 'lokr',
  '.lokr_w2_b': 'lokr',
  '.lokr_t2': 'lokr',
  '.a1.weight': 'glora',
  '.a2.weight': 'glora',
  '.b1.weight': 'glora',
  '.b2.weight': 'glora',
  '.oft_blocks': 'oft',
  '.diff': 'difference',
  '.diff_b': 'difference',
  '.w_norm': 'difference',
  '.b_norm': 'difference',
  '.set_weight': 'difference',
  '.alpha': undefined,
  '.dora_scale': undefined,
  '.rescale': undefined,
  '.reshape_weight': undefined,
}

const suffixes = Object.keys(layoutBySuffix)

function toModule(name: string, parts: Parts): LoraModule {
  const layouts = new Set([...parts.keys()].flatMap(suffix => layoutBySuffix[suffix] ?? []))
  return {
    name,
    place: toPlace(name),
    layout: soleLayout(layouts),
    isTextEncoder: textEncoderName.test(name),
    suffixes: [...parts.keys()],
    ...sizesOf(parts),
  }
}

/** The only one of several layouts. */
export function soleLayout(layouts: ReadonlySet<LoraLayout>): LoraLayout {
  const [first = 'unknown'] = layouts
  return layouts.size > 1 ? 'mixed' : first
}

const textEncoderName =
  /^(?:lora_te[123]?_|lora_prior_te_|text_encoder(?:_[23])?\.|text_encoders\.|(?:base_model\.model\.)?text_model\.)/

// Dots count here: `transformer.` is a prefix, `transformer_blocks` is a place.
const prefix =
  /^(?:model\.diffusion_model\.|diffusion_model\.|transformer\.|base_model\.model\.|unet\.|lora_unet_|lora_transformer_|lycoris_)_?/

function toPlace(name: string): string {
  let place = name
  while (prefix.test(place)) place = place.replace(prefix, '')
  return place.replaceAll('.', '_').replace('_processor_', '_')
}

type Sizes = Pick<LoraModule, 'rank' | 'inputSize' | 'outputSize'>

function sizesOf(parts: Parts): Sizes {
  const down = firstOf(parts, downSuffixes)
  const up = firstOf(parts, upSuffixes)
  const [rank, inputSize] = parts.has('.lokr_w1') || parts.has('.lokr_w1_b') ? lokrSizes(parts) : (down ?? [up?.[1]])
  return given({ rank, inputSize, outputSize: up?.[0] })
}

export const downSuffixes: readonly string[] = [
  '.lora_down.weight',
  '.lora_A.weight',
  '.lora_A.default.weight',
  '.lora_A',
  '.lora_linear_layer.down.weight',
  '.lora.down.weight',
  '_lora.down.weight',
  '.hada_w1_b',
]

export const upSuffixes: readonly string[] = [
  '.lora_up.weight',
  '.lora_B.weight',
  '.lora_B.default.weight',
  '.lora_B',
  '.lora_linear_layer.up.weight',
  '.lora.up.weight',
  '_lora.up.weight',
  '.hada_w1_a',
]

/** A Kronecker product: its input is the product of both factors' inputs. Without a decomposed factor it has no rank. */
function lokrSizes(parts: Parts): [number | undefined, number | undefined] {
  const first = firstOf(parts, ['.lokr_w1', '.lokr_w1_b'])
  const second = firstOf(parts, ['.lokr_w2', '.lokr_w2_b'])
  const rank = firstOf(parts, ['.lokr_w1_b', '.lokr_w2_b'])?.[0]
  return [rank, first?.[1] === undefined || second?.[1] === undefined ? undefined : first[1] * second[1]]
}

function firstOf(parts: Parts, wanted: readonly string[]): readonly number[] | undefined {
  const suffix = wanted.find(each => parts.has(each))
  return suffix === undefined ? undefined : parts.get(suffix)
}

function given(sizes: { [Key in keyof Sizes]-?: number | undefined }): Sizes {
  return Object.fromEntries(Object.entries(sizes).filter(([, size]) => size !== undefined))
}
