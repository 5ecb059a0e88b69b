import type { Binding } from '../schema/binding.js'
import type { ApiGraph } from './api-graph.js'
import { inputAt, linkAt, nodeAt, pastReroutes } from './walk-graph.js'

/** Nodes that give a picture the size of what goes in, by the input that carries it. */
const carrierByClass: Readonly<Record<string, string>> = {
  SaveImage: 'images',
  VAEDecode: 'samples',
  VAEDecodeTiled: 'samples',
  KSampler: 'latent_image',
  KSamplerAdvanced: 'latent_image',
  SamplerCustom: 'latent_image',
  SamplerCustomAdvanced: 'latent_image',
  RepeatLatentBatch: 'samples',
}

/**
 * Whether the saved picture surely has the size that the binding sets: nothing on the way from the empty latent to the save node
 * could scale or crop it. Where a node is not known, nothing is claimed.
 */
export function keepsSize(graph: ApiGraph, binding: Pick<Binding, 'width' | 'height' | 'save'>): boolean {
  const starts = new Set([...(binding.width ?? []), ...(binding.height ?? [])].map(ref => ref.node))
  return binding.save.every(save => leadsTo(graph, save, starts))
}

/** The size that stands in a workflow; undefined where it is set by something else than numbers. */
export function sizeOf(
  graph: ApiGraph,
  { width = [], height = [] }: Pick<Binding, 'width' | 'height'>,
): { width: number; height: number } | undefined {
  const [across, down] = [width[0], height[0]].map(ref => ref && inputAt(graph, ref))
  return typeof across === 'number' && typeof down === 'number' ? { width: across, height: down } : undefined
}

function leadsTo(graph: ApiGraph, from: string, starts: ReadonlySet<string>): boolean {
  const seen = new Set<string>()
  let id = from
  while (!seen.has(id)) {
    seen.add(id)
    const node = nodeAt(graph, id)
    if (!node) return false
    if (starts.has(id) || isFedBy(graph, id, starts)) return true
    const carrier = carrierByClass[node.class_type]
    const link = carrier === undefined ? undefined : linkAt(node, carrier)
    if (!link) return false
    id = pastReroutes(graph, link)[0]
  }
  return false
}

/** An empty latent whose sides come from nodes of their own. */
function isFedBy(graph: ApiGraph, id: string, starts: ReadonlySet<string>): boolean {
  const node = nodeAt(graph, id)
  if (!node || !/^Empty.*Latent/.test(node.class_type)) return false
  return ['width', 'height'].every(side => {
    const link = linkAt(node, side)
    return link !== undefined && starts.has(pastReroutes(graph, link)[0])
  })
}
