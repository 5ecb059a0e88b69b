import type { FromSchema } from './from-schema.js'

/** A value of a parameter, as people write it. */
export const parameterValueSchema = { type: ['string', 'number', 'boolean'] } as const
export type ParameterValue = FromSchema<typeof parameterValueSchema>

/** One value, or several that make a sweep. */
export const parameterValuesSchema = {
  anyOf: [parameterValueSchema, { type: 'array', minItems: 1, maxItems: 1000, items: parameterValueSchema }],
} as const

/** An input of a workflow that has a name, and may be set for a run. */
export const parameterSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['node', 'input', 'type'],
  properties: {
    node: { type: 'string', minLength: 1 },
    input: { type: 'string', minLength: 1 },
    type: { enum: ['number', 'integer', 'text', 'choice', 'boolean'] },
    title: { type: 'string', maxLength: 120 },
    min: { type: 'number', description: 'The smallest number that is taken' },
    max: { type: 'number', description: 'The largest number that is taken' },
    choices: {
      type: 'array',
      minItems: 1,
      maxItems: 1000,
      items: parameterValueSchema,
      description: 'All values that a choice takes',
    },
    default: { ...parameterValueSchema, description: 'Where nobody sets it; what stands in the graph if absent' },
  },
} as const
export type Parameter = FromSchema<typeof parameterSchema>
