import { hasErrors } from '../errors.js'
import type { Problem } from '../errors.js'
import { isLink } from './api-graph.js'
import type { ApiGraph, ApiNode } from './api-graph.js'
import { findCycles } from './find-cycles.js'
import { nodeAt } from './walk-graph.js'

export const graphNodesMax = 2000
/** Well below what canonical JSON takes, because the graph itself stands a few levels deep in a plan. */
const valueDepthMax = 100

/** Keys that people add to explain a graph. A server would take them for nodes and refuse the whole. */
const commentKey = /^(_|#|\/\/)|^(comments?|notes?|description)$/i

/**
 * The graph in a parsed workflow file. Takes the API format, also inside `{prompt: …}` or `{output: …}`; comment keys and
 * node keys that a server ignores or wrongly trusts (`is_changed`) are left out. All problems are told; `graph` is absent
 * when one of them is an error.
 */
export function parseGraph(value: unknown, file: string): { graph?: ApiGraph; problems: Problem[] } {
  const problems: Problem[] = []
  const report = (code: string, message: string, more: Partial<Problem> = {}) =>
    void problems.push({ severity: 'error', code, message, file, ...more })

  const whole = unwrap(value)
  if (!isRecord(whole)) {
    report('WORKFLOW_NOT_GRAPH', 'a workflow is an object of nodes by id', { found: kindOf(whole) })
  } else if (isEditorFormat(whole)) {
    report(
      'WORKFLOW_UI_FORMAT',
      'this is the format of the ComfyUI editor: bring it in with "foundry workflows add", or export it with Export (API)',
    )
  } else {
    const graph = readNodes(whole, report)
    settleValues(graph, report)
    checkLinks(graph, report)
    if (!hasErrors(problems)) return { graph, problems }
  }
  return { problems }
}

type Report = (code: string, message: string, more?: Partial<Problem>) => void

function unwrap(value: unknown): unknown {
  if (!isRecord(value)) return value
  for (const wrapper of ['prompt', 'output']) {
    const inner = Object.hasOwn(value, wrapper) ? value[wrapper] : undefined
    if (isRecord(inner) && !('class_type' in inner)) return inner
  }
  // A file that holds only the editor's half still gets the sentence about Export (API).
  return isRecord(value.workflow) && isEditorFormat(value.workflow) ? value.workflow : value
}

/** Whether an object has the format of the ComfyUI editor. */
export function isEditorFormat(value: Record<string, unknown>): boolean {
  return Array.isArray(value.nodes) && ['links', 'last_node_id', 'version', 'state'].some(key => key in value)
}

function readNodes(whole: Record<string, unknown>, report: Report): ApiGraph {
  const entries = Object.entries(whole).filter(([id, node]) => !(commentKey.test(id) && !looksLikeNode(node)))
  if (entries.length === 0) report('WORKFLOW_EMPTY', 'the workflow has no nodes')
  if (entries.length > graphNodesMax) {
    report('WORKFLOW_TOO_LARGE', 'the workflow has too many nodes', {
      found: String(entries.length),
      allowed: `at most ${graphNodesMax}`,
    })
    return {}
  }
  return Object.fromEntries(entries.map(([id, node]) => [id, readNode(id, node, report)]))
}

function looksLikeNode(value: unknown): boolean {
  return isRecord(value) && 'class_type' in value
}

function readNode(id: string, value: unknown, report: Report): ApiNode {
  const path = nodePath(id)
  const node: ApiNode = { class_type: '', inputs: {} }
  if (hasHalfCharacter(id)) report('WORKFLOW_NODE_INVALID', 'the id holds half of a character', { path })
  if (id === '__proto__') report('WORKFLOW_NODE_INVALID', 'a node cannot have this id', { path })
  if (!isRecord(value)) {
    report('WORKFLOW_NODE_INVALID', 'a node is an object with class_type and inputs', { path, found: kindOf(value) })
    return node
  }
  if (typeof value.class_type === 'string' && value.class_type && !hasHalfCharacter(value.class_type))
    node.class_type = value.class_type
  else report('WORKFLOW_NODE_INVALID', 'class_type names the class of the node', found(path, 'class_type', value))
  if (isRecord(value.inputs)) node.inputs = { ...value.inputs }
  else report('WORKFLOW_NODE_INVALID', 'inputs is an object of values by name', found(path, 'inputs', value))
  const title = isRecord(value._meta) ? value._meta.title : undefined
  if (typeof title === 'string') node._meta = { title }
  return node
}

function found(path: string, key: string, value: Record<string, unknown>): Partial<Problem> {
  return { path: `${path}.${key}`, found: kindOf(value[key]) }
}

/** Whatever has no canonical JSON form could never be hashed, so it is told here, with its place. */
function settleValues(graph: ApiGraph, report: Report): void {
  for (const [id, { inputs }] of Object.entries(graph)) {
    for (const [input, value] of Object.entries(inputs)) {
      const path = inputPath(id, input)
      if (hasHalfCharacter(input)) report('WORKFLOW_VALUE_INVALID', halfCharacter, { path })
      if (isUnsafeInteger(value) && /seed/i.test(input)) {
        // JSON.parse has rounded it already: any fixed seed is as good, and a bound one is replaced anyway.
        const seed = Math.abs(value) % Number.MAX_SAFE_INTEGER
        inputs[input] = seed
        report(
          'WORKFLOW_NUMBER_ROUNDED',
          `the seed is larger than 2^53-1: ${seed} takes its place unless it is bound`,
          {
            severity: 'warning',
            path,
            found: String(value),
          },
        )
      } else {
        const flaw = flawOf(value, 0)
        if (flaw) report('WORKFLOW_VALUE_INVALID', flaw, { path })
      }
    }
  }
}

function isUnsafeInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
}

function flawOf(value: unknown, depth: number): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return `${value} is no number that JSON has`
  if (isUnsafeInteger(value)) return `the number ${value} has lost digits: numbers beyond 2^53-1 cannot be kept exactly`
  if (typeof value === 'string' && hasHalfCharacter(value)) return halfCharacter
  if (typeof value !== 'object' || value === null) return undefined
  if (depth === valueDepthMax) return `the value is nested deeper than ${valueDepthMax}`
  for (const [key, inner] of Object.entries(value)) {
    const flaw = hasHalfCharacter(key) ? halfCharacter : flawOf(inner, depth + 1)
    if (flaw) return flaw
  }
  return undefined
}

const halfCharacter = 'the text holds half of a character'

function hasHalfCharacter(text: string): boolean {
  return /\p{Surrogate}/u.test(text)
}

function checkLinks(graph: ApiGraph, report: Report): void {
  for (const [id, { inputs }] of Object.entries(graph)) {
    for (const [input, value] of Object.entries(inputs)) {
      const path = inputPath(id, input)
      if (Array.isArray(value) && !isLink(value)) {
        report('WORKFLOW_LINK_INVALID', 'a list is read as a link: ["node id", output number]', {
          path,
          found: shorten(JSON.stringify(value)),
          allowed: 'a link, or a list of values as {"__value__": […]}',
        })
      } else if (isLink(value) && !nodeAt(graph, value[0])) {
        report('WORKFLOW_LINK_DANGLING', 'the link leads to a node that is not in the workflow', {
          path,
          found: JSON.stringify(value[0]),
        })
      }
    }
  }
  for (const cycle of findCycles(graph)) {
    const [first = ''] = cycle
    report('WORKFLOW_CYCLE', 'nodes wait for each other in a circle', {
      path: nodePath(first),
      found: [...cycle, first].join(' → '),
    })
  }
}

/** `["12"]`, as it may stand behind the name of the graph. */
export function nodePath(id: string): string {
  return `[${JSON.stringify(id)}]`
}

/** `["12"].inputs.model`; names that are no plain words are quoted. */
export function inputPath(id: string, input: string): string {
  return `${nodePath(id)}.inputs${/^\w+$/.test(input) ? `.${input}` : nodePath(input)}`
}

/** A value, short enough for a sentence. */
export function shorten(text: string, lengthMax = 60): string {
  const flat = text.replaceAll(/\s+/g, ' ').trim()
  return flat.length > lengthMax ? `${flat.slice(0, lengthMax - 1)}…` : flat
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : shorten(JSON.stringify(value))
}
