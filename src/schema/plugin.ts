import type { FromSchema } from './from-schema.js'
import { nameText, versionText } from './text-forms.js'

/** `plugin.yaml`, or the same fields under `foundry` in the `package.json` of a plugin. */
export const pluginSchema = {
  $id: 'plugin/1',
  title: 'Plugin',
  type: 'object',
  additionalProperties: false,
  required: ['name', 'version'],
  properties: {
    $schema: { type: 'string' },
    name: { ...nameText, examples: ['gate-house-rules'] },
    version: versionText,
    description: { type: 'string', maxLength: 500 },
    needs: {
      type: 'object',
      maxProperties: 100,
      additionalProperties: { type: 'string', minLength: 1, maxLength: 200 },
      description: 'Range of versions by the name of another plugin, or of `foundry` itself',
      examples: [{ foundry: '^0.1.0' }],
    },
    isolated: {
      type: 'boolean',
      description:
        'Its code runs in a process of its own, with bounded time, memory and output. For gates and observers',
    },
    options: { type: 'object', description: 'JSON schema of what `plugins` of foundry.yaml may say of it' },
  },
} as const
export type PluginManifest = FromSchema<typeof pluginSchema>
