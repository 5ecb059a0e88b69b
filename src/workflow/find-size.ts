import type { InputRef } from '../schema/binding.js'
import type { ApiGraph, Link } from './api-graph.js'
import { literalBehind } from './literal-behind.js'
import { compareIds, inputAt, linkAt, nodeAt, pastReroutes } from './walk-graph.js'

export interface Size {
  width: InputRef[]
  height: InputRef[]
  batch: InputRef[]
}

/** Nodes that are told the size of the picture a second time; they follow it where they said the same before. */
const sizeAgain: Readonly<Record<string, { width: string[]; height: string[] }>> = {
  CLIPTextEncodeSDXL: { width: ['width', 'target_width'], height: ['height', 'target_height'] },
  ModelSamplingFlux: { width: ['width'], height: ['height'] },
  Flux2Scheduler: { width: ['width'], height: ['height'] },
}

/**
 * Where the size of the picture is set: the empty latent that the first sampler starts from. All lists are empty where the
 * picture starts from another picture, whose size it keeps.
 */
export function findSize(graph: ApiGraph, latent: Link | undefined, among: ReadonlySet<string>): Size {
  const size: Size = { width: [], height: [], batch: [] }
  const start = latent && emptyLatent(graph, latent, size.batch)
  if (!start) return size
  const width = decidedBy(graph, start, 'width')
  const height = decidedBy(graph, start, 'height')
  // One number behind both sides could only make squares, so the sides are set where they are used.
  const isShared = width.node === height.node && width.input === height.input
  size.width = [isShared ? { node: start, input: 'width' } : width, ...told(graph, width, 'width', among)]
  size.height = [isShared ? { node: start, input: 'height' } : height, ...told(graph, height, 'height', among)]
  const batch = literalBehind(graph, { node: start, input: 'batch_size' }, 'number')
  if (batch) size.batch.unshift(batch)
  return size
}

function emptyLatent(graph: ApiGraph, latent: Link, batch: InputRef[]): string | undefined {
  let [id] = pastReroutes(graph, latent)
  for (;;) {
    const node = nodeAt(graph, id)
    const inner = node && linkAt(node, 'samples')
    if (node?.class_type === 'RepeatLatentBatch') batch.push({ node: id, input: 'amount' })
    if (node && !inner) return 'width' in node.inputs && 'height' in node.inputs ? id : undefined
    if (!inner) return undefined
    id = pastReroutes(graph, inner)[0]
  }
}

function decidedBy(graph: ApiGraph, node: string, input: 'width' | 'height'): InputRef {
  return literalBehind(graph, { node, input }, 'number') ?? { node, input }
}

function told(graph: ApiGraph, first: InputRef, side: 'width' | 'height', among: ReadonlySet<string>): InputRef[] {
  const value = inputAt(graph, first)
  return [...among]
    .sort(compareIds)
    .flatMap(node =>
      (sizeAgain[nodeAt(graph, node)?.class_type ?? '']?.[side] ?? [])
        .map(input => ({ node, input }))
        .filter(ref => typeof value === 'number' && inputAt(graph, ref) === value),
    )
}
