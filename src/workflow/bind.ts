import type { Binding, InputRef } from '../schema/binding.js'
import type { ParameterValue } from '../schema/parameter.js'
import type { ApiGraph } from './api-graph.js'
import { insertLoras } from './lora-chain.js'
import type { ChainLora } from './lora-chain.js'
import { referenceName, referenceValues } from './references.js'

/** What all pictures of one series, view and variation have in common. */
export interface StableValues {
  positive: string
  negative: string
  /** Pixels. */
  width: number
  height: number
  /** Identity first, then stable styles, the varying one last. */
  loras: readonly ChainLora[]
  /** SHA-256 of each reference picture, in order: no more than the binding takes. */
  references?: readonly string[]
  /** By name, in the types of the parameters. */
  parameters?: Readonly<Record<string, ParameterValue>>
  /** Settings that replace those of the workflow. */
  sampler?: { steps?: number; cfg?: number; sampler?: string; scheduler?: string }
}

/** A graph that lacks only its seed. */
export interface PreparedGraph {
  graph: ApiGraph
  binding: Pick<Binding, 'seed' | 'seedMax'>
}

/**
 * The graph with all values set and the LoRAs in place. The binding must have passed `checkBinding`. A bound input that was
 * a link becomes the value. Batches are set to 1. The given graph stays as it is; unchanged nodes are shared.
 */
export function bindGraph(request: {
  graph: ApiGraph
  binding: Binding
  values: StableValues & { seed: number }
}): ApiGraph {
  return bindSeed(prepareBinding(request.graph, request.binding, request.values), request.values.seed)
}

/** Everything but the seed: done once for the many pictures that differ in nothing else. */
export function prepareBinding(graph: ApiGraph, binding: Binding, values: StableValues): PreparedGraph {
  const result = binding.lora ? { ...insertLoras(graph, binding.lora, values.loras) } : { ...graph }
  const settings: [readonly InputRef[] | undefined, unknown][] = [
    [binding.positive, values.positive],
    [binding.negative, values.negative],
    [binding.width, values.width],
    [binding.height, values.height],
    [binding.batch, 1],
    [binding.steps, values.sampler?.steps],
    [binding.cfg, values.sampler?.cfg],
    [binding.sampler, values.sampler?.sampler],
    [binding.scheduler, values.sampler?.scheduler],
  ]
  for (const [refs = [], value] of settings) if (value !== undefined) setInputs(result, refs, value)
  for (const { ref, value } of referenceValues(binding, (values.references ?? []).map(referenceName)))
    setInputs(result, [ref], value)
  for (const [name, ref] of Object.entries(binding.parameters ?? {})) {
    const value = values.parameters?.[name]
    if (value !== undefined) setInputs(result, [ref], value)
  }
  return { graph: result, binding }
}

/** The prepared graph with this seed, an integer from 0 to 2^53-1. */
export function bindSeed({ graph, binding }: PreparedGraph, seed: number): ApiGraph {
  const result = { ...graph }
  setInputs(result, binding.seed, fitSeed(binding, seed))
  return result
}

/** What a graph has of a seed, where it takes none that large. */
export function fitSeed({ seedMax }: Pick<Binding, 'seedMax'>, seed: number): number {
  return seedMax === undefined ? seed : seed % (seedMax + 1)
}

/** Replaces nodes of a graph that is a copy of ours; the nodes themselves are shared with others and stay as they are. */
function setInputs(graph: ApiGraph, refs: readonly InputRef[], value: unknown): void {
  for (const { node: id, input } of refs) {
    const node = graph[id]
    if (node) graph[id] = { ...node, inputs: { ...node.inputs, [input]: value } }
  }
}
