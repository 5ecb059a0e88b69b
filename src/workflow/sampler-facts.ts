import type { Binding, InputRef } from '../schema/binding.js'
import type { ApiGraph } from './api-graph.js'
import { inputAt } from './walk-graph.js'

/** What the samplers are set to. A list where several samplers differ, in the order of the binding. */
export interface SamplerFacts {
  steps?: number | number[]
  cfg?: number | number[]
  sampler?: string | string[]
  scheduler?: string | string[]
  /** How much of the start picture is replaced, 0–1. */
  denoise?: number | number[]
  /** What Flux takes in place of cfg. */
  guidance?: number | number[]
}

/** The sampler settings of a bound graph, for the trace. Settings that stand behind a computing node are absent. */
export function samplerFacts(graph: ApiGraph, binding: Binding): SamplerFacts {
  const numbers = (refs: readonly InputRef[] = []) => agreed(refs.map(ref => inputAt(graph, ref)).filter(isNumber))
  const texts = (refs: readonly InputRef[] = []) => agreed(refs.map(ref => inputAt(graph, ref)).filter(isText))
  const nodes = [...new Set([...(binding.steps ?? []), ...(binding.scheduler ?? [])].map(({ node }) => node))]
  return present({
    steps: numbers(binding.steps),
    cfg: numbers(binding.cfg),
    sampler: texts(binding.sampler),
    scheduler: texts(binding.scheduler),
    denoise: numbers(nodes.map(node => ({ node, input: 'denoise' }))),
    guidance: numbers(Object.keys(graph).map(node => ({ node, input: 'guidance' }))),
  })
}

function agreed<Value>(values: Value[]): Value | Value[] | undefined {
  return new Set(values).size > 1 ? values : values[0]
}

function present(facts: { [Key in keyof SamplerFacts]-?: SamplerFacts[Key] | undefined }): SamplerFacts {
  // Only undefined members are dropped, so what remains has the types of SamplerFacts.
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as SamplerFacts
}

const isNumber = (value: unknown): value is number => typeof value === 'number'
const isText = (value: unknown): value is string => typeof value === 'string'
