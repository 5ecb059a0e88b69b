/** A ComfyUI graph in API format: nodes by id. A link is `[node id, output slot]`. */
export type Link = [node: string, slot: number]
export interface ApiNode {
  class_type: string
  inputs: Record<string, unknown>
  _meta?: { title?: string }
}
export type ApiGraph = Record<string, ApiNode>

/** Whether an input value is a link to another node rather than a literal. */
export function isLink(value: unknown): value is Link {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'string' &&
    Number.isInteger(value[1]) &&
    value[1] >= 0
  )
}
