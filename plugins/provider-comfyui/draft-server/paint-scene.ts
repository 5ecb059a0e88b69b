import type { DraftPicture } from './draft-picture.js'
import { paintBackdrop } from './paint-backdrop.js'
import { mix } from './paint-colours.js'
import { paintExpressionGrid } from './paint-expression-grid.js'
import { crownY, footY, paintBust, paintStanding } from './paint-figure.js'
import type { Scene, SceneLook } from './paint-look.js'
import { choosePose, chooseStance, expressionCalled } from './paint-pose.js'
import { boxPath, circle, group, line, points, rect } from './paint-shapes.js'
import { paintSheet } from './paint-sheet.js'
import { paintStage } from './paint-stage.js'

type Painter = (picture: DraftPicture, look: SceneLook) => Scene

const paintersByName: readonly [RegExp, Painter][] = [
  [/expression|emotion|grid/i, paintExpressions],
  [/sheet|turn/i, paintSides],
  [/full|body|standing|figure/i, paintBody],
  [/portrait|hero|bust|head|avatar/i, paintPortrait],
  [/backdrop|background|setting|scene|environment/i, (_, look) => paintBackdrop(look)],
]

/** Ground and figures of a template, clipped to the box. A template that nobody knows gets a bust in a round frame. */
export function paintScene(picture: DraftPicture, look: SceneLook): Scene {
  const named = paintersByName.find(([name]) => name.test(picture.template ?? ''))
  const paint = named?.[1] ?? paintMedallion
  const clip = look.clips.add(boxPath(look.box))
  const { svg, ink } = paint(picture, look)
  return { svg: group(svg, { at: [0, 0], clip }), ink }
}

/** One face where the view names an expression, else all of them. */
function paintExpressions(picture: DraftPicture, look: SceneLook): Scene {
  return expressionCalled(picture.view) ? paintPortrait(picture, look) : paintExpressionGrid(look)
}

/** One figure where the view names a side or a pose, else all sides. */
function paintSides(picture: DraftPicture, look: SceneLook): Scene {
  const isOne = /front|quarter|angle|side|profile|back|rear|stand|walk|sit|action|pose/i.test(picture.view ?? '')
  return isOne ? paintBody(picture, look) : paintSheet(look)
}

function paintPortrait(picture: DraftPicture, look: SceneLook): Scene {
  const { box, c, random, clips } = look
  const stage = paintStage(box, look.ground, look)
  // Horns and ears need room above the head.
  const grown = Math.max(c.creature, c.animality)
  const scale = Math.min(box.height / (296 + grown * 40), box.width / (262 + grown * 20))
  const at = [
    box.x + box.width * (0.5 + random.number(-0.035, 0.035)),
    box.y + Math.max((124 + grown * 52) * scale, box.height * 0.5),
  ] as const
  const bust = group(paintBust(c, choosePose(picture, random), clips), { at, scale, turn: random.number(-4, 4) })
  return { svg: stage + bust, ink: look.ground.ink }
}

function paintBody(picture: DraftPicture, look: SceneLook): Scene {
  const { box, c, ground, random, clips } = look
  const grown = Math.max(c.creature, c.animality)
  const scale = Math.min((box.height * 0.955 - look.headroom * 0.7) / (footY - crownY + grown * 72), box.width / 400)
  const floor = box.y + box.height * 0.955
  const at = [box.x + box.width * (0.5 + random.number(-0.05, 0.05)), floor - footY * scale] as const
  const low = { x: box.x, y: floor - box.height * 0.05, width: box.width, height: box.height * 0.2 }
  const stage = paintStage(box, ground, look)
  const stance = chooseStance(picture, random)
  const svg = [
    stage,
    rect(low, { fill: mix(ground.colour, ground.ink, 0.16) }),
    heightMarks(look, { floor, top: floor - (footY - crownY) * scale }),
    group(paintStanding(c, stance, clips), { at, scale, turn: random.number(-1.5, 1.5) }),
  ]
  return { svg: svg.join(''), ink: ground.ink }
}

/** Eighths of the figure's height at the edge: the sign of a figure study. */
function heightMarks({ box, ground }: SceneLook, { floor, top }: { floor: number; top: number }): string {
  const x = box.x + box.width * 0.045
  const unit = box.width * 0.014
  const look = { stroke: ground.ink, width: Math.max(box.width / 420, 0.6), opacity: 0.4 }
  const marks = Array.from({ length: 9 }, (_, index) => {
    const y = floor - ((floor - top) * index) / 8
    return line(points(x, y, x + unit * (index % 4 === 0 ? 2.6 : 1.4), y), 0, look)
  })
  return marks.join('') + line(points(x, top, x, floor), 0, look)
}

function paintMedallion(picture: DraftPicture, look: SceneLook): Scene {
  const { box, c, ground, random, clips } = look
  const radius = Math.min(box.width, box.height) * 0.38
  const [x, y] = [box.x + box.width / 2, box.y + box.height * 0.53]
  const half = `a${radius} ${radius} 0 1 0`
  const clip = clips.add(`M${x - radius} ${y}${half} ${radius * 2} 0${half} ${-radius * 2} 0Z`)
  const stage = paintStage(box, ground, look)
  const bust = group(paintBust(c, choosePose(picture, random), clips), {
    at: [x, y + radius * 0.08],
    scale: radius / 145,
    turn: random.number(-4, 4),
  })
  const svg = [
    stage,
    circle([x, y], radius * 1.06, { fill: ground.ink, opacity: 0.9 }),
    circle([x, y], radius, { fill: mix(ground.shape, '#ffffff', 0.1) }),
    group(bust, { at: [0, 0], clip }),
  ]
  return { svg: svg.join(''), ink: ground.ink }
}
