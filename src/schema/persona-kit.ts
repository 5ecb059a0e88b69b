import type { FromSchema } from './from-schema.js'
import { parameterValueSchema } from './parameter.js'
import { referencePathsSchema } from './reference.js'

const unit = { type: 'number', minimum: 0, maximum: 1 } as const
const colour = {
  type: 'string',
  pattern: '^#[0-9A-Fa-f]{6}$',
  description: '# and six digits 0–9 or letters A–F',
  examples: ['#1F6F78'],
} as const
const words = { type: 'array', maxItems: 200, items: { type: 'string', minLength: 1, maxLength: 400 } } as const

/** A persona as a kit: sliders, palette, finish and tone of one character. Extra fields are kept. */
export const personaKitSchema = {
  $id: 'persona-kit/1',
  title: 'Persona kit',
  type: 'object',
  required: ['dot_id', 'version'],
  properties: {
    $schema: { type: 'string' },
    dot_id: {
      title: 'Id of the persona',
      type: 'string',
      pattern: '^[A-Za-z0-9][A-Za-z0-9_]{0,63}$',
      description: 'Letters, digits and _, at most 64, beginning with a letter or digit',
      examples: ['aurora'],
    },
    version: {
      title: 'Semantic version',
      type: 'string',
      pattern: '^\\d+\\.\\d+\\.\\d+(?:-[0-9A-Za-z.-]+)?(?:\\+[0-9A-Za-z.-]+)?$',
      description: 'Three numbers',
      examples: ['1.0.0'],
    },
    name: { type: 'string', minLength: 1, maxLength: 120 },
    description: {
      type: 'string',
      minLength: 1,
      maxLength: 2000,
      description: 'What the character looks like, in words',
    },
    sliders: {
      type: 'object',
      description:
        'Position 0–1 by slider key. Shipped: mecha (0 Mecha, 1 Creature), animal (0 Abstract, 1 Animal), both neutral at 0.5. ' +
        '"foundry talents sliders" lists those of a home',
      examples: [{ mecha: 0.35, animal: 0.65 }],
      additionalProperties: unit,
    },
    finish: {
      type: 'string',
      minLength: 1,
      maxLength: 60,
      description:
        'How surfaces and light look. Shipped: flat, gloss, matte, metallic, chrome, pearl, neon, cel, painterly, ' +
        'watercolour, ink, pastel, sketch; another word is used as it is',
      examples: ['flat', 'gloss', 'cel'],
    },
    palette: {
      type: 'object',
      properties: { primary: colour, secondary: colour, accent: colour },
    },
    parameters: {
      type: 'object',
      additionalProperties: parameterValueSchema,
      description: 'Parameters by name, for workflows that have them; "foundry workflows list" lists those of each',
    },
    references: referencePathsSchema,
    voice: { type: 'object' },
    tone: {
      type: 'object',
      properties: { warmth: unit, formality: unit, humour: unit, pace: {} },
    },
    phrasebook: { type: 'object', properties: { say: words, avoid: words } },
    boundaries: {
      type: 'object',
      properties: { words: { ...words, description: 'Must not stand in a prompt, nor may those of phrasebook.avoid' } },
    },
  },
} as const

export type PersonaKit = FromSchema<typeof personaKitSchema>
