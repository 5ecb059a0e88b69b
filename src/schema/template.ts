import { compositeLayoutSchema } from './composite.js'
import type { FromSchema } from './from-schema.js'
import { slugText } from './text-forms.js'

const words = { type: 'array', maxItems: 40, items: { type: 'string', minLength: 1, maxLength: 300 } } as const
const slug = { ...slugText, examples: ['hero-portrait'] } as const
const side = { type: 'integer', minimum: 64, maximum: 8192, multipleOf: 8 } as const

export const families = ['sd15', 'sdxl', 'sd3', 'flux'] as const
/** A family of base models: sizes, LoRAs and workflows are chosen by it. */
export type Family = (typeof families)[number]

/** What to render of a persona (`*.template.yaml`). */
export const templateSchema = {
  $id: 'template/1',
  title: 'Template',
  type: 'object',
  additionalProperties: false,
  required: ['id', 'title', 'subject', 'views', 'sizes'],
  properties: {
    $schema: { type: 'string' },
    id: slug,
    title: { type: 'string', minLength: 1, maxLength: 120 },
    subject: { enum: ['persona', 'backdrop'], description: 'A character, or the setting of a call' },
    words: { ...words, description: 'Framing words, before the words of the view' },
    negative: words,
    tone: {
      type: 'boolean',
      description: 'false: the tone of the persona is not said, as its views say the expression',
    },
    views: {
      type: 'array',
      minItems: 1,
      maxItems: 64,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id'],
        properties: {
          id: slug,
          title: { type: 'string', minLength: 1, maxLength: 120, description: 'Its caption in a composite' },
          words,
        },
      },
    },
    sizes: {
      type: 'object',
      description: 'Pixels by model family',
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['width', 'height'],
        properties: { width: side, height: side },
      },
    },
    count: { type: 'integer', minimum: 1, maximum: 10_000, default: 1, description: 'Pictures per view' },
    composite: compositeLayoutSchema,
    workflows: {
      type: 'object',
      description: 'Name of the workflow by model family, where it is not the default text-to-image one',
      additionalProperties: { type: 'string' },
    },
  },
} as const

export type Template = FromSchema<typeof templateSchema>
