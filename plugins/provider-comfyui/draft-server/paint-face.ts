import { mix } from './paint-colours.js'
import type { Character } from './paint-character.js'
import type { Expression } from './paint-expression.js'
import { paintEye } from './paint-eye.js'
import { blob, ellipse, line, points, rect, circle } from './paint-shapes.js'

export interface FaceLook {
  turn: number
  light: -1 | 1
  expression: Expression
  skin: string
  clip: string
}

/** Eyes, brows, nose and mouth, moved to the side that the head turns to. */
export function paintFace(c: Character, look: FaceLook): string {
  const shift = look.turn * 28
  const narrow = 1 - Math.abs(look.turn) * 0.2
  const eyes = [-1, 1].map(side => paintEye(c, look, { side, at: [shift + side * c.eyeSpacing * narrow, -2] }))
  const parts = [
    c.extra === 'freckles' && c.mecha < 0.4 && c.animality < 0.4 ? freckles(c, shift, look) : '',
    paintCheeks(c, shift, look),
    ...eyes,
    paintNose(c, shift, look),
    paintMouth(c, shift * 0.72, look),
    c.mecha > 0.78 ? paintVisor(c, shift, look) : '',
    c.extra === 'glasses' && c.mecha < 0.5 ? glasses(c, shift, narrow) : '',
    c.extra === 'scar' ? line(points(shift + 24, -26, shift + 30, -4, shift + 28, 18), 0.8, scarLook(look)) : '',
  ]
  return parts.join('')
}

function paintVisor(c: Character, shift: number, { clip }: FaceLook): string {
  const w = c.headWidth
  return [
    blob(points(-w * 1.1, -20, w * 1.1, -20, w * 1.02, 12, 0, 18, -w * 1.02, 12), 0, { fill: '#151a22', clip }),
    line(points(shift - w * 0.62, -3, shift + w * 0.62, -3), 0, { stroke: c.accent, width: 6 }),
    line(points(shift - w * 0.62, -3, shift + w * 0.62, -3), 0, { stroke: '#fffdf2', width: 1.8 }),
  ].join('')
}

function paintCheeks(c: Character, shift: number, { skin, clip }: FaceLook): string {
  const opacity = 0.34 * (1 - Math.max(c.mecha, c.animality, c.abstract))
  if (opacity < 0.05) return ''
  const fill = mix(skin, '#d8433f', 0.5)
  return [-1, 1].map(side => ellipse([shift + side * c.headWidth * 0.6, 22], [11, 7], { fill, opacity, clip })).join('')
}

function paintNose(c: Character, shift: number, { skin, light, turn }: FaceLook): string {
  const ink = mix(skin, '#54202e', 0.45)
  if (c.animality > 0.25) {
    const size = 6 + c.animality * 6
    const nose = points(shift - size, 22, shift + size, 22, shift, 22 + size * 1.15)
    return blob(nose, 0.8, { fill: mix('#3a2530', c.hairColour, 0.25) })
  }
  if (c.abstract > 0.3) {
    const side = light
    return blob(points(shift, -14, shift + side * 15, 28, shift - side * 2, 28), 0, { fill: mix(skin, c.accent, 0.7) })
  }
  if (c.mecha > 0.5) return line(points(shift, 6, shift - 5, 26, shift + 5, 26), 0, { stroke: ink, width: 2.6 })
  const side = turn > 0.2 ? 1 : turn < -0.2 ? -1 : -light
  const spots = points(shift + side * 1, 6, shift + side * 7, 24, shift - side * 2, 27)
  return line(spots, 0.7, { stroke: ink, width: 2.8 })
}

function paintMouth(c: Character, shift: number, { skin, expression: face }: FaceLook): string {
  const y = 45 * c.chin
  const half = c.mouthWidth * (1 + c.animality * 0.1)
  const lips = mix(skin, '#8e2137', 0.62)
  const bend = face.mouthCurve * 8
  if (c.mecha > 0.6) return grille(shift, y, half)
  const whiskers = c.animality > 0.45 ? whiskersOf(shift, y - 8, c) : ''
  if (face.mouthOpen > 0.1) {
    return whiskers + openMouth(face, { x: shift, y, half }) + fangs(c, shift, y)
  }
  const spots = points(shift - half, y - bend * 0.45, shift, y + bend * 0.55, shift + half, y - bend * 0.45)
  const split =
    c.animality > 0.3 ? line(points(shift, 32, shift, y + bend * 0.55), 0, { stroke: lips, width: 2.6 }) : ''
  return whiskers + split + line(spots, 1, { stroke: lips, width: 3.6 }) + fangs(c, shift, y + 1)
}

function openMouth({ mouthCurve, mouthOpen }: Expression, at: { x: number; y: number; half: number }): string {
  const { x, y, half } = at
  const drop = 5 + mouthOpen * 15
  const corner = y - mouthCurve * 5
  const cheek = half * 0.66
  const lips = points(
    x - half,
    corner,
    x,
    y,
    x + half,
    corner,
    x + cheek,
    y + drop * 0.72,
    x,
    y + drop,
    x - cheek,
    y + drop * 0.72,
  )
  const smile = points(
    x - half * 0.84,
    corner + 1.5,
    x,
    y + 1,
    x + half * 0.84,
    corner + 1.5,
    x + cheek,
    y + 3.5,
    x,
    y + 6,
    x - cheek,
    y + 3.5,
  )
  const teeth = mouthCurve > 0.3 ? blob(smile, 0.8, { fill: '#fdf8f0' }) : ''
  return blob(lips, 0.9, { fill: '#5b1826' }) + teeth
}

function fangs(c: Character, shift: number, y: number): string {
  if (c.creature < 0.4) return ''
  const long = 4 + c.creature * 8
  return [-1, 1]
    .map(side => {
      const x = shift + side * c.mouthWidth * 0.55
      return blob(points(x - 3, y - 1, x + 3, y - 1, x, y + long), 0.2, { fill: '#fffaf0' })
    })
    .join('')
}

function grille(x: number, y: number, half: number): string {
  const frame = rect({ x: x - half, y: y - 6, width: half * 2, height: 13 }, { fill: '#1d222b', radius: 3 })
  const bars = [-0.6, -0.2, 0.2, 0.6].map(at =>
    line(points(x + at * half, y - 3, x + at * half, y + 4), 0, { stroke: '#8f9aa6', width: 2 }),
  )
  return frame + bars.join('')
}

function whiskersOf(shift: number, y: number, c: Character): string {
  const look = { stroke: '#fffaf0', width: 1.8, opacity: 0.9 }
  const one = (side: number, dy: number) =>
    line(points(shift + side * 16, y + dy * 0.3, shift + side * (34 + c.animality * 34), y + dy), 0, look)
  return [-1, 1].flatMap(side => [-7, 1, 9].map(dy => one(side, dy))).join('')
}

function freckles(c: Character, shift: number, { skin }: FaceLook): string {
  const fill = mix(skin, '#7a3524', 0.5)
  const spots = points(-27, 15, -20, 19, -31, 21, -14, 16, 27, 15, 20, 19, 31, 21, 14, 16)
  return spots.map(([x, y]) => circle([shift + (x * c.headWidth) / 50, y], 1.7, { fill })).join('')
}

function scarLook({ skin }: FaceLook) {
  return { stroke: mix(skin, '#fff1ea', 0.55), width: 3 }
}

function glasses(c: Character, shift: number, narrow: number): string {
  const frame = { stroke: mix(c.accent, '#1c1820', 0.45), width: 3 }
  const x = c.eyeSpacing * narrow
  const size = c.eyeSize * 1.45
  const rims = [-1, 1].map(side => circle([shift + side * x, -1], size, { ...frame, fill: '#ffffff22' }))
  const arms = [-1, 1].map(side => line(points(shift + side * (x + size), -2, side * (c.headWidth + 2), -6), 0, frame))
  const bridge = line(points(shift - x + size, -2, shift, -6, shift + x - size, -2), 1, frame)
  return [...rims, ...arms, bridge].join('')
}
