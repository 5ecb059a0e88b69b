import type { TimeRange } from '../farm/forecast-shapes.js'

/** As people say it: `40–60 s`, `2–3 min`, `1.5–2 h`. */
export function describeRange({ lowS, highS }: TimeRange): string {
  const unit = units.find(({ from }) => highS >= from) ?? seconds
  const [low, high] = [lowS, highS].map(each => rounded(each / unit.each))
  if (high === 0) return `less than 1 ${unit.name}`
  return low === high ? `about ${high} ${unit.name}` : `${low}–${high} ${unit.name}`
}

const seconds = { name: 's', each: 1, from: 0 }
const units = [
  { name: 'd', each: 86_400, from: 2 * 86_400 },
  { name: 'h', each: 3600, from: 2 * 3600 },
  { name: 'min', each: 60, from: 120 },
  seconds,
]

/** Nobody believes more. */
function rounded(value: number): number {
  return value < 10 ? Math.round(value * 2) / 2 : Math.round(value)
}
