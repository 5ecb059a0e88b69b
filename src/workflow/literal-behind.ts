import type { InputRef } from '../schema/binding.js'
import { isLink } from './api-graph.js'
import type { ApiGraph } from './api-graph.js'
import { inputAt, nodeAt, pastReroutes } from './walk-graph.js'

/**
 * The input that alone decides a setting: itself where it is a literal, else the one literal of the node it is linked to
 * (a primitive, a seed node). Where more than one value decides, or the source computes, it is the input itself: binding it
 * replaces the link. Undefined where the node has no such input.
 */
export function literalBehind(graph: ApiGraph, ref: InputRef, kind: 'number' | 'string'): InputRef | undefined {
  const value = inputAt(graph, ref)
  if (value === undefined) return undefined
  if (!isLink(value)) return isOfKind(value, kind) ? ref : undefined
  const [node] = pastReroutes(graph, value)
  const source = nodeAt(graph, node)
  const values = Object.entries(source?.inputs ?? {})
  const literals = values.filter(([, each]) => isOfKind(each, kind))
  const input = literals.length === 1 ? literals[0]?.[0] : seedName(ref.input, literals)
  const decides = input !== undefined && !values.some(([, each]) => isLink(each))
  return decides ? { node, input } : ref
}

/** Whether a value can be taken for a text or for a number; servers read numbers from texts as well. */
export function isOfKind(value: unknown, kind: 'number' | 'string'): boolean {
  if (kind === 'string' || typeof value === 'number') return typeof value === kind
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))
}

/** Seed nodes carry further numbers (ranges, the last seed), but say which one is the seed. */
function seedName(wanted: string, literals: [string, unknown][]): string | undefined {
  return /seed/i.test(wanted) ? literals.find(([name]) => name === 'seed' || name === 'noise_seed')?.[0] : undefined
}
