import type { Binding, InputRef } from '../schema/binding.js'
import type { ApiGraph } from './api-graph.js'
import { compareIds, consumersOf, nodeAt, upstreamOf } from './walk-graph.js'

/** A reference picture is called so in graphs, until a provider knows what its server calls it. */
const logicalStart = 'reference:'

export function referenceName(sha256: string): string {
  return `${logicalStart}${sha256}`
}

/** The SHA-256 of the reference picture that a value names; undefined for any other value. */
export function referenceIn(value: unknown): string | undefined {
  return typeof value === 'string' && value.startsWith(logicalStart) ? value.slice(logicalStart.length) : undefined
}

/** How many reference pictures a workflow takes. */
export function referencesTaken({ references = [] }: Pick<Binding, 'references'>): number {
  return references.reduce((sum, { max = 1 }) => sum + max, 0)
}

/** A list in a graph: bare ones are read as links. */
export interface ListValue {
  __value__: unknown[]
}

/** What the bound inputs become for these pictures, in order. Inputs that get none keep what stands in the graph. */
export function referenceValues(
  { references = [] }: Pick<Binding, 'references'>,
  names: readonly string[],
): { ref: InputRef; value: string | ListValue }[] {
  let from = 0
  return references.flatMap(({ max, ...ref }) => {
    const taken = names.slice(from, from + (max ?? 1))
    from += taken.length
    const [first] = taken
    if (first === undefined) return []
    return [{ ref, value: max === undefined ? first : { __value__: taken } }]
  })
}

/**
 * Inputs of nodes that load a picture which the saved one is made after, in the order of their ids. What leads to a bound text alone
 * is not meant: runs put words in its place.
 */
export function findLoadedPictures(
  graph: ApiGraph,
  save: Iterable<string>,
  { positive = [], negative = [] }: Partial<Binding>,
): InputRef[] {
  const cut = { ...graph }
  for (const { node: id, input } of [...positive, ...negative]) {
    const node = nodeAt(cut, id)
    if (node) cut[id] = { ...node, inputs: { ...node.inputs, [input]: '' } }
  }
  return [...upstreamOf(cut, save)]
    .filter(id => nodeAt(cut, id)?.class_type === 'LoadImage' && consumersOf(cut, [id, 0]).length > 0)
    .sort(compareIds)
    .map(node => ({ node, input: 'image' }))
}
