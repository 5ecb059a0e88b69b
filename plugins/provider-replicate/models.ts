import type { Price } from '../../src/plugins/contract.js'

/** One input of a model: its kind, and what it may be. */
export interface InputRule {
  type: 'string' | 'integer' | 'number' | 'boolean' | 'uri' | 'uris'
  isRequired?: boolean
  minimum?: number
  maximum?: number
  enum?: readonly string[]
  /** An integer beyond its range is folded into it, as a seed may be. */
  isFolded?: boolean
}

/** A model as the table knows it. Models come and go: the user's own configuration extends and overrides it. */
export interface Model {
  /** `<owner>/<name>`. */
  id: string
  inputs: Readonly<Record<string, InputRule>>
  /** Reference pictures that it takes at most. */
  referencesMax: number
  /** Of one picture. */
  price: Price
  /** The day from which it is gone, as `YYYY-MM-DD`. */
  retiredOn?: string
  /** What its maker recommends in its place. */
  successor?: string
}

const currency = 'USD'
const prompt: InputRule = { type: 'string', isRequired: true }
// The range is not documented; every backend understands 31 bits.
const seed: InputRule = { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1, isFolded: true }
const quality: InputRule = { type: 'integer', minimum: 0, maximum: 100 }
const flag: InputRule = { type: 'boolean' }
const integer = (minimum: number, maximum: number): InputRule => ({ type: 'integer', minimum, maximum })
const oneOf = (...values: string[]): InputRule => ({ type: 'string', enum: values })

const commonRatios = ['1:1', '16:9', '3:2', '2:3', '4:5', '5:4', '9:16', '3:4', '4:3']
const webpJpgPng = oneOf('webp', 'jpg', 'png')
/** What the first generation takes; the older model a few more. */
const flux1: Readonly<Record<string, InputRule>> = {
  prompt,
  seed,
  image_prompt: { type: 'uri' },
  aspect_ratio: oneOf('custom', ...commonRatios),
  width: integer(256, 1440),
  height: integer(256, 1440),
  safety_tolerance: integer(1, 6),
  prompt_upsampling: flag,
  output_format: webpJpgPng,
  output_quality: quality,
}

/** Inputs as their version pages gave them in 2026. A price that Replicate's own pages did not give is unknown. */
export const shippedModels: readonly Model[] = [
  {
    id: 'black-forest-labs/flux-2-pro',
    inputs: {
      prompt,
      seed,
      input_images: { type: 'uris' },
      aspect_ratio: oneOf('match_input_image', 'custom', ...commonRatios),
      resolution: oneOf('match_input_image', '0.5 MP', '1 MP', '2 MP', '4 MP'),
      width: integer(256, 2048),
      height: integer(256, 2048),
      safety_tolerance: integer(1, 5),
      output_format: webpJpgPng,
      output_quality: quality,
    },
    referencesMax: 8,
    price: { currency },
  },
  {
    id: 'black-forest-labs/flux-kontext-pro',
    inputs: {
      prompt,
      seed,
      input_image: { type: 'uri' },
      aspect_ratio: oneOf('match_input_image', ...commonRatios, '21:9', '9:21', '2:1', '1:2'),
      safety_tolerance: integer(0, 6),
      prompt_upsampling: flag,
      output_format: oneOf('png', 'jpg'),
    },
    referencesMax: 1,
    price: { currency },
    successor: 'black-forest-labs/flux-2-pro',
  },
  {
    id: 'black-forest-labs/flux-1.1-pro',
    inputs: flux1,
    referencesMax: 1,
    price: { currency },
    successor: 'black-forest-labs/flux-2-pro',
  },
  {
    id: 'black-forest-labs/flux-pro',
    inputs: {
      ...flux1,
      steps: integer(1, 50),
      guidance: { type: 'number', minimum: 2, maximum: 5 },
      interval: { type: 'number', minimum: 1, maximum: 4 },
    },
    referencesMax: 1,
    price: { amount: 0.055, currency },
    successor: 'black-forest-labs/flux-2-pro',
  },
]

/** `options.models` of a server entry: what it says of a model takes the place of what the table says. */
export const modelsOptionSchema = {
  type: 'object',
  description: 'Models by id, `<owner>/<name>`: new ones, and what is otherwise of known ones',
  additionalProperties: {
    type: 'object',
    additionalProperties: false,
    properties: {
      price: { type: 'number', minimum: 0, description: 'Of one picture, in USD' },
      retiredOn: { type: 'string', description: 'YYYY-MM-DD' },
      successor: { type: 'string' },
      referencesMax: { type: 'integer', minimum: 0 },
      inputs: { type: 'object', description: 'Inputs by name: type, isRequired, minimum, maximum, enum, isFolded' },
    },
  },
} as const

const idPattern = /^[a-z0-9][a-z0-9._-]*\/[a-z0-9][a-z0-9._-]*$/i
const dayPattern = /^\d{4}-\d{2}-\d{2}$/
const inputTypes: readonly unknown[] = [
  'string',
  'integer',
  'number',
  'boolean',
  'uri',
  'uris',
] satisfies InputRule['type'][]

/** The table with what the options of an entry say of it, and everything that is wrong with these. */
export function readModels(options: Readonly<Record<string, unknown>>): {
  models: ReadonlyMap<string, Model>
  problems: string[]
} {
  const models = new Map(shippedModels.map(model => [model.id, model]))
  const problems = Object.keys(options).flatMap(key =>
    key === 'models' ? [] : [`"${key}" is no option (allowed: models)`],
  )
  const own = options['models'] ?? {}
  if (!isRecord(own)) return { models, problems: [...problems, 'models: write models by id'] }
  for (const [id, said] of Object.entries(own)) {
    const found = problemsOf(id, said)
    problems.push(...found)
    if (found.length === 0) models.set(id, overridden(id, models.get(id), said as Said))
  }
  return { models, problems }
}

/** As the schema above has it. */
interface Said {
  price?: number
  retiredOn?: string
  successor?: string
  referencesMax?: number
  inputs?: Record<string, InputRule>
}

function overridden(id: string, known: Model | undefined, { price, inputs, ...rest }: Said): Model {
  const base = known ?? { id, inputs: { prompt }, referencesMax: 0, price: { currency } }
  return {
    ...base,
    ...rest,
    inputs: { ...base.inputs, ...inputs },
    ...(price !== undefined && { price: { amount: price, currency } }),
  }
}

function problemsOf(id: string, said: unknown): string[] {
  const at = `models.${id}`
  if (!idPattern.test(id)) return [`${at}: a model is called <owner>/<name>`]
  if (!isRecord(said)) return [`${at}: an object is expected`]
  const { price, retiredOn, successor, referencesMax, inputs = {}, ...others } = said
  const isCount = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value >= 0
  return [
    ...Object.keys(others).map(key => `${at}.${key}: unknown`),
    ...(price === undefined || isCount(price) ? [] : [`${at}.price: a number of USD, 0 or more`]),
    ...(retiredOn === undefined || (typeof retiredOn === 'string' && dayPattern.test(retiredOn))
      ? []
      : [`${at}.retiredOn: a day as YYYY-MM-DD`]),
    ...(successor === undefined || typeof successor === 'string' ? [] : [`${at}.successor: the id of a model`]),
    ...(referencesMax === undefined || isCount(referencesMax) ? [] : [`${at}.referencesMax: a number, 0 or more`]),
    ...(isRecord(inputs)
      ? Object.entries(inputs).flatMap(([name, rule]) => problemsOfRule(`${at}.inputs.${name}`, rule))
      : [`${at}.inputs: inputs by name`]),
  ]
}

function problemsOfRule(at: string, rule: unknown): string[] {
  if (!isRecord(rule) || !inputTypes.includes(rule['type'])) return [`${at}.type: one of ${inputTypes.join(', ')}`]
  const { enum: choices } = rule
  const isList = choices === undefined || (Array.isArray(choices) && choices.every(each => typeof each === 'string'))
  const bounds = ['minimum', 'maximum'].filter(key => !['undefined', 'number'].includes(typeof rule[key]))
  return [...bounds.map(key => `${at}.${key}: a number`), ...(isList ? [] : [`${at}.enum: a list of texts`])]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
