/** A ComfyUI graph in API format: nodes by id. A link is `[node id, output slot]`. */
export type Link = [node: string, slot: number]
export interface ApiNode {
  class_type: string
  inputs: Record<string, unknown>
  _meta?: { title?: string }
}
export type ApiGraph = Record<string, ApiNode>
