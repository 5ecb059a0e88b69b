import type { OverlayOptions } from 'sharp'
import type { SlotState } from '../schema/run.js'
import { textWidth } from './draw-text.js'
import { createCanvas, drawing, fitInto, type SheetCanvas, stateColours, stateMark, words } from './sheet-canvas.js'

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
  const sheet = createCanvas({ width: layout.width, height: layout.height, ground })
  for (let row = 0; row * layout.columns < items.length; row++) {
    const from = row * layout.columns
    await drawRow(sheet, items.slice(from, from + layout.columns), { layout, row })
  }
  const total = [...tally.values()].reduce((sum, each) => sum + each, 0)
  const facts = { title, subtitle, tally, total, shown: items.length, width: layout.width }
  await sheet.draw(0, headerHeight, [drawing(layout.width, headerHeight, header(facts))])
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

const ground = '#121213'

async function drawRow(
  sheet: SheetCanvas,
  items: readonly ContactItem[],
  at: { layout: Layout; row: number },
): Promise<void> {
  const { tile, box, rowHeight, width } = at.layout
  const places = items.map((item, column) => ({ item, x: margin + column * (tile + gap) }))
  const pictures = await Promise.all(
    places.map(async ({ item, x }) => ({ item, x, picture: await fit(item, { left: x, width: tile, height: box }) })),
  )
  const marks = pictures.map(({ item, x, picture }) =>
    drawTile(item, { x, tile, box, hasPicture: picture !== undefined }),
  )
  const overlays = pictures.flatMap(({ picture }) => picture ?? [])
  await sheet.draw(headerHeight + at.row * rowHeight, rowHeight, [
    drawing(width, rowHeight, marks.join('')),
    ...overlays,
  ])
}

/** The picture as large as its tile allows; undefined where there is none that can be read. */
async function fit(
  item: ContactItem,
  place: { left: number; width: number; height: number },
): Promise<OverlayOptions | undefined> {
  try {
    const bytes = await item.thumbnail()
    return bytes && (await fitInto(bytes, { ...place, top: 0, ground }))
  } catch {
    // A sheet is a view: one thumbnail that cannot be read leaves its tile without a picture.
    return undefined
  }
}

const ink = { strong: '#eeeeef', soft: '#b6b8bb', faint: '#94979b', panel: '#1d1e20' }
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

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}
