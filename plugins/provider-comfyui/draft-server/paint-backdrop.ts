import { mix } from './paint-colours.js'
import type { Scene, SceneColours, SceneLook } from './paint-look.js'
import type { Random } from './paint-random.js'
import { paintRoom } from './paint-room.js'
import { blob, type Box, circle, ellipse, group, line, part, points, rect, type Spot } from './paint-shapes.js'
import { hills } from './paint-stage.js'

export const places = ['hills', 'city', 'room', 'forest', 'sea'] as const

/** A setting without anybody in it. Its colours follow the palette; place, hour and what stands in it follow the seed. */
export function paintBackdrop(look: SceneLook): Scene {
  const { c, random } = look
  const isNight = random.chance(0.4)
  const sky = isNight ? mix(c.primary, '#141527', 0.6) : mix(c.secondary, '#f8ecd8', 0.5)
  const depth = isNight ? '#0f1020' : mix(c.primary, '#1f2233', 0.4)
  const colours = { sky, depth, glow: mix(c.accent, '#fff4da', isNight ? 0.7 : 0.6), isNight }
  const svg = painters[random.pick(places)](look, colours)
  return { svg, ink: isNight ? '#fbf5ea' : mix(depth, '#17131d', 0.6) }
}

const painters: Record<(typeof places)[number], (look: SceneLook, colours: SceneColours) => string> = {
  hills: (look, colours) => {
    const ranges = [0.5, 0.6, 0.72, 0.86].map((from, index) => {
      const fill = mix(colours.sky, colours.depth, 0.28 + index * 0.22)
      return hills(look.box, { from, fill, random: look.random, steep: 0.09 - index * 0.015 })
    })
    ranges.splice(3, 0, grove(look, colours))
    return paintSky(look, colours, 0.4) + ranges.join('') + house(look, colours)
  },
  city: (look, colours) => {
    const rows = [0.34, 0.5, 0.66].map((top, index) => buildings(look, { colours, top, near: index / 2 }))
    const street = rect(part(look.box, [0, 0.93, 1, 0.1]), { fill: mix(colours.depth, '#08080f', 0.4) })
    return paintSky(look, colours, 0.45) + rows.join('') + street
  },
  room: paintRoom,
  forest: (look, colours) => {
    const rows = [0.35, 0.6, 0.85].map((near, index) => trees(look, { colours, near, count: 11 - index * 3 }))
    const fill = mix(colours.depth, '#08080f', 0.25)
    return (
      paintSky(look, colours, 0.42) +
      rows.join('') +
      hills(look.box, { from: 0.87, fill, random: look.random, steep: 0.02 })
    )
  },
  sea: (look, colours) => {
    const water = mix(colours.sky, colours.depth, 0.55)
    const sea = rect(part(look.box, [0, 0.6, 1, 0.4]), { fill: water })
    return paintSky(look, colours, 0.56) + sea + waves(look, { colours, water }) + boat(look, colours)
  },
}

function paintSky({ box, random }: SceneLook, { sky, glow, isNight }: SceneColours, horizon: number): string {
  const size = Math.min(box.width, box.height)
  const spot = (low: number, high: number): Spot => [
    box.x + box.width * random.number(0.02, 0.98),
    box.y + box.height * random.number(low, high),
  ]
  const sun: Spot = [box.x + box.width * random.number(0.3, 0.62), spot(horizon - 0.16, horizon)[1]]
  const radius = size * random.number(0.1, 0.17)
  const halo = [2.5, 1.7].map(grown => circle(sun, radius * grown, { fill: glow, opacity: 0.16 }))
  const star = () => circle(spot(0.02, horizon), size * random.number(0.0015, 0.004), { fill: '#fff8e6', opacity: 0.8 })
  const cloudy = () => cloud(spot(0.12, horizon * 0.7), size * random.number(0.05, 0.09), mix(sky, '#ffffff', 0.55))
  const bits = Array.from({ length: isNight ? 26 : 4 }, isNight ? star : cloudy)
  return rect(box, { fill: sky }) + halo.join('') + circle(sun, radius, { fill: glow }) + bits.join('')
}

function cloud([x, y]: Spot, size: number, fill: string): string {
  const puff = (dx: number) =>
    ellipse([x + dx * size, y], [size * 1.2, size * (0.3 + 0.14 * (1 - Math.abs(dx)))], { fill, opacity: 0.8 })
  return [-1.1, 0, 1].map(puff).join('')
}

/** Small firs on the third range. */
function grove({ box, random }: SceneLook, { sky, depth }: SceneColours): string {
  const fill = mix(sky, depth, 0.86)
  const start = random.number(0.05, 0.5)
  const count = 9
  return Array.from({ length: count }, (_, index) => {
    const x = box.x + box.width * (start + index * 0.035 + random.number(-0.008, 0.008))
    const foot = box.y + box.height * random.number(0.8, 0.84)
    const tall = box.height * random.number(0.07, 0.12)
    return blob(points(x - tall * 0.24, foot, x, foot - tall, x + tall * 0.24, foot), 0.15, { fill })
  }).join('')
}

/** Somebody lives on the nearest hill. */
function house({ box, random }: SceneLook, { sky, depth, glow }: SceneColours): string {
  const size = Math.min(box.width, box.height) * 0.075
  const wall = mix(sky, '#fff8ea', 0.35)
  const parts = [
    rect({ x: -0.7, y: -0.7, width: 1.4, height: 1 }, { fill: wall }),
    blob(points(-0.9, -0.66, 0, -1.35, 0.9, -0.66), 0, { fill: mix(depth, '#08080f', 0.35) }),
    rect({ x: -0.42, y: -0.42, width: 0.32, height: 0.34 }, { fill: glow }),
    rect({ x: 0.14, y: -0.4, width: 0.3, height: 0.7 }, { fill: depth }),
  ]
  const at: Spot = [box.x + box.width * random.number(0.62, 0.86), box.y + box.height * 0.86]
  return group(parts.join(''), { at, scale: size })
}

interface RowLook {
  colours: SceneColours
  /** 0 far, 1 near. */
  near: number
}

function buildings({ box, random }: SceneLook, { colours, top, near }: RowLook & { top: number }): string {
  const fill = mix(colours.sky, colours.depth, 0.35 + near * 0.6)
  const parts: string[] = []
  let x = -0.05 + random.number(0, 0.05)
  while (x < 1.02) {
    const width = random.number(0.07, 0.13) * (0.8 + near * 0.5)
    const from = top + random.number(-0.12, 0.12)
    const block = part(box, [x, from, width, 1 - from])
    const mast = block.x + block.width / 2
    parts.push(rect(block, { fill }), windows(block, { random, fill: colours.glow, chance: 0.2 + near * 0.25 }))
    if (random.chance(0.25)) {
      const tip = block.y - box.height * 0.06
      parts.push(line(points(mast, block.y, mast, tip), 0, { stroke: fill, width: block.width * 0.06 }))
    }
    x += width + random.number(0, 0.025)
  }
  return parts.join('')
}

const windowColumns = 3
const windowRowsMax = 9

function windows(block: Box, { random, fill, chance }: { random: Random; fill: string; chance: number }): string {
  const pitch = block.width / (windowColumns + 0.5)
  const rows = Math.min(Math.floor(block.height / pitch / 1.3), windowRowsMax)
  const places = Array.from({ length: rows * windowColumns }, (_, index) => ({
    x: block.x + pitch * ((index % windowColumns) + 0.45),
    y: block.y + pitch * (Math.floor(index / windowColumns) * 1.3 + 0.6),
  }))
  return places
    .filter(() => random.chance(chance))
    .map(place => rect({ ...place, width: pitch * 0.5, height: pitch * 0.7 }, { fill, opacity: 0.85 }))
    .join('')
}

function trees({ box, random }: SceneLook, { colours, near, count }: RowLook & { count: number }): string {
  const fill = mix(colours.sky, colours.depth, 0.25 + near * 0.75)
  return Array.from({ length: count }, (_, index) => {
    const x = box.x + box.width * ((index + random.number(0.1, 0.9)) / count)
    const tall = box.height * (0.4 + near * 0.38) * random.number(0.8, 1.15)
    const wide = tall * random.number(0.13, 0.18)
    const foot = box.y + box.height * (0.72 + near * 0.22)
    const trunk = rect({ x: x - wide * 0.1, y: foot - tall * 0.3, width: wide * 0.2, height: tall * 0.4 }, { fill })
    const tiers = [0, 1, 2].map(tier => {
      const base = foot - tall * (0.14 + tier * 0.24)
      const half = wide * (1 - tier * 0.25)
      return blob(points(x - half, base, x, base - tall * 0.4, x + half, base), 0.12, { fill })
    })
    return trunk + tiers.join('')
  }).join('')
}

function waves({ box, random }: SceneLook, { colours, water }: { colours: SceneColours; water: string }): string {
  return Array.from({ length: 26 }, () => {
    const depth = random.number(0.62, 0.98)
    const half = box.width * (depth - 0.55) * random.number(0.1, 0.28)
    const x = box.x + box.width * random.number(0, 1)
    const y = box.y + box.height * depth
    const stroke = mix(water, random.chance(0.5) ? colours.glow : colours.depth, 0.4)
    return line(points(x - half, y, x + half, y), 0, { stroke, width: box.height * 0.012 * (depth - 0.45) })
  }).join('')
}

function boat({ box, random }: SceneLook, { depth, glow }: SceneColours): string {
  const size = Math.min(box.width, box.height) * random.number(0.1, 0.16)
  const hull = blob(points(-1, 0, 1, 0, 0.7, 0.32, -0.7, 0.32), 0.2, { fill: mix(depth, '#08080f', 0.4) })
  const main = blob(points(-0.05, -0.08, -0.05, -1.3, -0.8, -0.08), 0.1, { fill: mix(glow, '#ffffff', 0.3) })
  const jib = blob(points(0.08, -0.08, 0.08, -1.05, 0.62, -0.08), 0.1, { fill: mix(glow, depth, 0.35) })
  const at: Spot = [box.x + box.width * random.number(0.2, 0.8), box.y + box.height * 0.66]
  return group(hull + main + jib, { at, scale: size })
}
