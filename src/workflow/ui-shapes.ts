/** A workflow as the ComfyUI editor saves it, as far as it decides what is rendered. Ids are text throughout. */
export interface UiWorkflow {
  root: UiGraph
  /** By the type of the nodes that stand for them: also legacy group nodes, as `workflow>Name`. */
  subgraphs: ReadonlyMap<string, UiSubgraph>
}

export interface UiGraph {
  nodes: ReadonlyMap<string, UiNode>
  links: ReadonlyMap<string, UiLink>
  /** Ids of nodes that links begin at. */
  origins: ReadonlySet<string>
  /** Of a subgraph: the links into its outputs, by output. */
  outlets: ReadonlyMap<number, UiLink>
}

/** Its inner links begin at node `inlet` for its inputs, and end at node `outlet` for its outputs. */
export interface UiSubgraph extends UiGraph {
  name: string
  inputs: readonly UiSlot[]
  outputs: readonly UiSlot[]
  /** A legacy group node: its values are those of all widgets inside, node by node. */
  isGroup?: boolean
}

export const inlet = '-10'
export const outlet = '-20'

export interface UiNode {
  id: string
  type: string
  /** 0 normal, 2 muted, 4 bypassed; others run as normal. */
  mode: number
  title?: string
  inputs: readonly UiInput[]
  outputs: readonly UiSlot[]
  /** In the order of the widgets, or by their names. */
  widgets: readonly unknown[] | Readonly<Record<string, unknown>>
  /** Of a subgraph: what its values belong to. Empty where they belong to its inputs. */
  promoted: readonly UiPromoted[]
  /** Where it stands in the file. */
  path: string
}

/** A widget of an inner node; node `-1` stands for the subgraph itself. */
export interface UiPromoted {
  node: string
  widget: string
}

export interface UiSlot {
  name: string
  type: string
}

export interface UiInput extends UiSlot {
  /** Absent where nothing is linked. */
  link?: string
  /** The widget that it takes the place of. */
  widget?: string
}

export interface UiLink {
  id: string
  from: string
  slot: number
  to: string
  toSlot: number
}
