import { toUiGraph } from './ui-graph.js'
import { inlet, outlet } from './ui-shapes.js'
import type { UiInput, UiLink, UiNode, UiSlot, UiSubgraph } from './ui-shapes.js'

/**
 * A legacy group node (`extra.groupNodes`) in the form of a subgraph. Its links are `[from, slot, to, input]` by place of
 * the nodes; inputs that nothing inside is linked to, and outputs that nothing inside takes or that `external` lists, are
 * those of the group. The names are those that the editor gave: a second `text` becomes `<title> text`.
 */
export function readGroupNodes(name: string, nodes: readonly UiNode[], group: Record<string, unknown>): UiSubgraph {
  const inner = readLinks(group.links)
  const links = inner.map(({ from, slot, to, toSlot }, at): UiLink => ({ id: `i${at}`, from, slot, to, toSlot }))
  const within = new Map(links.map(link => [`${link.to} ${link.toSlot}`, link.id]))
  const seen = new Map<string, number>()
  const inputs: UiSlot[] = []
  const linked = nodes.map((node): UiNode => {
    const own = node.inputs.map((input, toSlot): UiInput => {
      const { name: inputName, type, widget } = input
      const plain: UiInput = { name: inputName, type, ...(widget !== undefined && { widget }) }
      const inside = within.get(`${node.id} ${toSlot}`)
      if (inside !== undefined) return { ...plain, link: inside }
      const id = `o${inputs.length}`
      links.push({ id, from: inlet, slot: inputs.length, to: node.id, toSlot })
      inputs.push({ name: shownName(input.name, node, seen), type })
      return { ...plain, link: id }
    })
    return { ...node, inputs: own }
  })
  const outputs = outputsOf(nodes, inner, group.external)
  for (const [toSlot, { node, slot }] of outputs.entries())
    links.push({ id: `e${toSlot}`, from: node, slot, to: outlet, toSlot })
  return {
    name,
    ...toUiGraph(linked, links),
    inputs,
    outputs: outputs.map(({ slot, node }) => linked.find(each => each.id === node)?.outputs[slot] ?? anySlot),
    isGroup: true,
  }
}

const anySlot: UiSlot = { name: '', type: '*' }

type InnerLink = Omit<UiLink, 'id'>

function readLinks(value: unknown): InnerLink[] {
  return (Array.isArray(value) ? value : []).flatMap((each: unknown) => {
    const [from, slot, to, toSlot] = Array.isArray(each) ? (each as unknown[]) : []
    if (typeof from !== 'number' || typeof to !== 'number') return []
    return [{ from: String(from), slot: Number(slot), to: String(to), toSlot: Number(toSlot) }]
  })
}

function shownName(input: string, node: UiNode, seen: Map<string, number>): string {
  const isPrimitive = node.type === 'PrimitiveNode' && node.title !== undefined
  const prefix = isPrimitive || seen.has(input) ? `${node.title ?? node.type} ` : ''
  const key = `${prefix}${input}`
  const count = seen.get(key)
  seen.set(key, (count ?? 1) + 1)
  return count === undefined ? key : `${prefix}${count} ${input}`
}

function outputsOf(nodes: readonly UiNode[], inner: readonly InnerLink[], external: unknown) {
  const shown = new Set(
    (Array.isArray(external) ? external : []).map((each: unknown) =>
      Array.isArray(each) ? each.slice(0, 2).join(' ') : '',
    ),
  )
  const taken = new Set(inner.map(link => `${link.from} ${link.slot}`))
  return nodes.flatMap(({ id: node, outputs }) =>
    outputs
      .map((_, slot) => ({ node, slot }))
      .filter(({ slot }) => shown.has(`${node} ${slot}`) || !taken.has(`${node} ${slot}`)),
  )
}
