import type { Binding } from '../schema/binding.js'
import type { ApiGraph } from './api-graph.js'
import { shorten } from './parse-graph.js'
import { inputAt, nodeAt } from './walk-graph.js'

/** One thing that a binding points at, for people to check: `positive ← node 6 CLIPTextEncode "Positive prompt" .text`. */
export interface Finding {
  field: string
  node: string
  class: string
  title?: string
  input?: string
  slot?: number
  /** What stands there in the file, shortened. */
  value?: string
}

type Reference = { node: string; input?: string; slot?: number }

/** What a binding, or the known part of one, points at, in the order of its fields. */
export function describeBinding(graph: ApiGraph, binding: Partial<Binding>): Finding[] {
  const describe = (field: string, { node, input, slot }: Reference): Finding => {
    const known = nodeAt(graph, node)
    const title = known?._meta?.title
    const value = input === undefined ? undefined : inputAt(graph, { node, input })
    return {
      field,
      node,
      class: known?.class_type ?? 'unknown',
      ...(title !== undefined && { title }),
      ...(input !== undefined && { input }),
      ...(slot !== undefined && { slot }),
      ...(value !== undefined && { value: shorten(JSON.stringify(value)) }),
    }
  }
  const lists = Object.entries(referencesOf(binding)).flatMap(([field, refs]) => refs.map(ref => describe(field, ref)))
  const { lora, save = [], parameters = {} } = binding
  return [
    ...lists,
    ...Object.entries(parameters).map(([name, ref]) => describe(`parameters.${name}`, ref)),
    ...(lora ? [describe('lora.model', lora.model)] : []),
    ...(lora?.clip ? [describe('lora.clip', lora.clip)] : []),
    ...save.map(node => describe('save', { node })),
  ]
}

/** A candidate in a question: `14.text "Persona" (a tall knight…)`. */
export function describeInput(graph: ApiGraph, { node, input }: { node: string; input: string }): string {
  const title = nodeAt(graph, node)?._meta?.title
  const value = inputAt(graph, { node, input })
  const text = typeof value === 'string' && value ? ` (${shorten(value, 40)})` : ''
  return `${node}.${input}${title ? ` "${title}"` : ''}${text}`
}

function referencesOf({ positive = [], negative = [], seed = [], ...rest }: Partial<Binding>) {
  const { width = [], height = [], batch = [], steps = [], cfg = [], sampler = [], scheduler = [], models = [] } = rest
  const { references = [] } = rest
  return { positive, negative, seed, width, height, batch, steps, cfg, sampler, scheduler, references, models }
}
