import type { Problem } from '../errors.js'
import { readGroupNodes } from './ui-group-nodes.js'
import { isRecord } from './parse-graph.js'
import { toUiGraph } from './ui-graph.js'
import type { UiGraph, UiInput, UiLink, UiNode, UiSlot, UiSubgraph, UiWorkflow } from './ui-shapes.js'

const nodesMax = 2000
const subgraphsMax = 500
const linksMax = 20_000
/** Of one node: no class has as many. */
const widgetsMax = 10_000

/** Reads the format of the editor, versions 0.4 and 1. Members that are no nodes or links are told; unknown ones are left out. */
export function readUiWorkflow(value: Record<string, unknown>, problems: Problem[]): UiWorkflow {
  const root = readGraph(value, { path: '', problems })
  const extra = isRecord(value.extra) ? value.extra : {}
  const definitions = isRecord(value.definitions) ? value.definitions : {}
  const listed = Array.isArray(definitions.subgraphs) ? definitions.subgraphs.slice(0, subgraphsMax) : []
  const subgraphs = new Map<string, UiSubgraph>()
  for (const [at, each] of listed.entries()) {
    const path = `definitions.subgraphs[${at}]`
    if (isRecord(each)) subgraphs.set(textOf(each.id), readSubgraph(each, { path: `${path}.`, problems }))
  }
  const groups = isRecord(extra.groupNodes) ? Object.entries(extra.groupNodes).slice(0, subgraphsMax) : []
  for (const [name, group] of groups) {
    if (!isRecord(group)) continue
    const nodes = readNodes(group.nodes, { path: `extra.groupNodes[${JSON.stringify(name)}].`, problems }, true)
    const subgraph = readGroupNodes(name, nodes, group)
    for (const prefix of ['workflow>', 'workflow/']) subgraphs.set(`${prefix}${name}`, subgraph)
  }
  return { root, subgraphs }
}

interface At {
  /** In front of `nodes` in paths of problems. */
  path: string
  problems: Problem[]
}

function readGraph(value: Record<string, unknown>, at: At): UiGraph {
  const nodes = readNodes(value.nodes, at)
  const links: unknown[] = Array.isArray(value.links) ? value.links : []
  if (links.length > linksMax) at.problems.push(tooMany('links', `${at.path}links`, [links.length, linksMax]))
  return toUiGraph(
    nodes,
    links.slice(0, linksMax).flatMap(each => readLink(each) ?? []),
  )
}

function readSubgraph(value: Record<string, unknown>, at: At): UiSubgraph {
  return {
    ...readGraph(value, at),
    name: textOf(value.name),
    inputs: listOf(value.inputs).map(readSlot),
    outputs: listOf(value.outputs).map(readSlot),
  }
}

/** Nodes of a legacy group have no ids but their places. */
function readNodes(value: unknown, { path, problems }: At, hasPlaces = false): UiNode[] {
  const list: unknown[] = Array.isArray(value) ? value : []
  if (list.length > nodesMax) {
    problems.push(tooMany('nodes', `${path}nodes`, [list.length, nodesMax]))
    return []
  }
  const ids = new Set<string>()
  return list.flatMap((each, place) => {
    const at = `${path}nodes[${place}]`
    const refuse = (message: string, more: Partial<Problem> = {}) => {
      problems.push({ severity: 'error', code: 'WORKFLOW_NODE_INVALID', message, path: at, ...more })
      return []
    }
    if (!isRecord(each) || typeof each.type !== 'string' || !(hasPlaces || isId(each.id)))
      return refuse('a node of the editor is an object with id and type')
    const id = hasPlaces ? String(place) : textOf(each.id)
    if (id === '__proto__') return refuse('a node cannot have this id')
    if (ids.has(id)) return refuse('another node has the same id', { found: id })
    ids.add(id)
    return [readNode(each, { id, path: at })]
  })
}

function tooMany(what: string, path: string, [found, most]: readonly [number, number]): Problem {
  const message = `the workflow has too many ${what}`
  return {
    severity: 'error',
    code: 'WORKFLOW_TOO_LARGE',
    message,
    path,
    found: String(found),
    allowed: `at most ${most}`,
  }
}

function readNode(value: Record<string, unknown>, { id, path }: { id: string; path: string }): UiNode {
  const { mode, title, widgets_values: values, widgets_values_named: named } = value
  const properties = isRecord(value.properties) ? value.properties : {}
  return {
    id,
    path,
    type: textOf(value.type),
    mode: typeof mode === 'number' ? mode : 0,
    ...(typeof title === 'string' && title !== '' && { title }),
    inputs: listOf(value.inputs).map(readInput),
    outputs: listOf(value.outputs).map(readSlot),
    widgets: Array.isArray(values)
      ? values.slice(0, widgetsMax)
      : isRecord(values)
        ? values
        : isRecord(named)
          ? named
          : [],
    promoted: readPromoted(properties.proxyWidgets),
  }
}

function readInput(value: Record<string, unknown>): UiInput {
  const { link, widget } = value
  return {
    ...readSlot(value),
    ...(isId(link) && { link: String(link) }),
    ...(isRecord(widget) && { widget: textOf(widget.name) }),
  }
}

function readSlot({ name, type }: Record<string, unknown>): UiSlot {
  return { name: textOf(name), type: typeof type === 'string' ? type : '*' }
}

/** A list in version 0.4, an object in version 1 and in subgraphs. */
function readLink(value: unknown): UiLink | undefined {
  const [id, from, slot, to, toSlot] = Array.isArray(value)
    ? (value as unknown[])
    : isRecord(value)
      ? [value.id, value.origin_id, value.origin_slot, value.target_id, value.target_slot]
      : []
  if (!isId(id) || !isId(from) || !isId(to)) return undefined
  return { id: String(id), from: String(from), slot: Number(slot), to: String(to), toSlot: Number(toSlot) }
}

/** `[[inner node, widget], …]`, in some files as a text of JSON. */
function readPromoted(value: unknown): UiNode['promoted'] {
  const list = typeof value === 'string' ? parseList(value) : value
  if (!Array.isArray(list)) return []
  return list.map((each: unknown) => {
    const [node, widget] = Array.isArray(each) ? (each as unknown[]) : []
    return { node: textOf(node), widget: textOf(widget) }
  })
}

function parseList(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // As the editor does: what is no JSON promotes nothing.
    return undefined
  }
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map((each: unknown) => (isRecord(each) ? each : {})) : []
}

function isId(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}

function textOf(value: unknown): string {
  return isId(value) ? String(value) : ''
}
