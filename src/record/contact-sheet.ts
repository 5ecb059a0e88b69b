import sharp, { type OverlayOptions } from 'sharp'
import type { SlotState } from '../schema/run.js'
import { elideText, textPath, type TextStyle, textWidth } from './draw-text.js'

export interface ContactItem {
  /** A small picture in any common format; undefined where there is none. */
  thumbnail: () => Promise<Uint8Array | undefined>
  caption: string
  /** A second, quieter line. */
  detail?: string
  state: SlotState
}

export interface ContactSheet<Item = ContactItem> {
  title: string
  subtitle?: string
  /** What is shown: all, or those of `isSampled`. At most `contactTilesMax`. */
  items: readonly Item[]
  /** How many there are of each state, whether shown or not. */
  tally: ReadonlyMap<SlotState, number>
}

/**
 * The pictures of a run on one dark sheet, as WebP bytes. Where only a sample is shown, the sheet says so. Memory holds one row
 * of thumbnails and the sheet itself (at most some 60 MB).
 */
export async function renderContactSheet({ title, subtitle, items, tally }: ContactSheet): Promise<Buffer> {
  const layout = chooseLayout(items.length)
  const sheet = createSheet(layout.width, layout.height)
  for (let row = 0; row * layout.columns < items.length; row++) {
    const from = row * layout.columns
    await drawRow(sheet, items.slice(from, from + layout.columns), { layout, row })
  }
  const total = [...tally.values()].reduce((sum, each) => sum + each, 0)
  const facts = { title, subtitle, tally, total, shown: items.length, width: layout.width }
  await sheet.draw(0, headerHeight, [
    { input: Buffer.from(svg(layout.width, headerHeight, header(facts))), left: 0, top: 0 },
  ])
  return await sheet.toWebp()
}

interface Layout {
  columns: number
  tile: number
  /** Height of the picture box of a tile: upright, as most pictures of people are. */
  box: number
  rowHeight: number
  width: number
  height: number
}

const margin = 36
const gap = 14
const headerHeight = 132
const captionHeight = 44
const widthMin = 760
/** Width ÷ height that a sheet comes close to. */
const sheetAspect = 1.4

function chooseLayout(shown: number): Layout {
  // The largest tile shows a thumbnail of 320 pixels as it is.
  const tile = shown <= 60 ? 240 : shown <= 150 ? 186 : 150
  const box = Math.round((tile * 4) / 3)
  const rowHeight = box + captionHeight + gap
  const ideal = Math.ceil(Math.sqrt((shown * rowHeight * sheetAspect) / (tile + gap)))
  const columns = Math.max(1, Math.min(shown, ideal))
  const rows = Math.ceil(shown / columns)
  return {
    columns,
    tile,
    box,
    rowHeight,
    width: Math.max(widthMin, 2 * margin + columns * (tile + gap) - gap),
    height: headerHeight + Math.max(rows * rowHeight, 80) + margin - gap,
  }
}

interface Sheet {
  /** Composes a full-width band and copies it into the sheet. */
  draw(top: number, height: number, parts: OverlayOptions[]): Promise<void>
  toWebp(): Promise<Buffer>
}

const ground = '#121213'
const channels = 3

function createSheet(width: number, height: number): Sheet {
  const pixels = Buffer.alloc(width * height * channels, Buffer.from(ground.slice(1), 'hex'))
  return {
    async draw(top, bandHeight, parts) {
      const band = sharp({ create: { width, height: bandHeight, channels, background: ground } })
      const drawn = await band.composite(parts).removeAlpha().raw().toBuffer()
      drawn.copy(pixels, top * width * channels)
    },
    toWebp: async () =>
      await sharp(pixels, { raw: { width, height, channels } }).webp({ quality: 84, effort: 2 }).toBuffer(),
  }
}

async function drawRow(
  sheet: Sheet,
  items: readonly ContactItem[],
  at: { layout: Layout; row: number },
): Promise<void> {
  const { tile, box, rowHeight, width } = at.layout
  const places = items.map((item, column) => ({ item, x: margin + column * (tile + gap) }))
  const pictures = await Promise.all(
    places.map(async ({ item, x }) => ({ item, x, picture: await fit(item, tile, box) })),
  )
  const marks = pictures.map(({ item, x, picture }) =>
    drawTile(item, { x, tile, box, hasPicture: picture !== undefined }),
  )
  const overlays = pictures.flatMap(({ x, picture }): OverlayOptions[] => {
    if (!picture) return []
    const { data, info } = picture
    const left = x + Math.round((tile - info.width) / 2)
    const top = Math.round((box - info.height) / 2)
    return [{ input: data, raw: { width: info.width, height: info.height, channels: 3 }, left, top }]
  })
  const labels = { input: Buffer.from(svg(width, rowHeight, marks.join(''))), left: 0, top: 0 }
  await sheet.draw(headerHeight + at.row * rowHeight, rowHeight, [labels, ...overlays])
}

/** The picture as large as its tile allows; undefined where there is none that can be read. */
async function fit(item: ContactItem, width: number, height: number) {
  try {
    const bytes = await item.thumbnail()
    if (!bytes) return undefined
    const resized = sharp(bytes).resize({ width, height, fit: 'inside' }).toColourspace('srgb')
    return await resized.flatten({ background: ground }).raw().toBuffer({ resolveWithObject: true })
  } catch {
    // A sheet is a view: one thumbnail that cannot be read leaves its tile without a picture.
    return undefined
  }
}

const ink = { strong: '#eeeeef', soft: '#b6b8bb', faint: '#94979b', panel: '#1d1e20' }
const stateColours: Record<SlotState, string> = {
  done: '#7ed391',
  running: '#6cb8ff',
  waiting: '#a4a8ad',
  held: '#ffcf5c',
  failed: '#ff8279',
  cancelled: '#a4a8ad',
  skipped: '#a4a8ad',
}
const states = Object.keys(stateColours) as SlotState[]

interface TileLook {
  x: number
  tile: number
  box: number
  hasPicture: boolean
}

/** A panel, two lines below it, and for everything but a done picture its state, in colour and in words. */
function drawTile(item: ContactItem, { x, tile, box, hasPicture }: TileLook): string {
  const colour = stateColours[item.state]
  const isDone = item.state === 'done'
  const middle = x + tile / 2
  const state = isDone ? 'no picture' : item.state
  const edge = isDone ? '' : ` stroke="${colour}" stroke-opacity="0.55"`
  const room = isDone ? tile : tile - 16
  return [
    `<rect x="${x + 0.5}" y="0.5" width="${tile - 1}" height="${box - 1}" rx="3" fill="${ink.panel}"${edge}/>`,
    hasPicture ? '' : stateMark(item.state, { x: middle, y: box / 2 - 16, size: 15 }),
    hasPicture ? '' : words(state, { x: middle, y: box / 2 + 24, size: 14, fill: colour, anchor: 'middle' }),
    words(item.caption, {
      x: x + tile - room,
      y: box + 18,
      size: 13,
      weight: 'semibold',
      fill: ink.strong,
      width: room,
    }),
    isDone ? '' : stateMark(item.state, { x: x + 5, y: box + 13.5, size: 4.5 }),
    words(item.detail ?? '', { x, y: box + 35, size: 12, fill: ink.faint, width: tile }),
  ].join('')
}

/** A sign of its own for each kind of end, so that colour is never alone. */
function stateMark(state: SlotState, { x, y, size }: { x: number; y: number; size: number }): string {
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

interface HeaderFacts {
  title: string
  subtitle: string | undefined
  tally: ReadonlyMap<SlotState, number>
  total: number
  shown: number
  width: number
}

function header({ title, subtitle, tally, total, shown, width }: HeaderFacts): string {
  const room = width - 2 * margin
  const parts = [
    words(title, { x: margin, y: 54, size: 28, weight: 'semibold', fill: ink.strong, width: room }),
    words(subtitle ?? '', { x: margin, y: 78, size: 14, fill: ink.soft, width: room }),
  ]
  let x = margin
  for (const state of states) {
    const count = tally.get(state) ?? 0
    if (count === 0) continue
    const text = `${grouped(count)} ${state}`
    parts.push(stateMark(state, { x: x + 5, y: 103, size: 5 }))
    parts.push(words(text, { x: x + 16, y: 108, size: 14, weight: 'semibold', fill: stateColours[state] }))
    x += 16 + textWidth(text, { size: 14, weight: 'semibold' }) + 22
  }
  const note = total === 0 ? 'No picture was asked for' : `${grouped(shown)} of ${grouped(total)} shown`
  if (shown < total || total === 0)
    parts.push(words(note, { x, y: 108, size: 14, fill: ink.soft, width: width - margin - x }))
  return parts.join('')
}

interface Words extends TextStyle {
  x: number
  y: number
  fill: string
  anchor?: 'middle'
  /** Longer text is elided. */
  width?: number
}

function words(text: string, { x, y, fill, anchor, width, ...style }: Words): string {
  const shown = width === undefined ? text : elideText(text, style, width)
  const d = textPath(shown, style, { x, y, ...(anchor && { anchor }) })
  return d === '' ? '' : `<path d="${d}" fill="${fill}"/>`
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

function svg(width: number, height: number, content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${content}</svg>`
}
