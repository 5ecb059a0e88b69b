import { isRecord, type DraftGraph } from './graph.js'
import { validateNode, type Complaint, type ValidationPlace, type Verdicts } from './validate-node.js'

/** The `error` member of a refusal. */
export interface GraphError {
  type: string
  message: string
  details: string
  extra_info: Record<string, unknown>
}

export interface NodeErrors {
  errors: Complaint[]
  dependent_outputs: string[]
  class_type: string
}

export type Validation =
  | { kind: 'accepted'; graph: DraftGraph; outputs: string[]; nodeErrors: Record<string, NodeErrors> }
  | { kind: 'refused'; error: GraphError; nodeErrors: Record<string, NodeErrors> }
  /** The real server falls over (HTTP 500). */
  | { kind: 'broken' }

/**
 * Judges a submitted graph as the server does: classes of all nodes, then every output branch on its own; branches with
 * mistakes are dropped as long as one is left. Literals of the given graph are cast in place.
 */
export function validateGraph(submitted: unknown, targets: unknown, place: ValidationPlace): Validation {
  if (!isRecord(submitted)) {
    return Array.isArray(submitted) && submitted.length === 0 ? refused(noOutputs) : { kind: 'broken' }
  }
  const outputs: string[] = []
  for (const [id, node] of Object.entries(submitted)) {
    if (!isRecord(node)) return place.traits.namesMissingNode ? { kind: 'broken' } : refused(missing(id, node, place))
    const definition = typeof node.class_type === 'string' ? place.catalogue.find(node.class_type) : undefined
    if (!definition) return refused(missing(id, node, place))
    if (definition.isOutput && isTarget(id, targets)) outputs.push(id)
  }
  if (outputs.length === 0) return refused(noOutputs)
  return judgeOutputs(submitted as DraftGraph, outputs, place)
}

function isTarget(id: string, targets: unknown): boolean {
  return targets === undefined || targets === null || (Array.isArray(targets) && targets.includes(id))
}

function judgeOutputs(graph: DraftGraph, outputs: string[], place: ValidationPlace): Validation {
  const verdicts: Verdicts = new Map()
  const nodeErrors: Record<string, NodeErrors> = {}
  const good: string[] = []
  const lines: string[] = []
  for (const id of outputs) {
    const verdict = validateNode(graph, id, verdicts, place)
    if (verdict.isValid) {
      good.push(id)
      continue
    }
    lines.push(...verdict.complaints.map(each => `${each.message}: ${each.details}`))
    collectErrors(graph, id, verdicts, nodeErrors)
  }
  if (good.length > 0) return { kind: 'accepted', graph, outputs: good, nodeErrors }
  return {
    kind: 'refused',
    error: {
      type: 'prompt_outputs_failed_validation',
      message: 'Prompt outputs failed validation',
      details: lines.join('\n'),
      extra_info: {},
    },
    nodeErrors,
  }
}

/** Everything found wrong so far is booked under this output too, as the server does. */
function collectErrors(graph: DraftGraph, output: string, verdicts: Verdicts, into: Record<string, NodeErrors>): void {
  for (const [id, { isValid, complaints }] of verdicts) {
    if (isValid || complaints.length === 0) continue
    into[id] ??= { errors: complaints, dependent_outputs: [], class_type: graph[id]?.class_type ?? '' }
    into[id].dependent_outputs.push(output)
  }
}

const noOutputs: GraphError = {
  type: 'prompt_no_outputs',
  message: 'Prompt has no outputs',
  details: '',
  extra_info: {},
}

export const noPrompt: GraphError = {
  type: 'no_prompt',
  message: 'No prompt provided',
  details: 'No prompt provided',
  extra_info: {},
}

function refused(error: GraphError): Validation {
  return { kind: 'refused', error, nodeErrors: {} }
}

function missing(id: string, node: unknown, { traits }: ValidationPlace): GraphError {
  const classType = isRecord(node) && typeof node.class_type === 'string' ? node.class_type : undefined
  const details = `Node ID '#${id}'`
  if (!traits.namesMissingNode) {
    const message =
      classType === undefined
        ? 'Cannot execute because a node is missing the class_type property.'
        : `Cannot execute because node ${classType} does not exist.`
    return { type: 'invalid_prompt', message, details, extra_info: {} }
  }
  const meta = isRecord(node) && isRecord(node._meta) ? node._meta : {}
  const title = typeof meta.title === 'string' ? meta.title : (classType ?? null)
  const message =
    classType === undefined
      ? `Node '${title ?? `ID #${id}`}' has no class_type. The workflow may be corrupted or a custom node is missing.`
      : `Node '${title}' not found. The custom node may not be installed.`
  return {
    type: 'missing_node_type',
    message,
    details,
    extra_info: { node_id: id, class_type: classType ?? null, node_title: title },
  }
}
