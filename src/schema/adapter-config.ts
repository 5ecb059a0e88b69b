import type { FromSchema } from './from-schema.js'

const factor = { type: 'number', exclusiveMinimum: 0, maximum: 1_000_000 } as const

/** What of PEFT's `adapter_config.json` says how strong an adapter is; its other fields are let through. */
export const adapterConfigSchema = {
  $id: 'adapter-config/1',
  type: 'object',
  properties: {
    r: { type: 'integer', minimum: 1, maximum: 100_000 },
    lora_alpha: factor,
    alpha_pattern: {
      type: ['object', 'null'],
      maxProperties: 10_000,
      additionalProperties: factor,
    },
    use_rslora: { type: ['boolean', 'null'] },
    base_model_name_or_path: { type: ['string', 'null'], maxLength: 4096 },
  },
} as const

export type AdapterConfig = FromSchema<typeof adapterConfigSchema>
