import { mix } from './paint-colours.js'
import { type Character, softnessOf, surfaceOf } from './paint-character.js'
import { paintAnimalEars, paintHorns } from './paint-ears.js'
import { paintEye } from './paint-eye.js'
import type { Pose } from './paint-pose.js'
import { bolt, shadeOf, steelOf } from './paint-machine.js'
import { blob, blobPath, circle, type Clips, group, line, path, points, rect, type Spot } from './paint-shapes.js'

export function isProfile({ turn, isBack }: { turn: number; isBack: boolean }): boolean {
  return Math.abs(turn) > 0.75 && !isBack
}

/** A head seen from the side. It is drawn looking right and mirrored for the left. */
export function paintProfile(c: Character, pose: Pose, clips: Clips): string {
  const skin = surfaceOf(c)
  const shade = shadeOf(skin)
  const w = c.headWidth
  const soft = softnessOf(c) * 0.8
  const outline = profileSpots(c)
  const face = blobPath(outline, soft)
  const clip = clips.add(face)
  const light = Math.sign(pose.turn) * pose.light
  const isFurred = c.animality > 0.25
  const parts = [
    paintHorns(c, 'back'),
    path(face, { fill: shade }),
    blob(
      outline.map(([x, y]): Spot => [x + light * 13, y - 7]),
      soft,
      { fill: skin, clip },
    ),
    c.abstract > 0.12
      ? blob(points(0, -90, 90, -90, 90, 8), 0, { fill: c.accent, opacity: 0.4 + c.abstract * 0.6, clip })
      : '',
    isFurred ? circle([w * 0.95, 40], 30, { fill: mix(skin, '#fff8ec', 0.55), clip }) : '',
    isFurred ? circle([w * 1.2, 22], 8, { fill: '#3a2530' }) : '',
    paintEye(c, { expression: pose.expression, light: 1 }, { side: 1, at: [w * 0.54, -3] }),
    line(points(w * 0.94, 45 * c.chin, w * 0.62, (44 - pose.expression.mouthCurve * 5) * c.chin), 1, {
      stroke: mix(skin, '#8e2137', 0.62),
      width: 3.6,
    }),
    ear(c, skin),
    sideHair(c),
    paintAnimalEars(c),
    paintHorns(c, 'front'),
    c.mecha > 0.12 ? machine(c) : '',
  ]
  return group(parts.join(''), { at: [0, 0], mirror: pose.turn < 0 })
}

function profileSpots({ headWidth: w, chin, animality }: Character): Spot[] {
  const muzzle = animality * 14
  const front = points(w * 0.78, -46, w * 0.94, -14, w * 0.92, -6, w * 1.2 + muzzle, 21, w * 0.98 + muzzle, 30)
  const mouth = points(w * 1.02 + muzzle * 0.7, 42, w * 0.92, 52, w * 0.9, 66 * chin, w * 0.5, 70 * chin)
  return [[0, -68], ...front, ...mouth, ...points(-w * 0.12, 44, -w * 0.7, 40, -w, -4, -w * 0.72, -50)]
}

function ear(c: Character, skin: string): string {
  if (c.animality > 0.45 || c.mecha > 0.3) return ''
  const tip = c.creature * 40
  const outline = points(-8, 16, -14 - tip, -8 - tip * 0.7, 2, -12, 8, 2, 0, 18)
  const inside = outline.map(([x, y]): Spot => [x * 0.55 - 1, y * 0.55 + 1])
  return blob(outline, 1, { fill: skin }) + blob(inside, 1, { fill: shadeOf(skin), opacity: 0.7 })
}

/** Hair over crown and back of the head, with the length of the style. */
function sideHair(c: Character): string {
  const w = c.headWidth
  const soft = Math.max(0.08, softnessOf(c) * 0.9)
  const fill = c.hair === 'hood' ? c.primary : c.hairColour
  if (c.hair === 'shaved')
    return blob(points(w * 0.7, -58, 0, -70, -w, -20, -w * 0.6, -30), soft, { fill, opacity: 0.55 })
  const low = { bob: 48, long: 130, hood: 92, curls: 40 }[c.hair as string] ?? 26
  const crown = points(w * 0.84, -40, w * 0.7, -74, 0, -92, -w * 0.86, -76, -w - 12, -24)
  const nape = points(-w - 10, low * 0.7, -w * 0.72, low + 8, -w * 0.24, low, -10, 0, w * 0.2, -26)
  const knot = c.hair === 'bun' ? circle([-w * 0.6, -92], 25, { fill }) : ''
  const tail =
    c.hair === 'braids' ? line(points(-w * 0.6, 20, -w * 0.8, 80, -w * 0.66, 130), 1, { stroke: fill, width: 22 }) : ''
  const tips =
    c.hair === 'spikes'
      ? blob(points(-w * 0.8, -60, -w * 1.4, -90, -w * 0.4, -88, -w * 0.2, -124, w * 0.4, -84), 0, { fill })
      : ''
  return knot + tail + tips + blob([...crown, ...nape], soft, { fill })
}

function machine(c: Character): string {
  const w = c.headWidth
  const steel = steelOf(c)
  const visor = rect({ x: w * 0.2, y: -16, width: w * 0.84, height: 26 }, { fill: '#151a22', radius: 4 })
  const glow = line(points(w * 0.5, -3, w * 0.96, -3), 0, { stroke: c.accent, width: 6 })
  const disc = circle([-4, 4], 12 + c.mecha * 6, { fill: steel }) + circle([-4, 4], 5, { fill: c.accent })
  const antenna =
    line(points(-10, -6, -18, -92), 0, { stroke: steel, width: 4 }) + circle([-18, -94], 6, { fill: c.accent })
  return [
    c.mecha > 0.78 ? visor + glow : '',
    bolt([w * 0.3, 44], 3.4, steel),
    c.mecha > 0.3 ? disc : '',
    c.mecha > 0.5 ? antenna : '',
  ].join('')
}
