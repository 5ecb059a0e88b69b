import type { FromSchema } from './from-schema.js'
import { bindingSchema } from './binding.js'
import { plannedCompositeSchema } from './composite.js'
import { parameterValueSchema } from './parameter.js'
import { referenceSchema } from './reference.js'
import { families } from './template.js'
import { nameText } from './text-forms.js'

/** Words with the place they come from, e.g. `persona.description`, `slider mecha`, `template hero-portrait`. */
export const fragmentSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['text', 'source'],
  properties: {
    text: { type: 'string' },
    source: { type: 'string' },
    private: { type: 'boolean', description: 'Derived from a transcript: written nowhere, represented by its hash' },
  },
} as const
export type Fragment = FromSchema<typeof fragmentSchema>

/** One LoRA of a mix. Weights are unitless strengths as ComfyUI takes them. */
export const loraSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['talent', 'role', 'raw', 'effective', 'source', 'weightsSha256', 'sizeBytes', 'hasTextEncoder', 'draft'],
  properties: {
    talent: { type: 'string', description: 'Talent id' },
    role: { enum: ['identity', 'style'] },
    raw: { type: 'number', description: 'From the slider curve or the identity default, before the default weight' },
    effective: { type: 'number', description: 'Sent to the server: raw × default weight, within the budget' },
    source: { type: 'string', description: 'e.g. "slider mecha at 0.2 (curve v)"' },
    weightsSha256: { type: 'string' },
    sizeBytes: { type: 'integer' },
    hasTextEncoder: { type: 'boolean', description: 'Whether the file changes a text encoder' },
    draft: { type: 'boolean', description: 'Tiny generated weights: never sent to a real server' },
  },
} as const
export type Lora = FromSchema<typeof loraSchema>

/** Something that was asked for and that the picture is rendered without: a LoRA, or the negative prompt. */
export const leftOutSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: {
    talent: { type: 'string', description: 'Talent id, of a LoRA' },
    what: { enum: ['negative'], description: 'What it is, where it is no LoRA' },
    reason: { type: 'string' },
  },
} as const
export type LeftOut = FromSchema<typeof leftOutSchema>

/** Everything that mixing decided for one subject, template, view and variation. */
export const mixSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['positive', 'negative', 'loras', 'sliders'],
  properties: {
    positive: { type: 'array', items: fragmentSchema },
    negative: { type: 'array', items: fragmentSchema },
    loras: {
      type: 'array',
      items: loraSchema,
      description: 'Identity first, then stable styles, the varying slider last',
    },
    leftOut: {
      type: 'array',
      items: leftOutSchema,
      description: 'What was asked for and is not part of the picture',
    },
    sliders: { type: 'object', additionalProperties: { type: 'number' } },
    palette: { type: 'object', additionalProperties: { type: 'string' }, description: 'Hex colours of the persona' },
    finish: { type: 'string' },
  },
} as const
export type Mix = FromSchema<typeof mixSchema>

const plannedWorkflowSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'family', 'graph', 'binding', 'graphSha256', 'bindingSha256'],
  properties: {
    name: { type: 'string' },
    family: { enum: families },
    graph: { type: 'object', description: 'ComfyUI API format, as on disk' },
    binding: bindingSchema,
    graphSha256: { type: 'string' },
    bindingSha256: { type: 'string' },
  },
} as const

/** The pictures of one subject with one template: views × variations × indices. */
export const seriesSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['subject', 'template', 'workflow', 'width', 'height', 'views', 'variations', 'count'],
  properties: {
    subject: { type: 'string', description: 'Persona id, `<call>_<speaker>`, or `<call>` for a backdrop' },
    template: { type: 'string' },
    workflow: { type: 'string' },
    width: { type: 'integer' },
    height: { type: 'integer' },
    views: { type: 'array', items: { type: 'string' } },
    variations: {
      type: 'array',
      items: { type: 'object', additionalProperties: { type: 'number' } },
      description: 'Slider values by key; [{}] without a sweep',
    },
    parameters: {
      type: 'array',
      items: { type: 'object', additionalProperties: parameterValueSchema },
      description: 'What is set by name, for each of the variations; absent where nothing is set',
    },
    mixes: {
      type: 'array',
      items: mixSchema,
      description: 'By view, then variation: mixes[view * variations.length + variation]',
    },
    count: { type: 'integer', minimum: 1, description: 'Pictures per view and variation' },
    seeds: { type: 'array', items: { type: 'integer' }, description: 'Exact seeds by index, instead of derived ones' },
    references: { type: 'array', items: referenceSchema, description: 'What its pictures are made after, in order' },
    composite: plannedCompositeSchema,
    skipped: { type: 'string', description: 'Why nothing is rendered, e.g. a call without transcript' },
    privateSource: {
      type: 'object',
      additionalProperties: false,
      required: ['kind', 'call', 'sha256'],
      description: 'Where the private text is read again: never the text itself',
      properties: {
        kind: { enum: ['persona', 'transcript'] },
        call: { type: 'string' },
        speaker: { type: 'string' },
        sha256: { type: 'string', description: 'Of the bounded and redacted text' },
      },
    },
    exports: {
      type: 'string',
      description: 'Path in the call folder that receives the picture as well, without its ending',
    },
  },
} as const
export type Series = FromSchema<typeof seriesSchema> & { mixes: Mix[] }

/** What the pictures of a run are for, where more is asked of it than of its home: an order cannot ask for less. */
export const useSchema = {
  enum: ['commercial'],
  description: 'What the pictures are for: a talent whose licence forbids it is refused, whatever the home says',
} as const

/**
 * `plan` of run.json: what was asked, resolved; from it alone (and the private texts) every slot and job follows.
 * Its canonical form, hashed, is the run version.
 */
export const runPlanSchema = {
  $id: 'run-plan/1',
  title: 'Plan of a run',
  type: 'object',
  required: ['renderer', 'orderSeed', 'series', 'workflows', 'inputs'],
  properties: {
    renderer: { type: 'string', description: 'comfyui, draft, …' },
    orderSeed: { type: 'integer', minimum: 0 },
    use: useSchema,
    series: { type: 'array', items: seriesSchema },
    workflows: { type: 'object', additionalProperties: plannedWorkflowSchema },
    inputs: {
      type: 'array',
      description: 'Every file that this plan was made from, by a logical name; `verify` hashes them again',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'sha256'],
        properties: { name: { type: 'string' }, sha256: { type: 'string' } },
      },
    },
  },
} as const
export type RunPlan = Omit<FromSchema<typeof runPlanSchema>, 'series'> & { series: Series[] }
export type PlannedWorkflow = RunPlan['workflows'][string]

/** Priorities of runs, the first to be served first. */
export const bands = ['rush', 'default', 'batch'] as const
export type Band = (typeof bands)[number]
export const weightMax = 100
const priorityHint = 'A run that goes on is changed by "foundry runs priority"'
export const prioritySchema = { enum: bands, description: `Who is served first. ${priorityHint}` } as const
export const weightSchema = {
  type: 'number',
  exclusiveMinimum: 0,
  maximum: weightMax,
  description: `Share of the servers among runs of one priority, 1 where nothing is said. ${priorityHint}`,
} as const

export const labelsSchema = {
  type: 'array',
  maxItems: 64,
  uniqueItems: true,
  items: { ...nameText, examples: ['large-memory'] },
  description: 'Only servers that have all of these labels render it; none: every server may',
} as const

export const runStates = ['waiting', 'running', 'paused', 'held', 'cancelling', 'done', 'failed', 'cancelled'] as const
export const slotStates = ['waiting', 'running', 'held', 'done', 'failed', 'cancelled', 'skipped'] as const
export type SlotState = (typeof slotStates)[number]

/** `run.json`: what was asked, resolved. */
export const runFileSchema = {
  $id: 'run/1',
  title: 'Run',
  type: 'object',
  required: ['$schema', 'id', 'key', 'version', 'kind', 'acceptedAt', 'slots', 'plan'],
  properties: {
    $schema: { const: 'run/1' },
    id: { type: 'string' },
    key: { type: 'string', description: 'Where the drop came from, as a path under its root' },
    version: { type: 'string', description: 'SHA-256 of the plan' },
    kind: { enum: ['persona-manifest', 'persona-kit', 'render-order'] },
    acceptedAt: { type: 'string' },
    slots: { type: 'integer', minimum: 0 },
    plan: runPlanSchema,
  },
} as const
export type RunFile = Omit<FromSchema<typeof runFileSchema>, 'plan'> & { plan: RunPlan }
