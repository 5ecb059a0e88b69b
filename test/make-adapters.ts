import { halfOf, type MadeTensor, seededRandom, writeSafetensors } from './make-weights.js'

/** Makes small adapters of every kind and naming, with layers of real sizes. The same options give the same bytes. */

export const adapterFamilies = ['sd15', 'sdxl', 'sd3', 'flux'] as const
export type AdapterFamily = (typeof adapterFamilies)[number]
export const adapterForms = ['kohya', 'peft', 'diffusers', 'loha', 'lokr', 'dora'] as const
export type AdapterForm = (typeof adapterForms)[number]

export interface AdapterOptions {
  family: AdapterFamily
  form: AdapterForm
  rank: number
  seed: number
  /** Left out of forms that keep it elsewhere; null leaves it out of the others, too. */
  alpha?: number | null
  alphaType?: 'F16' | 'BF16' | 'F32'
  /** What stands before the layers of PEFT and diffusers, instead of the usual `unet.` or `transformer.`. */
  prefix?: string
  metadata?: Readonly<Record<string, string>>
}

type Layer = readonly [path: string, inputs: number, outputs: number]

export function makeAdapter({ prefix, metadata, ...options }: AdapterOptions): Buffer {
  const { family, form } = options
  const isDotted = form === 'peft' || form === 'diffusers'
  const usual = isDotted ? (isUnet(family) ? 'unet.' : 'transformer.') : 'lora_unet_'
  const random = seededRandom(options.seed)
  const tensors = new Map<string, MadeTensor>()
  for (const [path, inputs, outputs] of isDotted ? dottedLayers[family] : nativeLayers(family)) {
    const name = `${prefix ?? usual}${isDotted ? path : path.replaceAll('.', '_')}`
    const layer = { inputs, outputs, rank: options.rank, random }
    for (const [suffix, tensor] of tensorsOf(form, layer)) tensors.set(`${name}${suffix}`, tensor)
    if (!isDotted && options.alpha !== null)
      tensors.set(`${name}.alpha`, scalar(options.alpha ?? options.rank, options.alphaType ?? 'F16'))
  }
  return writeSafetensors(tensors, metadata)
}

function isUnet(family: AdapterFamily): boolean {
  return family === 'sd15' || family === 'sdxl'
}

const unetLayers = (block: string, context: number, size: number): Layer[] => [
  [`${block}.attn1.to_q`, size, size],
  [`${block}.attn2.to_k`, context, size],
  [`${block}.attn2.to_out.0`, size, size],
]

/** As diffusers calls them. */
export const dottedLayers: Readonly<Record<AdapterFamily, readonly Layer[]>> = {
  sd15: unetLayers('down_blocks.1.attentions.0.transformer_blocks.0', 768, 640),
  sdxl: unetLayers('down_blocks.2.attentions.1.transformer_blocks.7', 2048, 1280),
  sd3: [
    ['transformer_blocks.0.attn.to_q', 1536, 1536],
    ['transformer_blocks.23.ff.net.2', 6144, 1536],
  ],
  flux: [
    ['transformer_blocks.0.attn.to_q', 3072, 3072],
    ['single_transformer_blocks.37.proj_out', 15360, 3072],
  ],
}

function nativeLayers(family: AdapterFamily): readonly Layer[] {
  if (family === 'sd3') return [['joint_blocks.0.x_block.attn.qkv', 1536, 4608]]
  if (family === 'flux') return [['double_blocks.0.img_attn.proj', 3072, 3072]]
  return dottedLayers[family]
}

interface MadeLayer {
  inputs: number
  outputs: number
  rank: number
  random: () => number
}

const factorSize = 8

function tensorsOf(form: AdapterForm, { inputs, outputs, rank, random }: MadeLayer): [string, MadeTensor][] {
  const make = (...shape: number[]) => bytesOf(shape, random)
  switch (form) {
    case 'kohya':
      return [
        ['.lora_down.weight', make(rank, inputs)],
        ['.lora_up.weight', make(outputs, rank)],
      ]
    case 'dora':
      return [...tensorsOf('kohya', { inputs, outputs, rank, random }), ['.dora_scale', make(outputs, 1)]]
    case 'peft':
      return [
        ['.lora_A.weight', make(rank, inputs)],
        ['.lora_B.weight', make(outputs, rank)],
      ]
    case 'diffusers':
      return [
        ['.lora.down.weight', make(rank, inputs)],
        ['.lora.up.weight', make(outputs, rank)],
      ]
    case 'loha':
      return ['1', '2'].flatMap((each): [string, MadeTensor][] => [
        [`.hada_w${each}_a`, make(outputs, rank)],
        [`.hada_w${each}_b`, make(rank, inputs)],
      ])
    case 'lokr':
      return [
        ['.lokr_w1', make(factorSize, factorSize)],
        ['.lokr_w2_a', make(outputs / factorSize, rank)],
        ['.lokr_w2_b', make(rank, inputs / factorSize)],
      ]
  }
}

/** Half-precision numbers of either sign around 2⁻⁸. */
function bytesOf(shape: readonly number[], random: () => number): MadeTensor {
  const bytes = Buffer.alloc(shape.reduce((product, size) => product * size, 2))
  for (let at = 0; at < bytes.length; at += 2) bytes.writeUInt16LE(random() < 0.5 ? 0x1c00 : 0x9c00, at)
  return { dtype: 'F16', shape, bytes }
}

function scalar(value: number, dtype: 'F16' | 'BF16' | 'F32'): MadeTensor {
  const single = Buffer.alloc(4)
  single.writeFloatLE(value)
  const half = Buffer.alloc(2)
  half.writeUInt16LE(halfOf(value))
  // The upper half of a single-precision number is the same one in BF16.
  const bytes = { F32: single, BF16: single.subarray(2), F16: half }[dtype]
  return { dtype, shape: [], bytes }
}
