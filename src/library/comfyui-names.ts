import type { LoraFamily } from './lora-family.js'
import { downSuffixes, type LoraModule, upSuffixes } from './lora-modules.js'
import { hasClipLayer, hasUnetLayer, type UnetFamily, unetFamilies } from './unet-layers.js'

// What ComfyUI does with the names in a LoRA: its loader knows a list of names for each model, and passes over all others
// with a line in its log. Rules as of its comfy/lora.py.

/** Why a layer, or a part of it, has no effect. */
export type UnreadReason =
  'peft-prefix' | 'dotted-attention' | 'no-prefix' | 'no-such-layer' | 'unknown-name' | 'half' | 'magnitude-name'

/** Each as a sentence that goes on from "ComfyUI passes over it: ". */
export const unreadSentences: Readonly<Record<UnreadReason, string>> = {
  'peft-prefix': 'PEFT’s own prefix base_model.model. is not among the names that it knows for this model',
  'dotted-attention': 'it knows the attention of a UNet by dotted names only in the older form of diffusers',
  'no-prefix': 'the name lacks the prefix that says which model it is of',
  'no-such-layer': 'the model has no such layer',
  'unknown-name': 'no naming that it knows begins so',
  half: 'a tensor of the layer is missing',
  'magnitude-name': 'PEFT’s name of the magnitude of DoRA is not one that it knows; the rest of the layer is read',
}

/**
 * Why ComfyUI passes over a layer of a file for one of these families; undefined where it reads it, or where nobody can say
 * because the family is not one whose names are known.
 */
export function reasonUnread(module: LoraModule, families: readonly LoraFamily[]): UnreadReason | undefined {
  const reasons = families.map(family => reasonByName(module, family))
  // As long as one family remains for which it is read, it is not said to be lost.
  return reasons.includes(undefined) ? undefined : reasons[0]
}

/** Whether the names of these families are known, so that `reasonUnread` means something. */
export function areNamesKnown(families: readonly LoraFamily[]): boolean {
  return families.length > 0 && families.every(family => unetFamilies.has(family) || family in transformers)
}

/** Whether all tensors are there without which a layer is not read. */
export function isWhole({ suffixes, layout }: LoraModule): boolean {
  const has = (...wanted: string[]) => wanted.every(each => suffixes.includes(each))
  switch (layout) {
    case 'kohya':
    case 'peft':
    case 'diffusers':
      return downSuffixes.some(each => has(each)) && upSuffixes.some(each => has(each))
    case 'loha':
      return has('.hada_w1_a', '.hada_w1_b', '.hada_w2_a', '.hada_w2_b')
    case 'lokr':
      return [1, 2].every(each => has(`.lokr_w${each}`) || has(`.lokr_w${each}_a`, `.lokr_w${each}_b`))
    case 'glora':
      return has('.a1.weight', '.a2.weight', '.b1.weight', '.b2.weight')
    default:
      return true
  }
}

function reasonByName(module: LoraModule, family: LoraFamily): UnreadReason | undefined {
  if (module.name.startsWith('base_model.model.') && family !== 'sd3')
    return areNamesKnown([family]) ? 'peft-prefix' : undefined
  if (isUnet(family)) return module.isTextEncoder ? encoderReason(module.name, family) : unetReason(module, family)
  const naming = transformers[family]
  return naming && !module.isTextEncoder ? transformerReason(module, naming) : undefined
}

function isUnet(family: LoraFamily): family is UnetFamily {
  return unetFamilies.has(family)
}

function unetReason({ name, place }: LoraModule, family: UnetFamily): UnreadReason | undefined {
  const isOlder = name.includes('.processor.')
  if (/^(?:lora_unet_|lycoris_|diffusion_model\.)/.test(name))
    return hasUnetLayer(place, family) ? undefined : 'no-such-layer'
  if (!/^(?:unet\.)?(?:down_blocks|up_blocks|mid_block|conv_in|conv_out|time_embedding)\b/.test(name))
    return 'unknown-name'
  if (!isOlder && /\.to_(?:q|k|v|out)\b/.test(name)) return 'dotted-attention'
  const full = isOlder && place.endsWith('_to_out') ? `${place}_0` : place
  return hasUnetLayer(full, family) ? undefined : 'no-such-layer'
}

const firstEncoder = /^(?:lora_te1?_|text_encoder\.)/
const secondEncoder = /^(?:lora_te2_|text_encoder_2\.)/
const clipLayers: Readonly<Record<UnetFamily, number>> = { sd15: 12, sd2: 24, sdxl: 12 }
const secondClipLayers = 32

function encoderReason(name: string, family: UnetFamily): UnreadReason | undefined {
  if (name.startsWith('text_encoders.')) return undefined
  const isSecond = secondEncoder.test(name)
  if (!isSecond && !firstEncoder.test(name)) return name.startsWith('text_model.') ? 'no-prefix' : 'unknown-name'
  if (isSecond && family !== 'sdxl') return 'no-such-layer'
  const place = name.replace(isSecond ? secondEncoder : firstEncoder, '').replaceAll('.', '_')
  return hasClipLayer(place, isSecond ? secondClipLayers : clipLayers[family]) ? undefined : 'no-such-layer'
}

/** Names of the parts of a transformer model, in its original code and in diffusers. */
interface Naming {
  original: RegExp
  diffusers: RegExp
}

const transformers: Readonly<Partial<Record<LoraFamily, Naming>>> = {
  flux: {
    original: /^(?:double_blocks|single_blocks|img_in|txt_in|vector_in|time_in|guidance_in|final_layer)(?:_|$)/,
    diffusers:
      /^(?:transformer_blocks|single_transformer_blocks|x_embedder|context_embedder|time_text_embed|norm_out|proj_out)(?:_|$)/,
  },
  sd3: {
    original: /^(?:joint_blocks|x_embedder|context_embedder|t_embedder|y_embedder|final_layer|pos_embed)(?:_|$)/,
    diffusers: /^(?:transformer_blocks|pos_embed|context_embedder|time_text_embed|norm_out|proj_out)(?:_|$)/,
  },
}

function transformerReason({ name, place }: LoraModule, { original, diffusers }: Naming): UnreadReason | undefined {
  if (/^(?:lora_unet_|diffusion_model\.)/.test(name)) return original.test(place) ? undefined : 'no-such-layer'
  if (/^(?:transformer\.|lycoris_|lora_transformer_|base_model\.model\.)/.test(name))
    return diffusers.test(place) ? undefined : 'no-such-layer'
  return diffusers.test(place) || original.test(place) ? 'no-prefix' : 'unknown-name'
}
