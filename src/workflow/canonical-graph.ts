import type { ApiGraph, ApiNode } from './api-graph.js'

/**
 * What of a graph decides the picture: titles, change marks and save prefixes are left out. Two graphs with the same
 * logical graph render the same, so this is the form that is hashed. The given graph stays as it is.
 */
export function logicalGraph(graph: ApiGraph, save: readonly string[]): ApiGraph {
  const nodes = Object.entries(graph).map(([id, { class_type, inputs }]): [string, ApiNode] => [
    id,
    { class_type, inputs },
  ])
  return withSavePrefix(Object.fromEntries(nodes), save, '')
}

/** The graph with this `filename_prefix` at its save nodes. The given graph stays as it is. */
export function withSavePrefix(graph: ApiGraph, save: readonly string[], prefix: string): ApiGraph {
  const result = { ...graph }
  for (const id of save) {
    const node = result[id]
    if (node) result[id] = { ...node, inputs: { ...node.inputs, filename_prefix: prefix } }
  }
  return result
}
