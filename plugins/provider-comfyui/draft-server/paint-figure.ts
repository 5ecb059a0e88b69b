import type { Character } from './paint-character.js'
import { paintBelt, paintCollar, paintFurCollar, paintNeck, paintPlates, paintTorso } from './paint-clothes.js'
import { paintBackHair } from './paint-hair.js'
import { paintHead } from './paint-head.js'
import { paintArm, paintLeg, paintTail } from './paint-limbs.js'
import type { Pose, Stance } from './paint-pose.js'
import { isProfile } from './paint-profile.js'
import { type Clips, ellipse, group } from './paint-shapes.js'

/** Head and shoulders, from the crown at about -90 (ears and horns reach to -170) to a chest that goes on below 200. */
export function paintBust(c: Character, pose: Pose, clips: Clips): string {
  const body = [
    paintNeck(c, pose, clips),
    paintTorso(c, pose, { cut: 'bust', hip: 0, clips }),
    paintPlates(c, pose),
    paintCollar(c, pose),
    paintFurCollar(c),
  ].join('')
  return [
    turned(paintBackHair(c, pose), pose),
    turned(body, pose),
    group(paintHead(c, pose, clips), { at: [0, 0], turn: pose.turn * 3 }),
  ].join('')
}

/** Where the soles and the top of the hair of a standing figure are. */
export const footY = 690
export const crownY = -128
/** Heads of whole figures are a little too large for a body, as in a study, so that a face shows. */
const headScale = 1.24
const headLift = -16

/** A whole figure. Limbs are thick strokes, so that joints bend without care. */
export function paintStanding(c: Character, stance: Stance, clips: Clips): string {
  const hip = stance.hip * 9
  const near = stance.light > 0 ? 1 : 0
  const toes = isProfile(stance) ? Math.sign(stance.turn) : 0
  const legs = paintLeg(c, { side: -1, hip, toes }) + paintLeg(c, { side: 1, hip, toes })
  const farArm = paintArm(c, stance.arms[1 - near] ?? 'down', near ? -1 : 1)
  const nearArm = paintArm(c, stance.arms[near] ?? 'down', near ? 1 : -1)
  const body = [
    ...[farArm, paintNeck(c, stance, clips), paintTorso(c, stance, { cut: 'body', hip, clips })],
    ...[paintBelt(c, hip), paintPlates(c, stance), nearArm, paintCollar(c, stance), paintFurCollar(c)],
  ].join('')
  const head = { at: [0, headLift] as const, scale: headScale }
  return [
    ellipse([0, footY + 4], [110, 13], { fill: '#0d0b12', opacity: 0.22 }),
    turned(paintTail(c), stance),
    group(turned(paintBackHair(c, stance), stance), head),
    turned(legs + body, stance),
    group(paintHead(c, stance, clips), { ...head, turn: stance.turn * 3 + stance.hip * 2 }),
  ].join('')
}

/** A body seen from the side is narrower. */
function turned(content: string, { turn }: Pose): string {
  const narrow = 1 - Math.max(Math.abs(turn) - 0.2, 0) * 0.42
  return content === '' || narrow === 1 ? content : group(content, { at: [0, 0], squeeze: narrow })
}
