import type { Problem } from '../errors.js'
import { findNearMiss } from '../files/near-miss.js'
import type { Binding } from '../schema/binding.js'
import type { ParameterValue } from '../schema/parameter.js'
import { describeParameter, readParameterValues } from '../workflow/parameter-values.js'

/** What is asked of parameters, by name: for all pictures of a run, and by one persona. */
export interface AskedParameters {
  run: Readonly<Record<string, readonly ParameterValue[]>>
  persona: Readonly<Record<string, ParameterValue>>
}

/**
 * The values of every parameter that is set and that the workflow has, in its type. What the run asks goes before what the persona
 * says. A value that a parameter does not take is an error; a parameter of the persona that this workflow lacks is a warning.
 */
export function chooseParameters(
  { parameters = {} }: Binding,
  asked: AskedParameters,
  workflow: string,
): { set: Record<string, ParameterValue[]>; problems: Problem[] } {
  const problems: Problem[] = []
  const set: Record<string, ParameterValue[]> = {}
  const own = Object.entries(asked.persona).map(([name, value]) => [name, [value]] as const)
  for (const [name] of own) {
    if (Object.hasOwn(parameters, name) || Object.hasOwn(asked.run, name)) continue
    problems.push({ ...unknown(name, [[workflow, Object.keys(parameters)]]), severity: 'warning' })
  }
  for (const [name, given] of [
    ...own.filter(([name]) => !Object.hasOwn(asked.run, name)),
    ...Object.entries(asked.run),
  ]) {
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    if (!parameter) continue
    const { values, wrong } = readParameterValues(parameter, given)
    const allowed = describeParameter(parameter)
    for (const value of wrong) {
      const message = `The parameter "${name}" of workflow ${workflow} does not take this value`
      const place = { path: `parameters.${name}`, found: JSON.stringify(value), allowed }
      problems.push({ severity: 'error', code: 'PARAMETER_UNFIT', message, ...place })
    }
    if (values.length > 0) set[name] = values
  }
  return { set, problems }
}

/** Parameters that a run asks for and that none of its workflows has. */
export function unknownParameters(
  asked: AskedParameters['run'],
  workflows: readonly { name: string; binding: Binding }[],
): Problem[] {
  const known = workflows.map(({ name, binding }) => [name, Object.keys(binding.parameters ?? {})] as const)
  if (workflows.length === 0) return []
  const names = known.flatMap(([, own]) => own)
  return Object.keys(asked).flatMap(name => (names.includes(name) ? [] : [unknown(name, known)]))
}

function unknown(name: string, known: readonly (readonly [workflow: string, names: readonly string[]])[]): Problem {
  const names = known.flatMap(([, own]) => own)
  const meant = findNearMiss(name, names)
  const workflows = known.map(([workflow]) => workflow).join(', ')
  return {
    severity: 'error',
    code: 'PARAMETER_UNKNOWN',
    message: `Workflow ${workflows} has no parameter "${name}"${meant === undefined ? '' : `: did you mean "${meant}"?`}`,
    path: `parameters.${name}`,
    allowed: names.join(', ') || `none, because ${workflows}.binding.yaml names none`,
  }
}
