import type { Problem } from '../errors.js'
import { type Adapter, alphaOf } from './lora-adapter.js'
import type { LoraFamily } from './lora-family.js'
import { collectModules, downSuffixes, type LoraModule, splitTensorName, upSuffixes } from './lora-modules.js'
import type { SafetensorsTensor } from './safetensors-header.js'
import { unetFamilies } from './unet-layers.js'

/** What becomes of the tensors of a file, so that ComfyUI reads them all. Their bytes stay. */
export interface Renaming {
  tensors: { from: string; to: string; tensor: SafetensorsTensor }[]
  /** Scalars that the file lacks, by name. */
  alphas: { name: string; value: number }[]
  /** How many tensors get another name or shape. */
  renamed: number
  problems: Problem[]
}

/**
 * Pure. A UNet's layers get kohya's names, as diffusers' own `convert_state_dict_to_kohya` gives them; those of transformer
 * models keep the names of diffusers, which ComfyUI knows, behind the prefix that it wants. An alpha that is missing is what
 * the adapter says, else the rank, which changes nothing.
 */
export function planRenaming(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  { families, adapter }: { families: readonly LoraFamily[]; adapter?: Adapter | undefined },
): Renaming {
  const modules = new Map(collectModules(tensors).map(module => [module.name, module]))
  const names = new Map([...modules].map(([name, module]) => [name, renameModule(module, families)]))
  const planned = [...tensors].map(([from, tensor]) => {
    const { module, suffix } = splitTensorName(from)
    const to = suffix === undefined ? undefined : names.get(module)
    if (to === undefined || suffix === undefined) return { from, to: from, tensor }
    const isKohya = to !== module && /^lora_(?:unet|te)/.test(to)
    return { from, ...renameTensor({ to, suffix, tensor, isKohya, isConv: isConvolution(tensors, module) }) }
  })
  const alphas = [...modules].flatMap(([name, module]) => {
    const value = module.rank === undefined || tensors.has(`${name}.alpha`) ? undefined : meantAlpha(module, adapter)
    return value === undefined ? [] : [{ name: `${names.get(name)}.alpha`, value }]
  })
  const renamed = planned.filter(({ from, to, tensor }) => from !== to || tensor !== tensors.get(from)).length
  const all = [...planned.map(each => each.to), ...alphas.map(each => each.name)]
  return { tensors: planned, alphas, renamed, problems: findTwice(all) }
}

/** The alpha that a layer was trained with; its rank where nothing says otherwise. Undefined where it has no rank. */
export function meantAlpha(module: LoraModule, adapter: Adapter | undefined): number | undefined {
  if (module.rank === undefined) return undefined
  const told = adapter && alphaOf(adapter, { ...placeInAdapter(module), rank: module.rank })
  return told ?? module.rank
}

function placeInAdapter({ name, isTextEncoder }: LoraModule): { part: string; path: string } {
  const path = name.replace(/^(?:base_model\.model\.|unet\.|transformer\.|text_encoder(?:_[23])?\.)+/, '')
  if (isTextEncoder) return { part: /^(text_encoder(?:_[23])?)\./.exec(name)?.[1] ?? 'text_encoder', path }
  return { part: name.startsWith('transformer.') ? 'transformer' : 'unet', path }
}

function renameModule(module: LoraModule, families: readonly LoraFamily[]): string {
  const { name, isTextEncoder } = module
  if (isTextEncoder) return renameEncoder(module, families)
  if (families.some(family => unetFamilies.has(family))) {
    if (!/^(?:unet\.|base_model\.model\.|down_blocks\.|up_blocks\.|mid_block\.|conv_|time_embedding\.)/.test(name))
      return name
    const path = name.replace(/^(?:unet\.|base_model\.model\.)+/, '').replace('.processor.', '.')
    return `lora_unet_${path.replace(/\.to_out$/, '.to_out.0').replaceAll('.', '_')}`
  }
  const isBare = /^(?:base_model\.model\.)?(?:transformer_blocks|single_transformer_blocks|x_embedder|proj_out)\b/.test(
    name,
  )
  return isBare ? `transformer.${name.replace('base_model.model.', '')}` : name
}

const secondEncoderSize = 1280

function renameEncoder({ name, inputSize }: LoraModule, families: readonly LoraFamily[]): string {
  const [, prefix, path = ''] =
    /^(text_encoder\.|text_encoder_2\.|base_model\.model\.|)(text_model\..+)$/.exec(name) ?? []
  if (prefix === undefined) return name
  const isNamed = prefix.startsWith('text_encoder')
  const isSecond = isNamed ? prefix === 'text_encoder_2.' : inputSize === secondEncoderSize
  const first = families.every(family => family === 'sd15' || family === 'sd2') ? 'lora_te_' : 'lora_te1_'
  return `${isSecond ? 'lora_te2_' : first}${path.replaceAll('.', '_')}`
}

interface Renamed {
  to: string
  tensor: SafetensorsTensor
}

function renameTensor(options: {
  to: string
  suffix: string
  tensor: SafetensorsTensor
  isKohya: boolean
  isConv: boolean
}): Renamed {
  const { to, suffix, tensor, isKohya, isConv } = options
  if (suffix === '.lora_magnitude_vector') {
    // PEFT keeps a plain list; along the outputs, ComfyUI wants a column of as many dimensions as the weight has.
    const count = tensor.shape.reduce((product, size) => product * size, 1)
    return { to: `${to}.dora_scale`, tensor: { ...tensor, shape: isConv ? [count, 1, 1, 1] : [count, 1] } }
  }
  if (!isKohya) return { to: `${to}${suffix}`, tensor }
  if (isHalf(suffix, downSuffixes)) return { to: `${to}.lora_down.weight`, tensor }
  return { to: `${to}${isHalf(suffix, upSuffixes) ? '.lora_up.weight' : suffix}`, tensor }
}

function isHalf(suffix: string, halves: readonly string[]): boolean {
  return suffix.includes('lora') && halves.includes(suffix)
}

const convolutionDimensions = 4

function isConvolution(tensors: ReadonlyMap<string, SafetensorsTensor>, module: string): boolean {
  return downSuffixes.some(suffix => tensors.get(`${module}${suffix}`)?.shape.length === convolutionDimensions)
}

function findTwice(names: readonly string[]): Problem[] {
  const seen = new Set<string>()
  const twice = names.find(name => seen.has(name) || !seen.add(name))
  if (twice === undefined) return []
  const message = 'two tensors would get the same name: the file holds one layer under two names'
  return [{ severity: 'error', code: 'LORA_NAMES_COLLIDE', message, found: twice.slice(0, 200) }]
}
