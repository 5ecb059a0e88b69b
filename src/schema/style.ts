import type { FromSchema } from './from-schema.js'
import { slugText } from './text-forms.js'

const words = { type: 'array', maxItems: 40, items: { type: 'string', minLength: 1, maxLength: 200 } } as const
const pole = {
  type: 'object',
  additionalProperties: false,
  required: ['label'],
  properties: {
    label: { type: 'string', minLength: 1, maxLength: 60 },
    talent: { type: 'string', minLength: 1, maxLength: 128, description: 'Id of the style talent of this pole' },
    words,
  },
} as const

/** `style.yaml` of a style plugin: sliders, the words of finishes, of tones and of palettes. Data, no code. */
export const styleSchema = {
  $id: 'style/1',
  title: 'Style',
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    $schema: { type: 'string' },
    name: { ...slugText, examples: ['anime'] },
    sliders: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['left', 'right'],
        properties: {
          left: pole,
          right: pole,
          curve: { enum: ['v', 'linear', 'equal-power'], default: 'v' },
          neutral: { type: 'number', minimum: 0, maximum: 1, description: 'Position when a persona does not say' },
        },
      },
    },
    words: { ...words, description: 'Words that every picture of this style gets' },
    negative: words,
    finish: { type: 'object', additionalProperties: words, description: 'Words by name of finish' },
    tone: {
      type: 'object',
      description: 'Words by tone (warmth, formality, humour), for a low and a high value',
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: { low: words, high: words },
      },
    },
    palette: {
      type: 'object',
      additionalProperties: false,
      description: 'How a named colour is put into words; {colour} is replaced',
      properties: { primary: { type: 'string' }, secondary: { type: 'string' }, accent: { type: 'string' } },
    },
  },
} as const

export type Style = FromSchema<typeof styleSchema>
export type Slider = NonNullable<Style['sliders']>[string]
export type Curve = Slider['curve']
