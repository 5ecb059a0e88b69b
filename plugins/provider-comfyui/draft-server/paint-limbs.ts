import { mix } from './paint-colours.js'
import { type Character, softnessOf, surfaceOf } from './paint-character.js'
import { bolt, steelOf } from './paint-machine.js'
import { blob, circle, group, line, rect, type Spot, points } from './paint-shapes.js'

export const arms = ['down', 'out', 'hip', 'raised'] as const
export type Arm = (typeof arms)[number]

/** One arm, drawn on the right and mirrored for the left. */
export function paintArm(c: Character, kind: Arm, side: number): string {
  const s = 78 * c.build
  const shoulder: Spot = [s * 0.9, 122]
  const reach: Record<Arm, [Spot, Spot]> = {
    down: [
      [s + 20, 214],
      [s + 16, 306],
    ],
    out: [
      [s + 46, 204],
      [s + 74, 282],
    ],
    hip: [
      [s + 58, 206],
      [s * 0.78, 268],
    ],
    raised: [
      [s + 56, 176],
      [s + 62, 76],
    ],
  }
  const [elbow, wrist] = reach[kind]
  const width = 29 * c.build + c.mecha * 6
  const cap = c.mecha > 0.4 ? 'butt' : 'round'
  const soft = c.mecha > 0.3 || c.abstract > 0.4 ? 0 : 0.8
  const sleeve = mix(c.primary, '#120d1c', side * 0.04 + 0.14)
  const lower = c.abstract > 0.35 ? c.accent : sleeve
  const skin = surfaceOf(c)
  const hand: Spot = [wrist[0] + (wrist[0] - elbow[0]) * 0.12, wrist[1] + (wrist[1] - elbow[1]) * 0.14]
  const parts = [
    circle(hand, 13 + c.animality * 4, { fill: skin }),
    c.creature > 0.45 ? claws(hand, wrist[1] > elbow[1] ? 1 : -1) : '',
    soft === 0
      ? line([elbow, wrist], 0, { stroke: lower, width: width * 0.9, cap }) +
        line([shoulder, elbow], 0, { stroke: sleeve, width, cap })
      : line([shoulder, elbow, wrist], soft, { stroke: sleeve, width, cap }),
    circle(wrist, width * 0.5, { fill: c.secondary }),
    c.mecha > 0.3 ? joint(elbow, width * 0.56, c) : '',
  ]
  return group(parts.join(''), { at: [0, 0], mirror: side < 0 })
}

/** `toes` is 0 for feet that point outwards, else the side that both point to. */
export function paintLeg(c: Character, { side, hip, toes }: { side: number; hip: number; toes: number }): string {
  const from: Spot = [side * 27 + hip, 300]
  const knee: Spot = [side * 32 + hip * 0.4 * side, 480]
  const ankle: Spot = [side * 36, 650]
  const trousers = mix(mix(c.secondary, c.primary, 0.35), '#15111f', side > 0 ? 0.52 : 0.6)
  const boots = mix(c.accent, '#17121c', 0.62)
  const width = 43 + c.mecha * 7
  const cap = c.mecha > 0.4 ? 'butt' : 'round'
  const lower = c.abstract > 0.35 ? (side > 0 ? c.secondary : c.accent) : trousers
  const foot = 40 + c.mecha * 12 + c.animality * 8
  const way = toes || side
  const [x] = ankle
  const toe = x + way * foot
  const sole = points(x - way * 18, 640, x + way * 18, 640, toe, 684, toe - way * 4, 694, x - way * 20, 694)
  return [
    line([from, knee], 0, { stroke: trousers, width, cap }),
    line([knee, ankle], 0, { stroke: lower, width: width * 0.86, cap }),
    line([[knee[0] + 1, 560], ankle], 0, { stroke: boots, width: width * 0.92, cap: 'butt' }),
    rect(
      { x: knee[0] - width * 0.5, y: 552, width: width * 1.04, height: 14 },
      { fill: mix(boots, '#ffffff', 0.16), radius: 4 },
    ),
    blob(sole, 0.35 * softnessOf(c), { fill: boots }),
    c.mecha > 0.3 ? joint(knee, width * 0.56, c) : '',
    c.creature > 0.45 ? group(claws([0, 0], 1), { at: [toe - way * 8, 684] }) : '',
  ].join('')
}

function joint(at: Spot, radius: number, c: Character): string {
  const steel = steelOf(c)
  return circle(at, radius, { fill: mix(steel, '#14181f', 0.45) }) + bolt(at, radius * 0.55, steel)
}

function claws([x, y]: Spot, direction: number): string {
  return [-9, 0, 9]
    .map(dx =>
      blob(points(x + dx - 4, y + 6 * direction, x + dx + 4, y + 6 * direction, x + dx, y + 24 * direction), 0.2, {
        fill: '#f4ead8',
      }),
    )
    .join('')
}

export function paintTail(c: Character): string {
  const force = Math.max(c.animality, c.creature)
  if (force < 0.25) return ''
  const fur = mix(c.hairColour, surfaceOf(c), 0.3)
  const long = 0.6 + force * 0.5
  const spots = points(30, 300, 100 * long, 380, 150 * long, 330, 165 * long, 230)
  const isBushy = c.animality >= c.creature && c.animal !== 'bear'
  const body = line(spots, 1, { stroke: fur, width: isBushy ? 34 : 18 })
  const tip = spots.at(-1) ?? [0, 0]
  return (
    body +
    (isBushy
      ? circle(tip, 22, { fill: mix(fur, '#fff8ec', 0.5) })
      : blob(points(tip[0] - 18, tip[1] + 6, tip[0] + 20, tip[1] + 4, tip[0] + 4, tip[1] - 38), 0.2, {
          fill: c.accent,
        }))
  )
}
