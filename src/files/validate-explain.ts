import type { ErrorObject } from 'ajv'
import { describeForm, describeSchema, describeSize, exampleOf, listValues, lowerFirst } from './describe-schema.js'
import { describeValue, kindOf } from './describe-value.js'
import type { Target } from './document-contract.js'
import { findNearMiss } from './near-miss.js'
import { pathOfPointer, valueAt } from './value-path.js'

/** A validator's error in words. `path` is where it is wrong, `target` what to point at. */
export interface Explanation {
  code: string
  message: string
  path: (string | number)[]
  target: Target
  found?: string
  allowed?: string
}

/** What an error is judged by. `sourceOf` gives a YAML scalar as written. */
export interface Judged {
  schema: object
  value: unknown
  isHidden: boolean
  sourceOf(path: readonly (string | number)[]): string | undefined
}

export function explainError(error: ErrorObject, judged: Judged): Explanation {
  const { path, value } = pathOfPointer(error.instancePath, judged.value)
  const parent = parentSchema(error, judged.schema)
  const found = describeValue(value, { isHidden: judged.isHidden, source: judged.sourceOf(path) })
  const at = { path, target: { path, part: 'value' as const } }
  const explain = explainers[error.keyword] ?? explainOther
  return { ...at, found, ...explain({ error, value, parent, path, judged }) }
}

interface Case {
  error: ErrorObject
  value: unknown
  /** The schema that holds the failed keyword. */
  parent: Record<string, unknown>
  path: (string | number)[]
  judged: Judged
}

type Explainer = (failed: Case) => Partial<Explanation> & { code: string; message: string }

const explainType: Explainer = ({ value, parent, path, judged }) => ({
  code: 'DOCUMENT_TYPE',
  message: `must be ${describeSchema({ type: parent['type'] })}${adviseType(value, { parent, source: judged.sourceOf(path), isHidden: judged.isHidden })}`,
  allowed: describeSchema(parent),
})

const explainChoice: Explainer = ({ value, parent }) => {
  const options = [parent['anyOf'] ?? parent['oneOf']].flat().map(option => describeSchema(option as object))
  return { code: 'DOCUMENT_TYPE', message: `cannot be ${kindOf(value)}`, allowed: options.join(', or ') }
}

const explainRequired: Explainer = ({ error, value, parent, path, judged }) => {
  const name = String(error.params['missingProperty'])
  const properties = propertiesOf(parent)
  const strangers = Object.keys(value as object).filter(key => !Object.hasOwn(properties, key))
  const meant = judged.isHidden ? undefined : strangers.find(key => findNearMiss(key, [name]) !== undefined)
  const explained = { code: 'DOCUMENT_REQUIRED', message: 'is missing', path: [...path, name] }
  const allowed = describeSchema((properties[name] ?? {}) as object)
  return {
    ...explained,
    found: meant === undefined ? 'nothing' : `"${meant}" instead`,
    ...(allowed && { allowed }),
  }
}

const explainUnknown: Explainer = ({ error, parent, path, judged }) => {
  const name = String(error.params['additionalProperty'])
  const known = Object.keys(propertiesOf(parent)).filter(key => key !== '$schema')
  const meant = findNearMiss(name, known)
  return {
    code: 'DOCUMENT_PROPERTY_UNKNOWN',
    message: meant === undefined ? 'is not a known field' : `is not a known field: did you mean "${meant}"?`,
    path: [...path, name],
    target: { path: [...path, name], part: 'key' },
    found: judged.isHidden ? 'a field' : describeValue(name, { isHidden: false }),
    allowed: listValues(known),
  }
}

const explainEnum: Explainer = ({ error, value, judged }) => {
  const allowed = [error.params['allowedValues'] ?? error.params['allowedValue']].flat() as unknown[]
  const words = allowed.filter(each => typeof each === 'string')
  const meant = typeof value === 'string' && !judged.isHidden ? findNearMiss(value, words) : undefined
  return {
    code: 'DOCUMENT_VALUE_CHOICE',
    message: meant === undefined ? 'is not one of the values that are known' : `is not known: did you mean "${meant}"?`,
    allowed: listValues(allowed),
  }
}

const explainPattern: Explainer = ({ parent }) => ({
  code: 'DOCUMENT_PATTERN',
  message: 'is not written as it must be',
  allowed: describeForm(parent) ?? 'text of another form',
})

const explainRange: Explainer = ({ parent }) => ({
  code: 'DOCUMENT_VALUE_RANGE',
  message: 'is out of range',
  allowed: describeSchema(parent),
})

const explainStep: Explainer = ({ parent }) => ({
  code: 'DOCUMENT_VALUE_STEP',
  message: 'does not fit the steps',
  allowed: `multiples of ${String(parent['multipleOf'])}`,
})

const explainLength: Explainer = ({ value, parent }) => ({
  code: 'DOCUMENT_LENGTH',
  message: isEmpty(value) ? 'must not be empty' : 'has the wrong length',
  allowed: describeSize(parent) ?? '',
})

const explainOther: Explainer = ({ error }) => ({
  code: 'DOCUMENT_VALUE',
  message: error.message ?? 'is not allowed',
})

const explainers: Record<string, Explainer | undefined> = {
  type: explainType,
  anyOf: explainChoice,
  oneOf: explainChoice,
  required: explainRequired,
  additionalProperties: explainUnknown,
  enum: explainEnum,
  const: explainEnum,
  pattern: explainPattern,
  minimum: explainRange,
  maximum: explainRange,
  exclusiveMinimum: explainRange,
  exclusiveMaximum: explainRange,
  multipleOf: explainStep,
  minLength: explainLength,
  maxLength: explainLength,
  minItems: explainLength,
  maxItems: explainLength,
  minProperties: explainLength,
  maxProperties: explainLength,
}

/** What to type instead, where that is plain: numbers and truth values in quotes, texts without. */
function adviseType(
  value: unknown,
  { parent, source, isHidden }: { parent: Record<string, unknown>; source: string | undefined; isHidden: boolean },
): string {
  const types = [parent['type']].flat()
  if (value === null) {
    const isComment = types.includes('string') && source?.startsWith('#')
    const comment = isHidden ? '' : `: write "${source}"`
    return isComment ? `: # begins a comment, so put it in quotes${comment}` : ', but there is nothing'
  }
  if (types.includes('array')) return typeof value === 'object' ? '' : ': put it in [ ]'
  if (types.includes('string') && (typeof value === 'number' || typeof value === 'boolean'))
    return `: ${adviseQuotes((source ?? String(value)).slice(0, 40), { parent, isHidden })}`
  if (typeof value !== 'string') return ''
  if (types.includes('boolean') && /^(?:yes|on|true|y)$/i.test(value)) return ': write true'
  if (types.includes('boolean') && /^(?:no|off|false|n)$/i.test(value)) return ': write false'
  const number = types.includes('number') || types.includes('integer') ? numberIn(value) : undefined
  return number === undefined || isHidden ? '' : `: write ${number} without quotes`
}

/** Quotes alone help only where the text is then written as it must be. */
function adviseQuotes(
  written: string,
  { parent, isHidden }: { parent: Record<string, unknown>; isHidden: boolean },
): string {
  const { pattern, description } = parent
  const example = exampleOf(parent)
  if (typeof pattern === 'string' && !new RegExp(pattern).test(written) && typeof description === 'string' && example)
    return `write ${lowerFirst(description)} in quotes, e.g. ${example}`
  return isHidden ? 'put it in quotes' : `write "${written}" in quotes`
}

/** `1e-4`, `1_000`, `0,5`, `50%`: numbers to people, texts to readers. */
function numberIn(text: string): number | undefined {
  const [, digits = '', percent] = /^\s*([-+]?[\d_]*[.,]?\d+(?:e[-+]?\d+)?)\s*(%?)\s*$/i.exec(text.slice(0, 40)) ?? []
  const number = digits === '' ? NaN : Number(digits.replaceAll('_', '').replace(',', '.'))
  if (!Number.isFinite(number)) return undefined
  return percent ? number / 100 : number
}

function isEmpty(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
}

function propertiesOf(schema: Record<string, unknown>): Record<string, unknown> {
  return (schema['properties'] ?? {}) as Record<string, unknown>
}

function parentSchema({ schemaPath }: ErrorObject, schema: object): Record<string, unknown> {
  const pointer = decodeURIComponent(schemaPath.slice(schemaPath.indexOf('#') + 1))
  return (valueAt(pointer.slice(0, pointer.lastIndexOf('/')), schema) ?? {}) as Record<string, unknown>
}
