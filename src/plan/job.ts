import type { ApiGraph } from '../workflow/api-graph.js'
import type { Reference } from '../schema/reference.js'
import type { Lora } from '../schema/run.js'
import type { ModelUse, RequestPart } from '../schema/trace.js'

/** One picture that a run wants. `ordinal` is its place in the plan, from 0. */
export interface Slot {
  ordinal: number
  /** `<subject>/<template>-<view>[-v<variation>]-<index>`, unique in its run and safe as a file name. */
  id: string
  series: number
  subject: string
  template: string
  view: string
  variation: number
  index: number
  seed: number
}

/**
 * A candidate for a slot, resolved: everything needed to render it. It never changes after it is hashed.
 * The graph holds logical names: a talent's LoRA is called `talent:<id>`, a reference picture
 * `reference:<sha256>`, models are called as in the workflow.
 */
export interface GraphJob {
  kind: 'graph'
  /** `j` + base32 of SHA-256 over run, slot and renderHash: the same on any machine. */
  id: string
  run: string
  slot: Slot
  renderHash: string
  /** Hash of the heavy files this job needs loaded: the affinity key. */
  modelSet: string
  target: { renderer: string; family: string; workflow: string }
  graph: ApiGraph
  /** Ids of the save nodes; the provider sets their `filename_prefix` to `savePrefix` plus the attempt. */
  save: readonly string[]
  loras: readonly Lora[]
  models: readonly ModelUse[]
  /** The reference pictures that the graph names; absent where it names none. */
  references?: readonly Reference[]
  width: number
  height: number
  /** Whether the picture must have exactly these pixels: nothing in the graph may scale or crop it. */
  isSizeKnown: boolean
  /** True where prompts are private text: the picture's own record of the graph is stripped at commit. */
  isPrivate: boolean
  /** Written into the PNG as chunk `foundry`, and the first half of the trace. */
  request: RequestPart
}

/** A model of a hosted service is a graph of one node. */
export type Job = GraphJob
