import { lightnessOf, mix } from './paint-colours.js'
import type { Character } from './paint-character.js'
import { blob, blobPath, circle, type Clips, line, mirrored, path, type Spot, points } from './paint-shapes.js'

interface HairPose {
  turn: number
  isBack: boolean
  light: -1 | 1
}

/** Hair behind the head, drawn before neck and shoulders. */
export function paintBackHair(c: Character, { isBack }: HairPose): string {
  const w = c.headWidth
  const fill = isBack ? c.hairColour : mix(c.hairColour, '#120d16', 0.25)
  const soft = hairSoftness(c)
  switch (c.hair) {
    case 'bob': {
      const right = points(w * 0.8, -72, w + 16, -30, w + 17, 24, w + 10, 56, w * 0.5, 60)
      return blob([[0, -90], ...right, ...mirrored(right)], soft, { fill })
    }
    case 'long': {
      const right = points(w * 0.8, -74, w + 14, -30, w + 18, 50, w + 26, 130, w * 0.5, 160)
      return blob([[0, -92], ...right, ...mirrored(right)], soft, { fill })
    }
    case 'curls': {
      const spots = points(0, -64, -44, -52, 44, -52, -62, -16, 62, -16, -56, 22, 56, 22, -26, -82, 26, -82)
      return spots.map(([x, y], index) => circle([(x * w) / 50, y], 32 - (index % 3) * 2, { fill })).join('')
    }
    case 'bun':
      return (
        circle([0, -100], 27, { fill: c.hairColour }) +
        circle([0, -100], 15, { fill: mix(c.hairColour, '#ffffff', 0.12) })
      )
    case 'braids':
      return [-1, 1].map(side => braid(side * (w + 4), c, fill)).join('')
    case 'hood': {
      const right = points(w * 0.7, -86, w + 20, -40, w + 24, 30, w + 30, 92, w * 0.4, 110)
      return blob([[0, -104], ...right, ...mirrored(right)], soft, { fill: mix(c.primary, '#120d16', 0.3) })
    }
    default:
      return ''
  }
}

/** Hair over the forehead; seen from behind it covers the whole head. */
export function paintFrontHair(c: Character, pose: HairPose, clips: Clips): string {
  if (c.hair === 'shaved') return pose.isBack ? '' : stubble(c)
  const outline = frontSpots(c, pose)
  const soft = c.hair === 'spikes' ? 0.12 : hairSoftness(c)
  const colour = c.hair === 'hood' ? c.primary : c.hairColour
  const clip = clips.add(blobPath(outline, soft))
  const shine = mix(colour, lightnessOf(colour) > 0.55 ? '#fff6e0' : '#ffffff', 0.2)
  const w = c.headWidth
  const arc = points(pose.light * w * 0.85, -38, pose.light * w * 0.6, -66, pose.light * w * 0.12, -80)
  const parts = [
    path(blobPath(outline, soft), { fill: colour }),
    line(arc, soft, { stroke: shine, width: 9, clip, opacity: 0.9 }),
    c.extra === 'headband' && c.hair !== 'hood' && !pose.isBack ? headband(c, clip) : '',
  ]
  return parts.join('')
}

function frontSpots(c: Character, { isBack, light }: HairPose): Spot[] {
  const w = c.headWidth
  if (isBack) {
    const right = points(w * 0.72, -76, w + 8, -30, w + 5, 24, w * 0.62, 62)
    return [[0, -88], ...right, [0, 70], ...mirrored(right)]
  }
  const crown = points(-w - 5, -4, -w - 7, -38, -w * 0.7, -76, 0, -90, w * 0.7, -76, w + 7, -38, w + 5, -4)
  switch (c.hair) {
    case 'bob':
      return [...longSides(crown, 30), [w * 0.82, -22], [w * 0.3, -27], [-w * 0.3, -27], [-w * 0.82, -22]]
    case 'long':
      return [...longSides(crown, 40), [w * 0.84, -14], [w * 0.44, -44], [2, -70], [-w * 0.44, -44], [-w * 0.84, -14]]
    case 'spikes':
      return spikes(w)
    case 'swoop':
      return swoop(w, light)
    case 'hood':
      return hoodRim(w)
    case 'curls':
      return [
        ...crown,
        [w * 0.86, -24],
        [w * 0.62, -46],
        [w * 0.2, -42],
        [-w * 0.2, -48],
        [-w * 0.62, -42],
        [-w * 0.86, -24],
      ]
    case 'bun':
      return [...crown, [w * 0.88, -26], [w * 0.5, -52], [0, -58], [-w * 0.5, -52], [-w * 0.88, -26]]
    case 'braids':
      return [...crown, [w * 0.9, -20], [w * 0.5, -46], [0, -66], [-w * 0.5, -46], [-w * 0.9, -20]]
    default:
      return [...crown, [w * 0.9, -28], [w * 0.62, -50], [-w * 0.1, -44], [-w * 0.66, -50], [-w * 0.9, -28]]
  }
}

function longSides(crown: Spot[], y: number): Spot[] {
  const [first, ...rest] = crown
  const last = rest.pop()
  if (!first || !last) return crown
  return [[first[0] + 12, y], [first[0] - 2, y - 2], first, ...rest, last, [last[0] + 2, y - 2], [last[0] - 12, y]]
}

function spikes(w: number): Spot[] {
  const tips = points(-w - 8, 2, -w - 26, -34, -w - 6, -44, -w - 8, -88, -w * 0.5, -78, -w * 0.2, -116, w * 0.18, -84)
  const rest = points(w * 0.62, -112, w * 0.72, -76, w + 20, -82, w + 5, -42, w + 24, -26, w + 5, 2)
  const fringe = points(
    w * 0.86,
    -34,
    w * 0.6,
    -16,
    w * 0.34,
    -42,
    0,
    -18,
    -w * 0.3,
    -44,
    -w * 0.62,
    -20,
    -w * 0.84,
    -36,
  )
  return [...tips, ...rest, ...fringe]
}

function swoop(w: number, light: number): Spot[] {
  const spots = points(
    -w - 5,
    2,
    -w - 8,
    -38,
    -w * 0.8,
    -80,
    -w * 0.1,
    -106,
    w * 0.7,
    -98,
    w + 16,
    -62,
    w + 10,
    -16,
    w + 4,
    6,
    w * 0.88,
    -20,
    w * 0.5,
    -28,
    -w * 0.2,
    -44,
    -w * 0.7,
    -58,
    -w * 0.9,
    -24,
  )
  return light > 0 ? spots : mirrored(spots)
}

function hoodRim(w: number): Spot[] {
  const outer = points(-w - 20, 60, -w - 22, -30, -w * 0.75, -92, 0, -110, w * 0.75, -92, w + 22, -30, w + 20, 60)
  return [
    ...outer,
    [w * 0.9, 34],
    [w * 0.98, -20],
    [w * 0.6, -58],
    [0, -68],
    [-w * 0.6, -58],
    [-w * 0.98, -20],
    [-w * 0.9, 34],
  ]
}

function braid(x: number, c: Character, fill: string): string {
  const knots = Array.from({ length: 7 }, (_, index) =>
    circle([x + Math.sin(index) * 3, 4 + index * 20], 14 - index * 0.9, { fill }),
  )
  return knots.join('') + circle([x + Math.sin(6) * 3, 130], 7, { fill: c.accent })
}

function stubble(c: Character): string {
  const w = c.headWidth
  const right = points(w * 0.66, -62, w * 0.97, -26, w * 0.8, -34, w * 0.45, -50)
  return blob([[0, -69], ...right, [0, -52], ...mirrored(right)], hairSoftness(c), {
    fill: c.hairColour,
    opacity: 0.55,
  })
}

const bearded: readonly string[] = ['crop', 'spikes', 'swoop', 'shaved', 'hood']

/** Drawn before eyes and mouth. */
export function paintBeard(c: Character): string {
  if (!c.hasBeard || !bearded.includes(c.hair) || c.animality > 0.35 || c.mecha > 0.6) return ''
  const w = c.headWidth
  const right = points(w * 0.98, 4, w * 0.96, 34, w * 0.66, 66 * c.chin, w * 0.24, 80 * c.chin)
  const inner = points(w * 0.42, 40, w * 0.8, 22)
  const outline: Spot[] = [
    ...right,
    [0, 84 * c.chin],
    ...mirrored(right),
    [-w * 0.8, 22],
    [-w * 0.42, 40],
    [0, 34],
    ...inner,
  ]
  return blob(outline, hairSoftness(c), { fill: mix(c.hairColour, '#ffffff', 0.06) })
}

function headband(c: Character, clip: string): string {
  const w = c.headWidth
  return line(points(-w - 10, -46, 0, -62, w + 10, -46), 1, { stroke: c.accent, width: 10, clip })
}

function hairSoftness(c: Character): number {
  return Math.max(0.08, 0.95 - c.mecha * 0.95 - c.abstract * 0.6)
}
