import type { ApiGraph } from './api-graph.js'
import { linksOf, nodeAt } from './walk-graph.js'

/**
 * Circles of links, each as the ids along it (a node waits for the one after it). Circles that share a node with one
 * already found may be told as one. Iterative, because a chain may be as long as the largest graph.
 */
export function findCycles(graph: ApiGraph): string[][] {
  const settled = new Set<string>()
  const cycles: string[][] = []
  for (const start of Object.keys(graph)) {
    const trail = [step(graph, start)]
    const depthById = new Map([[start, 0]])
    for (let top = trail.at(-1); top && !settled.has(start); top = trail.at(-1)) {
      const next = top.open.pop()
      if (next === undefined) {
        settled.add(top.id)
        depthById.delete(top.id)
        trail.pop()
        continue
      }
      const depth = depthById.get(next)
      if (depth !== undefined) {
        cycles.push(trail.slice(depth).map(each => each.id))
      } else if (!settled.has(next)) {
        depthById.set(next, trail.length)
        trail.push(step(graph, next))
      }
    }
  }
  return cycles
}

function step(graph: ApiGraph, id: string): { id: string; open: string[] } {
  const node = nodeAt(graph, id)
  return { id, open: node ? [...new Set(linksOf(node).map(([, [from]]) => from))] : [] }
}
