import { basename } from 'node:path'
import { describeProblem, type Problem } from '../errors.js'
import type { Library, RefusedKit } from './talents.js'
import type { Talent } from './talents-kit.js'

/** A kit as Talent Factory's indexer prints it, and after that what only we know. Absent fields are null, as there. */
export interface IndexEntry {
  /** Name of the kit's folder. */
  id: string
  path: string
  /** In Talent Factory's sense: described well, and weights of some kind are there. */
  valid: boolean
  category?: string
  kind?: string
  sdx_version?: string
  base_model?: string
  lora_rank?: number
  default_weight?: number
  size_mb?: number
  created_at?: string | null
  token?: string | null
  negatives?: string | null
  intended_mix?: readonly string[]
  metadata?: object
  /** Only of kits that are not valid, as in the original. */
  errors?: string[]
  warnings?: string[]
  /** In our sense: it can be rendered with. */
  usable: boolean
  role?: string
  weights?: {
    sha256: string
    tensor_sha256: string | null
    size_bytes: number
    family: string
    rank: number | null
    layout: string
    text_encoder: boolean
    draft: boolean
  }
  problems: string[]
}

/** Pure: the entries of all kits, by id; kits that are not valid only when asked for. */
export function listKits(
  { talents, refused }: Pick<Library, 'talents' | 'refused'>,
  { includeInvalid = false }: { includeInvalid?: boolean } = {},
): IndexEntry[] {
  const entries = [...talents.map(entryOfTalent), ...refused.map(entryOfRefused)]
  return entries.filter(entry => entry.valid || includeInvalid).sort((a, b) => (a.id < b.id ? -1 : 1))
}

function entryOfTalent(talent: Talent): IndexEntry {
  // The original looks whether weights are there, not into them.
  if (talent.problems.some(problem => problem.code === 'TALENT_WEIGHTS_MISSING')) return entryOfRefused(talent)
  const { folder, file, role, usable, weights, problems } = talent
  return {
    id: basename(folder),
    path: folder,
    valid: true,
    category: file.category,
    kind: file.kind,
    sdx_version: file.sdx_version,
    base_model: file.base_model,
    lora_rank: file.lora_rank,
    default_weight: file.default_weight,
    size_mb: file.size_mb,
    created_at: file.created_at ?? null,
    token: file.token ?? null,
    negatives: file.negatives ?? null,
    intended_mix: file.intended_mix ?? [],
    metadata: file.metadata ?? {},
    usable,
    role,
    ...(weights && {
      weights: {
        sha256: weights.sha256,
        tensor_sha256: weights.tensorSha256 ?? null,
        size_bytes: weights.sizeBytes,
        family: weights.family,
        rank: weights.rank ?? null,
        layout: weights.layout,
        text_encoder: weights.hasTextEncoder,
        draft: weights.isDraft,
      },
    }),
    problems: problems.map(describeProblem),
  }
}

function entryOfRefused({ folder, problems }: RefusedKit): IndexEntry {
  return {
    id: basename(folder),
    path: folder,
    valid: false,
    errors: describe(problems, 'error'),
    warnings: describe(problems, 'warning'),
    usable: false,
    problems: problems.map(describeProblem),
  }
}

function describe(problems: readonly Problem[], severity: Problem['severity']): string[] {
  return problems.filter(problem => problem.severity === severity).map(describeProblem)
}
