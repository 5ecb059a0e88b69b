import { areNamesKnown, reasonUnread } from './comfyui-names.js'
import { findFamily, findFamilyInMetadata, type FamilyFinding, type LoraFamily } from './lora-family.js'
import { collectModules, soleLayout, type LoraLayout } from './lora-modules.js'
import type { SafetensorsHeader } from './safetensors-header.js'

/** What the header of a LoRA says about it. */
export interface LoraFacts extends FamilyFinding {
  /** What trainers wrote about the family; where it contradicts the shapes, the shapes decide. */
  metadataFamily?: LoraFamily
  /** Over all modules that have a rank. */
  rank?: Spread
  layout: LoraLayout
  hasTextEncoder: boolean
  /** Number of layers that it changes; 0 means that this is no LoRA. */
  modules: number
  /** How many of them ComfyUI passes over without a word, because of how they are named. */
  modulesIgnored: number
  /** Made to try the foundry out: a real server is never sent it. */
  isDraft: boolean
}

/** Numbers of many layers in short; `usual` is the most frequent one, the smaller of two that are as frequent. */
export interface Spread {
  usual: number
  min: number
  max: number
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
    ...(ranks.length > 0 && { rank: spreadOf(ranks) }),
    layout: soleLayout(new Set(modules.map(module => module.layout))),
    hasTextEncoder: modules.some(module => module.isTextEncoder),
    modules: modules.length,
    modulesIgnored: modules.filter(module => reasonUnread(module, likelyFamilies(finding)) !== undefined).length,
    isDraft: metadata['foundry_draft'] === '1',
  }
}

function chooseFamily(finding: FamilyFinding, metadataFamily: LoraFamily | undefined): FamilyFinding {
  const { family, candidates, evidence } = finding
  if (family !== 'unknown' || metadataFamily === undefined) return finding
  if (candidates.length > 0 && !candidates.includes(metadataFamily)) return finding
  return { family: metadataFamily, candidates, evidence: `metadata (${evidence})` }
}

/** Of at least one number. */
export function spreadOf(numbers: readonly number[]): Spread {
  const countByNumber = new Map<number, number>()
  for (const each of numbers) countByNumber.set(each, (countByNumber.get(each) ?? 0) + 1)
  const sorted = [...countByNumber].sort(([a], [b]) => a - b)
  const [usual] = sorted.reduce((best, each) => (each[1] > best[1] ? each : best), [0, 0])
  return { usual, min: sorted[0]?.[0] ?? usual, max: sorted.at(-1)?.[0] ?? usual }
}

/** The families that a file may be for, if their names are known; none where nobody can say what is done with them. */
export function likelyFamilies({ family, candidates }: FamilyFinding): readonly LoraFamily[] {
  const families = family === 'unknown' ? candidates : [family]
  return areNamesKnown(families) ? families : []
}
