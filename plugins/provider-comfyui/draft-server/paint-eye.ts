import { mix } from './paint-colours.js'
import type { Character } from './paint-character.js'
import type { Expression } from './paint-expression.js'
import { blob, circle, ellipse, line, points, type Spot } from './paint-shapes.js'

export interface EyeLook {
  light: -1 | 1
  expression: Expression
}

/** One eye with its brow; `side` is -1 for the left one of the picture. */
export function paintEye(c: Character, look: EyeLook, { side, at }: { side: number; at: Spot }): string {
  const { browTilt, browLift, eyesOpen } = look.expression
  const size = c.eyeSize * (1 + c.animality * 0.18)
  const ink = mix(c.hairColour, '#17131d', 0.75)
  const open = Math.max(eyesOpen, 0)
  const [x, y] = at
  const hasLens = c.mecha > 0.45 && side === look.light
  const isGeometric = c.abstract > 0.4 && side === look.light
  const eye = hasLens
    ? lens(at, size, c)
    : isGeometric
      ? target(at, size * 1.25, c)
      : open < 0.15
        ? line(points(x - size, y - 1, x, y + 5, x + size, y - 1), 1, { stroke: ink, width: 3.4 })
        : openEye(c, { at, size, open, ink, side })
  const lift = y - size * 1.55 - browLift * 6
  const brow = points(
    x - side * size * 1.15,
    lift - browTilt * 5 + 1.5,
    x + side * size * 0.2,
    lift - 3,
    x + side * size * 1.3,
    lift + 2 + browTilt * 4,
  )
  const browInk = mix(c.hairColour, ink, 0.35)
  return eye + line(brow, c.mecha > 0.5 ? 0 : 1, { stroke: browInk, width: c.browWeight })
}

function openEye(c: Character, eye: { at: Spot; size: number; open: number; ink: string; side: number }): string {
  const { at, size, open, ink, side } = eye
  const [x, y] = at
  const slant = c.creature * 4 + c.animality * 3
  const top = y - size * 0.68 * open
  const outer: Spot = [x + side * size * 1.08, y - 1 - slant]
  const inner: Spot = [x - side * size, y + 2 + slant * 0.5]
  const white: Spot[] = [inner, [x, top], outer, [x + side * 2, y + size * 0.5 * open]]
  const iris = mix(c.eyeColour, c.accent, Math.max(c.creature, c.mecha) * 0.8)
  const pupil =
    c.creature > 0.35 || c.animality > 0.7
      ? ellipse([x, y], [size * (0.28 - c.creature * 0.1), size * 0.56 * open], { fill: '#15111a' })
      : circle([x, y], size * 0.28, { fill: '#15111a' })
  return [
    blob(white, 0.95, { fill: mix('#fdfbf6', c.accent, c.creature * 0.35) }),
    circle([x, y], size * 0.56 * Math.min(open + 0.1, 1), { fill: iris }),
    pupil,
    circle([x - size * 0.2, y - size * 0.24], size * 0.16, { fill: '#ffffff' }),
    line([inner, [x, top - 0.5], outer], 0.95, { stroke: ink, width: 3.2 }),
  ].join('')
}

/** A camera eye. */
function lens(at: Spot, size: number, c: Character): string {
  return [
    circle(at, size * 1.25, { fill: '#39414c' }),
    circle(at, size * 0.95, { fill: '#12151b' }),
    circle(at, size * 0.6, { fill: c.accent }),
    circle(at, size * 0.26, { fill: '#fffdf5' }),
  ].join('')
}

/** An eye as a painter of planes would put it. */
function target(at: Spot, size: number, c: Character): string {
  return [
    circle(at, size, { fill: '#fdf8ec' }),
    circle(at, size * 0.66, { fill: c.primary }),
    circle(at, size * 0.3, { fill: '#17131d' }),
  ].join('')
}
