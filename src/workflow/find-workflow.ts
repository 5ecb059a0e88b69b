import { isEditorFormat, isRecord } from './parse-graph.js'

/** A workflow somewhere in a parsed file. */
export interface FoundWorkflow {
  format: 'api' | 'editor'
  value: Record<string, unknown>
  /** Where it stands in the file. */
  at: readonly (string | number)[]
}

/**
 * The workflow in what people save: the bare graph of either format, `{prompt: graph}`, `{output: graph, workflow: editor}`, an
 * entry of ComfyUI's history or the answer that holds it alone. The API format is preferred, since it is what was run.
 */
export function findWorkflow(value: unknown): FoundWorkflow | undefined {
  const places = placesIn(value)
  const api = places.find(each => isGraph(each.value))
  return api ? { ...api, format: 'api' } : toEditor(places.find(each => isEditorFormat(each.value)))
}

type Place = Pick<FoundWorkflow, 'value' | 'at'>

function toEditor(place: Place | undefined): FoundWorkflow | undefined {
  return place && { ...place, format: 'editor' }
}

const paths: readonly FoundWorkflow['at'][] = [
  [],
  ['prompt'],
  ['output'],
  [2],
  ['prompt', 2],
  ['workflow'],
  ['extra_data', 'extra_pnginfo', 'workflow'],
  [3, 'extra_pnginfo', 'workflow'],
  ['prompt', 3, 'extra_pnginfo', 'workflow'],
]

function placesIn(value: unknown): Place[] {
  const entries = isRecord(value) ? Object.entries(value) : []
  const [only] = entries.length === 1 ? entries : []
  const isHistory = only && isRecord(only[1]) && Array.isArray(only[1]['prompt'])
  return [...paths, ...(isHistory ? paths.map(path => [only[0], ...path]) : [])].flatMap(at => {
    const found = at.reduce<unknown>(memberOf, value)
    return isRecord(found) ? [{ value: found, at }] : []
  })
}

function memberOf(value: unknown, key: string | number): unknown {
  if (Array.isArray(value)) return typeof key === 'number' ? (value[key] as unknown) : undefined
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

function isGraph(value: Record<string, unknown>): boolean {
  return Object.values(value).some(node => isRecord(node) && typeof node['class_type'] === 'string')
}
