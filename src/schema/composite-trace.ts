import { plannedCompositeSchema } from './composite.js'
import type { FromSchema } from './from-schema.js'
import { slotStates } from './run.js'
import { sha256Text as hash } from './text-forms.js'

/** One place of a composite. Without `file` it is empty, and `state` says why. */
export const compositeCellSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['slot', 'state'],
  properties: {
    slot: { type: 'string' },
    state: { enum: slotStates },
    file: { type: 'string', description: 'The picture, as a path under the run folder' },
    sha256: hash,
  },
} as const
export type CompositeCell = FromSchema<typeof compositeCellSchema>

/** `<composite>.trace.json`: what a composite was made from. The same content gives the same picture. */
export const compositeTraceSchema = {
  $id: 'composite-trace/1',
  title: 'Trace of a composite',
  type: 'object',
  required: ['$schema', 'foundry', 'run', 'subject', 'template', 'renderer', 'layout', 'cells', 'result'],
  properties: {
    $schema: { const: 'composite-trace/1' },
    foundry: { type: 'string', description: 'Version of the foundry' },
    run: { type: 'string' },
    subject: { type: 'string' },
    template: { type: 'string' },
    renderer: { type: 'string', description: 'Of its pictures: comfyui, draft, …' },
    layout: plannedCompositeSchema,
    cells: { type: 'array', items: compositeCellSchema },
    result: {
      type: 'object',
      required: ['file', 'fileSha256', 'width', 'height'],
      properties: {
        file: { type: 'string', description: 'Path under the run folder' },
        fileSha256: hash,
        width: { type: 'integer' },
        height: { type: 'integer' },
      },
    },
  },
} as const
export type CompositeTrace = FromSchema<typeof compositeTraceSchema>
