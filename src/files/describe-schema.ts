const LIST_MAX = 12

/** What a schema allows, in few words: `a number, 0 to 1`, `one of flat, glossy`, `a list of text`. */
export function describeSchema(schema: object): string {
  const { type, enum: choices, const: only, items, anyOf, oneOf, description } = schema as Described
  if (choices) return `one of ${listValues(choices)}`
  if (only !== undefined) return JSON.stringify(only)
  const options = anyOf ?? oneOf
  if (options) return options.map(describeSchema).join(', or ')
  const kinds = [type].flat().flatMap(each => nouns.get(each ?? '') ?? [])
  const kind = kinds.join(' or ')
  const of = type === 'array' && items && describeSchema(items)
  const form = type === 'string' && (describeForm(schema) ?? description)
  return [of ? `${kind} of ${of}` : kind, describeRange(schema), describeSize(schema), form].filter(Boolean).join(', ')
}

/** How a text with a pattern is written, in words: `three numbers, e.g. "1.0.0"`. A pattern itself says little to people. */
export function describeForm(schema: object): string | undefined {
  const { pattern, description } = schema as Described
  if (pattern === undefined || description === undefined) return undefined
  const example = exampleOf(schema)
  const words = lowerFirst(description)
  return example === undefined ? words : `${words}, e.g. ${example}`
}

/** A sentence as a part of another. */
export function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1)
}

/** The first example of a schema, as JSON. */
export function exampleOf(schema: object): string | undefined {
  const [example] = (schema as Described).examples ?? []
  return example === undefined ? undefined : JSON.stringify(example)
}

/** `1 to 64 characters`, `at least 1 item`; undefined without bounds. */
export function describeSize(schema: object): string | undefined {
  const bounds = schema as Record<string, number | undefined>
  for (const [name, noun] of sizeNouns) {
    const range = toRange(bounds[`min${name}`], bounds[`max${name}`])
    if (range !== undefined) return `${range} ${noun}`
  }
  return undefined
}

/** Values as one writes them, the first twelve. */
export function listValues(values: readonly unknown[]): string {
  const shown = values.slice(0, LIST_MAX).map(value => (typeof value === 'string' ? value : JSON.stringify(value)))
  return values.length > LIST_MAX ? `${shown.join(', ')}, … (${values.length} in all)` : shown.join(', ')
}

interface Described {
  type?: string | readonly string[]
  enum?: readonly unknown[]
  const?: unknown
  items?: object
  anyOf?: readonly object[]
  oneOf?: readonly object[]
  description?: string
  pattern?: string
  examples?: readonly unknown[]
}

const nouns = new Map([
  ['string', 'text'],
  ['number', 'a number'],
  ['integer', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'an object'],
  ['null', 'null'],
])

const sizeNouns = [
  ['Length', 'characters'],
  ['Items', 'items'],
  ['Properties', 'fields'],
] as const

function describeRange(schema: object): string | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema as Record<string, number | undefined>
  const more = exclusiveMinimum === undefined ? undefined : `more than ${exclusiveMinimum}`
  const less = exclusiveMaximum === undefined ? undefined : `less than ${exclusiveMaximum}`
  return [more, toRange(minimum, maximum), less].filter(part => part !== undefined).join(', ') || undefined
}

function toRange(min: number | undefined, max: number | undefined): string | undefined {
  if (min !== undefined && max !== undefined) return `${min} to ${max}`
  if (min !== undefined) return `at least ${min}`
  return max === undefined ? undefined : `at most ${max}`
}
