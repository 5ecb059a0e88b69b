import { distance, lightnessOf, mix } from './paint-colours.js'
import { type Character, surfaceOf } from './paint-character.js'
import type { Random } from './paint-random.js'
import { blob, type Box, circle, group, line, path, rect, type Spot, points } from './paint-shapes.js'

export interface Ground {
  colour: string
  /** The large shape behind the figure. */
  shape: string
  /** Text and lines on the ground. */
  ink: string
}

/** Of the grounds that the palette gives, one on which the figure stands out. */
export function chooseGround(c: Character, random: Random): Ground {
  const tones = [
    mix(c.secondary, '#fbf3e4', 0.62),
    mix(c.accent, '#fbf0dc', 0.66),
    mix(c.primary, '#f6eee2', 0.72),
    mix(c.secondary, '#17141f', 0.62),
    mix(c.primary, '#14131d', 0.66),
    mix(c.accent, '#1b1722', 0.6),
  ]
  const figure = [c.primary, c.hairColour, surfaceOf(c)]
  const rated = tones.map(colour => {
    const contrast = Math.min(...figure.map(part => distance(part, colour)))
    return { colour, score: Math.min(contrast, 0.22) + random.number(0, 0.06) }
  })
  const colour = rated.sort((a, b) => b.score - a.score)[0]?.colour ?? '#e9dfcd'
  const isDark = lightnessOf(colour) < 0.55
  const towards = [c.accent, c.secondary, isDark ? '#ffffff' : '#fffdf6']
  const shape = mix(colour, random.pick([towards[0] ?? colour, ...towards]), isDark ? 0.46 : 0.55)
  return { colour, shape, ink: isDark ? '#fbf5ea' : '#1c1822' }
}

const motifs = ['sun', 'arch', 'rays', 'bands', 'rings', 'window', 'hills'] as const

/** A flat ground, one large shape and a scatter of small ones: what changes most from seed to seed. */
export function paintStage(box: Box, ground: Ground, { c, random }: { c: Character; random: Random }): string {
  const size = Math.min(box.width, box.height)
  const centre: Spot = [box.x + box.width * random.number(0.34, 0.66), box.y + box.height * random.number(0.36, 0.52)]
  const motif = random.pick(motifs)
  const soft = mix(ground.colour, ground.shape, 0.45)
  const shapes = [
    rect(box, { fill: ground.colour }),
    paintMotif(motif, { box, centre, size, fill: ground.shape, soft, random }),
    paintScatter(box, { size, colours: [ground.shape, c.accent, soft], random, force: c.abstract }),
  ]
  return shapes.join('')
}

interface MotifLook {
  box: Box
  centre: Spot
  size: number
  fill: string
  soft: string
  random: Random
}

function paintMotif(motif: (typeof motifs)[number], look: MotifLook): string {
  const { box, centre, size, fill, soft, random } = look
  const [x, y] = centre
  const far = box.width + box.height
  switch (motif) {
    case 'sun': {
      const radius = size * random.number(0.34, 0.46)
      return circle(centre, radius * 1.24, { fill: soft }) + circle(centre, radius, { fill })
    }
    case 'arch': {
      const half = size * random.number(0.3, 0.4)
      const arch = (grown: number) =>
        `M${x - grown} ${box.y + box.height}V${y}A${grown} ${grown} 0 0 1 ${x + grown} ${y}V${box.y + box.height}Z`
      return path(arch(half * 1.2), { fill: soft }) + path(arch(half), { fill })
    }
    case 'rays': {
      const count = 9 + Math.floor(random.number(0, 6))
      const start = random.number(0, 1)
      return Array.from({ length: count }, (_, index) => {
        const angle = ((index + start) * 2 * Math.PI) / count
        const spread = Math.PI / count / 2
        const tip = (turn: number): Spot => [x + Math.cos(turn) * far, y + Math.sin(turn) * far]
        return blob([centre, tip(angle - spread), tip(angle + spread)], 0, { fill: index % 2 ? fill : soft })
      }).join('')
    }
    case 'bands': {
      const turn = random.number(-38, 38)
      const thick = size * random.number(0.12, 0.2)
      const band = (offset: number, colour: string) =>
        rect({ x: -far, y: offset, width: far * 2, height: thick }, { fill: colour })
      const bands = band(-thick * 1.7, soft) + band(-thick * 0.4, fill) + band(thick * 0.9, soft)
      return group(bands, { at: centre, turn })
    }
    case 'rings':
      return [0.62, 0.48, 0.34, 0.2]
        .map((part, index) => circle(centre, size * part, { fill: index % 2 ? fill : soft }))
        .join('')
    case 'window': {
      const half = size * random.number(0.3, 0.38)
      const turn = random.number(-9, 9)
      const panel = rect(
        { x: -half, y: -half * 1.25, width: half * 2, height: half * 2.5 },
        { fill, radius: half * 0.08 },
      )
      const behind = rect(
        { x: -half * 1.2, y: -half * 1.1, width: half * 2, height: half * 2.5 },
        { fill: soft, radius: half * 0.08 },
      )
      return group(behind + panel, { at: centre, turn })
    }
    case 'hills': {
      const sun = circle([x, box.y + box.height * 0.34], size * random.number(0.16, 0.26), { fill })
      return sun + hills(box, { from: 0.56, fill: soft, random }) + hills(box, { from: 0.72, fill, random })
    }
  }
}

/** A waving horizon, from `from` of the height down. */
export function hills(
  box: Box,
  { from, fill, random, steep = 0.07 }: { from: number; fill: string; random: Random; steep?: number },
): string {
  const count = 5
  const ridge = Array.from({ length: count + 1 }, (_, index): Spot => [
    box.x + (box.width * index) / count,
    box.y + box.height * (from + random.number(-steep, steep)),
  ])
  const [first, last] = [ridge[0] ?? [0, 0], ridge.at(-1) ?? [0, 0]]
  const low = box.y + box.height * 1.2
  const spots: Spot[] = [
    [box.x - box.width * 0.2, low],
    [box.x - box.width * 0.2, first[1]],
    ...ridge,
    [box.x + box.width * 1.2, last[1]],
    [box.x + box.width * 1.2, low],
  ]
  return blob(spots, 0.9, { fill })
}

function paintScatter(box: Box, look: { size: number; colours: string[]; random: Random; force: number }): string {
  const { size, random, force } = look
  const count = 5 + Math.round(random.number(0, 4) + force * 14)
  return Array.from({ length: count }, () => {
    const at: Spot = [box.x + box.width * random.number(0.04, 0.96), box.y + box.height * random.number(0.12, 0.9)]
    const radius = size * random.number(0.006, 0.016 + force * 0.05)
    const fill = random.pick([look.colours[0] ?? '#ffffff', ...look.colours])
    const opacity = random.number(0.55, 1)
    const kind = random.pick(['dot', 'ring', 'cross', 'triangle'])
    if (kind === 'ring') return circle(at, radius, { stroke: fill, width: radius * 0.5, opacity })
    if (kind === 'cross') return cross(at, radius, { stroke: fill, width: radius * 0.5, opacity })
    if (kind === 'triangle' && force > 0.2) {
      const spots = points(0, -radius * 1.3, radius * 1.2, radius, -radius * 1.2, radius)
      return group(blob(spots, 0, { fill, opacity }), { at, turn: random.number(0, 120) })
    }
    return circle(at, radius * 0.8, { fill, opacity })
  }).join('')
}

function cross([x, y]: Spot, radius: number, look: { stroke: string; width: number; opacity: number }): string {
  return line(points(x - radius, y, x + radius, y), 0, look) + line(points(x, y - radius, x, y + radius), 0, look)
}
