import type { FromSchema } from './from-schema.js'

const name = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$',
  description: 'Letters, digits, dots, - and _, at most 128, beginning with a letter or digit',
} as const

/** `persona_manifest.json` of the audio-to-persona pipeline: one entry per speaker of a call. Extra fields are kept. */
export const personaManifestSchema = {
  $id: 'persona-manifest/1',
  title: 'Persona manifest',
  type: 'array',
  minItems: 1,
  maxItems: 20_000,
  items: {
    type: 'object',
    required: ['call_id', 'speaker', 'persona_path'],
    properties: {
      call_id: { ...name, title: 'Folder name of the call', examples: ['call-0142'] },
      channel: { ...name, examples: ['left-vocals'] },
      speaker: { ...name, examples: ['S00'] },
      persona_path: { type: 'string', minLength: 1, maxLength: 4096, description: 'Path to persona.md, any separator' },
      source_audio_paths: { type: 'array', items: {}, description: 'Never read, logged or copied' },
      audio_samples: { type: 'array', items: {}, description: 'Never read, logged or copied' },
    },
  },
} as const

export type PersonaManifest = FromSchema<typeof personaManifestSchema>
export type PersonaManifestEntry = PersonaManifest[number]
