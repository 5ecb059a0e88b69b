import type { FromSchema } from './from-schema.js'
import { nameText, sha256Text } from './text-forms.js'

// What a worker on another machine tells the owner of a home. Every list and text is bounded.

const text = { type: 'string', maxLength: 4000 } as const
const key = { type: 'string', minLength: 1, maxLength: 200 } as const
const count = { type: 'integer', minimum: 0, maximum: 2_000_000_000 } as const
const attemptNumber = { type: 'integer', minimum: 1, maximum: 65_535 } as const
const names = { type: 'array', maxItems: 256, items: { type: 'string', maxLength: 1024 } } as const

const probe = {
  type: 'object',
  required: ['renderer', 'models', 'modelSizes', 'queueRemaining', 'tookMs'],
  properties: {
    renderer: key,
    version: key,
    models: {
      type: 'object',
      maxProperties: 256,
      additionalProperties: { type: 'array', maxItems: 100_000, items: { type: 'string', maxLength: 1024 } },
    },
    modelSizes: {
      type: 'object',
      maxProperties: 256,
      additionalProperties: { type: 'object', additionalProperties: { type: 'number' } },
    },
    queueRemaining: count,
    tookMs: { type: 'number' },
  },
} as const

const server = {
  type: 'object',
  required: ['name', 'provider', 'state', 'mode', 'labels', 'depth', 'jobs', 'rendered', 'failed'],
  additionalProperties: false,
  properties: {
    name: nameText,
    provider: key,
    state: { enum: ['unknown', 'ready', 'unreachable', 'stopped'] },
    mode: { enum: ['active', 'paused', 'draining'] },
    reason: text,
    avoided: text,
    restsUntil: { type: 'string', maxLength: 32 },
    renderer: key,
    version: key,
    labels: { type: 'array', maxItems: 64, items: nameText },
    depth: { type: 'integer', minimum: 1, maximum: 64 },
    modelSet: key,
    models: names,
    loras: names,
    jobs: {
      type: 'array',
      maxItems: 64,
      items: {
        type: 'object',
        required: ['run', 'slot', 'attempt', 'state'],
        additionalProperties: false,
        properties: {
          run: key,
          slot: key,
          attempt: attemptNumber,
          state: { enum: ['waiting', 'running'] },
          value: { type: 'number' },
          max: { type: 'number' },
        },
      },
    },
    rendered: count,
    failed: count,
    probe,
  },
} as const

const process = { worker: nameText, epoch: key } as const
const attempt = { job: key, run: key, slot: count, attempt: attemptNumber } as const

const alive = {
  ...process,
  servers: { type: 'array', maxItems: 256, items: server },
  attempts: {
    type: 'array',
    maxItems: 4096,
    items: {
      type: 'object',
      required: ['job', 'run', 'slot', 'attempt'],
      additionalProperties: false,
      properties: attempt,
    },
  },
} as const

/** A sign of life: its servers and what they have. */
export const aliveSchema = {
  type: 'object',
  required: ['worker', 'epoch', 'servers', 'attempts'],
  additionalProperties: false,
  properties: alive,
} as const

/** The same of a worker that is not known yet, with a file that it has put into the storage. */
export const helloSchema = {
  type: 'object',
  required: ['worker', 'epoch', 'servers', 'attempts', 'proof'],
  additionalProperties: false,
  properties: {
    ...alive,
    proof: {
      type: 'object',
      required: ['name', 'sha256', 'sizeBytes'],
      additionalProperties: false,
      properties: { name: key, sha256: sha256Text, sizeBytes: count },
    },
  },
} as const

export const leaveSchema = {
  type: 'object',
  required: ['worker', 'epoch'],
  additionalProperties: false,
  properties: process,
} as const

/** A worker has claimed a job and asks for an attempt. The same claim asked again gets the same answer. */
export const leaseSchema = {
  type: 'object',
  required: ['worker', 'epoch', 'server', 'job', 'claim'],
  additionalProperties: false,
  properties: { ...process, server: nameText, job: key, claim: key },
} as const

export const submittedSchema = {
  type: 'object',
  required: ['job', 'attempt', 'submittedSha256'],
  additionalProperties: false,
  properties: { job: key, attempt: attemptNumber, submittedSha256: sha256Text },
} as const

const causes = [
  'out-of-memory',
  'missing-model',
  'missing-node',
  'invalid-graph',
  'node-error',
  'interrupted',
  'no-output',
  'bad-output',
  'too-fast',
  'lost',
  'crashed',
  'silent',
  'withdrawn',
  'unreachable',
  'unknown-outcome',
  'refused',
  'moderated',
  'in-doubt',
  'locked-out',
] as const

const ofServer = { worker: nameText, server: nameText } as const

export const failedSchema = {
  type: 'object',
  required: ['worker', 'server', 'job', 'run', 'slot', 'attempt', 'cause', 'message'],
  additionalProperties: false,
  properties: { ...ofServer, ...attempt, cause: { enum: causes }, message: text },
} as const

/** A server cannot render a job that its worker has claimed. */
export const unfitSchema = {
  type: 'object',
  required: ['worker', 'server', 'job', 'cause', 'message'],
  additionalProperties: false,
  properties: { ...ofServer, job: key, cause: { enum: causes }, message: text },
} as const

/** A picture lies in the storage: of an attempt that is done, or one that was refused and is kept. */
export const doneSchema = {
  type: 'object',
  required: ['worker', 'server', 'job', 'run', 'slot', 'attempt', 'sha256', 'sizeBytes', 'facts'],
  additionalProperties: false,
  properties: {
    ...ofServer,
    ...attempt,
    sha256: sha256Text,
    sizeBytes: count,
    facts: {
      type: 'object',
      required: ['timings'],
      additionalProperties: false,
      properties: {
        renderer: key,
        version: key,
        submittedSha256: sha256Text,
        timings: { type: 'object', maxProperties: 64, additionalProperties: { type: 'number' } },
      },
    },
  },
} as const

export type Alive = FromSchema<typeof aliveSchema>
export type Hello = FromSchema<typeof helloSchema>
export type Leave = FromSchema<typeof leaveSchema>
export type LeaseWish = FromSchema<typeof leaseSchema>
export type SubmittedReport = FromSchema<typeof submittedSchema>
export type FailedReport = FromSchema<typeof failedSchema>
export type UnfitReport = FromSchema<typeof unfitSchema>
export type DoneReport = FromSchema<typeof doneSchema>

/** What the owner answers to a sign of life. */
export interface AliveAnswer {
  /** False where the owner does not know the worker: it says hello, and asks again. */
  isKnown: boolean
  /** Attempts that nobody waits for any more. */
  cancel: { job: string; attempt: number }[]
  /** Servers of others that take jobs, by renderer. */
  others: Record<string, number>
}

/** What a worker needs to reach the engine of the owner. */
export interface HelloAnswer extends AliveAnswer {
  engine: { name: string; home: string; options: Record<string, unknown> }
}

/** `gone`: nobody needs the job · `elsewhere`: another server shall try it. */
export type LeaseAnswer =
  { kind: 'leased'; attempt: { job: string; number: number; promptId: string } } | { kind: 'gone' | 'elsewhere' }

export interface UnfitAnswer {
  /** Nobody needs the job any more; otherwise others may be able to render it. */
  isGone: boolean
}
