import { createHash } from 'node:crypto'
import type { Catalogue } from './catalogue.js'
import { isServerLink, type DraftGraph } from './graph.js'
import type { FileFacts } from './node-definition.js'
import { printExact } from './exact-json.js'

/**
 * What decides whether a node's result can be taken from the cache: its class, its literals, its fingerprint of the
 * outside world, and the same of everything it depends on. Ids, titles and order do not matter.
 * Nodes with broken links or in a cycle have no signature.
 */
export function signNodes(graph: DraftGraph, catalogue: Catalogue, files: FileFacts): Map<string, string> {
  const signatures = new Map<string, string>()
  const open = new Set<string>()

  function sign(id: string): string | undefined {
    const known = signatures.get(id)
    if (known !== undefined) return known
    const node = graph[id]
    if (!node || open.has(id) || typeof node.inputs !== 'object' || node.inputs === null) return undefined
    open.add(id)
    const definition = catalogue.find(node.class_type)
    const parts: string[] = [node.class_type]
    parts.push(node.is_changed === undefined ? (definition?.fingerprint?.(node.inputs, files) ?? '') : 'told')
    if (definition?.hidden?.unique_id) parts.push(id)
    for (const name of Object.keys(node.inputs).sort()) {
      const value = node.inputs[name]
      const part = isServerLink(value) ? linkPart(value) : printExact(value)
      if (part === undefined) return undefined
      parts.push(name, part)
    }
    const signature = createHash('sha1').update(parts.join('\0')).digest('base64')
    signatures.set(id, signature)
    return signature
  }

  function linkPart([from, slot]: [string, number]): string | undefined {
    const signature = sign(from)
    return signature === undefined ? undefined : `>${signature}${slot}`
  }

  for (const id of Object.keys(graph)) sign(id)
  return signatures
}
