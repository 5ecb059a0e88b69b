import type { FromSchema } from './from-schema.js'
import type { Family } from './template.js'

const talentId = {
  type: 'string',
  pattern: '^avatar\\.(identity|style)\\.[a-zA-Z0-9_\\.]+$',
  description: 'avatar.identity. or avatar.style. and letters, digits, _ and dots',
  examples: ['avatar.style.mecha'],
} as const

/** `talent.json` of a LoRA kit, as Talent Factory writes it. No additional properties, as in the original. */
export const talentSchema = {
  $id: 'talent/1',
  title: 'Talent',
  type: 'object',
  additionalProperties: false,
  required: ['id', 'category', 'kind', 'sdx_version', 'base_model', 'lora_rank', 'default_weight', 'size_mb'],
  properties: {
    $schema: { type: 'string' },
    id: { ...talentId, maxLength: 128 },
    category: { const: 'Presence/Avatar' },
    kind: { const: 'lora' },
    sdx_version: {
      enum: ['1.5', 'xl', '3', 'flux'],
      description: '1.5, xl; 3 (SD3 and SD3.5) and flux (FLUX.1) are not known to Talent Factory',
    },
    base_model: { type: 'string', minLength: 1, maxLength: 200 },
    token: {
      type: 'string',
      pattern: '^[a-zA-Z0-9_]+$',
      maxLength: 64,
      description: 'Letters, digits and _',
      examples: ['dot_aurora'],
    },
    lora_rank: { type: 'integer', minimum: 1, maximum: 128 },
    default_weight: { type: 'number', minimum: 0, maximum: 2, default: 1 },
    intended_mix: { type: 'array', maxItems: 64, items: talentId },
    negatives: { type: 'string', maxLength: 4000 },
    size_mb: { type: 'number', minimum: 0.1 },
    created_at: { type: 'string', maxLength: 64 },
    training_config: {
      type: 'object',
      properties: {
        resolution: { type: 'integer', minimum: 256, maximum: 1024 },
        max_train_steps: { type: 'integer', minimum: 100 },
        learning_rate: { type: 'number', minimum: 1e-6, maximum: 1e-2 },
        batch_size: { type: 'integer', minimum: 1 },
      },
    },
    metadata: {
      type: 'object',
      properties: {
        description: { type: 'string' },
        tags: { type: 'array', items: { type: 'string' } },
        author: { type: 'string' },
        license: { type: 'string' },
      },
    },
  },
} as const

export type TalentFile = FromSchema<typeof talentSchema>

/** What `sdx_version` calls the family of models that a kit is for. */
export const familyBySdxVersion: Readonly<Record<TalentFile['sdx_version'], Family>> = {
  '1.5': 'sd15',
  xl: 'sdxl',
  '3': 'sd3',
  flux: 'flux',
}

const prompts = { type: 'array', maxItems: 200, items: { type: 'string', maxLength: 2000 } } as const

/** `prompts.json` of a LoRA kit. */
export const promptsSchema = {
  $id: 'prompts/1',
  title: 'Prompts of a talent',
  type: 'object',
  properties: { positive_prompts: prompts, negative_prompts: prompts, style_prompts: prompts },
} as const

export type PromptsFile = FromSchema<typeof promptsSchema>
