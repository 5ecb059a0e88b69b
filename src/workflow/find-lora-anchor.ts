import type { OutputRef } from '../schema/binding.js'
import type { ApiGraph, Link } from './api-graph.js'
import { isLoraLoader } from './node-facts.js'
import { linkAt, linksOf, nodeAt, pastReroutes } from './walk-graph.js'

/**
 * The output that LoRAs go behind, seen from a consumer of MODEL or CLIP: that of the last LoRA loader on the way up, else
 * of the node that makes it. Patches between there and the consumer stay behind the LoRAs.
 */
export function findLoraAnchor(graph: ApiGraph, link: Link, kind: 'model' | 'clip'): OutputRef {
  const seen = new Set<string>()
  let [id, slot] = pastReroutes(graph, link)
  for (;;) {
    const node = nodeAt(graph, id)
    const next = node && linkAt(node, kind)
    if (!next || isLoraLoader(node) || seen.has(id)) return { node: id, slot }
    seen.add(id)
    ;[id, slot] = pastReroutes(graph, next)
  }
}

/** The CLIP link of the first text encoder on the way up from a conditioning. */
export function findClipLink(graph: ApiGraph, conditionings: readonly Link[]): Link | undefined {
  const seen = new Set<string>()
  const open = conditionings.map(([id]) => id)
  for (let id = open.shift(); id !== undefined; id = open.shift()) {
    const node = nodeAt(graph, id)
    if (!node || seen.has(id)) continue
    seen.add(id)
    const clip = linkAt(node, 'clip')
    if (clip) return clip
    open.push(...linksOf(node).map(([, [from]]) => from))
  }
  return undefined
}
