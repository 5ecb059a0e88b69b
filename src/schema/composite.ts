import type { FromSchema } from './from-schema.js'

const layout = {
  columns: { type: 'integer', minimum: 1, maximum: 64, description: 'Pictures in a row' },
  tile: {
    type: 'integer',
    minimum: 64,
    maximum: 1024,
    default: 384,
    description: 'Longest side of a picture in pixels; it is never enlarged',
  },
  gap: { type: 'integer', minimum: 0, maximum: 200, default: 16, description: 'Pixels between pictures' },
  background: {
    type: 'string',
    pattern: '^#[0-9A-Fa-f]{6}$',
    default: '#121213',
    description: '# and six digits 0–9 or letters A–F',
    examples: ['#F4F1EA'],
  },
} as const

/** `composite` of a template: one picture of all its views, made when those of a persona are settled. */
export const compositeLayoutSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['columns'],
  description: 'One picture of all views of a persona, beside the images of the run',
  properties: {
    ...layout,
    caption: {
      enum: ['title', 'none'],
      default: 'title',
      description: 'Below a picture: the title of its view, or its id where it has none',
    },
    heading: { type: 'boolean', default: true, description: 'Persona and template above the pictures' },
  },
} as const
export type CompositeLayout = FromSchema<typeof compositeLayoutSchema>

/** The same as a part of a plan: what its pictures are called is known. */
export const plannedCompositeSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['over', 'labels', 'columns', 'tile', 'gap', 'background'],
  properties: {
    ...layout,
    over: {
      enum: ['views', 'variations'],
      description: 'What stands side by side: the views of each variation, or the variations of each view',
    },
    heading: {
      type: 'object',
      additionalProperties: false,
      required: ['title', 'detail'],
      properties: { title: { type: 'string' }, detail: { type: 'string' } },
    },
    labels: {
      type: 'array',
      description: 'Below each picture, in their order; empty where nothing is said',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['caption', 'detail'],
        properties: { caption: { type: 'string' }, detail: { type: 'string' } },
      },
    },
  },
} as const
export type PlannedComposite = FromSchema<typeof plannedCompositeSchema>
