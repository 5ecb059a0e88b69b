import { cleanText, wrapText } from '../../../src/plugins/contract.js'
import type { DraftPicture } from './draft-picture.js'
import { mix, withLightness } from './paint-colours.js'
import { type Character, unit } from './paint-character.js'
import type { Layout } from './paint-layout.js'
import { type Box, circle, rect } from './paint-shapes.js'
import { fitLabel, label, labelWidth } from './paint-text.js'

/** The facts of a picture: who, what, sliders, words, LoRAs, seed. */
export interface Plate {
  box: Box
  svg: string
}

const slidersMax = 4
const lorasMax = 4
/** Of the picture's height, for a plate below it; of its width, for one beside it. */
const plateShareMax = 0.42

interface Block {
  /** Blocks with the lowest rank go first when there is no room. */
  rank: number
  height: number
  draw(x: number, y: number): string
}

interface Ink {
  back: string
  strong: string
  soft: string
  faint: string
  accent: string
}

/** A plate as high as its facts need. What does not fit is left out whole, the least important first. */
export function paintPlate(picture: DraftPicture, c: Character, layout: Layout): Plate {
  const step = Math.max(layout.step, 0.72)
  const pad = 20 * step
  const ink = inkOf(c)
  const isRight = layout.plateSide === 'right'
  const width = isRight ? Math.min(layout.width * plateShareMax, layout.height * 1.05) : layout.width
  const isWide = !isRight && width / step > 700
  const inner = width - 2 * pad
  const column = isWide ? inner * 0.46 : inner
  const room = (isRight ? layout.height : layout.height * plateShareMax) - 2 * pad
  const blocks = { picture, c, ink, step, width: column }
  const about = [nameBlock(blocks), kindBlock(blocks), ...sliderBlocks(blocks)]
  const other = { ...blocks, width: isWide ? inner * 0.48 : column }
  const made = [...wordBlocks(other), ...loraBlocks(other), factsBlock(other)]
  const columns = (isWide ? [about, made] : [[...about, ...made]]).map(all => fitBlocks(all, room))
  const tall = Math.max(...columns.map(heightOf))
  const height = isRight ? layout.height : tall + 2 * pad
  const box = { x: isRight ? layout.width - width : 0, y: layout.height - height, width, height }
  const top = isRight ? Math.max(pad * 1.2, (height - tall) / 2) : box.y + pad
  const drawn = columns.map((all, index) => drawBlocks(all, box.x + pad + (index === 0 ? 0 : inner * 0.52), top))
  return { box, svg: rect(box, { fill: ink.back }) + drawn.join('') }
}

function inkOf(c: Character): Ink {
  const back = mix(c.primary, '#121118', 0.84)
  const strong = '#f9f3e8'
  return {
    back,
    strong,
    soft: mix(back, strong, 0.74),
    faint: mix(back, strong, 0.26),
    accent: withLightness(c.accent, 0.74, 0.9),
  }
}

function fitBlocks(blocks: Block[], room: number): Block[] {
  let kept = blocks
  while (kept.length > 1 && heightOf(kept) > room) {
    const lowest = Math.min(...kept.map(block => block.rank))
    const last = kept.findLastIndex(block => block.rank === lowest)
    kept = kept.filter((_, index) => index !== last)
  }
  return kept
}

function heightOf(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + block.height, 0)
}

function drawBlocks(blocks: readonly Block[], x: number, top: number): string {
  let y = top
  return blocks
    .map(block => {
      const drawn = block.draw(x, y)
      y += block.height
      return drawn
    })
    .join('')
}

interface BlockLook {
  picture: DraftPicture
  c: Character
  ink: Ink
  step: number
  width: number
}

/** The name, with the three colours at the other end of the line. */
function nameBlock({ picture, c, ink, step, width }: BlockLook): Block {
  const dot = 7 * step
  const dots = (x: number, y: number) =>
    [c.primary, c.secondary, c.accent].map((fill, index) =>
      circle([x + width - dot - (2 - index) * dot * 2.5, y + 14 * step], dot, {
        fill,
        stroke: ink.faint,
        width: step * 0.8,
      }),
    )
  const name = nameOf(picture)
  const room = width - dot * 9
  const natural = labelWidth(name, { size: 30 * step, weight: 'semibold', tracking: -0.015 })
  const size = 30 * step * Math.min(1, Math.max(room / natural, 0.62))
  return {
    rank: 9,
    height: 33 * step,
    draw: (x, y) =>
      fitLabel(name, {
        x: x - step,
        y: y + 24 * step,
        size,
        weight: 'semibold',
        tracking: -0.015,
        fill: ink.strong,
        width: room,
      }) + dots(x, y).join(''),
  }
}

function kindBlock({ picture, ink, step, width }: BlockLook): Block {
  const parts = [
    picture.view,
    picture.index === undefined ? undefined : `no. ${picture.index + 1}`,
    picture.finish && `${picture.finish} finish`,
  ]
  const text = [titleOf(picture), ...parts].filter(Boolean).join(' · ')
  return {
    rank: 7,
    height: 23 * step,
    draw: (x, y) =>
      fitLabel(text, { x, y: y + 12 * step, size: 12.5 * step, weight: 'semibold', fill: ink.accent, width }),
  }
}

const poles = new Map<string, readonly [string, string]>([
  ['mecha', ['Mecha', 'Creature']],
  ['animal', ['Abstract', 'Animal']],
])

/** One line per slider: both poles, a track with its middle, a mark, the number. */
function sliderBlocks({ picture, ink, step, width }: BlockLook): Block[] {
  const entries = Object.entries(picture.sliders ?? {}).slice(0, slidersMax)
  return entries.map(([key, value], index) => ({
    rank: 5 - index * 0.1,
    height: 21 * step + (index === entries.length - 1 ? 5 * step : 0),
    draw: (x, y) => {
      const [low, high] = poles.get(key) ?? [tidy(key), '']
      const position = unit(value)
      const mid = y + 9 * step
      const text = { y: mid + 4.2 * step, size: 12 * step, fill: ink.soft }
      const from = x + 68 * step
      const to = x + width - 112 * step
      const at = from + (to - from) * position
      const middle = (from + to) / 2
      const track = (a: number, b: number, fill: string) =>
        rect(
          { x: Math.min(a, b), y: mid - 1.25 * step, width: Math.abs(b - a), height: 2.5 * step },
          { fill, radius: 1.2 * step },
        )
      return [
        fitLabel(low, { ...text, x, width: 62 * step, ...(position < 0.5 && { fill: ink.strong }) }),
        track(from, to, ink.faint),
        track(middle, at, ink.accent),
        rect({ x: middle - 0.75 * step, y: mid - 4 * step, width: 1.5 * step, height: 8 * step }, { fill: ink.soft }),
        circle([at, mid], 5.5 * step, { fill: ink.accent, stroke: ink.back, width: 2 * step }),
        fitLabel(high, { ...text, x: to + 12 * step, width: 64 * step, ...(position > 0.5 && { fill: ink.strong }) }),
        label(position.toFixed(2), { ...text, x: x + width, anchor: 'end', fill: ink.strong }),
      ].join('')
    },
  }))
}

function wordBlocks({ picture, ink, step, width }: BlockLook): Block[] {
  const size = 12 * step
  const words = picture.isPrivate ? 'private text' : (picture.words ?? '')
  const lines = wrapText(words, { size }, { width, linesMax: 3 })
  return lines.map((text, index) => ({
    rank: 2 - index * 0.1,
    height: 16.5 * step + (index === lines.length - 1 ? 5 * step : 0),
    draw: (x, y) => label(text, { x, y: y + 12 * step, size, fill: picture.isPrivate ? ink.accent : ink.soft }),
  }))
}

function loraBlocks({ picture, ink, step, width }: BlockLook): Block[] {
  const loras = picture.loras ?? []
  if (loras.length === 0) return []
  const shown = loras
    .slice(0, lorasMax)
    .map(({ talent, effective }) => `${cleanText(talent, 40)} ${weightText(effective)}`)
  const more = loras.length > lorasMax ? [`+${loras.length - lorasMax} more`] : []
  const text = [...shown, ...more].join(' · ')
  return [
    {
      rank: 3,
      height: 20 * step,
      draw: (x, y) =>
        label('LoRA', { x, y: y + 12 * step, size: 11.5 * step, weight: 'semibold', fill: ink.accent }) +
        fitLabel(text, {
          x: x + 40 * step,
          y: y + 12 * step,
          size: 12 * step,
          fill: ink.soft,
          width: width - 40 * step,
        }),
    },
  ]
}

function factsBlock({ picture, ink, step, width }: BlockLook): Block {
  const seed = `seed ${picture.seed}`
  const rest = [`${picture.width}×${picture.height}`, picture.family].filter(Boolean).join(' · ')
  return {
    rank: 8,
    height: 15 * step,
    draw: (x, y) => {
      const look = { y: y + 12 * step, size: 12 * step }
      const used = labelWidth(seed, { ...look, weight: 'semibold' }) + 12 * step
      return (
        fitLabel(seed, { ...look, x, weight: 'semibold', fill: ink.strong, width }) +
        (used < width * 0.85 ? fitLabel(rest, { ...look, x: x + used, fill: ink.soft, width: width - used }) : '')
      )
    },
  }
}

export function nameOf(picture: DraftPicture): string {
  return tidy(picture.subject ?? '') || 'Untitled'
}

export function titleOf(picture: DraftPicture): string {
  return tidy(picture.template ?? '') || 'Picture'
}

/** `ayla_stone` is read as "Ayla Stone"; what follows a folder or a version stays as it is. */
function tidy(name: string): string {
  const words = cleanText(name, 80).replaceAll(/[_-]+/g, ' ').trim()
  return words.replaceAll(/(^| )(\p{Ll})/gu, (_, space: string, letter: string) => space + letter.toUpperCase())
}

function weightText(weight: number): string {
  return Number.isFinite(weight) ? weight.toFixed(2) : '–'
}
