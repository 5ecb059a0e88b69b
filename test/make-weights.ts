/**
 * Makes small LoRA files with the names and sizes of real ones. The same options give the same bytes; the draft kits
 * that ship under talents/ are made here.
 */

export type MadeFamily = 'sd15' | 'sd2' | 'sdxl' | 'flux'

export interface MadeTensor {
  dtype: string
  shape: readonly number[]
  bytes: Uint8Array
}

export interface LoraOptions {
  family: MadeFamily
  rank: number
  seed: number
  /** Layers of the model; by default two of its attention. */
  modules?: readonly MadeModule[]
  /** Marked as made for drafts, and without effect if it is loaded all the same. */
  draft?: boolean
  textEncoder?: boolean
  metadata?: Readonly<Record<string, string>>
}

/** A layer by its kohya name, with the number of its inputs and outputs. */
export type MadeModule = readonly [name: string, inputs: number, outputs: number]

export function makeLora({ family, rank, seed, modules, draft, textEncoder, metadata }: LoraOptions): Buffer {
  const layers = [...(modules ?? modulesByFamily[family]), ...(textEncoder ? [textEncoderModule(family)] : [])]
  const next = randomHalves(seed)
  const tensors = new Map<string, MadeTensor>()
  for (const [name, inputs, outputs] of layers) {
    tensors.set(`${name}.alpha`, { dtype: 'F16', shape: [], bytes: halfBytes([halfOf(rank)]) })
    tensors.set(`${name}.lora_down.weight`, half([rank, inputs], next))
    // A LoRA begins its training with zeros here: until then it changes nothing.
    tensors.set(`${name}.lora_up.weight`, half([outputs, rank], draft ? () => 0 : next))
  }
  return writeSafetensors(tensors, {
    ss_network_module: 'networks.lora',
    ss_network_dim: String(rank),
    ss_network_alpha: String(rank),
    ...(draft && { foundry_draft: '1' }),
    ...metadata,
  })
}

/** What the weights of the shipped kits are made from, by talent id. */
export const draftKits: Readonly<Record<string, LoraOptions>> = {
  'avatar.identity.dot_aurora': { family: 'sd15', rank: 4, seed: 1, draft: true },
  'avatar.style.mecha': { family: 'sd15', rank: 4, seed: 2, draft: true },
  'avatar.style.creature': { family: 'sd15', rank: 4, seed: 3, draft: true },
  'avatar.style.abstract': { family: 'sd15', rank: 4, seed: 4, draft: true },
  'avatar.style.animal': { family: 'sd15', rank: 4, seed: 5, draft: true },
}

/** Wider types first, then by name, so that every tensor is aligned; the header is padded to whole words. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, MadeTensor>,
  metadata?: Readonly<Record<string, string>>,
): Buffer {
  const ordered = [...tensors].sort(
    ([aName, a], [bName, b]) => dtypeOrder.indexOf(a.dtype) - dtypeOrder.indexOf(b.dtype) || (aName < bName ? -1 : 1),
  )
  let end = 0
  const entries = ordered.map(([name, { dtype, shape, bytes }]) => {
    const begin = end
    end += bytes.length
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const
  })
  const sorted = metadata && Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))
  const json = JSON.stringify({ ...(sorted && { __metadata__: sorted }), ...Object.fromEntries(entries) })
  const text = Buffer.from(json)
  const header = Buffer.concat([text, Buffer.alloc(-text.length & 7, ' ')])
  return withHeader(header, Buffer.concat(ordered.map(([, { bytes }]) => bytes)))
}

/** A file of any header, also of one that must be refused. `length` is what the file claims of it. */
export function withHeader(header: string | Uint8Array, data: Uint8Array, length?: bigint): Buffer {
  const text = Buffer.from(header)
  const begin = Buffer.alloc(8)
  begin.writeBigUInt64LE(length ?? BigInt(text.length))
  return Buffer.concat([begin, text, data])
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const crossAttention = (place: string, inputs: number, outputs: number): MadeModule[] =>
  ['to_k', 'to_v'].map(part => [`lora_unet_${place}_transformer_blocks_0_attn2_${part}`, inputs, outputs])

const modulesByFamily: Record<MadeFamily, readonly MadeModule[]> = {
  sd15: crossAttention('down_blocks_0_attentions_0', 768, 320),
  sd2: crossAttention('down_blocks_0_attentions_0', 1024, 320),
  sdxl: crossAttention('down_blocks_1_attentions_0', 2048, 640),
  flux: [
    ['lora_unet_double_blocks_0_img_attn_proj', 3072, 3072],
    ['lora_unet_single_blocks_0_linear2', 15360, 3072],
  ],
}

function textEncoderModule(family: MadeFamily): MadeModule {
  const prefix = family === 'sdxl' || family === 'flux' ? 'lora_te1' : 'lora_te'
  const size = family === 'sd2' ? 1024 : 768
  return [`${prefix}_text_model_encoder_layers_0_self_attn_q_proj`, size, size]
}

const dtypeOrder = ['U64', 'I64', 'F64', 'C64', 'F32', 'U32', 'I32', 'BF16', 'F16', 'U16', 'I16', 'I8', 'U8', 'BOOL']

function half(shape: readonly number[], next: () => number): MadeTensor {
  const count = shape.reduce((product, size) => product * size, 1)
  return { dtype: 'F16', shape, bytes: halfBytes(Array.from({ length: count }, next)) }
}

function halfBytes(halves: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(halves.length * 2)
  halves.forEach((each, at) => bytes.writeUInt16LE(each, at * 2))
  return bytes
}

/** Bits of half-precision numbers of either sign, from 2⁻⁷ to 2⁻³. */
function randomHalves(seed: number): () => number {
  const random = seededRandom(seed)
  return () => (random() < 0.5 ? 0x8000 : 0) | ((8 + Math.floor(random() * 4)) << 10) | Math.floor(random() * 1024)
}

/** Bits of a whole number from 1 to 2048 in half precision. */
export function halfOf(whole: number): number {
  const exponent = Math.floor(Math.log2(whole))
  return ((exponent + 15) << 10) | Math.round((whole / 2 ** exponent - 1) * 1024)
}
