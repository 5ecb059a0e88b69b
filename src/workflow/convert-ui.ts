import { distinctProblems, hasErrors, type Problem } from '../errors.js'
import { findNearMiss } from '../files/near-miss.js'
import type { ApiGraph, ApiNode } from './api-graph.js'
import { parseGraph, shorten } from './parse-graph.js'
import { powerLoras } from './power-loras.js'
import {
  type Conversion,
  describeNode,
  enterScope,
  rootScope,
  type Scope,
  spend,
  specsOf,
  valueKey,
} from './ui-scopes.js'
import type { UiNode } from './ui-shapes.js'
import { isOff, isVirtual, type Source, sourceOf } from './ui-sources.js'
import { readUiWorkflow } from './ui-workflow.js'
import type { WidgetSpec } from './widget-specs.js'
import { nameWidgetValues } from './widget-values.js'

/**
 * The API graph of a workflow in the format of the editor, as the editor of a server with this `/object_info` would export it:
 * without nodes of the editor alone (notes, reroutes, primitives, variables), muted and bypassed ones; with subgraphs and group
 * nodes opened, their inner nodes called `<node>:<inner>`. All problems are told, those of the editor's file with their place
 * in it; warnings say what was filled in or left out. `graph` is absent where a problem is an error.
 */
export function convertUi(
  value: Record<string, unknown>,
  { objectInfo, file }: { objectInfo: Readonly<Record<string, unknown>>; file: string },
): { graph?: ApiGraph; problems: Problem[] } {
  const problems: Problem[] = []
  const workflow = readUiWorkflow(value, problems)
  const conversion: Conversion = { workflow, objectInfo, problems, scopes: new Map(), steps: 0 }
  const graph: ApiGraph = {}
  addNodes(conversion, rootScope(conversion), graph)
  const placed = distinctProblems(problems).map(problem => ({ ...problem, file }))
  if (hasErrors(placed)) return { problems: placed }
  const parsed = parseGraph(graph, file)
  return { ...parsed, problems: [...placed, ...parsed.problems] }
}

function addNodes(conversion: Conversion, scope: Scope, graph: ApiGraph): void {
  for (const node of scope.graph.nodes.values()) {
    if (!spend(conversion, stepsOfNode)) return
    if (isOff(node) || isVirtual(node)) continue
    if (conversion.workflow.subgraphs.has(node.type)) {
      const inner = enterScope(conversion, scope, node)
      if (inner) addNodes(conversion, inner, graph)
      continue
    }
    if (/\bEverywhere\b/.test(node.type)) tellEverywhere(conversion, scope, node)
    const specs = specsOf(conversion, node)
    const id = `${scope.prefix}${node.id}`
    if (!specs) tellUnknown(conversion, scope, node)
    else if (Object.hasOwn(graph, id)) tellTwice(conversion, scope, node)
    else graph[id] = toApiNode(conversion, { scope, node, specs })
  }
}

/** What a node costs beside its links. */
const stepsOfNode = 20

/** A node may be called like an inner node of another: `50:6`. */
function tellTwice({ problems }: Conversion, scope: Scope, node: UiNode): void {
  const [message, found] = ['another node has the same id', describeNode(scope, node)]
  problems.push({ severity: 'error', code: 'WORKFLOW_NODE_INVALID', message, path: node.path, found })
}

interface Place {
  scope: Scope
  node: UiNode
  specs: readonly WidgetSpec[]
}

function toApiNode(conversion: Conversion, place: Place): ApiNode {
  const { scope, node } = place
  const sources = new Map<string, Source>()
  for (const [index, { name, widget }] of node.inputs.entries()) {
    const source = sourceOf(conversion, scope, node, index)
    if (source) sources.set(widget ?? name, source)
  }
  const inputs = { ...widgetInputs(conversion, place, sources), ...powerLoras(node) }
  for (const [name, source] of sources) inputs[name] = 'link' in source ? source.link : literal(source.value)
  const { type: class_type, title } = node
  return { class_type, inputs, ...(title !== undefined && { _meta: { title } }) }
}

function widgetInputs(
  { problems }: Conversion,
  { scope, node, specs }: Place,
  sources: ReadonlyMap<string, Source>,
): Record<string, unknown> {
  const { values, missing, unfit } = nameWidgetValues(specs, node.widgets)
  const found = describeNode(scope, node)
  const set = (name: string) => scope.values.get(valueKey(node.id, name))
  const isSet = (name: string) => sources.has(name) || set(name) !== undefined
  const wrong = unfit.find(({ name }) => !isSet(name))
  if (wrong) {
    const message = `the file has ${shorten(JSON.stringify(wrong.value), 40)} for ${wrong.name}: it was saved with another version of this node; open it in the ComfyUI of that server and save it again`
    const place = { path: `${node.path}.widgets_values`, found }
    problems.push({ severity: 'error', code: 'WORKFLOW_VALUE_UNFIT', message, ...place })
  }
  for (const { name, isRequired, standard } of missing) {
    if (!isRequired || isSet(name) || standard === undefined) continue
    values.set(name, standard)
    const message = `the file has no value for ${name}: ${shorten(JSON.stringify(standard), 40)} takes its place`
    problems.push({ severity: 'warning', code: 'WORKFLOW_VALUE_FILLED', message, path: node.path, found })
  }
  const inputs = [...values].map(([name, value]): [string, unknown] => [name, literal(value)])
  const outer = specs.flatMap(({ name }): [string, unknown][] => {
    const value = set(name)
    return value === undefined ? [] : [[name, literal(value)]]
  })
  return Object.fromEntries([...inputs, ...outer])
}

/** Nodes of a pack that give their inputs to whatever lacks them; only the editor knows what that is. */
function tellEverywhere({ problems }: Conversion, scope: Scope, node: UiNode): void {
  const message = 'it sends values without links, which a saved file does not hold: use Export (API) of ComfyUI'
  const found = describeNode(scope, node)
  problems.push({ severity: 'error', code: 'WORKFLOW_LINK_MISSING', message, path: node.path, found })
}

/** Unknown classes beyond these are told without the name that was meant: a foreign workflow may hold hundreds. */
const suggestionsMax = 20
/** And beyond these not told at all. */
const unknownMax = 200

/** A plain list would be read as a link. */
function literal(value: unknown): unknown {
  return Array.isArray(value) ? { __value__: value } : value
}

/** What nothing is linked to draws on the canvas only, and is left out. */
function tellUnknown({ problems, objectInfo }: Conversion, scope: Scope, node: UiNode): void {
  const found = describeNode(scope, node)
  const isLinked = node.inputs.some(({ link }) => link !== undefined) || scope.graph.origins.has(node.id)
  if (!isLinked) {
    const message = 'the server has no such node, and nothing is linked to it: it is left out'
    problems.push({ severity: 'warning', code: 'WORKFLOW_NODE_LEFT_OUT', message, path: node.path, found })
    return
  }
  const told = problems.filter(({ code }) => code === 'WORKFLOW_CLASS_UNKNOWN').length
  if (told >= unknownMax) return
  const meant = told < suggestionsMax ? findNearMiss(node.type, Object.keys(objectInfo)) : undefined
  const message = 'the server has no such node: install the node pack that it comes from'
  const allowed = meant === undefined ? {} : { allowed: `perhaps ${meant}` }
  problems.push({ severity: 'error', code: 'WORKFLOW_CLASS_UNKNOWN', message, path: node.path, found, ...allowed })
}
