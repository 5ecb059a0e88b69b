import type { Problem } from '../errors.js'
import { likelyNameOf, serverNameOf } from './server-name.js'
import { plainValue } from './api-graph.js'
import type { InputSpec } from './object-info.js'
import { shorten } from './parse-graph.js'

const choicesShownMax = 8

/** What is wrong with a literal where the server has this input. The server casts numbers and texts; so much is allowed. */
export function checkLiteral(literal: unknown, spec: InputSpec, path: string): Problem[] {
  const value = plainValue(literal)
  const report = (severity: Problem['severity'], code: string, message: string, allowed?: string): Problem[] => [
    {
      severity,
      code,
      message,
      path,
      found: shorten(JSON.stringify(value)),
      ...(allowed !== undefined && { allowed }),
    },
  ]
  switch (spec.kind) {
    case 'socket':
      return report(
        'error',
        'WORKFLOW_LINK_MISSING',
        `a link to a ${spec.types.join(' or ')} belongs here, not a value`,
      )
    case 'choice':
      return isAmong(value, spec.choices)
        ? []
        : report('error', 'WORKFLOW_VALUE_UNKNOWN', notListed(value), shown(value, spec.choices))
    case 'dynamic':
      if (!spec.choices || isAmong(value, spec.choices)) return []
      return report('error', 'WORKFLOW_VALUE_UNKNOWN', notListed(value), shown(value, spec.choices))
    case 'number':
      return checkNumber(value, spec, report)
    case 'text':
      return typeof value === 'object' ? report('error', 'WORKFLOW_VALUE_UNFIT', 'a text is expected here') : []
    case 'switch':
      return typeof value === 'boolean' || typeof value === 'number'
        ? []
        : report('warning', 'WORKFLOW_VALUE_UNFIT', 'the server takes any text here for true', 'true, false')
    case 'open':
      return []
  }
}

type Report = (severity: Problem['severity'], code: string, message: string, allowed?: string) => Problem[]

function checkNumber(value: unknown, spec: Extract<InputSpec, { kind: 'number' }>, report: Report): Problem[] {
  const { type, min = -Infinity, max = Infinity } = spec
  const number = toNumber(value)
  const range = [spec.min, spec.max].some(limit => limit !== undefined) ? `${min} to ${max}` : undefined
  if (number === undefined || (type === 'INT' && typeof value === 'string' && !Number.isInteger(number)))
    return report(
      'error',
      'WORKFLOW_VALUE_UNFIT',
      type === 'INT' ? 'a whole number is expected here' : 'a number is expected here',
      range,
    )
  if (number < min || number > max) return report('error', 'WORKFLOW_VALUE_RANGE', 'the number is out of range', range)
  if (type === 'INT' && !Number.isInteger(number))
    return report('warning', 'WORKFLOW_VALUE_UNFIT', 'the server cuts this off to a whole number')
  if (type === 'INT' && !Number.isSafeInteger(number))
    return report('warning', 'WORKFLOW_NUMBER_ROUNDED', 'numbers beyond 2^53-1 are not kept exactly')
  return []
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'boolean') return Number(value)
  const number = typeof value === 'string' && value.trim() ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

/** Model names are compared without regard to the separator, because a provider sends the server's own spelling. */
function isAmong(value: unknown, choices: readonly unknown[]): boolean {
  if (choices.includes(value)) return true
  return typeof value === 'string' && serverNameOf(value, choices.filter(isText)) !== undefined
}

function notListed(value: unknown): string {
  return typeof value === 'string' && /\.\w{2,11}$/.test(value)
    ? 'the server has no such file: copy it there, or choose one that it has'
    : 'the server does not know this value'
}

function shown(value: unknown, choices: readonly unknown[]): string {
  const nearest = typeof value === 'string' ? likelyNameOf(value, choices.filter(isText)) : undefined
  const others = choices.filter(each => each !== nearest).slice(0, choicesShownMax - 1)
  const names = [...(nearest === undefined ? [] : [`perhaps ${nearest}`]), ...others.map(String)]
  if (names.length === 0) return 'nothing: the list of the server is empty'
  return names.length < choices.length ? `${names.join(', ')}, …` : names.join(', ')
}

const isText = (value: unknown): value is string => typeof value === 'string'
