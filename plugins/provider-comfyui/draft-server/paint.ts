import { createHash } from 'node:crypto'
import sharp from 'sharp'
import type { DraftPicture } from './draft-picture.js'
import { designCharacter } from './paint-character.js'
import { mix } from './paint-colours.js'
import { chooseLayout, headroomOf, type Layout, stageOf } from './paint-layout.js'
import { nameOf, paintPlate, titleOf } from './paint-plate.js'
import { createRandom } from './paint-random.js'
import { paintScene } from './paint-scene.js'
import { createClips, group, rect } from './paint-shapes.js'
import { chooseGround } from './paint-stage.js'
import { fitLabel, label, labelWidth } from './paint-text.js'

/** Larger pictures are painted at this longest side and enlarged. */
const paintedSideMax = 2048
/** zlib level: flat colours shrink well at once, and more effort costs more time than it saves. */
const pngLevel = 2

/**
 * A draft as PNG bytes without text chunks: a figure study that tells template, persona, sliders and seed at a glance.
 * The same picture gives the same bytes; pictures that differ in anything give different ones, at any size from 32 × 16.
 */
export async function paintDraft(picture: DraftPicture): Promise<Buffer> {
  const width = Math.max(Math.round(picture.width), 1)
  const height = Math.max(Math.round(picture.height), 1)
  const share = Math.min(1, paintedSideMax / Math.max(width, height))
  const painted = { width: Math.max(Math.round(width * share), 1), height: Math.max(Math.round(height * share), 1) }
  const svg = drawDraft(picture, chooseLayout(painted.width, painted.height))
  const image = sharp(Buffer.from(svg)).removeAlpha()
  const sized = share === 1 ? image : image.resize(width, height, { fit: 'fill' })
  return await sized.png({ compressionLevel: pngLevel, adaptiveFiltering: false }).toBuffer()
}

/** The whole draft as SVG without a single `<text>`: every letter is an outline. */
export function drawDraft(picture: DraftPicture, layout: Layout): string {
  const c = designCharacter(picture)
  const random = createRandom(
    `scene ${picture.seed} ${picture.subject} ${picture.template} ${picture.view} ${picture.index}`,
  )
  const ground = chooseGround(c, random)
  const clips = createClips()
  const plate = layout.room === 'full' ? paintPlate(picture, c, layout) : undefined
  const box = stageOf(layout, plate?.box)
  const step = layout.room === 'full' ? layout.step : 0
  const scene = paintScene(picture, { box, c, ground, random, clips, step, headroom: headroomOf(layout) })
  const parts = [
    scene.svg,
    plate?.svg ?? '',
    layout.room === 'small' ? nameBand(picture, layout) : '',
    layout.room === 'full' ? title(picture, layout, scene.ink) : '',
    draftMark(layout, box.width),
    fingerprint(picture, layout, [mix(c.primary, '#0d0c12', 0.7), c.primary, c.secondary, c.accent]),
  ]
  const { width, height } = layout
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`
  return `${open}<defs>${clips.defs()}</defs>${parts.join('')}</svg>`
}

function title(picture: DraftPicture, { margin, step, width }: Layout, fill: string): string {
  const size = Math.max(11 * step, 8)
  const text = titleOf(picture).toUpperCase()
  return fitLabel(text, {
    x: margin,
    y: margin + size,
    size,
    weight: 'semibold',
    tracking: 0.16,
    fill,
    width: width * 0.5,
  })
}

/** Name and seed over the foot of a small picture. */
function nameBand(picture: DraftPicture, { width, height }: Layout): string {
  const size = Math.max(Math.min(width, height) * 0.085, 11)
  const tall = size * 2.7
  const room = width - size * 1.4
  const fill = '#fbf5ea'
  return [
    rect({ x: 0, y: height - tall, width, height: tall }, { fill: '#121118', opacity: 0.84 }),
    fitLabel(nameOf(picture), {
      x: size * 0.7,
      y: height - tall + size * 1.15,
      size,
      weight: 'semibold',
      fill,
      width: room,
    }),
    fitLabel(`${titleOf(picture)} · ${picture.seed}`, {
      x: size * 0.7,
      y: height - size * 0.6,
      size: size * 0.72,
      fill,
      width: room,
    }),
  ].join('')
}

/** A stamp in the upper right corner, readable down to a thumbnail. */
function draftMark({ margin, stampSize: size }: Layout, right: number): string {
  const look = { size, weight: 'semibold', tracking: 0.2 } as const
  const half = labelWidth('DRAFT', look) / 2 + size * 0.8
  const tall = size * 1.9
  const stamp = [
    rect({ x: -half, y: -tall / 2, width: half * 2, height: tall }, { fill: '#fbf5ea', radius: size * 0.22 }),
    rect(
      { x: -half + size * 0.2, y: -tall / 2 + size * 0.2, width: half * 2 - size * 0.4, height: tall - size * 0.4 },
      { stroke: '#c2382b', width: size * 0.1, radius: size * 0.12 },
    ),
    label('DRAFT', { ...look, x: size * 0.1, y: size * 0.365, anchor: 'middle', fill: '#c2382b' }),
  ].join('')
  const gap = Math.min(margin, size * 1.6)
  return group(stamp, { at: [right - half - gap, tall / 2 + gap], turn: 3 })
}

const cells = 32

/**
 * A band of 32 cells in four tones along the foot: 64 bits of the hash of all facts, so that no two drafts are alike.
 * Private words have no part in it.
 */
function fingerprint(picture: DraftPicture, { width, height }: Layout, tones: readonly string[]): string {
  const { words, negative, ...open } = picture
  const facts = picture.isPrivate ? open : { ...open, words, negative }
  const digest = createHash('sha256')
    .update(JSON.stringify(Object.entries(facts).sort()))
    .digest()
  const tall = Math.max(Math.round(height / 110), 2)
  const edge = (cell: number) => Math.round((cell * width) / cells)
  return Array.from({ length: cells }, (_, cell) => {
    const tone = ((digest[cell >> 2] ?? 0) >> ((cell & 3) * 2)) & 3
    return `<path d="M${edge(cell)} ${height - tall}H${edge(cell + 1)}V${height}H${edge(cell)}Z" fill="${tones[tone] ?? tones[0]}" shape-rendering="crispEdges"/>`
  }).join('')
}
