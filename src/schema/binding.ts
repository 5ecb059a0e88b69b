import type { FromSchema } from './from-schema.js'
import { parameterSchema } from './parameter.js'
import { referencesMax } from './reference.js'
import { families } from './template.js'
import { nameText } from './text-forms.js'

/** One literal input of one node. */
export const inputRefSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['node', 'input'],
  properties: { node: { type: 'string', minLength: 1 }, input: { type: 'string', minLength: 1 } },
} as const
export type InputRef = FromSchema<typeof inputRefSchema>

/** One output of one node, as ComfyUI links write it: [node id, slot]. */
export const outputRefSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['node', 'slot'],
  properties: { node: { type: 'string', minLength: 1 }, slot: { type: 'integer', minimum: 0, maximum: 64 } },
} as const
export type OutputRef = FromSchema<typeof outputRefSchema>

const inputs = { type: 'array', maxItems: 64, items: inputRefSchema } as const

/** `<workflow>.binding.yaml`: which inputs of a ComfyUI graph are the prompt, the seed, the size, … */
export const bindingSchema = {
  $id: 'binding/1',
  title: 'Binding of a workflow',
  type: 'object',
  additionalProperties: false,
  required: ['family', 'positive', 'seed', 'save'],
  properties: {
    $schema: { type: 'string' },
    title: { type: 'string', maxLength: 120 },
    family: { enum: families },
    renderer: {
      ...nameText,
      examples: ['replicate'],
      description: 'What alone renders it, where it is no graph of ComfyUI: its runs go to such servers',
    },
    positive: { ...inputs, minItems: 1, description: 'Texts that receive the prompt' },
    negative: { ...inputs, description: 'Texts that receive the negative prompt; none where the model takes none' },
    seed: { ...inputs, minItems: 1 },
    seedMax: {
      type: 'integer',
      minimum: 1,
      maximum: 2 ** 53 - 1,
      examples: [4294967295],
      description:
        'The largest seed that these inputs take: a larger one is folded into the range, which the trace tells',
    },
    width: inputs,
    height: inputs,
    batch: { ...inputs, description: 'Batch sizes: always set to 1, so that every picture has its own seed' },
    steps: inputs,
    cfg: inputs,
    sampler: inputs,
    scheduler: inputs,
    references: {
      type: 'array',
      maxItems: referencesMax,
      description: 'Inputs that take reference pictures, in order: each takes one, or a list of up to `max`',
      items: {
        ...inputRefSchema,
        properties: {
          ...inputRefSchema.properties,
          max: { type: 'integer', minimum: 1, maximum: referencesMax, description: 'The input takes a list' },
        },
      },
    },
    models: {
      type: 'array',
      maxItems: 32,
      description: 'The heavy files: their names make the model set',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['node', 'input', 'folder'],
        properties: {
          node: { type: 'string', minLength: 1 },
          input: { type: 'string', minLength: 1 },
          folder: { type: 'string', description: 'checkpoints, diffusion_models, text_encoders, vae, controlnet, …' },
        },
      },
    },
    lora: {
      type: 'object',
      additionalProperties: false,
      required: ['model'],
      description: 'Where LoRAs go: behind these outputs, before all of their consumers',
      properties: { model: outputRefSchema, clip: outputRefSchema },
    },
    parameters: {
      type: 'object',
      additionalProperties: parameterSchema,
      description:
        'Further inputs by the names that runs set them by, e.g. cfg: { node: "3", input: cfg, type: number }',
    },
    save: { type: 'array', minItems: 1, maxItems: 16, items: { type: 'string' }, description: 'Ids of the save nodes' },
  },
} as const

export type Binding = FromSchema<typeof bindingSchema>
