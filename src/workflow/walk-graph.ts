import type { InputRef } from '../schema/binding.js'
import { isLink } from './api-graph.js'
import type { ApiGraph, ApiNode, Link } from './api-graph.js'

/** The node of that id. Ids come from files, so names such as `constructor` must not reach the prototype. */
export function nodeAt(graph: ApiGraph, id: string): ApiNode | undefined {
  return Object.hasOwn(graph, id) ? graph[id] : undefined
}

/** The value of one input; undefined where the node or the input is missing. */
export function inputAt(graph: ApiGraph, { node, input }: InputRef): unknown {
  const inputs = nodeAt(graph, node)?.inputs
  return inputs && Object.hasOwn(inputs, input) ? inputs[input] : undefined
}

/** The linked inputs of a node, in the order of the file. */
export function linksOf(node: ApiNode): [input: string, link: Link][] {
  return Object.entries(node.inputs).filter((entry): entry is [string, Link] => isLink(entry[1]))
}

/** The link of one input of a node, if it is one. */
export function linkAt(node: ApiNode, input: string): Link | undefined {
  const value = Object.hasOwn(node.inputs, input) ? node.inputs[input] : undefined
  return isLink(value) ? value : undefined
}

/** The given nodes and everything that they are made from. */
export function upstreamOf(graph: ApiGraph, ids: Iterable<string>): Set<string> {
  const found = new Set<string>()
  const open = [...ids]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const node = nodeAt(graph, id)
    if (!node || found.has(id)) continue
    found.add(id)
    for (const [, [from]] of linksOf(node)) open.push(from)
  }
  return found
}

/** Every input that is linked to this output. */
export function consumersOf(graph: ApiGraph, [from, slot]: Link): InputRef[] {
  return Object.entries(graph).flatMap(([node, { inputs }]) =>
    Object.entries(inputs)
      .filter(([, value]) => isLink(value) && value[0] === from && value[1] === slot)
      .map(([input]) => ({ node, input })),
  )
}

/** Follows nodes that only pass one link on (reroutes), so that a link leads to the node that makes its value. */
export function pastReroutes(graph: ApiGraph, link: Link): Link {
  const seen = new Set<string>()
  let at = link
  for (;;) {
    const node = nodeAt(graph, at[0])
    const next = node && onlyLink(node)
    if (!next || seen.has(at[0])) return at
    seen.add(at[0])
    at = next
  }
}

function onlyLink(node: ApiNode): Link | undefined {
  if (!/reroute/i.test(node.class_type)) return undefined
  const values = Object.values(node.inputs)
  return values.length === 1 && isLink(values[0]) ? values[0] : undefined
}

/** Orders ids as people count: 9 before 12, `4` before `4:1`. */
export function compareIds(a: string, b: string): number {
  const byNumber = Number.parseInt(a, 10) - Number.parseInt(b, 10)
  if (byNumber) return byNumber
  return a < b ? -1 : a > b ? 1 : 0
}
