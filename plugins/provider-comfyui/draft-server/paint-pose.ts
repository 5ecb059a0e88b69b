import type { DraftPicture } from './draft-picture.js'
import { type Expression, expressions } from './paint-expression.js'
import { type Arm, arms } from './paint-limbs.js'
import type { Random } from './paint-random.js'

/** How a figure is turned and lit. */
export interface Pose {
  /** -1 looks left, 0 at us, 1 right; beyond ±0.75 it is a profile. */
  turn: number
  isBack: boolean
  /** Where the light comes from: -1 left, 1 right. */
  light: -1 | 1
  expression: Expression
}

/** How a standing figure holds itself. */
export interface Stance extends Pose {
  /** Hips, -1 left to 1 right. */
  hip: number
  arms: readonly [left: Arm, right: Arm]
}

/** The pose that the view asks for by name, as far as it does; the seed decides the rest. */
export function choosePose({ view = '' }: Pick<DraftPicture, 'view'>, random: Random): Pose {
  const asked = view.toLowerCase()
  const light = random.chance(0.5) ? 1 : -1
  const side = asked.includes('left') ? -1 : asked.includes('right') ? 1 : light
  const free = random.number(-0.3, 0.3)
  const turn = /profile|side/.test(asked) ? side : /quarter|angle/.test(asked) ? side * 0.55 : free
  return { turn, isBack: /back|rear/.test(asked), light, expression: chooseExpression(view, random) }
}

export function chooseStance(picture: Pick<DraftPicture, 'view'>, random: Random): Stance {
  const pose = choosePose(picture, random)
  const free = [random.pick(arms), random.pick(arms)] as const
  return { ...pose, hip: random.number(-1, 1), arms: armsCalled(picture.view) ?? free }
}

function armsCalled(view = ''): Stance['arms'] | undefined {
  if (/walk/i.test(view)) return ['out', 'down']
  if (/sit/i.test(view)) return ['hip', 'down']
  return /action|jump|run/i.test(view) ? ['raised', 'out'] : undefined
}

/** The expression that a view names. */
export function expressionCalled(view = ''): Expression | undefined {
  const asked = view.toLowerCase()
  const name = synonyms.find(([word]) => word.test(asked))?.[1]
  return expressions.find(each => each.name === name || asked.includes(each.name))
}

/** Words of views for expressions that are called otherwise here. */
const synonyms: readonly (readonly [RegExp, string])[] = [
  [/happ|smil/, 'joy'],
  [/sad/, 'sorrow'],
  [/angr/, 'anger'],
  [/afraid|fright/, 'fear'],
  [/disgust/, 'doubt'],
  [/tender/, 'calm'],
  [/laugh/, 'laughter'],
]

function chooseExpression(view: string, random: Random): Expression {
  const [neutral, joy = neutral] = expressions
  const free = random.pick([neutral, neutral, joy])
  return expressionCalled(view) ?? free
}
