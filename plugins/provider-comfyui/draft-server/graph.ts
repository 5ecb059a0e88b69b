/** A node as it came over the wire, after the shape check of validation. */
export interface DraftNode {
  class_type: string
  inputs: Record<string, unknown>
  _meta?: { title?: unknown }
  is_changed?: unknown
}
export type DraftGraph = Record<string, DraftNode>

/** Whether the server takes a value for a link: any list of two with a whole number at the end. */
export function isServerLink(value: unknown): value is [string, number] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'number'
}

/** The ids that a node links to, in the order of its inputs. */
export function linksOf(node: DraftNode): string[] {
  return Object.values(node.inputs)
    .filter(isServerLink)
    .map(([id]) => id)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
