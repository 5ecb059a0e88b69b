import type { Problem } from '../errors.js'
import type { Binding } from '../schema/binding.js'
import type { ApiGraph } from './api-graph.js'
import { bindingSnippet } from './binding-snippet.js'
import { shorten } from './parse-graph.js'
import { inputAt, nodeAt } from './walk-graph.js'

/** Candidates that a question names at most. */
const candidatesMax = 12

/** A question with its candidates, and a line to paste that answers it. */
export function ask(
  field: string,
  why: string,
  { candidates, example }: { candidates: readonly string[]; example: Partial<Binding> },
): Problem {
  const message = `${why}; say which in the binding file, e.g. ${bindingSnippet(example)}`
  const more = candidates.length > candidatesMax ? [`${candidates.length - candidatesMax} more`] : []
  const allowed = [...candidates.slice(0, candidatesMax), ...more].join('; ')
  return { severity: 'error', code: 'WORKFLOW_AMBIGUOUS', message, path: field, allowed }
}

export function miss(path: string, message: string): Problem {
  return { severity: 'error', code: 'WORKFLOW_UNBOUND', message, path }
}

export function warn(path: string, code: string, message: string): Problem {
  return { severity: 'warning', code, message, path }
}

/** `9 SaveImage "Large"`; a node without a title is told by its prefix, if it has one: `9 SaveImage (large)`. */
export function describeNode(graph: ApiGraph, id: string): string {
  const node = nodeAt(graph, id)
  const title = node?._meta?.title
  const prefix = inputAt(graph, { node: id, input: 'filename_prefix' })
  const known = title ? ` "${title}"` : typeof prefix === 'string' && prefix ? ` (${shorten(prefix, 40)})` : ''
  return `${id} ${node?.class_type ?? ''}${known}`
}
