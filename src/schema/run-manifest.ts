import type { FromSchema } from './from-schema.js'
import { runStates } from './run.js'
import { sha256Text as hash } from './text-forms.js'

const count = { type: 'integer', minimum: 0 } as const
/** A file with its trace. */
const traced = {
  file: { type: 'string', description: 'Path under the run folder' },
  sha256: hash,
  trace: { type: 'string' },
  traceSha256: hash,
} as const

/** One picture of a run manifest, with the hash of its trace. */
export const manifestImageSchema = {
  type: 'object',
  required: ['slot', 'file', 'sha256', 'trace', 'traceSha256'],
  properties: {
    slot: { type: 'string' },
    ...traced,
  },
} as const
export type ManifestImage = FromSchema<typeof manifestImageSchema>

/** One composite of a run manifest. */
export const manifestCompositeSchema = {
  type: 'object',
  required: ['subject', 'template', 'file', 'sha256', 'trace', 'traceSha256'],
  properties: {
    subject: { type: 'string' },
    template: { type: 'string' },
    ...traced,
  },
} as const
export type ManifestComposite = FromSchema<typeof manifestCompositeSchema>

/** What pictures cost together, in one currency. */
export const spendSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['currency', 'pictures', 'unknown'],
  properties: {
    currency: { type: 'string', description: 'e.g. USD' },
    amount: { type: 'number', minimum: 0, description: 'Of those whose price is known; absent where none is' },
    pictures: { ...count, description: 'Paid pictures' },
    unknown: { ...count, description: 'Those of them whose price nobody knows' },
  },
} as const
export type Spend = FromSchema<typeof spendSchema>

/** `manifest.json`: what a run wrote. Beyond 5,000 images `parts` names files that hold them. */
export const runManifestSchema = {
  $id: 'run-manifest/1',
  title: 'Run manifest',
  type: 'object',
  required: ['$schema', 'run', 'key', 'version', 'state', 'counts', 'images', 'updatedAt', 'runFileSha256'],
  properties: {
    $schema: { const: 'run-manifest/1' },
    run: { type: 'string' },
    key: { type: 'string' },
    version: { type: 'string' },
    state: { enum: runStates },
    counts: {
      type: 'object',
      required: ['slots', 'waiting', 'running', 'held', 'done', 'failed', 'cancelled', 'skipped'],
      properties: {
        slots: count,
        waiting: count,
        running: count,
        held: count,
        done: count,
        failed: count,
        cancelled: count,
        skipped: count,
        reused: count,
      },
    },
    spent: { type: 'array', items: spendSchema, description: 'What paid services were paid for its pictures' },
    images: { type: 'array', items: manifestImageSchema },
    parts: {
      type: 'array',
      items: {
        type: 'object',
        required: ['file', 'sha256', 'images'],
        properties: { file: { type: 'string' }, sha256: hash, images: count },
      },
    },
    composites: {
      type: 'array',
      items: manifestCompositeSchema,
      description: 'Pictures of several images, made when the run ends',
    },
    failed: {
      type: 'array',
      items: {
        type: 'object',
        required: ['slot', 'state', 'reason'],
        properties: { slot: { type: 'string' }, state: { type: 'string' }, reason: { type: 'string' } },
      },
    },
    runFileSha256: { ...hash, description: 'Of run.json' },
    updatedAt: { type: 'string' },
  },
} as const
export type RunManifest = FromSchema<typeof runManifestSchema>
