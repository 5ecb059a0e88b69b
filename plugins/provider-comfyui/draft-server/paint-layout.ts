import type { Box } from './paint-shapes.js'

/** Which parts a picture has room for. */
/** Which parts a picture has room for, and how large they are. */
export interface Layout {
  width: number
  height: number
  /** `tiny`: the figure alone · `small`: with its name · `full`: with a plate of facts. */
  room: 'tiny' | 'small' | 'full'
  /** Pixels that text, margins and lines are measured in: about 1 for a picture 512 wide. */
  step: number
  margin: number
  /** Letters of the DRAFT stamp, in pixels. */
  stampSize: number
  plateSide: 'below' | 'right'
}

export function chooseLayout(width: number, height: number): Layout {
  const short = Math.min(width, height)
  const isWide = width / height > 1.9
  const step = isWide ? height / 480 : Math.max(Math.min(width / 512, height / 600), short / 640)
  return {
    width,
    height,
    room: short < 150 ? 'tiny' : short < 300 ? 'small' : 'full',
    step,
    margin: 0.045 * short,
    stampSize: Math.min(Math.max(short * 0.036, 7.5), width / 6),
    plateSide: isWide ? 'right' : 'below',
  }
}

/** Pixels at the top that title and stamp need. */
export function headroomOf({ room, stampSize, margin }: Layout): number {
  return room === 'tiny' ? 0 : stampSize * 2.3 + Math.min(margin, stampSize * 1.6) * 1.5
}

/** The part of the picture that the plate leaves free. */
export function stageOf({ width, height }: Layout, plate: Box | undefined): Box {
  if (!plate) return { x: 0, y: 0, width, height }
  const isRight = plate.x > 0
  return { x: 0, y: 0, width: isRight ? plate.x : width, height: isRight ? height : plate.y }
}
