import type { ApiGraph } from '../../../src/workflow/api-graph.js'
import { isLink } from '../../../src/workflow/api-graph.js'

/** Shapes of the editor's files, as far as tests build them. */
export interface UiNodeFile {
  id: number | string
  type: string
  mode?: number
  title?: string
  inputs?: { name: string; type: string; link: number | null; widget?: { name: string } }[]
  outputs?: { name: string; type: string; links?: number[] }[]
  properties?: object
  widgets_values?: unknown
}
export type UiLinkFile = [
  id: number,
  from: number | string,
  slot: number,
  to: number | string,
  toSlot: number,
  type: string,
]
export interface UiFile {
  version: number
  nodes: UiNodeFile[]
  links: UiLinkFile[]
  definitions?: { subgraphs: object[] }
  extra?: object
}

/** `/object_info` of a server that has all classes of these graphs: inputs that hold a link somewhere are sockets. */
export function describeClasses(graphs: readonly ApiGraph[]): Record<string, unknown> {
  const nodes = graphs.flatMap(graph => Object.values(graph))
  const classes = [...new Set(nodes.map(node => node.class_type))]
  return Object.fromEntries(
    classes.map(name => {
      const own = nodes.filter(node => node.class_type === name)
      const inputs = [...new Set(own.flatMap(node => Object.keys(node.inputs)))]
      const describe = (isRequired: boolean) =>
        Object.fromEntries(
          inputs
            .filter(input => own.every(node => input in node.inputs) === isRequired)
            .map(input => [
              input,
              specOf(
                input,
                own.map(node => node.inputs[input]),
              ),
            ]),
        )
      const input = { required: describe(true), optional: describe(false) }
      return [name, { input, output: [], output_node: /^Save/.test(name) }]
    }),
  )
}

function specOf(input: string, values: readonly unknown[]): unknown[] {
  const value = values.find(each => each !== undefined && !isLink(each))
  if (value === undefined) return [input.toUpperCase()]
  if (typeof value === 'boolean') return ['BOOLEAN', {}]
  if (typeof value === 'number') return ['FLOAT', {}]
  return typeof value === 'string' ? ['STRING', {}] : ['STRING', { multiline: true }]
}

type Specs = Record<string, unknown[]>

interface UiOptions {
  /** Newer editors list every widget among the inputs; older ones only those that are sockets. */
  listsWidgets?: boolean
  /** Values by name instead of in order. */
  isNamed?: boolean
}

/** The file from which an editor exports exactly this graph. */
export function toUi(
  graph: ApiGraph,
  objectInfo: Readonly<Record<string, unknown>>,
  { listsWidgets = false, isNamed = false }: UiOptions = {},
): UiFile {
  const links: UiLinkFile[] = []
  const nodes = Object.entries(graph).map(([id, { class_type: type, inputs, _meta }]): UiNodeFile => {
    const info = objectInfo[type] as { input: { required: Specs; optional?: Specs } }
    const specs = [...Object.entries(info.input.required), ...Object.entries(info.input.optional ?? {})]
    const isWidget = (spec: unknown[]) => /^(INT|FLOAT|STRING|BOOLEAN)$/.test(String(spec[0])) || Array.isArray(spec[0])
    const slots = specs.filter(([name, spec]) => !isWidget(spec) || listsWidgets || isLink(inputs[name]))
    const owned = specs.filter(([, spec]) => isWidget(spec))
    const named = owned.flatMap(([name]): [string, unknown][] => {
      // What is linked keeps the value that was there before; what the graph leaves out has none.
      const value = isLink(inputs[name]) ? 'shadowed' : inputs[name]
      return [[name, (value as { __value__?: unknown } | undefined)?.__value__ ?? value]]
    })
    const ordered = named.flatMap(([name, value]) => (/seed$/.test(name) ? [value, 'randomize'] : [value]))
    return {
      id,
      type,
      mode: 0,
      ...(_meta?.title !== undefined && { title: _meta.title }),
      inputs: slots.map(([name, spec], slot) => {
        const value = inputs[name]
        const link = isLink(value) ? links.push([links.length + 1, value[0], value[1], id, slot, '*']) : null
        return { name, type: String(spec[0]), link, ...(isWidget(spec) && { widget: { name } }) }
      }),
      outputs: [],
      widgets_values: isNamed ? Object.fromEntries(named) : ordered,
    }
  })
  return { version: 0.4, nodes, links }
}

/** A reroute in every link. */
export function withReroutes(ui: UiFile): UiFile {
  const result = structuredClone(ui)
  for (const [at, link] of ui.links.entries()) {
    const id = 9000 + at
    const after = 8000 + at
    result.nodes.push({
      id,
      type: 'Reroute',
      inputs: [{ name: '', type: '*', link: link[0] }],
      outputs: [{ name: '', type: '*' }],
    })
    result.links[at] = [link[0], link[1], link[2], id, 0, '*']
    result.links.push([after, id, 0, link[3], link[4], '*'])
    const target = result.nodes.find(node => node.id === link[3])?.inputs?.[link[4]]
    if (target) target.link = after
  }
  return result
}

/** Links as objects, as version 1 has them. */
export function toVersionOne(ui: UiFile): object {
  return { ...ui, version: 1, links: ui.links.map(toObject) }
}

function toObject([id, origin_id, origin_slot, target_id, target_slot, type]: UiLinkFile) {
  return { id, origin_id, origin_slot, target_id, target_slot, type }
}

/** The whole inside a subgraph inside another one, so that every id begins with `50:60:`. */
export function inSubgraphs(ui: UiFile): object {
  const inner = { id: 'inner', name: 'Inner', nodes: ui.nodes, links: ui.links.map(toObject), inputs: [], outputs: [] }
  const outer = { id: 'outer', name: 'Outer', nodes: [{ id: 60, type: 'inner' }], links: [], inputs: [], outputs: [] }
  return {
    version: 0.4,
    nodes: [{ id: 50, type: 'outer', widgets_values: [] }],
    links: [],
    definitions: { subgraphs: [outer, inner] },
  }
}

/** The same graph with other ids. */
export function renamed(graph: ApiGraph, rename: (id: string) => string): ApiGraph {
  return Object.fromEntries(
    Object.entries(graph).map(([id, node]) => {
      const inputs = Object.entries(node.inputs).map(([name, value]) => [
        name,
        isLink(value) ? [rename(value[0]), value[1]] : value,
      ])
      return [rename(id), { ...node, inputs: Object.fromEntries(inputs) as Record<string, unknown> }]
    }),
  )
}
