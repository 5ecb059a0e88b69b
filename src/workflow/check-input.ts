import type { Problem } from '../errors.js'
import type { InputRef } from '../schema/binding.js'
import { isLink } from './api-graph.js'
import type { ApiGraph } from './api-graph.js'
import { isOfKind } from './literal-behind.js'
import { compareIds, inputAt, nodeAt } from './walk-graph.js'

/** Where an input is bound. */
export interface BoundInput {
  path: string
  /** `any`: what stands there is not judged. */
  kind: 'string' | 'number' | 'any'
  reach: ReadonlySet<string>
  /** Fields by the input that they bind, so that no input is set twice. */
  boundBy: Map<string, string>
}

/** What is wrong with one bound input; its problems have paths such as `positive[0].node`. */
export function checkInput(graph: ApiGraph, ref: InputRef, { path, kind, reach, boundBy }: BoundInput): Problem[] {
  const node = nodeAt(graph, ref.node)
  if (!node) return [unknownNode(graph, `${path}.node`, ref.node)]
  const value = inputAt(graph, ref)
  if (value === undefined)
    return [
      bindingProblem('error', 'WORKFLOW_INPUT_UNKNOWN', `node ${ref.node} (${node.class_type}) has no such input`, {
        path: `${path}.input`,
        found: ref.input,
        allowed: Object.keys(node.inputs).join(', '),
      }),
    ]
  const found: Problem[] = []
  const key = `${ref.node}\n${ref.input}`
  const other = boundBy.get(key)
  boundBy.set(key, path)
  if (other)
    found.push(bindingProblem('error', 'WORKFLOW_INPUT_TWICE', `the same input is bound as ${other}`, { path }))
  if (isLink(value)) {
    const message = `the input is linked to node ${value[0]}: a value takes the place of the link`
    found.push(bindingProblem('warning', 'WORKFLOW_LINK_REPLACED', message, { path }))
  } else if (kind !== 'any' && !isOfKind(value, kind)) {
    const message = kind === 'string' ? 'a text is expected here' : 'a number is expected here'
    found.push(bindingProblem('error', 'WORKFLOW_INPUT_UNFIT', message, { path, found: JSON.stringify(value) }))
  }
  if (!reach.has(ref.node)) {
    const message = `node ${ref.node} does not lead to a save node: it changes no picture`
    found.push(bindingProblem('warning', 'WORKFLOW_NODE_IDLE', message, { path }))
  }
  return found
}

export function unknownNode(graph: ApiGraph, path: string, id: string): Problem {
  const ids = Object.keys(graph).sort(compareIds)
  const shown = ids.slice(0, 40).join(', ')
  return bindingProblem('error', 'WORKFLOW_NODE_UNKNOWN', 'the workflow has no such node', {
    path,
    found: id,
    allowed: ids.length > 40 ? `${shown}, …` : shown,
  })
}

export function bindingProblem(
  severity: Problem['severity'],
  code: string,
  message: string,
  more: Partial<Problem>,
): Problem {
  return { severity, code, message, ...more }
}
