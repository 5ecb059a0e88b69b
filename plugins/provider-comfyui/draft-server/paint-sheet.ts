import { surfaceOf } from './paint-character.js'
import { mix } from './paint-colours.js'
import { crownY, footY, paintBust, paintStanding } from './paint-figure.js'
import type { Scene, SceneLook } from './paint-look.js'
import { chooseStance, type Stance } from './paint-pose.js'
import { boxPath, circle, group, line, points, rect } from './paint-shapes.js'
import { fitLabel } from './paint-text.js'

const ink = '#26212b'

/** The same figure from four sides, a head and the colours, on paper. */
export function paintSheet(look: SceneLook): Scene {
  const { box, c, random, clips, step } = look
  const paper = mix(look.ground.colour, '#fbf6ec', 0.84)
  const stance = chooseStance({ view: 'front' }, random)
  const still = { ...stance, hip: 0, arms: ['down', 'down'] } as const
  const { light } = stance
  const views = [
    { name: 'front', turn: 0, isBack: false },
    { name: 'three-quarter', turn: 0.55 * light, isBack: false },
    { name: 'profile', turn: light, isBack: false },
    { name: 'back', turn: 0, isBack: true },
  ]
  const hasBust = box.width > box.height * 0.72
  const left = box.width * (hasBust ? 0.3 : 0.02)
  const column = (box.width * 0.985 - left) / views.length
  const scale = Math.min((box.height * 0.72) / (footY - crownY), column / 250)
  const floor = box.y + look.headroom * 0.5 + (box.height + (footY - crownY) * scale) / 2 - 8 * step
  const figures = views.map(({ name, turn, isBack }, index) => {
    const x = box.x + left + column * (index + 0.5)
    const label = {
      x,
      y: floor + 22 * step,
      size: Math.max(11 * step, 8),
      width: column,
      fill: ink,
      anchor: 'middle',
    } as const
    return [
      group(paintStanding(c, { ...still, turn, isBack }, clips), { at: [x, floor - footY * scale], scale }),
      step > 0 ? fitLabel(name, label) : '',
    ].join('')
  })
  const bust = hasBust ? paintHeadPanel(look, left, { ...still, turn: random.number(-0.3, 0.3) }) : ''
  return { svg: rect(box, { fill: paper }) + rules(look, { floor, scale, paper }) + bust + figures.join(''), ink }
}

/** Lines through crown, chin, waist, knees and soles of all figures. */
function rules({ box, step }: SceneLook, at: { floor: number; scale: number; paper: string }): string {
  const look = { stroke: mix(at.paper, ink, 0.16), width: Math.max(step * 0.8, 0.5) }
  return [crownY, 70, 254, 480, footY]
    .map(y => at.floor - (footY - y) * at.scale)
    .map(y => line(points(box.x, y, box.x + box.width, y), 0, look))
    .join('')
}

function paintHeadPanel({ box, c, clips, ground, headroom }: SceneLook, room: number, stance: Stance): string {
  const width = room * 0.82
  const height = Math.min(width * 1.12, box.height * 0.6)
  const panel = { x: box.x + room * 0.12, y: box.y + headroom * 0.5 + (box.height - height * 1.28) / 2, width, height }
  const clip = clips.add(boxPath(panel))
  const scale = Math.min(width / 285, height / 330)
  const bust = group(paintBust(c, stance, clips), { at: [panel.x + width / 2, panel.y + height * 0.54], scale })
  const colours = [c.primary, c.secondary, c.accent, c.hairColour, surfaceOf(c)]
  const radius = width / 12
  const pitch = (width - radius * 2) / (colours.length - 1)
  const dots = colours.map((fill, index) =>
    circle([panel.x + radius + index * pitch, panel.y + height + radius * 1.8], radius, { fill }),
  )
  return rect(panel, { fill: ground.shape }) + group(bust, { at: [0, 0], clip }) + dots.join('')
}
