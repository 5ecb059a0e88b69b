import type { FromSchema } from './from-schema.js'

const unit = { type: 'number', minimum: 0, maximum: 1 } as const
const colour = { type: 'string', pattern: '^#[0-9A-Fa-f]{6}$' } as const
const words = { type: 'array', maxItems: 200, items: { type: 'string', minLength: 1, maxLength: 400 } } as const

/** A persona as a kit: sliders, palette, finish and tone of one character. Extra fields are kept. */
export const personaKitSchema = {
  $id: 'persona-kit/1',
  title: 'Persona kit',
  type: 'object',
  required: ['dot_id', 'version'],
  properties: {
    $schema: { type: 'string' },
    dot_id: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_]{0,63}$', description: 'Id of the persona' },
    version: {
      type: 'string',
      pattern: '^\\d+\\.\\d+\\.\\d+(?:-[0-9A-Za-z.-]+)?(?:\\+[0-9A-Za-z.-]+)?$',
      description: 'Semantic version',
    },
    name: { type: 'string', minLength: 1, maxLength: 120 },
    description: {
      type: 'string',
      minLength: 1,
      maxLength: 2000,
      description: 'What the character looks like, in words',
    },
    sliders: { type: 'object', additionalProperties: unit, description: 'Position 0–1 by slider key' },
    finish: { type: 'string', minLength: 1, maxLength: 60 },
    palette: {
      type: 'object',
      properties: { primary: colour, secondary: colour, accent: colour },
    },
    voice: { type: 'object' },
    tone: {
      type: 'object',
      properties: { warmth: unit, formality: unit, humour: unit, pace: {} },
    },
    phrasebook: { type: 'object', properties: { say: words, avoid: words } },
    boundaries: { type: 'object' },
  },
} as const

export type PersonaKit = FromSchema<typeof personaKitSchema>
