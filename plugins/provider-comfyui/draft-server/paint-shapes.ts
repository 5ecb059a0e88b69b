/** The few marks that every draft is painted with, as SVG. Coordinates are numbers of ours; no text of a user is ever in them. */

export type Spot = readonly [x: number, y: number]

/** Spots from their coordinates in a row: x, y, x, y, … */
export function points(...coordinates: number[]): Spot[] {
  return Array.from({ length: coordinates.length >> 1 }, (_, index): Spot => [
    coordinates[index * 2] ?? 0,
    coordinates[index * 2 + 1] ?? 0,
  ])
}

export interface Look {
  fill?: string
  stroke?: string
  /** Stroke width. */
  width?: number
  opacity?: number
  cap?: 'round' | 'butt'
  /** Id of a clip path. */
  clip?: string
}

/** A closed shape through `spots`: softness 1 is rounded, 0 is a polygon. */
export function blob(spots: readonly Spot[], softness: number, look: Look): string {
  return path(blobPath(spots, softness), look)
}

/** The `d` of a closed Catmull-Rom curve. */
export function blobPath(spots: readonly Spot[], softness: number): string {
  const at = (index: number): Spot => spots[(index + spots.length) % spots.length] ?? [0, 0]
  const tension = softness / 6
  let d = `M${pair(at(0))}`
  for (let index = 0; index < spots.length; index++) {
    const [before, from, to, after] = [at(index - 1), at(index), at(index + 1), at(index + 2)]
    const leave: Spot = [from[0] + (to[0] - before[0]) * tension, from[1] + (to[1] - before[1]) * tension]
    const arrive: Spot = [to[0] - (after[0] - from[0]) * tension, to[1] - (after[1] - from[1]) * tension]
    d += softness === 0 ? `L${pair(to)}` : `C${pair(leave)} ${pair(arrive)} ${pair(to)}`
  }
  return `${d}Z`
}

/** An open line through `spots`, softened as in `blob`. */
export function line(spots: readonly Spot[], softness: number, look: Look): string {
  const at = (index: number): Spot => spots[Math.min(Math.max(index, 0), spots.length - 1)] ?? [0, 0]
  const tension = softness / 6
  let d = `M${pair(at(0))}`
  for (let index = 0; index < spots.length - 1; index++) {
    const [before, from, to, after] = [at(index - 1), at(index), at(index + 1), at(index + 2)]
    const leave: Spot = [from[0] + (to[0] - before[0]) * tension, from[1] + (to[1] - before[1]) * tension]
    const arrive: Spot = [to[0] - (after[0] - from[0]) * tension, to[1] - (after[1] - from[1]) * tension]
    d += `C${pair(leave)} ${pair(arrive)} ${pair(to)}`
  }
  return path(d, { fill: 'none', cap: 'round', ...look })
}

export function path(d: string, look: Look): string {
  return `<path d="${d}"${attributes(look)}/>`
}

export function circle([x, y]: Spot, radius: number, look: Look): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="${round(Math.max(radius, 0))}"${attributes(look)}/>`
}

export function ellipse([x, y]: Spot, [rx, ry]: Spot, look: Look): string {
  return `<ellipse cx="${round(x)}" cy="${round(y)}" rx="${round(rx)}" ry="${round(ry)}"${attributes(look)}/>`
}

export interface Box {
  x: number
  y: number
  width: number
  height: number
}

export function rect(box: Box, look: Look & { radius?: number }): string {
  const corner = look.radius ? ` rx="${round(look.radius)}"` : ''
  const size = `width="${round(Math.max(box.width, 0))}" height="${round(Math.max(box.height, 0))}"`
  return `<rect x="${round(box.x)}" y="${round(box.y)}" ${size}${corner}${attributes(look)}/>`
}

export interface Placing {
  at: Spot
  scale?: number
  /** Degrees, clockwise. */
  turn?: number
  mirror?: boolean
  /** Width as a share of its own. */
  squeeze?: number
  opacity?: number
  clip?: string
}

export function group(
  content: string,
  { at, scale = 1, turn = 0, mirror = false, squeeze = 1, opacity, clip }: Placing,
): string {
  const turned = turn === 0 ? '' : ` rotate(${round(turn)})`
  const scaled = `scale(${round((mirror ? -1 : 1) * scale * squeeze)} ${round(scale)})`
  const faded = opacity === undefined ? '' : ` opacity="${round(opacity)}"`
  // The clip is in the coordinates outside of the group, so it lies on a group around it.
  const inner = `<g transform="translate(${pair(at)})${turned} ${scaled}"${faded}>${content}</g>`
  return clip === undefined ? inner : `<g clip-path="url(#${clip})">${inner}</g>`
}

/** Ids of clip paths, numbered so that the same picture has the same text. */
export interface Clips {
  /** Adds a clip path with this `d`, gives its id. */
  add(d: string): string
  /** All clip paths, for `<defs>`. */
  defs(): string
}

export function createClips(): Clips {
  const paths: string[] = []
  return {
    add: d => `c${paths.push(d)}`,
    defs: () => paths.map((d, index) => `<clipPath id="c${index + 1}"><path d="${d}"/></clipPath>`).join(''),
  }
}

/** A share of a box: x, y, width, height in 0…1. */
export function part(box: Box, [x, y, width, height]: readonly [number, number, number, number]): Box {
  return {
    x: box.x + box.width * x,
    y: box.y + box.height * y,
    width: box.width * width,
    height: box.height * height,
  }
}

export function boxPath({ x, y, width, height }: Box): string {
  return `M${pair([x, y])}h${round(width)}v${round(height)}h${round(-width)}Z`
}

/** The same spots on the other side of the y axis, in reverse, to close a symmetric outline. */
export function mirrored(spots: readonly Spot[]): Spot[] {
  return spots.map(([x, y]): Spot => [-x, y]).reverse()
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000 || 0
}

function pair([x, y]: Spot): string {
  return `${round(x)} ${round(y)}`
}

function attributes({ fill, stroke, width, opacity, cap, clip }: Look): string {
  const parts = [
    fill === undefined && stroke !== undefined ? 'fill="none"' : fill && `fill="${fill}"`,
    stroke && `stroke="${stroke}" stroke-width="${round(width ?? 1)}" stroke-linejoin="round"`,
    stroke && cap === 'round' && 'stroke-linecap="round"',
    opacity !== undefined && `opacity="${round(opacity)}"`,
    clip && `clip-path="url(#${clip})"`,
  ]
  return parts
    .filter(Boolean)
    .map(part => ` ${part}`)
    .join('')
}
