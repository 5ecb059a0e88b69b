import type { Problem } from '../errors.js'
import { graphNodesMax } from './parse-graph.js'
import type { UiGraph, UiNode, UiSubgraph, UiWorkflow } from './ui-shapes.js'
import { readWidgetSpecs, type WidgetSpec } from './widget-specs.js'
import { nameWidgetValues } from './widget-values.js'

/** A graph as one node stands for it: the same subgraph may stand in many places, each with values of its own. */
export interface Scope {
  graph: UiGraph
  /** In front of the ids of its nodes: empty, `12:`, `12:7:`, … */
  prefix: string
  depth: number
  parent?: { scope: Scope; node: UiNode; subgraph: UiSubgraph }
  /** What the node that stands for it sets inside, by `<node> <widget>`; node `-1` for its own inputs. */
  values: ReadonlyMap<string, unknown>
}

/** A conversion under way. */
export interface Conversion {
  workflow: UiWorkflow
  objectInfo: Readonly<Record<string, unknown>>
  problems: Problem[]
  scopes: Map<string, Scope>
  /** What was done so far, in steps along links; `spend` counts them. */
  steps: number
}

const depthMax = 32
/** Far more than any workflow takes; subgraphs that hold each other many times would take as long as they like. */
const stepsMax = 500_000

/** Whether a conversion may still take these steps. The first time that it may not is told. */
export function spend(conversion: Conversion, steps: number): boolean {
  const wasLeft = conversion.steps <= stepsMax
  conversion.steps += steps
  if (conversion.steps <= stepsMax) return true
  const message = 'the workflow takes too long to follow: its subgraphs, or its links, are too many'
  if (wasLeft) conversion.problems.push({ severity: 'error', code: 'WORKFLOW_TOO_LARGE', message })
  return false
}

export function rootScope({ workflow }: Conversion): Scope {
  return { graph: workflow.root, prefix: '', depth: 0, values: new Map() }
}

/** The inside of a node that stands for a subgraph; undefined, and told, where subgraphs hold each other without end. */
export function enterScope(conversion: Conversion, scope: Scope, node: UiNode): Scope | undefined {
  const { scopes, workflow, problems } = conversion
  const prefix = `${scope.prefix}${node.id}:`
  const known = scopes.get(prefix)
  const subgraph = workflow.subgraphs.get(node.type)
  if (known || !subgraph) return known
  const isEndless = scope.depth >= depthMax || isInside(scope, subgraph)
  if (isEndless || scopes.size >= graphNodesMax) {
    const message = isEndless ? 'the subgraph holds itself, or is nested too deep' : 'there are too many subgraphs'
    const allowed = isEndless ? `at most ${depthMax} levels` : `at most ${graphNodesMax}`
    const found = describeNode(scope, node)
    const told = { severity: 'error', code: 'WORKFLOW_TOO_LARGE', message, path: node.path, found, allowed } as const
    if (!problems.some(each => each.path === node.path && each.message === message)) problems.push(told)
    return undefined
  }
  const inner: Scope = {
    graph: subgraph,
    prefix,
    depth: scope.depth + 1,
    parent: { scope, node, subgraph },
    values: valuesOf(conversion, { scope, node, subgraph }),
  }
  scopes.set(prefix, inner)
  return inner
}

/** `KSampler "Sampler", node 12:3`. */
export function describeNode({ prefix }: Scope, { id, type, title }: UiNode): string {
  return `${type}${title === undefined || title === type ? '' : ` "${title}"`}, node ${prefix}${id}`
}

/** The widgets of a node by its class; undefined where the server has no such class. */
export function specsOf({ objectInfo }: Conversion, node: UiNode): WidgetSpec[] | undefined {
  const info = Object.hasOwn(objectInfo, node.type) ? objectInfo[node.type] : undefined
  const shown = new Set(node.inputs.flatMap(({ widget }) => widget ?? []))
  // Entries of /object_info are told apart by their keys; what is no object has none.
  return typeof info === 'object' && info !== null
    ? readWidgetSpecs(info as Readonly<Record<string, unknown>>, shown)
    : undefined
}

/** The key of a value that is set from outside. */
export function valueKey(node: string, widget: string): string {
  return `${node} ${widget}`
}

const itself = '-1'
export const ownValue = (name: string): string => valueKey(itself, name)

function isInside(scope: Scope, subgraph: UiSubgraph): boolean {
  for (let at: Scope | undefined = scope; at; at = at.parent?.scope) if (at.parent?.subgraph === subgraph) return true
  return false
}

interface Place {
  scope: Scope
  node: UiNode
  subgraph: UiSubgraph
}

/** Values of the node itself, replaced by those that are set from further outside. */
function valuesOf(conversion: Conversion, place: Place): Map<string, unknown> {
  const { scope, node, subgraph } = place
  const values = subgraph.isGroup ? groupValues(conversion, place) : promotedValues(node)
  for (const { name } of subgraph.inputs) setFrom(scope, valueKey(node.id, name), { values, key: ownValue(name) })
  for (const { node: inner, widget } of node.promoted)
    setFrom(scope, valueKey(node.id, widget), { values, key: valueKey(inner, widget) })
  return values
}

function setFrom({ values: outer }: Scope, from: string, to: { values: Map<string, unknown>; key: string }): void {
  const value = outer.get(from)
  if (value !== undefined) to.values.set(to.key, value)
}

function promotedValues({ widgets, promoted, inputs }: UiNode): Map<string, unknown> {
  if (!isList(widgets))
    return known(Object.entries(widgets).map(([name, value]): [string, unknown] => [ownValue(name), value]))
  if (promoted.length > 0)
    return known(promoted.map(({ node, widget }, at): [string, unknown] => [valueKey(node, widget), widgets[at]]))
  const shown = inputs.filter(each => each.widget !== undefined)
  return known(shown.map(({ name }, at): [string, unknown] => [ownValue(name), widgets[at]]))
}

/** Legacy groups hold the values of all widgets inside, node by node. */
function groupValues(conversion: Conversion, { node, subgraph }: Place): Map<string, unknown> {
  let rest: readonly unknown[] = isList(node.widgets) ? node.widgets : []
  const values = new Map<string, unknown>()
  for (const inner of subgraph.nodes.values()) {
    const converted = new Set(inner.inputs.flatMap(({ widget }) => widget ?? []))
    const specs = inner.type === 'PrimitiveNode' ? [primitive] : (specsOf(conversion, inner) ?? [])
    const named = nameWidgetValues(
      specs.filter(({ name }) => !converted.has(name)),
      rest,
    )
    for (const [name, value] of named.values) values.set(valueKey(inner.id, name), value)
    rest = rest.slice(named.taken)
  }
  return values
}

const primitive: WidgetSpec = {
  name: 'value',
  isRequired: true,
  kind: 'other',
  standard: undefined,
  choices: [],
  hasControl: true,
  isBeforeButton: false,
  groups: new Map(),
}

function known(entries: [string, unknown][]): Map<string, unknown> {
  return new Map(entries.filter(([, value]) => value !== undefined && value !== null))
}

function isList(widgets: UiNode['widgets']): widgets is readonly unknown[] {
  return Array.isArray(widgets)
}
