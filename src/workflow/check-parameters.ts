import type { Problem } from '../errors.js'
import type { Binding } from '../schema/binding.js'
import type { Parameter } from '../schema/parameter.js'
import type { ApiGraph } from './api-graph.js'
import { type BoundInput, checkInput } from './check-input.js'
import { describeParameter, readParameterValues } from './parameter-values.js'

/** Fields that are set for every picture, or decide what a server must have: a parameter on the same input would be lost. */
const ownFields = ['positive', 'negative', 'seed', 'width', 'height', 'batch', 'references', 'models'] as const

/** Everything in the parameters of a binding that does not fit its graph or themselves, with paths such as `parameters.cfg.node`. */
export function checkParameters(graph: ApiGraph, binding: Binding, reach: ReadonlySet<string>): Problem[] {
  const { parameters = {} } = binding
  const boundBy: BoundInput['boundBy'] = new Map(
    ownFields.flatMap(field =>
      (binding[field] ?? []).map(({ node, input }, at) => [`${node}\n${input}`, `${field}[${at}]`] as const),
    ),
  )
  return Object.entries(parameters).flatMap(([name, parameter]) => {
    const path = `parameters.${name}`
    const kind = kinds[parameter.type]
    return [...checkInput(graph, parameter, { path, kind, reach, boundBy }), ...checkSelf(name, parameter, path)]
  })
}

const kinds = { number: 'number', integer: 'number', text: 'string', choice: 'any', boolean: 'any' } as const

function checkSelf(name: string, parameter: Parameter, path: string): Problem[] {
  const { type, min, max, choices, default: standard } = parameter
  const problems: Problem[] = []
  const report = (message: string, field: string, more: Partial<Problem> = {}) =>
    void problems.push({ severity: 'error', code: 'PARAMETER_UNFIT', message, path: `${path}${field}`, ...more })
  const allowed = 'letters, digits, - and _, at most 64, beginning with a letter'
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name)) report('a parameter cannot have this name', '', { allowed })
  if (type === 'choice' && !choices) report('a choice needs the list of its choices', '.choices')
  if (type !== 'choice' && choices) report('only a parameter of the type choice has choices', '.choices')
  const isNumber = type === 'number' || type === 'integer'
  if (!isNumber && (min !== undefined || max !== undefined)) report('only numbers have a range', '')
  if (min !== undefined && max !== undefined && min > max) report('min is larger than max', '.min')
  if (standard !== undefined && readParameterValues(parameter, [standard]).values[0] !== standard)
    report('the default is none of its own values', '.default', {
      found: JSON.stringify(standard),
      allowed: describeParameter(parameter),
    })
  return problems
}
