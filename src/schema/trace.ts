import type { FromSchema } from './from-schema.js'
import { parameterValueSchema } from './parameter.js'
import { referenceSchema } from './reference.js'
import { fragmentSchema, leftOutSchema, loraSchema } from './run.js'
import { sha256Text as hash } from './text-forms.js'

/** A heavy model file of a job, and how sure its identity is. */
export const modelUseSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['folder', 'name', 'identity', 'proven'],
  properties: {
    folder: { type: 'string' },
    name: { type: 'string', description: 'As in the workflow, with / as separator' },
    identity: { type: 'string', description: '`sha256:…`, else `name:…+size:…`, else `name:…`' },
    proven: { type: 'boolean', description: 'True only for a SHA-256' },
  },
} as const
export type ModelUse = FromSchema<typeof modelUseSchema>

/** What a picture costs. */
export const priceSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['currency'],
  properties: {
    amount: { type: 'number', minimum: 0, description: 'Absent where nobody knows: never 0 for that' },
    currency: { type: 'string', description: 'e.g. USD' },
  },
} as const
export type Price = FromSchema<typeof priceSchema>

const words = {
  anyOf: [
    { type: 'array', items: fragmentSchema },
    {
      type: 'object',
      additionalProperties: false,
      required: ['sha256', 'sources'],
      properties: { sha256: hash, sources: { type: 'array', items: { type: 'string' } } },
    },
  ],
} as const

/** The part of a trace that is known before submitting. Also written into the PNG, as chunk `foundry`. */
export const requestPartSchema = {
  $id: 'trace-request/1',
  type: 'object',
  required: [
    'run',
    'slot',
    'job',
    'renderHash',
    'subject',
    'template',
    'view',
    'index',
    'variation',
    'renderer',
    'family',
    'workflow',
    'graphSha256',
    'logicalSha256',
    'bindingSha256',
    'dropSha256',
    'positive',
    'negative',
    'seed',
    'width',
    'height',
    'sampler',
    'sliders',
    'loras',
    'models',
    'plugins',
  ],
  properties: {
    run: { type: 'string' },
    slot: { type: 'string' },
    job: { type: 'string' },
    renderHash: hash,
    subject: { type: 'string' },
    template: { type: 'string' },
    view: { type: 'string' },
    index: { type: 'integer' },
    variation: { type: 'integer' },
    renderer: { type: 'string' },
    family: { type: 'string' },
    workflow: { type: 'string' },
    graphSha256: { ...hash, description: 'Of the workflow file as on disk' },
    logicalSha256: { ...hash, description: 'Of the bound graph with logical names, without save prefix' },
    bindingSha256: hash,
    dropSha256: hash,
    positive: { ...words, description: 'Fragments with sources; for private text the hash of the whole prompt' },
    negative: { type: 'array', items: fragmentSchema },
    seed: { type: 'integer' },
    fittedSeed: { type: 'integer', description: 'What the graph has of it, where the workflow takes none that large' },
    width: { type: 'integer' },
    height: { type: 'integer' },
    sampler: { type: 'object', description: 'steps, cfg, sampler, scheduler as found in the graph' },
    sliders: { type: 'object', additionalProperties: { type: 'number' } },
    parameters: {
      type: 'object',
      additionalProperties: parameterValueSchema,
      description: 'Parameters of the workflow that were set, or have a default',
    },
    palette: { type: 'object', additionalProperties: { type: 'string' } },
    finish: { type: 'string' },
    loras: { type: 'array', items: loraSchema },
    references: { type: 'array', items: referenceSchema, description: 'Reference pictures, in order' },
    leftOut: {
      type: 'array',
      items: leftOutSchema,
      description: 'What was asked for and that the picture was rendered without',
    },
    models: { type: 'array', items: modelUseSchema },
    plugins: {
      type: 'array',
      items: { type: 'string' },
      description: '`name@version` of the plugins of the home; code with its hash, `name@version+sha256.…`',
    },
  },
} as const
export type RequestPart = FromSchema<typeof requestPartSchema>

/** The part of a trace that the rendering added. */
export const resultPartSchema = {
  $id: 'trace-result/1',
  type: 'object',
  required: ['file', 'fileSha256', 'pixelSha256', 'sizeBytes', 'server', 'attempts', 'committedAt', 'draft'],
  properties: {
    file: { type: 'string', description: 'Path under the run folder' },
    fileSha256: hash,
    pixelSha256: { ...hash, description: 'Of `<width>x<height>:<SHA-256 of the decoded RGBA>`' },
    sizeBytes: { type: 'integer' },
    width: { type: 'integer', description: 'Pixels as delivered: a workflow that scales makes others than asked for' },
    height: { type: 'integer' },
    server: {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' }, renderer: { type: 'string' }, version: { type: 'string' } },
    },
    submittedSha256: {
      ...hash,
      description: 'Of the graph as sent, with the names of the server, without save prefix',
    },
    attempts: {
      type: 'array',
      items: {
        type: 'object',
        required: ['number', 'outcome'],
        properties: {
          number: { type: 'integer' },
          server: { type: 'string' },
          outcome: { type: 'string', description: 'done, or the cause of the failure' },
        },
      },
    },
    timings: { type: 'object', additionalProperties: { type: 'number' }, description: 'Milliseconds by stage' },
    price: { ...priceSchema, description: 'What was paid for it, where it was rendered by a paid service' },
    committedAt: { type: 'string' },
    draft: { type: 'boolean' },
    reusedFrom: {
      type: 'object',
      required: ['run', 'file'],
      properties: { run: { type: 'string' }, file: { type: 'string' } },
    },
  },
} as const
export type ResultPart = FromSchema<typeof resultPartSchema>

/** `<image>.trace.json`: the record of everything that made a picture. */
export const traceSchema = {
  $id: 'trace/1',
  title: 'Trace of an image',
  type: 'object',
  required: ['$schema', 'foundry', 'request', 'result'],
  properties: {
    $schema: { const: 'trace/1' },
    foundry: { type: 'string', description: 'Version of the foundry' },
    request: requestPartSchema,
    result: resultPartSchema,
  },
} as const
export type Trace = FromSchema<typeof traceSchema>
