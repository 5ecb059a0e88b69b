import { outlet, type UiGraph, type UiLink, type UiNode } from './ui-shapes.js'

/** Nodes and links by id, and what is looked up again and again. Of two links into one output of a subgraph the first counts. */
export function toUiGraph(nodes: readonly UiNode[], links: readonly UiLink[]): UiGraph {
  const ends = links.filter(({ to }) => to === outlet)
  return {
    nodes: new Map(nodes.map(node => [node.id, node])),
    links: new Map(links.map(link => [link.id, link])),
    origins: new Set(links.map(({ from }) => from)),
    outlets: new Map(ends.reverse().map(link => [link.toSlot, link])),
  }
}
