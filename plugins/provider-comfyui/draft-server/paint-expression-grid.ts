import { mix } from './paint-colours.js'
import { expressions } from './paint-expression.js'
import { paintBust } from './paint-figure.js'
import type { Pose } from './paint-pose.js'
import type { Scene, SceneLook } from './paint-look.js'
import { type Box, boxPath, group, rect } from './paint-shapes.js'
import { fitLabel } from './paint-text.js'

const columns = 3
const rows = 3

/** Nine faces of one character. */
export function paintExpressionGrid(look: SceneLook): Scene {
  const { box, c, random, clips, step, ground } = look
  const light = random.chance(0.5) ? 1 : -1
  const cells = expressions.map((expression, index) => {
    const cell = cellOf(look, index)
    const plain = index % 2 ? ground.shape : mix(ground.colour, ground.shape, 0.5)
    const scale = Math.min(cell.height / 262, cell.width / 250)
    const pose: Pose = { turn: random.number(-0.25, 0.25), isBack: false, light, expression }
    const at = [
      cell.x + cell.width / 2,
      cell.y + cell.height * (0.5 + 0.06 * Math.max(c.creature, c.animality)),
    ] as const
    const bust = group(paintBust(c, pose, clips), { at, scale, turn: random.number(-3, 3) })
    return [
      rect(cell, { fill: plain }),
      group(bust, { at: [0, 0], clip: clips.add(boxPath(cell)) }),
      step > 0 ? nameCell(expression.name, cell, Math.max(10.5 * step, 8)) : '',
    ].join('')
  })
  return { svg: rect(box, { fill: mix(ground.colour, ground.ink, 0.08) }) + cells.join(''), ink: ground.ink }
}

function cellOf({ box, headroom }: SceneLook, index: number): Box {
  const edge = box.width * 0.025
  const gap = Math.min(box.width, box.height) * 0.016
  const top = Math.max(headroom, edge)
  const width = (box.width - 2 * edge - (columns - 1) * gap) / columns
  const height = (box.height - top - edge - (rows - 1) * gap) / rows
  const [column, row] = [index % columns, Math.floor(index / columns)]
  return { x: box.x + edge + column * (width + gap), y: box.y + top + row * (height + gap), width, height }
}

function nameCell(name: string, { x, y, width, height }: Box, size: number): string {
  const band = { x, y: y + height - size * 2, width, height: size * 2 }
  const place = { x: x + size * 0.8, y: y + height - size * 0.68, size, width: width - size * 1.6, fill: '#fbf5ea' }
  return rect(band, { fill: '#131118', opacity: 0.55 }) + fitLabel(name, place)
}
