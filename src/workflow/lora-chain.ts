import type { Binding } from '../schema/binding.js'
import { isLink } from './api-graph.js'
import type { ApiGraph, ApiNode, Link } from './api-graph.js'
import { upstreamOf } from './walk-graph.js'

/** One LoRA to put into a graph. Weights are unitless strengths as ComfyUI takes them. */
export interface ChainLora {
  /** Talent id; the graph calls its file `talent:<id>` until a provider knows the server's name for it. */
  id: string
  modelWeight: number
  clipWeight: number
  /** Whether the file changes a text encoder. */
  hasTextEncoder: boolean
}

/**
 * The graph with a chain of LoRAs between the anchor and all consumers of its outputs, in the given order. Node ids depend
 * on the talent alone, so that a server keeps the files of unchanged LoRAs. The given graph stays as it is.
 */
export function insertLoras(
  graph: ApiGraph,
  anchor: NonNullable<Binding['lora']>,
  loras: readonly ChainLora[],
): ApiGraph {
  if (loras.length === 0) return graph
  const first = { model: linkTo(anchor.model), clip: anchor.clip && linkTo(anchor.clip) }
  let { model, clip } = first
  const chain: ApiGraph = {}
  for (const lora of loras) {
    const id = freeId(lora.id, graph, chain)
    const names = { lora_name: `talent:${lora.id}`, strength_model: lora.modelWeight }
    if (lora.hasTextEncoder && clip) {
      chain[id] = { class_type: 'LoraLoader', inputs: { model, clip, ...names, strength_clip: lora.clipWeight } }
      clip = [id, 1]
    } else {
      chain[id] = { class_type: 'LoraLoaderModelOnly', inputs: { model, ...names } }
    }
    model = [id, 0]
  }
  // What the anchors themselves are made from stays before the chain: relinking it would close a circle.
  const before = upstreamOf(graph, [anchor.model.node, ...(anchor.clip ? [anchor.clip.node] : [])])
  const relinked = Object.entries(graph).map(([id, node]): [string, ApiNode] => [
    id,
    before.has(id) ? node : relink(node, [first.model, model], first.clip && clip && [first.clip, clip]),
  ])
  return { ...Object.fromEntries(relinked), ...chain }
}

function linkTo({ node, slot }: { node: string; slot: number }): Link {
  return [node, slot]
}

/** Two talents may differ only in dots and underscores, and a graph taken from a picture may hold the id already. */
function freeId(talent: string, graph: ApiGraph, chain: ApiGraph): string {
  let id = `foundry:lora:${talent.replaceAll('.', '_')}`
  while (id in graph || id in chain) id += '+'
  return id
}

function relink(node: ApiNode, ...moves: ([from: Link, to: Link] | undefined)[]): ApiNode {
  let inputs: Record<string, unknown> | undefined
  for (const [input, value] of Object.entries(node.inputs)) {
    if (!isLink(value)) continue
    const move = moves.find(each => each && each[0][0] === value[0] && each[0][1] === value[1])
    if (move) (inputs ??= { ...node.inputs })[input] = move[1]
  }
  return inputs ? { ...node, inputs } : node
}
