import { mix } from './paint-colours.js'
import { type Character, softnessOf, surfaceOf } from './paint-character.js'
import { paintAnimalEars, paintEars, paintHorns } from './paint-ears.js'
import { paintFace } from './paint-face.js'
import { paintBeard, paintFrontHair } from './paint-hair.js'
import { paintMachineParts, shadeOf } from './paint-machine.js'
import type { Pose } from './paint-pose.js'
import { isProfile, paintProfile } from './paint-profile.js'
import { blob, blobPath, circle, type Clips, mirrored, path, points, type Spot } from './paint-shapes.js'

/** A head around the origin, from the crown at -70 to the chin at 68; hair, ears and horns reach further. */
export function paintHead(c: Character, pose: Pose, clips: Clips): string {
  if (isProfile(pose)) return paintProfile(c, pose, clips)
  const skin = surfaceOf(c)
  const shade = shadeOf(skin)
  const outline = faceSpots(c)
  const face = blobPath(outline, softnessOf(c))
  const clip = clips.add(face)
  const lit = outline.map(([x, y]): Spot => [x + pose.light * 15, y - 7])
  const front = pose.isBack
    ? ''
    : paintMarkings(c, pose.light, clip) + paintBeard(c) + paintFace(c, { ...pose, skin, clip })
  return [
    paintHorns(c, 'back'),
    paintEars(c, pose, skin),
    path(face, { fill: shade }),
    blob(lit, softnessOf(c), { fill: skin, clip }),
    front,
    paintFrontHair(c, pose, clips),
    paintAnimalEars(c),
    paintHorns(c, 'front'),
    paintMachineParts(c, pose, shade),
  ].join('')
}

/** The outline of a face seen from the front. */
function faceSpots({ headWidth: w, jaw, chin, mecha }: Character): Spot[] {
  const square = mecha * 0.14
  const cheek = w * (jaw * 0.55 + 0.42 + square * 0.4)
  const upper = points(w * (0.66 + square), -60, w * 0.98, -24, w, 8, cheek, 38)
  const lower = points(w * (jaw * 0.62 + square), 56 * chin, w * (0.2 + square * 1.6), 68 * chin)
  return [[0, -68], ...upper, ...lower, ...mirrored([...upper, ...lower])]
}

/** Patches of colour on the face: planes when abstract, a mask when animal, spots when creature. */
function paintMarkings(c: Character, light: number, clip: string): string {
  return [
    c.abstract > 0.12 ? planes(c, light, clip) : '',
    c.animality > 0.25 ? mask(c, clip) : '',
    c.creature > 0.2 ? spots(c, clip) : '',
  ].join('')
}

function planes(c: Character, light: number, clip: string): string {
  const opacity = Math.min(1, 0.35 + c.abstract * 0.65)
  const far = light * 70
  const brow = blob(points(0, -80, far, -80, far, 10, 0, -8), 0, { fill: c.accent, opacity, clip })
  const cheek = blob(points(0, -8, -far, 14, -far, 80, 0, 80), 0, { fill: c.primary, opacity, clip })
  const pale = mix(c.secondary, '#ffffff', 0.25)
  const jaw = blob(points(0, 30, far, 6, light * 40, 90, 0, 80), 0, { fill: pale, opacity, clip })
  return [brow, cheek, jaw].slice(0, c.abstract > 0.6 ? 3 : c.abstract > 0.3 ? 2 : 1).join('')
}

function mask(c: Character, clip: string): string {
  const w = c.headWidth
  const side = w * (0.55 + c.animality * 0.35)
  const outline = points(0, 4, side, 30, w * 0.62, 78, 0, 84, -w * 0.62, 78, -side, 30)
  const muzzle = blob(outline, 1, { fill: mix(surfaceOf(c), '#fff8ec', 0.55), clip })
  if (c.animality <= 0.5) return muzzle
  const look = { fill: shadeOf(surfaceOf(c)), opacity: 0.7, clip }
  return muzzle + [-14, 0, 14].map(x => blob(points(x - 4, -74, x + 4, -74, x * 0.7, -32), 0.2, look)).join('')
}

function spots(c: Character, clip: string): string {
  const fill = mix(surfaceOf(c), c.accent, 0.55)
  return Array.from({ length: Math.ceil(c.creature * 3) }, (_, row) => {
    const [x, y] = [c.headWidth * 0.78 - row * 9, 22 + row * 9]
    return circle([x, y], 5 - row, { fill, clip }) + circle([-x, y], 5 - row, { fill, clip })
  }).join('')
}
