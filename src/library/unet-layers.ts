/** The families whose model is a UNet; the names of its layers are known one by one. */
export type UnetFamily = 'sd15' | 'sd2' | 'sdxl'

export const unetFamilies: ReadonlySet<string> = new Set<UnetFamily>(['sd15', 'sd2', 'sdxl'])

/** How many transformers the attention of each block holds; 0 where a block has no attention. */
interface Geography {
  down: readonly number[]
  middle: number
  up: readonly number[]
}

const elder: Geography = { down: [1, 1, 1, 0], middle: 1, up: [0, 1, 1, 1] }
const geographies: Readonly<Record<UnetFamily, Geography>> = {
  sd15: elder,
  sd2: elder,
  sdxl: { down: [0, 2, 10], middle: 10, up: [10, 2, 0] },
}

/**
 * Whether the UNet of a family has a layer, by its place with underscores, as diffusers names it (`down_blocks_1_…`) or as
 * the original code does (`input_blocks_4_1_…`).
 */
export function hasUnetLayer(place: string, family: UnetFamily): boolean {
  const named = toDiffusers(place)
  if (edges.test(named)) return true
  if (/^(?:add|class)_embedding_linear_[12]$/.test(named)) return family === 'sdxl'
  const { down, middle, up } = geographies[family]
  const [, kind = '', block = '', sort, at = '', part = ''] =
    /^(down|up|mid)_block(?:s_(\d+))?_(attentions|resnets|downsamplers|upsamplers)_(\d+)_(.+)$/.exec(named) ?? []
  const depths = kind === 'mid' ? [middle] : kind === 'down' ? down : up
  const depth = depths[Number(block)]
  if (kind === '' || depth === undefined) return false
  switch (sort) {
    case 'attentions':
      return Number(at) < (attentionsPer[kind] ?? 0) && hasAttentionPart(part, depth)
    case 'resnets':
      return Number(at) < (resnetsPer[kind] ?? 0) && resnetParts.test(part)
    default:
      return sort === `${kind}samplers` && at === '0' && part === 'conv' && Number(block) < depths.length - 1
  }
}

/** The text encoders of CLIP by their layers: those of ViT-L, ViT-H and bigG, and what they project to. */
export function hasClipLayer(place: string, layersMax: number): boolean {
  const [, layer] =
    /^text_model_encoder_layers_(\d+)_(?:self_attn_(?:[qkv]|out)_proj|mlp_fc[12]|layer_norm[12])$/.exec(place) ?? []
  return layer !== undefined ? Number(layer) < layersMax : place === 'text_projection'
}

const attentionsPer: Readonly<Record<string, number>> = { down: 2, mid: 1, up: 3 }
const resnetsPer: Readonly<Record<string, number>> = { down: 2, mid: 2, up: 3 }
const resnetParts = /^(?:conv[12]|norm[12]|time_emb_proj|conv_shortcut)$/
const edges = /^(?:conv_in|conv_out|conv_norm_out|time_embedding_linear_[12])$/

function hasAttentionPart(part: string, depth: number): boolean {
  if (depth === 0) return false
  const [, index] =
    /^transformer_blocks_(\d+)_(?:norm[123]|attn[12]_to_(?:q|k|v|out_0)|ff_net_(?:0_proj|2))$/.exec(part) ?? []
  return index === undefined ? /^(?:norm|proj_in|proj_out)$/.test(part) : Number(index) < depth
}

/** The original code counts blocks through, three to each block of diffusers. */
function toDiffusers(place: string): string {
  const [, side, number = '', inner, part = ''] = /^(input|output)_blocks_(\d+)_(\d)_(.+)$/.exec(place) ?? []
  const [, middle, middlePart = ''] = /^middle_block_([012])_(.+)$/.exec(place) ?? []
  if (middle === '1') return `mid_block_attentions_0_${middlePart}`
  if (middle !== undefined) return `mid_block_resnets_${Number(middle) / 2}_${resnetPart(middlePart)}`
  if (side === undefined) return originalEdges[place] ?? place
  const at = Number(number) - (side === 'input' ? 1 : 0)
  if (at < 0) return place
  const block = `${side === 'input' ? 'down' : 'up'}_blocks_${Math.floor(at / 3)}`
  if (side === 'input' && at % 3 === 2) return part === 'op' ? `${block}_downsamplers_0_conv` : place
  if (part === 'conv') return `${block}_upsamplers_0_conv`
  return inner === '0' ? `${block}_resnets_${at % 3}_${resnetPart(part)}` : `${block}_attentions_${at % 3}_${part}`
}

const originalEdges: Readonly<Record<string, string>> = {
  input_blocks_0_0: 'conv_in',
  out_0: 'conv_norm_out',
  out_2: 'conv_out',
  time_embed_0: 'time_embedding_linear_1',
  time_embed_2: 'time_embedding_linear_2',
  label_emb_0_0: 'add_embedding_linear_1',
  label_emb_0_2: 'add_embedding_linear_2',
}

function resnetPart(part: string): string {
  return originalResnetParts[part] ?? part
}

const originalResnetParts: Readonly<Record<string, string>> = {
  in_layers_0: 'norm1',
  in_layers_2: 'conv1',
  emb_layers_1: 'time_emb_proj',
  out_layers_0: 'norm2',
  out_layers_3: 'conv2',
  skip_connection: 'conv_shortcut',
}
