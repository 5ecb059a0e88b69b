import type { Problem } from '../errors.js'
import type { Binding, OutputRef } from '../schema/binding.js'
import type { ApiGraph } from './api-graph.js'
import { bindingProblem as problem, checkInput, unknownNode } from './check-input.js'
import { checkParameters } from './check-parameters.js'
import { consumersOf, nodeAt, upstreamOf } from './walk-graph.js'

const kindByField = {
  positive: 'string',
  negative: 'string',
  seed: 'number',
  width: 'number',
  height: 'number',
  batch: 'number',
  steps: 'number',
  cfg: 'number',
  sampler: 'string',
  scheduler: 'string',
  models: 'string',
} as const satisfies Partial<Record<keyof Binding, 'string' | 'number'>>

/** Everything in a binding that does not fit its graph, with paths such as `positive[0].node`. */
export function checkBinding(graph: ApiGraph, binding: Binding): Problem[] {
  const reach = upstreamOf(graph, binding.save)
  const boundBy = new Map<string, string>()
  const lists = Object.entries(kindByField).flatMap(([field, kind]) =>
    (binding[field as keyof typeof kindByField] ?? []).flatMap((ref, index) =>
      checkInput(graph, ref, { path: `${field}[${index}]`, kind, reach, boundBy }),
    ),
  )
  const references = (binding.references ?? []).flatMap(({ max, ...ref }, index) =>
    checkInput(graph, ref, {
      path: `references[${index}]`,
      // A list stands in place of a text.
      kind: max === undefined ? 'string' : 'any',
      reach,
      boundBy,
    }),
  )
  const parameters = checkParameters(graph, binding, reach)
  return [
    ...lists,
    ...references,
    ...parameters,
    ...checkSize(binding),
    ...checkLora(graph, binding.lora),
    ...checkSave(graph, binding.save),
  ]
}

function checkSize({ width = [], height = [] }: Binding): Problem[] {
  if ((width.length === 0) === (height.length === 0)) return []
  const path = width.length === 0 ? 'height' : 'width'
  return [problem('error', 'WORKFLOW_SIZE_HALF', 'width and height are bound together or not at all', { path })]
}

function checkLora(graph: ApiGraph, lora: Binding['lora']): Problem[] {
  if (!lora) return []
  return [
    ...checkAnchor(graph, lora.model, 'lora.model'),
    ...(lora.clip ? checkAnchor(graph, lora.clip, 'lora.clip') : []),
  ]
}

function checkAnchor(graph: ApiGraph, { node, slot }: OutputRef, path: string): Problem[] {
  if (!nodeAt(graph, node)) return [unknownNode(graph, `${path}.node`, node)]
  if (consumersOf(graph, [node, slot]).length > 0) return []
  const message = `nothing uses output ${slot} of node ${node}: LoRAs behind it would change no picture`
  return [problem('error', 'WORKFLOW_OUTPUT_UNUSED', message, { path })]
}

function checkSave(graph: ApiGraph, save: readonly string[]): Problem[] {
  return save.flatMap((id, index) => {
    const path = `save[${index}]`
    const node = nodeAt(graph, id)
    if (!node) return [unknownNode(graph, path, id)]
    if ('filename_prefix' in node.inputs) return []
    const message = `node ${id} (${node.class_type}) takes no filename_prefix: its pictures could not be told apart`
    return [problem('error', 'WORKFLOW_SAVE_UNFIT', message, { path })]
  })
}
