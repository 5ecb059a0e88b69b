import { elideText, textPath, type TextWeight, textWidth } from '../../../src/plugins/contract.js'
import { path } from './paint-shapes.js'

export interface Label {
  x: number
  /** Baseline. */
  y: number
  size: number
  fill: string
  weight?: TextWeight
  tracking?: number
  anchor?: 'start' | 'middle' | 'end'
  opacity?: number
}

export function label(text: string, look: Label): string {
  const d = textPath(text, styleOf(look), { x: look.x, y: look.y, ...(look.anchor && { anchor: look.anchor }) })
  return d === '' ? '' : path(d, { fill: look.fill, ...(look.opacity !== undefined && { opacity: look.opacity }) })
}

/** The same, cut to `width` pixels. */
export function fitLabel(text: string, look: Label & { width: number }): string {
  return label(elideText(text, styleOf(look), look.width), look)
}

export function labelWidth(text: string, look: Pick<Label, 'size' | 'weight' | 'tracking'>): number {
  return textWidth(text, styleOf(look))
}

function styleOf({ size, weight, tracking }: Pick<Label, 'size' | 'weight' | 'tracking'>) {
  return { size, ...(weight && { weight }), ...(tracking !== undefined && { tracking }) }
}
