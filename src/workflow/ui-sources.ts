import type { Link } from './api-graph.js'
import { type Conversion, describeNode, enterScope, ownValue, type Scope, spend, valueKey } from './ui-scopes.js'
import { inlet, type UiNode } from './ui-shapes.js'

/** Where the value of an input comes from: an output of a real node, or a literal. */
export type Source = { link: Link } | { value: unknown }

/** Modes of nodes that are not run. */
const muted = 2
const bypassed = 4

export function isOff({ mode }: UiNode): boolean {
  return mode === muted || mode === bypassed
}

/** Nodes that pass one link on and never reach a server. */
export function isReroute({ type }: UiNode): boolean {
  return /^Reroute(?: \(rgthree\))?$/.test(type)
}

/** Nodes of the editor alone. `GetNode` gives what goes into the `SetNode` of its name. */
export function isVirtual(node: UiNode): boolean {
  return isReroute(node) || /^(?:Note|MarkdownNote|PrimitiveNode|GetNode|SetNode)$/.test(node.type)
}

interface Wish {
  /** The type that is wanted at the end. */
  type: string
  /** Outputs that were passed: whoever comes back to one goes in a circle. */
  passed: Set<string>
}

/**
 * What an input is linked to, past reroutes, primitives, bypassed nodes and the borders of subgraphs. Undefined where
 * nothing is linked in the end: the widget of the input then counts, if it has one.
 */
export function sourceOf(conversion: Conversion, scope: Scope, node: UiNode, index: number): Source | undefined {
  const type = node.inputs[index]?.type ?? '*'
  return atInput(conversion, { scope, node, index }, { type, passed: new Set() })
}

interface InputPlace {
  scope: Scope
  node: UiNode
  index: number
}

function atInput(conversion: Conversion, { scope, node, index }: InputPlace, wish: Wish): Source | undefined {
  const id = node.inputs[index]?.link
  const link = id === undefined ? undefined : scope.graph.links.get(id)
  if (!link) return undefined
  if (link.from === inlet) return fromOutside(conversion, scope, link.slot, wish)
  const origin = scope.graph.nodes.get(link.from)
  return origin && atOutput(conversion, { scope, node: origin, slot: link.slot }, wish)
}

/** What goes into an input of the subgraph: a link from outside, else the value of the node that stands for it. */
function fromOutside(conversion: Conversion, scope: Scope, slot: number, wish: Wish): Source | undefined {
  const { parent, values } = scope
  const slotName = parent?.subgraph.inputs[slot]?.name
  if (!parent || slotName === undefined) return undefined
  const { node } = parent
  const named = node.inputs.findIndex(({ name }) => name === slotName)
  const index = named < 0 && node.inputs.length === parent.subgraph.inputs.length ? slot : named
  const source = atInput(conversion, { scope: parent.scope, node, index }, wish)
  const value = values.get(ownValue(slotName))
  return source ?? (value === undefined ? undefined : { value })
}

interface OutputPlace {
  scope: Scope
  node: UiNode
  slot: number
}

function atOutput(conversion: Conversion, place: OutputPlace, wish: Wish): Source | undefined {
  const { scope, node, slot } = place
  const key = `${scope.prefix}${node.id} ${slot}`
  if (wish.passed.has(key)) {
    const message = 'the link goes in a circle'
    const found = describeNode(scope, node)
    conversion.problems.push({ severity: 'error', code: 'WORKFLOW_CYCLE', message, path: node.path, found })
    return undefined
  }
  wish.passed.add(key)
  if (!spend(conversion, 1)) return undefined
  if (node.mode === muted) return undefined
  if (node.mode === bypassed) return pastBypassed(conversion, place, wish)
  if (isReroute(node) || node.type === 'SetNode') return atInput(conversion, { scope, node, index: 0 }, wish)
  if (node.type === 'PrimitiveNode') return primitiveValue(scope, node)
  if (node.type === 'GetNode') return fromSetNode(conversion, scope, node, wish)
  if (isVirtual(node)) return undefined
  if (!conversion.workflow.subgraphs.has(node.type)) return { link: [`${scope.prefix}${node.id}`, slot] }
  return fromInside(conversion, place, wish)
}

function fromInside(conversion: Conversion, { scope, node, slot }: OutputPlace, wish: Wish): Source | undefined {
  const inner = enterScope(conversion, scope, node)
  const link = inner?.graph.outlets.get(slot)
  if (!inner || !link) return undefined
  if (link.from === inlet) return fromOutside(conversion, inner, link.slot, wish)
  const origin = inner.graph.nodes.get(link.from)
  return origin && atOutput(conversion, { scope: inner, node: origin, slot: link.slot }, wish)
}

/** The input of the same place where its type fits, else the first of exactly the wanted type, else the first that fits. */
function pastBypassed(conversion: Conversion, { scope, node, slot }: OutputPlace, wish: Wish): Source | undefined {
  const given = node.outputs[slot]?.type ?? '*'
  const { inputs } = node
  const opposite = inputs[slot]
  const tries = [
    opposite && fits(opposite.type, given) && fits(opposite.type, wish.type) ? slot : -1,
    inputs.findIndex(({ type }) => type === wish.type),
    inputs.findIndex(({ type }) => fits(type, wish.type)),
  ]
  const index = tries.find(each => each >= 0)
  return index === undefined ? undefined : atInput(conversion, { scope, node, index }, wish)
}

function primitiveValue({ values }: Scope, { id, widgets }: UiNode): Source | undefined {
  const own: unknown = Array.isArray(widgets) ? widgets[0] : Object.values(widgets)[0]
  const value = values.get(valueKey(id, 'value')) ?? own
  return value === undefined || value === null ? undefined : { value }
}

/** The name of a variable stands in the only widget of both nodes. It may be set in a graph around this one. */
function fromSetNode(conversion: Conversion, scope: Scope, node: UiNode, wish: Wish): Source | undefined {
  for (let at: Scope | undefined = scope; at; at = at.parent?.scope) {
    const set = [...at.graph.nodes.values()].find(each => each.type === 'SetNode' && nameOf(each) === nameOf(node))
    if (set) return isOff(set) ? undefined : atInput(conversion, { scope: at, node: set, index: 0 }, wish)
  }
  const message = 'nothing sets the variable that this node gets'
  const found = describeNode(scope, node)
  conversion.problems.push({ severity: 'error', code: 'WORKFLOW_LINK_DANGLING', message, path: node.path, found })
  return undefined
}

function nameOf({ widgets }: UiNode): unknown {
  return Object.values(widgets)[0]
}

function fits(given: string, wanted: string): boolean {
  if (given === '*' || wanted === '*') return true
  const types = wanted.toLowerCase().split(',')
  return given
    .toLowerCase()
    .split(',')
    .some(type => types.includes(type))
}
