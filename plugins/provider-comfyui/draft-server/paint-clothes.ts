import { lightnessOf, mix } from './paint-colours.js'
import { type Character, softnessOf, surfaceOf } from './paint-character.js'
import type { Pose } from './paint-pose.js'
import { bolt, shadeOf, steelOf } from './paint-machine.js'
import {
  blob,
  blobPath,
  circle,
  type Clips,
  ellipse,
  group,
  line,
  mirrored,
  path,
  rect,
  type Spot,
  points,
} from './paint-shapes.js'

/** A neck from under the chin, in the shadow of the head. */
export function paintNeck(c: Character, { light }: Pose, clips: Clips): string {
  const skin = surfaceOf(c)
  const width = 19 + c.build * 5
  const column = points(-width, 30, width, 30, width + 3, 90, 12, 116, -12, 116, -width - 3, 90)
  const clip = clips.add(blobPath(column, 0.3))
  const shadow = ellipse([-light * 7, 52], [56, 38], { fill: shadeOf(skin), clip })
  const rings = c.mecha < 0.3 ? [] : [78, 86, 94].map(y => line(points(-width - 2, y, width + 2, y), 0, cable))
  return blob(column, 0.3, { fill: skin }) + shadow + rings.join('')
}

const cable = { stroke: '#20252e', width: 4, opacity: 0.75 }

export interface TorsoLook {
  /** A bust goes on below its frame; a body has a hem. */
  cut: 'bust' | 'body'
  hip: number
  clips: Clips
}

export function paintTorso(c: Character, { light }: Pose, { cut, hip, clips }: TorsoLook): string {
  const soft = softnessOf(c) * 0.75
  const spots = cut === 'bust' ? bustSpots(c) : bodySpots(c, hip)
  const outline = blobPath(spots, soft)
  const clip = clips.add(outline)
  const shade = mix(c.primary, '#120d1c', 0.3)
  const s = 100 * c.build
  const lit = spots.map(([x, y]): Spot => [x + light * 26, y + 4])
  const parts = [path(outline, { fill: shade }), blob(lit, soft, { fill: c.primary, clip })]
  if (c.abstract > 0.15) {
    const opacity = 0.4 + c.abstract * 0.6
    parts.push(blob(points(0, 90, s * 1.4 * light, 90, s * 1.4 * light, 250), 0, { fill: c.secondary, opacity, clip }))
    parts.push(blob(points(0, 500, -s * light * 1.3, 500, -s * light * 1.3, 190), 0, { fill: c.accent, opacity, clip }))
  }
  if (c.mecha > 0.2) {
    const seam = { stroke: shade, width: 3, clip }
    parts.push(line(points(0, 120, 0, 420), 0, seam), line(points(-s, 196, -36, 178, 36, 178, s, 196), 0, seam))
    parts.push(circle([0, 152], 8 + c.mecha * 9, { fill: mix(c.primary, '#10131a', 0.65) }))
    parts.push(circle([0, 152], 4 + c.mecha * 5, { fill: c.accent }))
  }
  return parts.join('')
}

/** Shoulder plates of a machine. */
export function paintPlates(c: Character, { light }: Pose): string {
  const x = 84 * c.build
  const steel = steelOf(c)
  const parts: string[] = []
  if (c.mecha > 0.25) {
    const size = 0.7 + c.mecha * 0.45
    for (const side of [-1, 1]) {
      const fill = side === light ? steel : mix(steel, '#161a22', 0.25)
      const spots = points(-30, 14, -20, -20, 14, -28, 38, -6, 36, 34, 0, 26)
      const plate =
        blob(spots, 0, { fill }) + line(points(-24, 8, 4, 12, 36, 18), 0, { stroke: '#1d222b', width: 2, opacity: 0.5 })
      const bolts = bolt([6, -8], 5, steel) + (c.mecha > 0.6 ? bolt([22, 6], 4, steel) : '')
      parts.push(group(plate + bolts, { at: [side * x, 122], scale: size, mirror: side < 0 }))
    }
  }
  return parts.join('')
}

/** Tufts of fur around the neck of a creature or an animal. */
export function paintFurCollar(c: Character): string {
  const force = Math.max(c.creature - 0.35, c.animality - 0.55, 0)
  if (force === 0) return ''
  const fur = mix(c.hairColour, surfaceOf(c), 0.35)
  const reach = 60 + force * 40
  const drop = 16 + force * 34
  const zigzag: Spot[] = []
  for (let index = 0; index <= 8; index++) {
    const x = reach - (index * reach) / 4
    const base = 104 + Math.cos((index / 4 - 1) * 1.5) * 14
    zigzag.push([x, base + (index % 2 === 0 ? drop * 0.4 : drop)])
  }
  return blob([[-reach * 0.62, 84], [0, 100], [reach * 0.62, 84], ...zigzag], 0.45, { fill: fur })
}

export function paintCollar(c: Character, pose: Pose): string {
  if (pose.isBack) return line(points(-34, 92, 0, 98, 34, 92), 1, { stroke: mix(c.primary, '#0f0d16', 0.45), width: 9 })
  const dark = mix(c.primary, '#0f0d16', 0.45)
  const light = lightnessOf(c.primary) > 0.8 ? mix(c.primary, '#40364a', 0.2) : mix(c.primary, '#ffffff', 0.22)
  switch (c.collar) {
    case 'vee':
      return (
        blob(points(-28, 84, 28, 84, 0, 150), 0.15, { fill: surfaceOf(c) }) +
        line(points(-30, 84, 0, 152, 30, 84), 0.1, { stroke: c.accent, width: 6 })
      )
    case 'high':
      return (
        blob(points(-36, 62, -6, 88, 6, 88, 36, 62, 44, 104, 0, 122, -44, 104), 0.3, { fill: dark }) +
        line(points(0, 90, 0, 190), 0, { stroke: dark, width: 4 })
      )
    case 'lapels':
      return [
        blob(points(-27, 84, 27, 84, 0, 190), 0.05, { fill: mix(c.secondary, '#fffaf2', 0.35) }),
        blob(points(-28, 78, -54, 104, -40, 130, -2, 206, -10, 130), 0.05, { fill: light }),
        blob(points(28, 78, 54, 104, 40, 130, 2, 206, 10, 130), 0.05, { fill: light }),
      ].join('')
    case 'scarf':
      return [
        blob(points(12, 104, 38, 100, 46, 190, 20, 198), 0.3, { fill: mix(c.accent, '#120d16', 0.25) }),
        blob(points(-40, 70, 0, 90, 40, 70, 46, 98, 0, 124, -46, 98), 0.9, { fill: c.accent }),
      ].join('')
    default:
      return line(points(-32, 86, 0, 112, 32, 86), 1, { stroke: c.secondary, width: 8 })
  }
}

export function paintBelt(c: Character, hip: number): string {
  const w = 55 * c.build
  const y = 254
  const belt = line(points(-w + hip, y, hip, y + 8, w + hip, y), 0.6, {
    stroke: mix(c.accent, '#17121c', 0.35),
    width: 15,
    cap: 'butt',
  })
  return belt + rect({ x: hip - 11, y: y - 4, width: 22, height: 20 }, { fill: c.accent, radius: 4 })
}

function bustSpots(c: Character): Spot[] {
  const s = 104 * c.build
  const edge = c.mecha * 14
  const shoulder = points(27, 86, s * 0.62, 100 - edge * 0.3, s * 0.98 + edge, 122 - edge)
  const right = [...shoulder, ...points(s * 1.16 + edge, 170, s * 1.22, 420)]
  return [...mirrored(right), ...right]
}

function bodySpots(c: Character, hip: number): Spot[] {
  const s = 78 * c.build
  const right = points(24, 84, s * 0.66, 96, s, 112, s * 0.86, 190, s * 0.68, 252)
  const hem: Record<Character['outfit'], Spot[]> = {
    jacket: [[s * 0.78, 318]],
    tunic: points(s * 0.8, 310, s * 0.94, 392),
    coat: points(s * 0.84, 310, s * 1.08, 470),
    dress: points(s * 0.94, 320, s * 1.3, 492),
  }
  const half = [...right, ...hem[c.outfit]]
  return [...mirrored(half), ...half].map(([x, y]): Spot => [y > 250 ? x + hip : x, y])
}
