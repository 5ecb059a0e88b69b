import type { Binding } from '../schema/binding.js'
import type { ApiGraph } from './api-graph.js'
import { literalBehind } from './literal-behind.js'
import { isBuiltInModel, modelFolderOf } from './node-facts.js'
import { compareIds, inputAt, nodeAt } from './walk-graph.js'

export type BoundModel = NonNullable<Binding['models']>[number]

/** Every model file that these nodes name, LoRAs of the workflow's own included, ordered by node. */
export function findModels(graph: ApiGraph, among: ReadonlySet<string>): BoundModel[] {
  const found = new Map<string, BoundModel>()
  for (const id of [...among].sort(compareIds)) {
    const node = nodeAt(graph, id)
    if (!node) continue
    for (const input of Object.keys(node.inputs)) {
      const folder = modelFolderOf(node, input)
      const ref = literalBehind(graph, { node: id, input }, 'string')
      if (folder === undefined || ref === undefined) continue
      const name = inputAt(graph, ref)
      if (typeof name !== 'string' || isBuiltInModel(name)) continue
      found.set(`${ref.node}\n${ref.input}`, { ...ref, folder })
    }
  }
  return [...found.values()]
}
