import { findFamily, findFamilyInMetadata, type FamilyFinding, type LoraFamily } from './lora-family.js'
import { collectModules, soleLayout, type LoraLayout, type LoraModule } from './lora-modules.js'
import type { SafetensorsHeader } from './safetensors-header.js'

/** What the header of a LoRA says about it. */
export interface LoraFacts extends FamilyFinding {
  /** What trainers wrote about the family; where it contradicts the shapes, the shapes decide. */
  metadataFamily?: LoraFamily
  /** Over all modules that have a rank. `usual` is the most frequent one, the smaller of two that are as frequent. */
  rank?: { usual: number; min: number; max: number }
  layout: LoraLayout
  hasTextEncoder: boolean
  /** Number of layers that it changes; 0 means that this is no LoRA. */
  modules: number
  /** How many of them ComfyUI passes over without a word, because of how they are named. */
  modulesIgnored: number
  /** Made to try the foundry out: a real server is never sent it. */
  isDraft: boolean
}

/** Pure. The family comes from shapes; where they leave several open, metadata may choose among those. */
export function describeLora({ tensors, metadata }: Pick<SafetensorsHeader, 'tensors' | 'metadata'>): LoraFacts {
  const modules = collectModules(tensors)
  const metadataFamily = findFamilyInMetadata(metadata)
  const finding = chooseFamily(findFamily(modules), metadataFamily)
  const ranks = modules.flatMap(module => module.rank ?? [])
  return {
    ...finding,
    ...(metadataFamily && { metadataFamily }),
    ...(ranks.length > 0 && { rank: summarizeRanks(ranks) }),
    layout: soleLayout(new Set(modules.map(module => module.layout))),
    hasTextEncoder: modules.some(module => module.isTextEncoder),
    modules: modules.length,
    modulesIgnored: unetFamilies.has(finding.family) ? modules.filter(isIgnored).length : 0,
    isDraft: metadata['foundry_draft'] === '1',
  }
}

function chooseFamily(finding: FamilyFinding, metadataFamily: LoraFamily | undefined): FamilyFinding {
  const { family, candidates, evidence } = finding
  if (family !== 'unknown' || metadataFamily === undefined) return finding
  if (candidates.length > 0 && !candidates.includes(metadataFamily)) return finding
  return { family: metadataFamily, candidates, evidence: `metadata (${evidence})` }
}

function summarizeRanks(ranks: readonly number[]): { usual: number; min: number; max: number } {
  const countByRank = new Map<number, number>()
  for (const rank of ranks) countByRank.set(rank, (countByRank.get(rank) ?? 0) + 1)
  const sorted = [...countByRank].sort(([a], [b]) => a - b)
  const [usual] = sorted.reduce((best, each) => (each[1] > best[1] ? each : best), [0, 0])
  return { usual, min: sorted[0]?.[0] ?? usual, max: sorted.at(-1)?.[0] ?? usual }
}

const unetFamilies: ReadonlySet<LoraFamily> = new Set<LoraFamily>(['sd15', 'sd2', 'sdxl'])

/** ComfyUI reads dotted names of a UNet only in the older form of diffusers, and PEFT's own prefix never. */
function isIgnored({ name }: LoraModule): boolean {
  if (name.startsWith('base_model.model.')) return true
  return (
    /^(?:unet\.)?(?:down_blocks|up_blocks|mid_block)\..*\.to_(?:q|k|v|out)\b/.test(name) &&
    !name.includes('.processor.')
  )
}
