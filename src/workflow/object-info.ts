import { isRecord } from './parse-graph.js'

/** One class of `/object_info`, as far as a graph is checked against it. */
export interface NodeClass {
  required: Readonly<Record<string, InputSpec>>
  optional: Readonly<Record<string, InputSpec>>
  /** Filled in by the server itself. */
  hidden: readonly string[]
  /** Types by output slot. */
  outputs: readonly string[]
  isOutput: boolean
}

export type InputSpec =
  | { kind: 'choice'; choices: readonly unknown[] }
  | { kind: 'number'; type: 'INT' | 'FLOAT'; min?: number; max?: number }
  | { kind: 'text' }
  | { kind: 'switch' }
  /** Takes what is linked to it; `types` are the ones that fit. */
  | { kind: 'socket'; types: readonly string[] }
  /** Grows sub-inputs named `<input>.<key>`; `choices` where the value is the choice of a group of them. */
  | { kind: 'dynamic'; grows: boolean; choices?: readonly unknown[] }
  /** Not judged: choices fetched by the browser, uploads, unknown shapes. */
  | { kind: 'open' }

/** The class of that name; undefined where the server does not have it. Unknown shapes are read as what may be anything. */
export function readNodeClass(objectInfo: Readonly<Record<string, unknown>>, name: string): NodeClass | undefined {
  const info = Object.hasOwn(objectInfo, name) ? objectInfo[name] : undefined
  if (!isRecord(info)) return undefined
  const sections = isRecord(info.input) ? info.input : {}
  return {
    required: readSection(sections.required),
    optional: readSection(sections.optional),
    hidden: isRecord(sections.hidden) ? Object.keys(sections.hidden) : [],
    outputs: readOutputs(objectInfo, name),
    isOutput: info.output_node === true,
  }
}

/** Types by output slot; none for an unknown class. */
export function readOutputs(objectInfo: Readonly<Record<string, unknown>>, name: string): string[] {
  const info = objectInfo[name]
  return isRecord(info) && Array.isArray(info.output) ? info.output.map(typeName) : []
}

function readSection(section: unknown): Record<string, InputSpec> {
  if (!isRecord(section)) return {}
  return Object.fromEntries(Object.entries(section).map(([name, spec]) => [name, readSpec(spec)]))
}

function readSpec(spec: unknown): InputSpec {
  const [type, more] = Array.isArray(spec) ? (spec as unknown[]) : []
  const options = isRecord(more) ? more : {}
  // Uploads may name files in subfolders, which their lists leave out: such nodes check the name themselves.
  if (
    Object.keys(options).some(key => key.endsWith('_upload')) ||
    options.remote ||
    options.socketless ||
    options.multiselect === true
  )
    return { kind: 'open' }
  if (Array.isArray(type)) return { kind: 'choice', choices: type }
  if (type === 'COMBO')
    return Array.isArray(options.options) ? { kind: 'choice', choices: options.options } : { kind: 'open' }
  if (type === 'INT' || type === 'FLOAT')
    return { kind: 'number', type, ...limit(options, 'min'), ...limit(options, 'max') }
  if (type === 'STRING') return { kind: 'text' }
  if (type === 'BOOLEAN') return { kind: 'switch' }
  if (typeof type !== 'string' || type === '*') return { kind: 'open' }
  if (/^COMFY_\w+_V\d+$/.test(type)) return readDynamic(type, options)
  const types = type.split(',').map(each => each.trim())
  return types.some(each => /^(INT|FLOAT|STRING|BOOLEAN|COMBO|\*)$/.test(each))
    ? { kind: 'open' }
    : { kind: 'socket', types }
}

function limit(options: Record<string, unknown>, key: 'min' | 'max'): { min?: number } | { max?: number } {
  const value = options[key]
  return typeof value === 'number' ? { [key]: value } : {}
}

function readDynamic(type: string, { options }: Record<string, unknown>): InputSpec {
  if (type.includes('MATCHTYPE')) return { kind: 'open' }
  if (!type.includes('DYNAMICCOMBO') || !Array.isArray(options)) return { kind: 'dynamic', grows: true }
  return { kind: 'dynamic', grows: false, choices: options.map((each: unknown) => (isRecord(each) ? each.key : each)) }
}

function typeName(type: unknown): string {
  return Array.isArray(type) ? 'COMBO' : typeof type === 'string' ? type : '*'
}
