import { isServerLink, type DraftGraph } from './graph.js'

/** What still has to run for a set of output nodes, and which node is next. */
export interface ExecutionOrder {
  /** The node to run now, undefined when all are done. */
  next(): string | undefined
  finish(id: string): void
}

/**
 * The server's choice: of all nodes whose inputs are ready first an output node, then one that an output node waits
 * for, then one two steps away, else the one met first. So previews come as early as they can.
 */
export function orderExecution(
  graph: DraftGraph,
  outputs: readonly string[],
  { isCached, isOutput }: { isCached(id: string): boolean; isOutput(id: string): boolean },
): ExecutionOrder {
  const waiting = new Map<string, Set<string>>()
  const dependents = new Map<string, string[]>()
  for (const output of outputs) meet(output)

  function meet(output: string): void {
    const stack = [output]
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (waiting.has(id)) continue
      const needs = new Set<string>()
      waiting.set(id, needs)
      for (const value of Object.values(graph[id]?.inputs ?? {})) {
        if (!isServerLink(value) || isCached(value[0])) continue
        needs.add(value[0])
        dependents.set(value[0], [...(dependents.get(value[0]) ?? []), id])
        stack.push(value[0])
      }
    }
  }

  const after = (id: string) => dependents.get(id) ?? []

  return {
    next() {
      const ready = [...waiting].filter(([, needs]) => needs.size === 0).map(([id]) => id)
      return (
        ready.find(isOutput) ??
        ready.find(id => after(id).some(isOutput)) ??
        ready.find(id => after(id).some(each => after(each).some(isOutput))) ??
        ready[0]
      )
    },
    finish(id) {
      waiting.delete(id)
      for (const each of after(id)) waiting.get(each)?.delete(id)
    },
  }
}
