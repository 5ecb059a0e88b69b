import type { FromSchema } from './from-schema.js'
import { families } from './template.js'
import { nameText, sha256Text } from './text-forms.js'

const seconds = { type: 'number', exclusiveMinimum: 0, maximum: 86_400 } as const

const day = '(sun|mon|tue|wed|thu|fri|sat)'
const clock = '([01][0-9]|2[0-3]):[0-5][0-9]'
const quietHoursText = {
  type: 'string',
  pattern: `^(${day}(-${day})? )?${clock}-${clock}$`,
  description: 'Days, or none for every day, then from-to as hours and minutes',
  examples: ['mon-fri 08:00-18:00', '22:00-06:00'],
} as const
const limits = {
  type: 'object',
  maxProperties: 256,
  additionalProperties: { type: 'integer', minimum: 0, maximum: 10_000 },
} as const

/** One server entry of `foundry.yaml`. */
export const serverSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    name: { ...nameText, examples: ['gpu1'] },
    provider: { type: 'string', default: 'comfyui' },
    url: {
      type: 'string',
      maxLength: 2048,
      description: 'Base URL, with path prefix where there is one; `draft` starts the embedded draft server',
    },
    headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Sent with HTTP and WebSocket; `${NAME}` is taken from the environment',
    },
    token: { type: 'string', description: 'Bearer token; `${NAME}` is taken from the environment' },
    ca: { type: 'string', description: 'File with the certificate authority' },
    depth: {
      type: 'integer',
      minimum: 1,
      maximum: 64,
      default: 2,
      description: 'Jobs on the server at once: one running, the others waiting there',
    },
    timeoutSeconds: { ...seconds, default: 30, description: 'Of one HTTP exchange' },
    graceSeconds: { ...seconds, default: 60, description: 'How long an unreachable server keeps its jobs' },
    jobTimeoutSeconds: { ...seconds, default: 1800, description: 'Longest time that one job may take on the server' },
    loras: { type: 'object', additionalProperties: { type: 'string' }, description: 'Name on the server by talent id' },
    loraFolder: {
      type: 'string',
      minLength: 1,
      maxLength: 4096,
      description: 'Where its models/loras is seen from here: "foundry talents deploy" puts kits there',
      examples: ['/srv/comfyui/models/loras'],
    },
    models: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Name on the server by name in the workflow',
    },
    labels: {
      type: 'array',
      maxItems: 64,
      items: { ...nameText, examples: ['large-memory'] },
      description: 'What runs may ask for with --label',
    },
    quietHours: {
      type: 'array',
      maxItems: 64,
      items: quietHoursText,
      description: 'When it gets no new jobs, in local time: [days] from-to, also over midnight',
    },
    vramGB: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 10_000,
      description:
        'Memory of its card, as it is sold, where the server tells another or none: larger models go elsewhere',
      examples: [24],
    },
    limits: { ...limits, description: 'As the limits of the home, for this server alone' },
    pricePerHour: {
      type: 'number',
      minimum: 0,
      maximum: 1_000_000,
      description: 'What an hour of its work costs, in the money you count in: "foundry plan" adds it up',
    },
    options: { type: 'object', description: 'Options of the provider' },
  },
} as const
export type ServerEntry = FromSchema<typeof serverSchema>

/** What an operator wants of a server: one that is `draining` ends what it has and is then left alone. */
export type ServerMode = 'active' | 'paused' | 'draining'

/** `foundry.yaml` as written. */
export const configFileSchema = {
  $id: 'config/1',
  title: 'Configuration of a foundry home',
  type: 'object',
  additionalProperties: false,
  properties: {
    $schema: { type: 'string' },
    servers: { type: 'array', maxItems: 1024, items: serverSchema },
    callFolders: {
      type: 'array',
      maxItems: 64,
      items: { type: 'string', minLength: 1, maxLength: 4096 },
      description: 'Roots under which call folders arrive',
    },
    workflows: {
      type: 'object',
      description: 'Name of the default workflow by model family',
      additionalProperties: { type: 'string' },
    },
    family: { enum: families, description: 'Model family when nothing else says' },
    templates: {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
      description: 'Templates of a persona kit when nothing else says',
    },
    models: {
      type: 'object',
      description: 'SHA-256 by model name, which proves the identity of models',
      additionalProperties: {
        ...sha256Text,
        description: '64 digits 0–9 or small letters a–f, as sha256sum prints them',
      },
    },
    limits: {
      ...limits,
      description: 'Jobs at once by family, workflow or talent, on all servers together: `flux: 2`',
    },
    privacy: { enum: ['redact', 'reject', 'off'], default: 'redact' },
    use: {
      enum: ['personal', 'commercial'],
      description: 'What pictures are for: a drop with a talent whose licence forbids it is refused',
    },
    styleBudget: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 10,
      default: 1.5,
      description: 'Largest sum of style weights',
    },
    attemptsMax: { type: 'integer', minimum: 1, maximum: 20, default: 4 },
    rescanSeconds: { ...seconds, default: 30 },
    quietSeconds: { ...seconds, default: 10, description: 'How long a YAML drop must stay unchanged' },
    drainSeconds: { ...seconds, default: 30 },
    api: {
      type: 'object',
      additionalProperties: false,
      properties: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'integer', minimum: 0, maximum: 65535, default: 8787 },
        token: {
          type: 'string',
          description: 'Needed on any address but loopback; `${NAME}` is taken from the environment',
        },
      },
    },
    log: {
      type: 'object',
      additionalProperties: false,
      properties: {
        level: { enum: ['trace', 'debug', 'info', 'warn', 'error'], default: 'info' },
        file: { type: 'string' },
      },
    },
    plugins: { type: 'object', additionalProperties: { type: 'object' }, description: 'Options by plugin name' },
    pluginFolders: {
      type: 'array',
      maxItems: 64,
      items: { type: 'string', minLength: 1, maxLength: 4096 },
      description: 'Further folders that hold plugins',
    },
    strictPlugins: {
      type: 'boolean',
      description: 'Refuses a plugin whose code has changed while its version has not',
    },
    engine: {
      type: 'object',
      additionalProperties: false,
      required: ['name'],
      description: 'What workers on other machines get their jobs through; without it one process does all',
      properties: {
        name: { ...nameText, examples: ['bullmq'] },
        options: { type: 'object', description: 'Options of the engine; `${NAME}` is taken from the environment' },
      },
    },
    storage: {
      description:
        'Where workers put their pictures: a folder that they see as well (default .foundry/shared), or a plugin',
      anyOf: [
        { type: 'string', minLength: 1, maxLength: 4096 },
        {
          type: 'object',
          additionalProperties: false,
          required: ['name'],
          properties: {
            name: { ...nameText, examples: ['bucket'] },
            options: { type: 'object', description: 'Options of the storage; `${NAME}` is taken from the environment' },
          },
        },
      ],
    },
  },
} as const
export type ConfigFile = FromSchema<typeof configFileSchema>
