import type { Problem } from '../errors.js'
import type { Binding, InputRef, OutputRef } from '../schema/binding.js'
import { isLink } from './api-graph.js'
import type { ApiGraph } from './api-graph.js'
import { isOfKind } from './literal-behind.js'
import { compareIds, consumersOf, inputAt, nodeAt, upstreamOf } from './walk-graph.js'

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
  return [...lists, ...checkSize(binding), ...checkLora(graph, binding.lora), ...checkSave(graph, binding.save)]
}

interface Place {
  path: string
  kind: 'string' | 'number'
  reach: ReadonlySet<string>
  /** Fields by the input that they bind, so that no input is set twice. */
  boundBy: Map<string, string>
}

function checkInput(graph: ApiGraph, ref: InputRef, { path, kind, reach, boundBy }: Place): Problem[] {
  const node = nodeAt(graph, ref.node)
  if (!node) return [unknownNode(graph, `${path}.node`, ref.node)]
  const value = inputAt(graph, ref)
  if (value === undefined)
    return [
      problem('error', 'WORKFLOW_INPUT_UNKNOWN', `node ${ref.node} (${node.class_type}) has no such input`, {
        path: `${path}.input`,
        found: ref.input,
        allowed: Object.keys(node.inputs).join(', '),
      }),
    ]
  const found: Problem[] = []
  const key = `${ref.node}\n${ref.input}`
  const other = boundBy.get(key)
  boundBy.set(key, path)
  if (other) found.push(problem('error', 'WORKFLOW_INPUT_TWICE', `the same input is bound as ${other}`, { path }))
  if (isLink(value)) {
    const message = `the input is linked to node ${value[0]}: a value takes the place of the link`
    found.push(problem('warning', 'WORKFLOW_LINK_REPLACED', message, { path }))
  } else if (!isOfKind(value, kind)) {
    const message = kind === 'string' ? 'a text is expected here' : 'a number is expected here'
    found.push(problem('error', 'WORKFLOW_INPUT_UNFIT', message, { path, found: JSON.stringify(value) }))
  }
  if (!reach.has(ref.node)) {
    const message = `node ${ref.node} does not lead to a save node: it changes no picture`
    found.push(problem('warning', 'WORKFLOW_NODE_IDLE', message, { path }))
  }
  return found
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

function unknownNode(graph: ApiGraph, path: string, id: string): Problem {
  const ids = Object.keys(graph).sort(compareIds)
  const shown = ids.slice(0, 40).join(', ')
  return problem('error', 'WORKFLOW_NODE_UNKNOWN', 'the workflow has no such node', {
    path,
    found: id,
    allowed: ids.length > 40 ? `${shown}, …` : shown,
  })
}

function problem(severity: Problem['severity'], code: string, message: string, more: Partial<Problem>): Problem {
  return { severity, code, message, ...more }
}
