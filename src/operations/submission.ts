import type { FromSchema } from '../schema/from-schema.js'
import { parameterValueSchema } from '../schema/parameter.js'
import { referencesMax } from '../schema/reference.js'
import { labelsSchema, prioritySchema, useSchema, weightSchema } from '../schema/run.js'
import { families } from '../schema/template.js'
import { pathSchema } from './reach.js'

const position = { type: 'number', minimum: 0, maximum: 1 } as const

export const submitSchema = {
  $id: 'submit/1',
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: { ...pathSchema, description: 'A persona kit, persona manifest or render order' },
    templates: { type: 'array', maxItems: 64, items: { type: 'string' } },
    family: { enum: families },
    workflow: { type: 'string', description: 'Workflow of every picture' },
    backdropWorkflow: { type: 'string' },
    seed: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    count: { type: 'integer', minimum: 1, maximum: 1_000_000 },
    set: { type: 'object', additionalProperties: { type: 'array', minItems: 1, maxItems: 1000, items: position } },
    finish: { type: 'string', minLength: 1, maxLength: 60, description: 'Instead of that of the personas' },
    parameters: {
      type: 'object',
      additionalProperties: { type: 'array', minItems: 1, maxItems: 1000, items: parameterValueSchema },
      description: 'Parameters of the workflow by name; several values make a sweep',
    },
    references: {
      type: 'array',
      minItems: 1,
      maxItems: referencesMax,
      items: { type: 'string', minLength: 1, maxLength: 4096 },
      description: 'Reference pictures, instead of those that the drop and its personas name',
    },
    prompt: { type: 'string', maxLength: 2000 },
    sheet: { type: 'boolean', description: 'All variations of the sweep on one labelled picture' },
    fresh: { type: 'boolean', description: 'Render anew even what was rendered before' },
    use: useSchema,
    priority: prioritySchema,
    weight: weightSchema,
    labels: labelsSchema,
    preview: {
      type: 'integer',
      minimum: 2,
      maximum: 1_000_000,
      description: 'Render every so manieth slot first; the others wait for approval',
    },
    inFlightMax: { type: 'integer', minimum: 1, maximum: 10_000 },
    callFolder: { ...pathSchema, description: 'Where a persona manifest finds its files, if not around it' },
    dryRun: { type: 'boolean' },
  },
} as const
export type Submission = FromSchema<typeof submitSchema>
