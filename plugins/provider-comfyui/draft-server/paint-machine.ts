import { lightnessOf, mix } from './paint-colours.js'
import type { Character } from './paint-character.js'
import { circle, line, points, rect, type Spot } from './paint-shapes.js'

/** The side of a surface that lies in shadow. */
export function shadeOf(colour: string): string {
  return mix(colour, lightnessOf(colour) > 0.5 ? '#5a2f3f' : '#160f1c', 0.28)
}

/** Metal with a breath of the character's own colour. */
export function steelOf(c: Character): string {
  return mix('#95a0ab', c.secondary, 0.28)
}

/** What makes a head a machine's: seams, bolts, discs for ears, an antenna. */
export function paintMachineParts(c: Character, pose: { light: -1 | 1; isBack: boolean }, shade: string): string {
  if (c.mecha < 0.12) return ''
  const steel = steelOf(c)
  const parts = [
    pose.isBack || c.mecha < 0.25 ? '' : seams(c, shade),
    pose.isBack ? '' : bolts(c, steel),
    c.mecha > 0.3 ? earDisc(-c.headWidth - 3, c, steel) + earDisc(c.headWidth + 3, c, steel) : '',
    c.mecha > 0.5 ? antenna(pose.light * (c.headWidth + 6), c, steel) : '',
  ]
  return parts.join('')
}

function seams({ headWidth: w, mecha }: Character, shade: string): string {
  const look = { stroke: shade, width: 2.2 }
  const cheeks = [-1, 1].map(side =>
    line(points(side * w * 0.98, 14, side * w * 0.6, 24, side * w * 0.52, 58), 0, look),
  )
  const chin = mecha > 0.5 ? line(points(0, 56, 0, 70), 0, look) + line(points(-16, 56, 16, 56), 0, look) : ''
  return cheeks.join('') + chin
}

function bolts({ headWidth: w, mecha }: Character, steel: string): string {
  const rows = mecha > 0.45 ? points(w * 0.78, 32, w * 0.66, 48) : points(w * 0.78, 32)
  return rows.map(([x, y]) => bolt([x, y], 3.4, steel) + bolt([-x, y], 3.4, steel)).join('')
}

function earDisc(x: number, c: Character, steel: string): string {
  const size = 11 + c.mecha * 7
  return [
    rect({ x: x - size * 0.72, y: 2 - size, width: size * 1.44, height: size * 2 }, { fill: steel, radius: 5 }),
    circle([x, 2], size * 0.5, { fill: mix(steel, '#14161c', 0.55) }),
    circle([x, 2], size * 0.26, { fill: c.accent }),
  ].join('')
}

function antenna(x: number, c: Character, steel: string): string {
  const tip: Spot = [x * 1.12, -88]
  return line([[x, -8], tip], 0, { stroke: steel, width: 4 }) + circle(tip, 6, { fill: c.accent })
}

/** A screw seen from above. */
export function bolt(at: Spot, radius: number, steel: string): string {
  const [x, y] = at
  const reach = radius * 0.55
  const slot = { stroke: mix(steel, '#14161c', 0.6), width: radius * 0.45 }
  const head = circle(at, radius, { fill: mix(steel, '#ffffff', 0.25) })
  return head + line(points(x - reach, y - reach, x + reach, y + reach), 0, slot)
}
