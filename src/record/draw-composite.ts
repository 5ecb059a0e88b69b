import type { OverlayOptions } from 'sharp'
import type { CompositeCell, CompositeTrace } from '../schema/composite-trace.js'
import { createCanvas, drawing, fitInto, stateColours, stateMark, words } from './sheet-canvas.js'

export interface CompositeWish {
  /** Of the run. */
  folder: string
  /** Where the composite goes, as a path under the run folder. */
  file: string
  /** What tells it from the others of its series. */
  detail: string
  /** Pixels of each of its pictures, as they were asked for. */
  size: { width: number; height: number }
  about: Omit<CompositeTrace, '$schema' | 'result'>
}

export interface DrawnComposite {
  /** PNG. */
  bytes: Buffer
  width: number
  height: number
}

/** Answers undefined for a picture that cannot be had as it was recorded. */
type ReadPicture = (picture: { file: string; sha256: string }) => Promise<Buffer | undefined>

/** Pixels of the largest composite; its pictures are made smaller until it is no larger. */
export const compositePixelsMax = 40_000_000
export const compositeSideMax = 16_000
/** A row, a heading or a caption needs some pixels even where its pictures are tiny. */
const tileMin = 48

/** The pictures of a composite in rows, each with its caption; an empty place says why it is empty. */
export async function drawComposite(
  { about, detail, size }: Pick<CompositeWish, 'about' | 'detail' | 'size'>,
  read: ReadPicture,
): Promise<DrawnComposite> {
  const { layout, cells, renderer } = about
  const { gap, background: ground, heading, labels } = layout
  const at = layOutComposite(layout, cells.length, size)
  const canvas = createCanvas({ width: at.width, height: at.height, ground })
  const ink = inkOn(ground)
  if (heading) {
    const quiet = [heading.detail, detail, renderer === 'draft' ? 'drafts' : ''].filter(Boolean).join(' · ')
    const title = {
      x: gap,
      y: gap + 24,
      size: 24,
      weight: 'semibold',
      fill: ink.strong,
      width: at.width - 2 * gap,
    } as const
    const line = { x: gap, y: gap + 44, size: 13, fill: ink.soft, width: at.width - 2 * gap }
    await canvas.draw(0, at.top, [drawing(at.width, at.top, words(heading.title, title) + words(quiet, line))])
  }
  for (let row = 0; row * at.columns < cells.length; row++) {
    const parts: OverlayOptions[] = []
    const marks: string[] = []
    for (let column = 0; column < at.columns; column++) {
      const cell = cells[row * at.columns + column]
      if (!cell) continue
      const place = { left: gap + column * (at.tile.width + gap), top: 0, ...at.tile, ground }
      // One picture after the other: they may be large.
      const picture = await placePicture(cell, place, read)
      if (picture) parts.push(picture)
      else marks.push(drawEmpty(cell, place, ink))
      const { caption = '', detail: below = '' } = labels[row * at.columns + column] ?? {}
      const line = { x: place.left, width: at.tile.width, fill: ink.strong }
      marks.push(words(caption, { ...line, y: at.tile.height + 19, size: 14, weight: 'semibold' }))
      marks.push(words(below, { ...line, y: at.tile.height + 36, size: 12, fill: ink.soft }))
    }
    await canvas.draw(at.top + row * at.rowHeight, at.rowHeight, [
      drawing(at.width, at.rowHeight, marks.join('')),
      ...parts,
    ])
  }
  return { bytes: await canvas.toPng(), width: at.width, height: at.height }
}

interface Place {
  left: number
  top: number
  width: number
  height: number
  ground: string
}

async function placePicture(
  { file, sha256 }: CompositeCell,
  place: Place,
  read: ReadPicture,
): Promise<OverlayOptions | undefined> {
  if (file === undefined || sha256 === undefined) return undefined
  const bytes = await read({ file, sha256 })
  return bytes && (await fitInto(bytes, place).catch(() => undefined))
}

interface Ink {
  strong: string
  soft: string
  panel: string
}

/** Text that can be read on any ground. */
function inkOn(ground: string): Ink {
  const [red = 0, green = 0, blue = 0] = Buffer.from(ground.slice(1), 'hex')
  const isDark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
  return isDark
    ? { strong: '#eeeeef', soft: '#b6b8bb', panel: '#1d1e20' }
    : { strong: '#17181a', soft: '#4a4d52', panel: '#dfe1e4' }
}

function drawEmpty({ state }: CompositeCell, { left, width, height }: Place, ink: Ink): string {
  const middle = { x: left + width / 2, y: height / 2 }
  // A done picture that is not as it was recorded: `verify` names it.
  const text = state === 'done' ? 'not as recorded' : state
  const edge = `stroke="${stateColours[state]}" stroke-opacity="0.55"`
  return [
    `<rect x="${left + 0.5}" y="0.5" width="${width - 1}" height="${height - 1}" rx="3" fill="${ink.panel}" ${edge}/>`,
    stateMark(state === 'done' ? 'failed' : state, { x: middle.x, y: middle.y - 16, size: 13 }),
    words(text, { x: middle.x, y: middle.y + 22, size: 14, fill: ink.strong, anchor: 'middle' }),
  ].join('')
}

interface Layout {
  columns: number
  tile: { width: number; height: number }
  rowHeight: number
  /** Pixels of the heading. */
  top: number
  width: number
  height: number
}

/** How large everything is: no larger than `compositePixelsMax` and `compositeSideMax`. */
export function layOutComposite(
  { columns: asked, tile, gap, heading, labels }: CompositeWish['about']['layout'],
  count: number,
  size: { width: number; height: number },
): Layout {
  const columns = Math.min(asked, count)
  const rows = Math.ceil(count / columns)
  const below = labels.some(({ detail }) => detail !== '') ? 42 : labels.some(({ caption }) => caption !== '') ? 25 : 0
  const top = heading ? gap + 56 : gap
  const at = (scale: number): Layout => {
    const side = (pixels: number) => Math.max(Math.round(pixels * scale), tileMin)
    const box = { width: side(size.width), height: side(size.height) }
    const rowHeight = box.height + below + gap
    return {
      columns,
      tile: box,
      rowHeight,
      top,
      width: 2 * gap + columns * (box.width + gap) - gap,
      height: top + rows * rowHeight,
    }
  }
  let scale = Math.min(1, tile / Math.max(size.width, size.height))
  let layout = at(scale)
  while (
    scale > 0.01 &&
    (layout.width * layout.height > compositePixelsMax || Math.max(layout.width, layout.height) > compositeSideMax)
  ) {
    scale *= 0.9
    layout = at(scale)
  }
  return layout
}
