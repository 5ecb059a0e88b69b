import { mix } from './paint-colours.js'
import { type Character, softnessOf, surfaceOf } from './paint-character.js'
import { shadeOf } from './paint-machine.js'
import { blob, circle, group, points, type Spot } from './paint-shapes.js'

/** Human ears, which grow pointed with the creature in the character. Animals and hoods hide them. */
export function paintEars(c: Character, { turn, isBack }: { turn: number; isBack: boolean }, skin: string): string {
  if (c.animality > 0.45 || (c.hair === 'hood' && c.creature < 0.2)) return ''
  const sides = isBack || Math.abs(turn) < 0.35 ? [-1, 1] : [turn > 0 ? -1 : 1]
  return sides.map(side => paintEar(c, side * (c.headWidth - 2), skin)).join('')
}

function paintEar(c: Character, x: number, skin: string): string {
  const side = Math.sign(x)
  const soft = softnessOf(c)
  const [tipX, tipY] = [x + side * (9 + c.creature * 42), -10 - c.creature * 34]
  const outer = points(x, -14, tipX, tipY, x + side * (12 + c.creature * 6), 6, x + side * 5, 22, x - side * 4, 20)
  const inner = outer.map(([px, py]): Spot => [x + (px - x) * 0.55, 2 + (py - 2) * 0.55])
  const shell = blob(outer, soft * (1 - c.creature * 0.5), { fill: skin })
  return shell + blob(inner, soft, { fill: shadeOf(skin), opacity: 0.6 })
}

const animalEars: Record<Character['animal'], { at: Spot; softness: number; outer: Spot[] }> = {
  cat: { at: [32, -62], softness: 0.3, outer: points(-22, 4, -8, -30, 18, -62, 24, -20, 20, 20) },
  fox: { at: [34, -60], softness: 0.2, outer: points(-24, 4, -6, -44, 22, -88, 30, -30, 22, 22) },
  rabbit: { at: [20, -72], softness: 1, outer: points(-12, 8, -18, -50, 0, -112, 18, -104, 20, -46, 12, 10) },
  bear: { at: [40, -62], softness: 1, outer: points(-24, 4, -16, -28, 10, -36, 30, -16, 22, 16) },
}

/** Ears on top of the head, over the hair. */
export function paintAnimalEars(c: Character): string {
  if (c.animality < 0.12) return ''
  const scale = 0.5 + c.animality * 0.55
  const fur = mix(c.hairColour, surfaceOf(c), 0.35)
  const ear = animalEars[c.animal]
  const soft = ear.softness * softnessOf(c)
  const inside = ear.outer.map(([x, y]): Spot => [x * 0.55 + 2, y * 0.62 - 2])
  const one = blob(ear.outer, soft, { fill: fur }) + blob(inside, soft, { fill: mix('#e9a79c', surfaceOf(c), 0.25) })
  // Small ears would drown in the hair, so they sit higher.
  const y = ear.at[1] - (1 - scale) * 26
  const x = (ear.at[0] * c.headWidth) / 50
  return group(one, { at: [x, y], scale }) + group(one, { at: [-x, y], scale, mirror: true })
}

const hornSpots: Record<Character['horn'], Spot[]> = {
  curled: points(-12, 4, 6, -34, 40, -46, 66, -22, 60, 12, 40, 18, 46, 2, 44, -16, 28, -20, 14, 6),
  straight: points(-11, 4, 2, -44, 26, -92, 20, -40, 12, 6),
  short: points(-12, 4, -2, -26, 18, -48, 18, -18, 14, 6),
}

/** Curled horns grow behind the hair, the others in front of it. */
export function paintHorns(c: Character, layer: 'back' | 'front'): string {
  const isHere = (c.horn === 'curled') === (layer === 'back')
  if (c.creature < 0.12 || !isHere) return ''
  const scale = 0.5 + c.creature * 0.65
  const bone = mix('#efe3cd', c.hairColour, 0.25)
  const outline = hornSpots[c.horn]
  const rings = outline.slice(1, 4).map(at => circle(at, 2.6, { fill: shadeOf(bone), opacity: 0.5 }))
  const horn = blob(outline, c.horn === 'curled' ? 1 : 0.7, { fill: bone }) + (c.creature > 0.5 ? rings.join('') : '')
  return group(horn, { at: [27, -58], scale }) + group(horn, { at: [-27, -58], scale, mirror: true })
}
