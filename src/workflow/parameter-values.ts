import type { Binding } from '../schema/binding.js'
import type { Parameter, ParameterValue } from '../schema/parameter.js'

/**
 * The values that were asked for, in the type of the parameter. Several stand in one text with commas between
 * (`5,6.5`), except where the parameter itself is a text. What it does not take comes back as `wrong`.
 */
export function readParameterValues(
  parameter: Parameter,
  asked: readonly ParameterValue[],
): { values: ParameterValue[]; wrong: ParameterValue[] } {
  const values: ParameterValue[] = []
  const wrong: ParameterValue[] = []
  for (const each of asked.flatMap(value => splitValue(parameter, value))) {
    const value = readValue(parameter, each)
    if (value === undefined) wrong.push(each)
    else values.push(value)
  }
  return { values, wrong }
}

/** `a number from 1 to 20`, `a whole number`, `euler, heun`, … */
export function describeParameter({ type, min, max, choices = [] }: Parameter): string {
  if (type === 'choice') return choices.join(', ')
  if (type === 'boolean') return 'true, false'
  if (type === 'text') return 'a text'
  const range = [...(min === undefined ? [] : [`from ${min}`]), ...(max === undefined ? [] : [`to ${max}`])]
  return [type === 'integer' ? 'a whole number' : 'a number', ...range].join(' ')
}

/** What each parameter of a workflow is set to: as asked, else its default. Those that keep the value of the graph are absent. */
export function settledParameters(
  { parameters = {} }: Binding,
  set: Readonly<Record<string, ParameterValue>> = {},
): Record<string, ParameterValue> {
  return Object.fromEntries(
    Object.entries(parameters).flatMap(([name, parameter]): [string, ParameterValue][] => {
      const value = Object.hasOwn(set, name) ? set[name] : parameter.default
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

/** Those of them that are texts, which may say anything; each as `change` makes it. */
export function textParameters(
  { parameters = {} }: Binding,
  values: Readonly<Record<string, ParameterValue>>,
  change: (text: string, name: string) => string = text => text,
): Record<string, string> {
  const texts = Object.entries(values).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string' && Object.hasOwn(parameters, name) && parameters[name]?.type === 'text'
      ? [[name, change(value, name)]]
      : [],
  )
  return Object.fromEntries(texts)
}

function splitValue({ type, choices = [] }: Parameter, value: ParameterValue): ParameterValue[] {
  const isOne = typeof value !== 'string' || type === 'text' || choices.includes(value)
  return isOne ? [value] : value.split(',').map(each => each.trim())
}

function readValue({ type, min = -Infinity, max = Infinity, choices = [] }: Parameter, value: ParameterValue) {
  switch (type) {
    case 'text':
      return String(value)
    case 'choice':
      return choices.find(each => each === value) ?? choices.find(each => String(each) === value)
    case 'boolean':
      if (typeof value === 'boolean') return value
      return value === 'true' || value === 'false' ? value === 'true' : undefined
    default: {
      const number = typeof value === 'string' && value !== '' ? Number(value) : value
      const isFit = typeof number === 'number' && Number.isFinite(number) && number >= min && number <= max
      return isFit && (type === 'number' || Number.isSafeInteger(number)) ? number : undefined
    }
  }
}
