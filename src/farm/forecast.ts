/**
 * Pure: what will be rendered where, with how many switches, and how long it takes, from what waits by group and what was measured.
 * The farm's own choice is played through in steps of as many jobs as keep it cheap, so its cost depends on groups, not on slots.
 */
import { chooseGroup, type FarmView, finishMs, switchMs } from './choose-group.js'
import { countLoaded } from './count-loaded.js'
import { Lane, unknownJobMs, type Waiting } from './forecast-lane.js'
import type { ForecastInput, RunForecast } from './forecast-shapes.js'
import { lastEnd } from './last-end.js'
import { exceededLimit, type Limits } from './limits.js'

const stepsMaxDefault = 2000
/** Beyond so many looks at groups the order of the list decides, which is cheaper than the farm's own choice. */
const looksMax = 1_000_000
/** Beyond so many groups those that differ in their LoRAs alone count as one. */
const groupsMax = 500

export function forecast(input: ForecastInput): RunForecast[] {
  const { groups, servers, stepsMax = stepsMaxDefault } = input
  const runs = new Map<string, RunForecast>()
  const runOf = (run: string) => {
    const known = runs.get(run) ?? newRun(run)
    runs.set(run, known)
    return known
  }
  const lanes = servers.map(server => new Lane(server, input))
  const waiting = new Map<string, Waiting>()
  const isRough = groups.length > groupsMax
  for (const group of groups) {
    if (group.waiting <= 0) continue
    const run = runOf(group.run)
    run.slots += group.waiting
    const same = servers.filter(each => each.renderer === group.renderer)
    const fit = same.filter(each => each.whyUnfit(group) === undefined).map(each => each.name)
    if (fit.length === 0) {
      const said = same.map(each => ({ server: each.name, reason: each.whyUnfit(group) ?? '' }))
      run.unfit.push({ slots: group.waiting, loras: group.loras, work: group.work, servers: said })
      continue
    }
    const key = isRough ? [group.run, group.work, group.modelSet, ...fit].join(' ') : group.lane
    const known = waiting.get(key)
    if (known) {
      known.waiting += group.waiting
      known.kinds++
    }
    // A copy: what is played through must not change what really waits.
    else waiting.set(key, { ...group, fit: new Set(fit), kinds: 1 })
  }
  for (const lane of lanes) for (const { run, work } of lane.server.running) lane.noteRunning(runOf(run), work)
  const total = sumOf(waiting.values())
  const steps = Math.min(total, stepsMax) + waiting.size
  const play = steps * waiting.size * lanes.length <= looksMax ? playChoice : playList
  const atOnce = Math.max(1, Math.ceil(total / stepsMax))
  play({ waiting: [...waiting.values()], lanes, atOnce, runOf, limits: input.limits })
  for (const run of runs.values()) finishRun(run, lanes)
  return [...runs.values()]
}

interface Play {
  waiting: Waiting[]
  lanes: readonly Lane[]
  /** Jobs that one choice stands for. */
  atOnce: number
  runOf(run: string): RunForecast
  limits: Limits
}

/** Plays the farm's own choice through. */
function playChoice(play: Play): void {
  const { lanes, runOf } = play
  let { waiting } = play
  let now = 0
  const resting = new Set<Lane>()
  while (waiting.length > 0) {
    const asked = lanes.filter(lane => !resting.has(lane))
    const next = asked.length > 0 ? asked.reduce((first, lane) => (lane.askAt < first.askAt ? lane : first)) : undefined
    // Where all would rather leave it to others, the one that is done first takes it.
    const lane = next ?? soonest(waiting, lanes)
    if (!lane) return
    now = Math.max(now, lane.askAt)
    for (const each of lanes) each.now = now
    const able = waiting.filter(group => mayRun(group, lane, play))
    const chosen = next ? chooseGroup(able, lane, viewOf(lane, now, play)) : able.find(group => lane.takes(group))
    const group = chosen as Waiting | undefined
    if (!group) {
      if (!next) return
      const others = lanes.filter(each => each.freeAt > now)
      // It is asked again when the next one is done.
      if (others.length > 0) lane.askAt = Math.min(...others.map(each => each.freeAt))
      else resting.add(lane)
      continue
    }
    const count = Math.min(group.waiting, partOf(sumOf(waiting), play))
    lane.take(group, count, runOf(group.run))
    group.waiting -= count
    group.since = now
    if (group.waiting === 0) waiting = waiting.filter(each => each !== group)
    resting.clear()
  }
}

/** Towards the end the steps get smaller, so that no server seems to be left with a whole one. */
function partOf(left: number, { lanes, atOnce }: Pick<Play, 'lanes' | 'atOnce'>): number {
  return Math.max(1, Math.min(atOnce, Math.ceil(left / (2 * lanes.length))))
}

function sumOf(groups: Iterable<Waiting>): number {
  let sum = 0
  for (const { waiting } of groups) sum += waiting
  return sum
}

function soonest(waiting: readonly Waiting[], lanes: readonly Lane[]): Lane | undefined {
  let found: { lane: Lane; ms: number } | undefined
  for (const group of waiting)
    for (const lane of lanes) {
      if (!lane.takes(group)) continue
      const ms = lane.freeAt + (finishMs(group, lane) ?? 0)
      if (!found || ms < found.ms) found = { lane, ms }
    }
  return found?.lane
}

function viewOf(lane: Lane, now: number, { lanes }: Play): FarmView {
  const same = lanes.filter(each => each.server.renderer === lane.server.renderer)
  return {
    now,
    placesOf: run => lanes.filter(each => each.current?.run === run && each.freeAt > now).length,
    serversWith: loaded => countLoaded(same, loaded),
    servers: same,
  }
}

function mayRun(group: Waiting, lane: Lane, { lanes, limits }: Play): boolean {
  const at = lane.now
  const others = lanes.filter(each => each !== lane && each.freeAt > at)
  const underWay = (tag: string) => others.filter(each => each.current?.tags.includes(tag)).length
  const inFlight = others.filter(each => each.current?.run === group.run).length
  return (
    inFlight < (group.inFlightMax ?? Infinity) &&
    exceededLimit(limits, group.tags, underWay) === undefined &&
    exceededLimit(lane.server.limits, group.tags, () => 0) === undefined
  )
}

/** Very many groups: band by band, those that need the same one after the other, each to whoever ends first. */
function playList({ waiting, lanes, atOnce, runOf }: Play): void {
  const keyOf = ({ modelSet, loras }: Waiting) => [modelSet, ...loras].join(' ')
  const keyed = waiting.map(group => ({ group, key: keyOf(group) }))
  keyed.sort((a, b) => a.group.band - b.group.band || (a.key < b.key ? -1 : 1))
  let left = sumOf(waiting)
  for (const { group } of keyed) {
    while (group.waiting > 0) {
      const count = Math.min(group.waiting, partOf(left, { lanes, atOnce }))
      left -= count
      const able = lanes.filter(lane => lane.takes(group))
      const endOf = (lane: Lane) =>
        lane.freeAt + switchMs(group, lane) + count * (lane.jobMs(group.work) ?? unknownJobMs)
      able.reduce((first, lane) => (endOf(lane) < endOf(first) ? lane : first)).take(group, count, runOf(group.run))
      group.waiting -= count
    }
  }
}

function finishRun(run: RunForecast, lanes: readonly Lane[]): void {
  for (const share of run.shares) share.workS = rounded(share.workS)
  if (run.unmeasured.works.length > 0) return
  const end = lastEnd(lanes.flatMap(lane => lane.endOf(run.run) ?? []))
  if (end) run.endsIn = { lowS: rounded(end.lowS), highS: rounded(end.highS) }
}

/** More digits than anybody believes. */
function rounded(seconds: number): number {
  return Math.round(seconds * 10) / 10
}

function newRun(run: string): RunForecast {
  return {
    run,
    slots: 0,
    shares: [],
    switches: { models: 0, loras: 0 },
    unfit: [],
    unmeasured: { works: [], loading: false },
  }
}
