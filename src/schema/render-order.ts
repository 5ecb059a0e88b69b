import type { FromSchema } from './from-schema.js'
import { parameterValuesSchema } from './parameter.js'
import { referencePathsSchema } from './reference.js'
import { labelsSchema, prioritySchema, useSchema, weightSchema } from './run.js'
import { nameText } from './text-forms.js'

const position = { type: 'number', minimum: 0, maximum: 1 } as const
const seed = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const

/** A render order: personas × templates × seeds × slider values, as data. */
export const renderOrderSchema = {
  $id: 'render-order/1',
  title: 'Render order',
  type: 'object',
  additionalProperties: false,
  required: ['personas'],
  properties: {
    $schema: { type: 'string' },
    name: {
      ...nameText,
      title: 'Name of the order',
      examples: ['aurora-sweep'],
    },
    personas: {
      type: 'array',
      minItems: 1,
      maxItems: 10_000,
      items: { type: 'string', minLength: 1, maxLength: 4096 },
      description: 'Paths of persona kits, relative to this file',
    },
    templates: { type: 'array', minItems: 1, maxItems: 64, items: { type: 'string', minLength: 1, maxLength: 64 } },
    workflow: { type: 'string', minLength: 1, maxLength: 128 },
    seed: { ...seed, description: 'Order seed, from which each slot derives its own' },
    seeds: { type: 'array', minItems: 1, maxItems: 100_000, items: seed, description: 'Exact seeds, one picture each' },
    count: { type: 'integer', minimum: 1, maximum: 1_000_000, description: 'Pictures per view' },
    set: {
      type: 'object',
      description:
        'Slider values that replace those of the persona; a list makes a sweep. A pole by its name is the way to it: creature: 0.2 is ' +
        '20 %. "foundry talents sliders" lists the sliders',
      additionalProperties: { anyOf: [position, { type: 'array', minItems: 1, maxItems: 1000, items: position }] },
    },
    parameters: {
      type: 'object',
      additionalProperties: parameterValuesSchema,
      description:
        'Parameters of the workflow by name; a list makes a sweep. "foundry workflows list" lists those of each workflow',
    },
    references: {
      ...referencePathsSchema,
      description: `${referencePathsSchema.description}. They replace those of the personas`,
    },
    prompt: { type: 'string', maxLength: 2000, description: 'Words put in front of every prompt' },
    use: useSchema,
    priority: prioritySchema,
    weight: weightSchema,
    labels: labelsSchema,
  },
} as const

export type RenderOrder = FromSchema<typeof renderOrderSchema>
