import { isRecord } from './parse-graph.js'
import type { UiNode } from './ui-shapes.js'

/**
 * The LoRAs of a "Power Lora Loader (rgthree)". Its rows are widgets of its own, which `/object_info` does not list: the editor
 * sends each as `lora_<n>`, counted from 1.
 */
export function powerLoras({ type, widgets }: UiNode): Record<string, unknown> {
  if (type !== 'Power Lora Loader (rgthree)') return {}
  const rows = Object.values(widgets).filter(each => isRecord(each) && typeof each['lora'] === 'string')
  return Object.fromEntries(rows.map((row, at) => [`lora_${at + 1}`, row]))
}
