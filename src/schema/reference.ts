import type { FromSchema } from './from-schema.js'
import { sha256Text } from './text-forms.js'

/** Pictures that one persona or one run names at most. */
export const referencesMax = 8
export const referenceFormats = ['png', 'jpeg', 'webp'] as const

/** Endings of their files, without a dot. */
export const referenceExtensions = { png: 'png', jpeg: 'jpg', webp: 'webp' } as const

/** A picture that renderings look at, by its content: its name and where it came from are written nowhere. */
export const referenceSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['sha256', 'sizeBytes', 'format', 'width', 'height'],
  properties: {
    sha256: sha256Text,
    sizeBytes: { type: 'integer', minimum: 1 },
    format: { enum: referenceFormats },
    width: { type: 'integer', minimum: 1, description: 'Pixels' },
    height: { type: 'integer', minimum: 1 },
  },
} as const
export type Reference = FromSchema<typeof referenceSchema>

/** Files of reference pictures, as a drop names them. */
export const referencePathsSchema = {
  type: 'array',
  minItems: 1,
  maxItems: referencesMax,
  items: { type: 'string', minLength: 1, maxLength: 4096 },
  description:
    'Reference pictures (PNG, JPEG, WebP; at most 20 MB each), as paths relative to this file, in the order in which the workflow ' +
    'takes them; "foundry workflows list" says which take how many',
} as const
