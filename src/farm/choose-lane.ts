import { hashJson } from '../files/hash.js'

/** What the name of a lane says to a worker. */
interface Lane {
  band: number
  renderer: string
  modelSet: string
}

/** The lane of an engine that jobs of a group wait in: `band/renderer/modelSet`, and what tells the labels they need apart. */
export function laneOf({ band, renderer, modelSet, labels }: Lane & { labels: readonly string[] }): string {
  const lane = `${band}/${wordOf(renderer)}/${modelSet}`
  return labels.length === 0 ? lane : `${lane}/${hashJson([...labels].sort()).slice(0, 8)}`
}

function parseLane(lane: string): Lane | undefined {
  const [band = '', renderer, modelSet] = lane.split('/')
  return renderer && modelSet && /^\d+$/.test(band) ? { band: Number(band), renderer, modelSet } : undefined
}

/** Engines take small letters only. */
function wordOf(renderer: string): string {
  return renderer.toLowerCase().replaceAll(/[^a-z0-9._-]/g, '-')
}

export interface LaneView {
  renderer: string
  /** The models of the last job. */
  modelSet: string | undefined
  /** Jobs on the server: from the second on, one waits there. */
  active: number
  /** A lane that is left alone for now. */
  isLeft(lane: string): boolean
}

/**
 * Pure: the lane that a free place of a worker takes its next job from: the best band, in it what is loaded, else the longest.
 * Behind another job only what is loaded is taken, so that others can begin the rest.
 */
export function chooseLane(waiting: ReadonlyMap<string, number>, server: LaneView): string | undefined {
  const known = [...waiting].flatMap(([name, count]) => {
    const lane = parseLane(name)
    return lane && count > 0 && lane.renderer === wordOf(server.renderer) && !server.isLeft(name)
      ? [{ ...lane, name, count }]
      : []
  })
  const band = known.reduce((least, lane) => Math.min(least, lane.band), Infinity)
  const best = known.filter(lane => lane.band === band)
  const hot = best.filter(lane => lane.modelSet === server.modelSet)
  const among = hot.length > 0 || server.active > 0 ? hot : best
  return among.reduce<(typeof among)[number] | undefined>(
    (longest, lane) => (lane.count > (longest?.count ?? 0) ? lane : longest),
    undefined,
  )?.name
}
