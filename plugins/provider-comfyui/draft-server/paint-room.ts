import { mix } from './paint-colours.js'
import type { SceneColours, SceneLook } from './paint-look.js'
import type { Random } from './paint-random.js'
import { blob, type Box, circle, ellipse, group, line, part, points, rect } from './paint-shapes.js'

/** A study: a window with a view, a desk with books, a lamp, a plant. The seed chooses the side of the light. */
export function paintRoom({ box, c, random }: SceneLook, colours: SceneColours): string {
  const { isNight, depth } = colours
  const wall = isNight ? mix(c.primary, '#1b1a2b', 0.55) : mix(c.secondary, '#f6ecdc', 0.55)
  const floor = mix(wall, isNight ? '#0c0b14' : '#5d4436', 0.5)
  const wood = mix('#8a5b3c', c.primary, 0.25)
  const isLeft = random.chance(0.5)
  const at = (x: number, y: number, width: number, height: number) =>
    part(box, [isLeft ? x : 1 - x - width, y, width, height])
  const legs = [0.6, 0.9].map(x => rect(at(x, 0.69, 0.02, 0.2), { fill: mix(wood, '#1a1018', 0.3) }))
  return [
    rect(box, { fill: wall }),
    rect(part(box, [0, 0.74, 1, 0.26]), { fill: floor }),
    rug(at(0.3, 0.86, 0.42, 0.09), mix(c.accent, floor, 0.45)),
    view(at(0.1, 0.16, 0.34, 0.42), colours, mix(wall, '#fffaf0', 0.75)),
    lamp(at(0.68, 0.36, 0.24, 0.3), { shade: c.accent, glow: colours.glow }),
    ...legs,
    rect(at(0.56, 0.66, 0.4, 0.035), { fill: wood }),
    ...books(at(0.58, 0.54, 0.16, 0.12), { random, colours: [c.primary, c.secondary, c.accent, depth] }),
    plant(at(0.2, 0.58, 0.14, 0.28), c.accent),
  ].join('')
}

function view(pane: Box, { sky, glow, depth, isNight }: SceneColours, frame: string): string {
  const { x, y, width, height } = pane
  const [right, low] = [x + width, y + height]
  const sky2 = isNight ? mix(sky, '#3a4a86', 0.35) : mix(sky, '#bfe0ee', 0.6)
  const ridge = points(
    x,
    low,
    x,
    y + height * 0.7,
    x + width * 0.5,
    y + height * 0.58,
    right,
    y + height * 0.75,
    right,
    low,
  )
  const bar = { stroke: frame, width: width * 0.04 }
  return [
    rect(pane, { fill: sky2 }),
    circle([x + width * 0.72, y + height * 0.3], width * 0.13, { fill: glow }),
    blob(ridge, 0.2, { fill: mix(sky2, depth, 0.55) }),
    rect(pane, bar),
    line(points(x + width / 2, y, x + width / 2, low), 0, bar),
    line(points(x, y + height / 2, right, y + height / 2), 0, bar),
    rect({ x: x - width * 0.06, y: low, width: width * 1.12, height: height * 0.05 }, { fill: frame }),
  ].join('')
}

function lamp({ x, y, width, height }: Box, { shade, glow }: { shade: string; glow: string }): string {
  const middle = x + width / 2
  const rim = width * 0.24
  const top = width * 0.12
  const low = y + height * 0.34
  const beam = points(
    middle - rim,
    low,
    middle + rim,
    low,
    middle + width * 0.75,
    y + height,
    middle - width * 0.75,
    y + height,
  )
  return [
    blob(beam, 0, { fill: glow, opacity: 0.22 }),
    line(points(middle, low, middle, y + height), 0, { stroke: '#1d1a22', width: width * 0.035 }),
    ellipse([middle, y + height], [rim * 0.8, height * 0.03], { fill: '#1d1a22' }),
    blob(points(middle - rim, low, middle - top, y, middle + top, y, middle + rim, low), 0.1, { fill: shade }),
  ].join('')
}

function books(shelf: Box, { random, colours }: { random: Random; colours: [string, ...string[]] }): string[] {
  const count = 7
  const width = shelf.width / count
  return Array.from({ length: count }, (_, index) => {
    const height = shelf.height * random.number(0.6, 1)
    const book = { x: shelf.x + width * index, y: shelf.y + shelf.height - height, width: width * 0.92, height }
    return rect(book, { fill: random.pick(colours) })
  })
}

function rug(box: Box, fill: string): string {
  return ellipse([box.x + box.width / 2, box.y + box.height / 2], [box.width / 2, box.height / 2], { fill })
}

function plant({ x, y, width, height }: Box, accent: string): string {
  const leaf = mix('#4f8a5b', accent, 0.12)
  const [middle, rim, low] = [x + width / 2, y + height * 0.68, y + height]
  const [wide, narrow] = [height * 0.17, height * 0.11]
  const pot = points(middle - wide, rim, middle + wide, rim, middle + narrow, low, middle - narrow, low)
  const leaves = [-70, -35, 0, 35, 70].map(turn => {
    const fill = turn % 2 ? mix(leaf, '#ffffff', 0.14) : leaf
    return group(ellipse([0, -0.3], [0.1, 0.32], { fill }), { at: [middle, rim], scale: height * 0.95, turn })
  })
  return leaves.join('') + blob(pot, 0.1, { fill: '#b5694a' })
}
