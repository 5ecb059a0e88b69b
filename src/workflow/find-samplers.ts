import type { InputRef } from '../schema/binding.js'
import type { ApiGraph, ApiNode, Link } from './api-graph.js'
import { isSampler } from './node-facts.js'
import { compareIds, linkAt, nodeAt, pastReroutes, upstreamOf } from './walk-graph.js'

/** A sampler with everything that steers it, whether it stands on the sampler itself or on nodes beside it. */
export interface Sampler {
  node: string
  model?: Link
  latent?: Link
  positive: Link[]
  negative: Link[]
  seed: InputRef[]
  steps: InputRef[]
  cfg: InputRef[]
  sampler: InputRef[]
  scheduler: InputRef[]
}

/** The samplers among these nodes, in the order in which they work: a refiner comes after its base. */
export function findSamplers(graph: ApiGraph, among: ReadonlySet<string>): Sampler[] {
  const ids = [...among].filter(id => {
    const node = nodeAt(graph, id)
    return node && isSampler(node)
  })
  const before = new Map(
    ids.map(id => {
      const upstream = upstreamOf(graph, [id])
      return [id, ids.filter(other => upstream.has(other)).length]
    }),
  )
  const order = (id: string) => before.get(id) ?? 0
  return ids.sort((a, b) => order(a) - order(b) || compareIds(a, b)).map(id => readSampler(graph, id))
}

function readSampler(graph: ApiGraph, id: string): Sampler {
  const parts = partsOf(graph, id)
  const inputs = (...names: string[]) =>
    parts.flatMap(([part, node]) => names.filter(name => name in node.inputs).map(input => ({ node: part, input })))
  const links = (...names: string[]): Link[] =>
    parts.flatMap(([, node]) => names.map(name => linkAt(node, name)).filter(link => link !== undefined))
  const [model] = links('model')
  const [latent] = links('latent_image', 'latent')
  return {
    node: id,
    ...(model && { model }),
    ...(latent && { latent }),
    positive: links('positive', 'conditioning', 'cond1', 'cond2'),
    negative: links('negative'),
    seed: inputs('seed', 'noise_seed'),
    steps: inputs('steps'),
    cfg: inputs('cfg'),
    // The `sampler` and `sigmas` of a custom sampler are links to the nodes that hold these names.
    sampler: inputs('sampler_name'),
    scheduler: inputs('scheduler'),
  }
}

/** The sampler and the nodes that exist only to steer it: guider, noise, sampler choice, sigmas. */
function partsOf(graph: ApiGraph, id: string): [string, ApiNode][] {
  const parts: [string, ApiNode][] = []
  const open = [id]
  const seen = new Set<string>()
  for (let at = open.shift(); at !== undefined; at = open.shift()) {
    const node = nodeAt(graph, at)
    if (!node || seen.has(at)) continue
    seen.add(at)
    parts.push([at, node])
    for (const input of ['guider', 'noise', 'sampler', 'sigmas']) {
      const link = linkAt(node, input)
      if (link) open.push(pastReroutes(graph, link)[0])
    }
  }
  return parts
}
