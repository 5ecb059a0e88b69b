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
  const { node, sides } = start
  const width = decidedBy(graph, { node, input: sides.width })
  const height = decidedBy(graph, { node, input: sides.height })
  // One number behind both sides could only make squares, so the sides are set where they are used.
  const isShared = width.node === height.node && width.input === height.input
  size.width = [isShared ? { node, input: sides.width } : width, ...told(graph, width, 'width', among)]
  size.height = [isShared ? { node, input: sides.height } : height, ...told(graph, height, 'height', among)]
  const batch = literalBehind(graph, { node, input: 'batch_size' }, 'number')
  if (batch) size.batch.unshift(batch)
  return size
}

/** What empty latents call their sides; the second are those of loaders that do all in one node. */
const sideNames = [
  { width: 'width', height: 'height' },
  { width: 'empty_latent_width', height: 'empty_latent_height' },
]

interface EmptyLatent {
  node: string
  sides: (typeof sideNames)[number]
}

function emptyLatent(graph: ApiGraph, latent: Link, batch: InputRef[]): EmptyLatent | undefined {
  let [id] = pastReroutes(graph, latent)
  for (;;) {
    const node = nodeAt(graph, id)
    const inner = node && linkAt(node, 'samples')
    if (node?.class_type === 'RepeatLatentBatch') batch.push({ node: id, input: 'amount' })
    if (!node) return undefined
    if (!inner) {
      const sides = sideNames.find(({ width, height }) => width in node.inputs && height in node.inputs)
      return sides && { node: id, sides }
    }
    id = pastReroutes(graph, inner)[0]
  }
}

function decidedBy(graph: ApiGraph, side: InputRef): InputRef {
  return literalBehind(graph, side, 'number') ?? side
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
