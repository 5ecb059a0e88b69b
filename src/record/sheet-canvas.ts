import sharp, { type OverlayOptions } from 'sharp'
import type { SlotState } from '../schema/run.js'
import { elideText, textPath, type TextStyle } from './draw-text.js'

/** A large picture that is drawn band by band: memory holds its pixels and one band. */
export interface SheetCanvas {
  /** Composes a full-width band and copies it into the sheet. */
  draw(top: number, height: number, parts: OverlayOptions[]): Promise<void>
  toWebp(): Promise<Buffer>
  /** The same pixels give the same bytes. */
  toPng(): Promise<Buffer>
}

const channels = 3

/** `ground` is `#rrggbb`. */
export function createCanvas({
  width,
  height,
  ground,
}: {
  width: number
  height: number
  ground: string
}): SheetCanvas {
  const pixels = Buffer.alloc(width * height * channels, Buffer.from(ground.slice(1), 'hex'))
  const image = () => sharp(pixels, { raw: { width, height, channels } })
  return {
    async draw(top, bandHeight, parts) {
      const band = sharp({ create: { width, height: bandHeight, channels, background: ground } })
      const drawn = await band.composite(parts).removeAlpha().raw().toBuffer()
      drawn.copy(pixels, top * width * channels)
    },
    toWebp: async () => await image().webp({ quality: 84, effort: 2 }).toBuffer(),
    toPng: async () => await image().png({ compressionLevel: 6 }).toBuffer(),
  }
}

/** A picture as large as its place allows, as a part of a band. Rejects for bytes that are no picture. */
export async function fitInto(
  bytes: Uint8Array,
  place: { left: number; top: number; width: number; height: number; ground: string },
): Promise<OverlayOptions> {
  const { width, height } = place
  const resized = sharp(bytes).resize({ width, height, fit: 'inside' }).toColourspace('srgb')
  const { data, info } = await resized.flatten({ background: place.ground }).raw().toBuffer({ resolveWithObject: true })
  return {
    input: data,
    raw: { width: info.width, height: info.height, channels: 3 },
    left: place.left + Math.round((width - info.width) / 2),
    top: place.top + Math.round((height - info.height) / 2),
  }
}

/** A drawing as a part of a band. */
export function drawing(width: number, height: number, content: string): OverlayOptions {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${content}</svg>`
  return { input: Buffer.from(svg), left: 0, top: 0 }
}

export const stateColours: Record<SlotState, string> = {
  done: '#7ed391',
  running: '#6cb8ff',
  waiting: '#a4a8ad',
  held: '#ffcf5c',
  failed: '#ff8279',
  cancelled: '#a4a8ad',
  skipped: '#a4a8ad',
}

/** A sign of its own for each kind of end, so that colour is never alone. */
export function stateMark(state: SlotState, { x, y, size }: { x: number; y: number; size: number }): string {
  const colour = stateColours[state]
  const stroke = `stroke="${colour}" stroke-width="${size * 0.36}" fill="none" stroke-linecap="round"`
  switch (state) {
    case 'done':
      return `<circle cx="${x}" cy="${y}" r="${size * 0.8}" fill="${colour}"/>`
    case 'failed':
      return `<path d="M${x - size * 0.7} ${y - size * 0.7}l${size * 1.4} ${size * 1.4}m0 ${-size * 1.4}l${-size * 1.4} ${size * 1.4}" ${stroke}/>`
    case 'held':
      return `<path d="M${x - size * 0.4} ${y - size * 0.7}v${size * 1.4}m${size * 0.8} ${-size * 1.4}v${size * 1.4}" ${stroke}/>`
    case 'cancelled':
    case 'skipped':
      return `<path d="M${x - size * 0.8} ${y}h${size * 1.6}" ${stroke}/>`
    case 'running':
    case 'waiting':
      return `<circle cx="${x}" cy="${y}" r="${size * 0.75}" ${stroke}/>`
  }
}

/** One line at a place; `y` is its baseline. */
export interface Words extends TextStyle {
  x: number
  y: number
  fill: string
  anchor?: 'middle'
  /** Longer text is elided. */
  width?: number
}

/** A line as outlines; nothing where there is nothing to say. */
export function words(text: string, { x, y, fill, anchor, width, ...style }: Words): string {
  const shown = width === undefined ? text : elideText(text, style, width)
  const d = textPath(shown, style, { x, y, ...(anchor && { anchor }) })
  return d === '' ? '' : `<path d="${d}" fill="${fill}"/>`
}
