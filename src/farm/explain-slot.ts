/** Pure: why a slot is in the state it is in, as one sentence. */
import { bands, type Band } from '../schema/run.js'
import type { JobStand, ServerStand } from './outlook.js'

/** What is known of a slot, by its state. */
export type SlotCase =
  | { state: 'done'; file: string; attempt: number; server?: string }
  | ({ state: 'running'; server: string; attempt: number; isStopping: boolean; job?: JobStand } & Work)
  | ({ state: 'waiting' } & WaitCase)
  | { state: 'held'; run: string; reason: string; isPreview: boolean; resume?: string }
  | { state: 'failed'; reason: string; attempts: number; servers: readonly string[] }
  | { state: 'cancelled'; by?: string; at?: string }
  | { state: 'skipped'; reason: string }

interface Work {
  /** Whether somebody works on the home. */
  isWorking: boolean
}

/** What is known of a slot that waits. */
export interface WaitCase extends Work {
  run: string
  renderer: string
  priority: Band
  weight: number
  isPaused: boolean
  pausedBy?: string
  /** Whether those who work on the home work on this run. */
  isWanted: boolean
  /** Somebody makes a job of it. */
  isTaken: boolean
  /** It failed, and rests before it is tried again. */
  rest?: { ms: number; server: string; message: string }
  /** Slots that come before it and need the same; absent while its run is not looked at. */
  ahead?: number
  inFlightMax?: number
  /** Places that its run has. */
  places: number
  modelSet?: string
  /** Of its renderer, or not heard yet. */
  servers: readonly ServerStand[]
  others: readonly OtherGroup[]
}

/** What another run has waiting. */
export interface OtherGroup {
  run: string
  band: number
  weight: number
  waiting: number
  modelSet: string
  /** Places that its run has. */
  places: number
}

/** Why, for programs and for people. */
export interface Explanation {
  cause: string
  why: string
}

/** Of a list, this many are named. */
const namedMax = 5
/** What a server says is cut at so many characters. */
const sayingLengthMax = 200

export function explainSlot(slot: SlotCase): Explanation {
  switch (slot.state) {
    case 'done':
      return { cause: 'done', why: explainDone(slot) }
    case 'running':
      return explainRunning(slot)
    case 'waiting':
      return explainWait(slot)
    case 'held':
      return explainHold(slot)
    case 'failed':
      return { cause: 'failed', why: explainFailure(slot) }
    case 'cancelled': {
      const by = slot.by === undefined ? '' : ` by ${slot.by}`
      return { cause: 'cancelled', why: `It was cancelled${by}${slot.at === undefined ? '' : ` at ${slot.at}`}` }
    }
    case 'skipped':
      return { cause: 'skipped', why: `Nothing is rendered for it: ${slot.reason}` }
  }
}

type Of<State extends SlotCase['state']> = Extract<SlotCase, { state: State }>

function explainDone({ file, attempt, server }: Of<'done'>): string {
  if (attempt === 0) return `Its picture was taken over from an earlier run: ${file}`
  return `It was rendered${server === undefined ? '' : ` on ${server}`} at attempt ${attempt}: ${file}`
}

function explainRunning({ server, attempt, isStopping, isWorking, job }: Of<'running'>): Explanation {
  const which = `attempt ${attempt}`
  if (!isWorking) {
    const why = `It was interrupted on ${server} (${which}): whoever works on it next asks that server what became of it`
    return { cause: 'interrupted', why }
  }
  if (isStopping) return { cause: 'stopping', why: `It was cancelled, and is being stopped on ${server} (${which})` }
  if (!job) return { cause: 'fetching', why: `${server} has ended it (${which}), and its picture is being committed` }
  const usual = job.usualMs === undefined ? '' : `; it usually takes ${inSeconds(job.usualMs)} there`
  if (job.sinceMs === undefined)
    return { cause: 'queued', why: `It waits on ${server} behind the job before it (${which})${usual}` }
  const step = job.max === undefined ? '' : `, step ${job.value} of ${job.max}`
  return { cause: 'running', why: `${server} renders it since ${inSeconds(job.sinceMs)} (${which}${step})${usual}` }
}

function explainHold({ run, reason, isPreview, resume }: Of<'held'>): Explanation {
  if (isPreview) return { cause: 'approval', why: `${reason}: "foundry runs approve ${run}" renders it` }
  if (resume !== undefined) return { cause: 'paused', why: `${reason}: "${resume}" goes on with it` }
  return { cause: 'decision', why: `A human must decide: ${reason}` }
}

function explainFailure({ reason, attempts, servers }: Of<'failed'>): string {
  if (attempts === 0) return `It failed before any attempt: ${reason}`
  const where = servers.length > 0 ? ` on ${named(servers)}` : ''
  return `It failed at attempt ${attempts}${where}: ${reason}`
}

/** The first cause in this order is the one that keeps it, whatever else is true. */
function explainWait(slot: WaitCase): Explanation {
  return (
    explainNobody(slot) ??
    explainRest(slot) ??
    explainServers(slot) ??
    explainBounds(slot) ??
    explainOthers(slot) ??
    explainTurn(slot)
  )
}

function explainNobody({ run, isPaused, pausedBy, isWorking, isWanted }: WaitCase): Explanation | undefined {
  if (isPaused) {
    const by = pausedBy === undefined ? '' : ` by ${pausedBy}`
    return { cause: 'paused', why: `Its run is paused${by}: "foundry runs resume ${run}" goes on` }
  }
  const next = '"foundry render" of its drop, or "foundry daemon", goes on with it'
  if (!isWorking) return { cause: 'nobody', why: `Nobody works on this home: ${next}` }
  if (!isWanted) return { cause: 'nobody', why: `Who works on this home was asked for other runs only: ${next}` }
  return undefined
}

function explainRest({ rest, isTaken }: WaitCase): Explanation | undefined {
  if (rest) {
    const why = `It is tried again in ${inSeconds(rest.ms)}, after this on ${rest.server}: ${bounded(rest.message)}`
    return { cause: 'retry', why }
  }
  return isTaken ? { cause: 'soon', why: 'A job is being made of it at this moment' } : undefined
}

function explainServers({ renderer, servers }: WaitCase): Explanation | undefined {
  if (servers.length === 0)
    return { cause: 'no-server', why: `No server of its renderer (${renderer}) is configured or was ever reached` }
  if (ableOf(servers).length > 0) return undefined
  const reasons = servers.map(({ server, unfit, avoided }) => `${server}: ${bounded(unfit ?? avoided ?? noReason)}`)
  return { cause: 'avoided', why: `Every server that could render it is kept from it. ${namedReasons(reasons)}` }
}

const noReason = 'It was not heard yet'

function explainBounds({ ahead, servers, places, inFlightMax }: WaitCase): Explanation | undefined {
  if (ahead === undefined)
    return { cause: 'runs-ahead', why: 'Its run is not looked at yet: the runs before it are worked off first' }
  if (inFlightMax !== undefined && places >= inFlightMax)
    return { cause: 'in-flight', why: `Its run has ${places} of ${inFlightMax} jobs in flight` }
  const able = ableOf(servers)
  const [first] = able
  if (!first?.limit || able.some(each => !each.limit)) return undefined
  const { name, most, underWay, isOfServer } = first.limit
  const where = isOfServer ? ` on ${named(able.map(each => each.server))}` : ''
  return { cause: 'limit', why: `The limit "${name}" has ${underWay} of ${most} jobs under way${where}` }
}

function explainOthers({
  run,
  priority,
  weight,
  places,
  modelSet,
  servers,
  others,
}: WaitCase): Explanation | undefined {
  const band = bands.indexOf(priority)
  const sooner = others.filter(each => each.band < band)
  if (sooner.length > 0) {
    const runs = named([...new Set(sooner.map(each => each.run))])
    return {
      cause: 'priority',
      why: `${pictures(sooner)} of higher priority come first (${runs}); ${run} is ${priority}`,
    }
  }
  const same = others.filter(each => each.band === band)
  const least = same.toSorted((a, b) => a.places / a.weight - b.places / b.weight)[0]
  if (least && least.places / least.weight < places / weight) {
    const own = `its run has ${counted(places, 'place')} for weight ${weight}`
    const why = `Fair share: ${own}, and ${least.run} with ${counted(least.places, 'place')} for weight ${least.weight} comes next`
    return { cause: 'fair-share', why }
  }
  const able = ableOf(servers)
  const hot = same.filter(each => each.modelSet !== modelSet)
  if (able.some(each => each.isHot) || hot.length === 0) return undefined
  const why =
    `No server has its models loaded: ${pictures(hot)} that need other models are rendered there first, ` +
    'until it has waited so long that its models are loaded'
  return { cause: 'models', why }
}

function explainTurn({ ahead = 0, servers }: WaitCase): Explanation {
  const able = ableOf(servers)
  const free = able.filter(each => each.runs.length < each.depth)
  const before = ahead > 0 ? `${counted(ahead, 'picture')} of its run ${ahead === 1 ? 'comes' : 'come'} before it` : ''
  if (free.length === 0) {
    const taken = named(able.map(each => `${each.server} has ${each.runs.length} of ${each.depth}`))
    return { cause: 'places', why: `Every place is taken (${taken})${before && `; ${before}`}` }
  }
  if (before) return { cause: 'turn', why: before }
  return {
    cause: 'soon',
    why: `It is next, unless another server than ${named(free.map(each => each.server))} is done sooner`,
  }
}

/** Servers that could take it, but for limits and places. */
function ableOf(servers: readonly ServerStand[]): ServerStand[] {
  return servers.filter(each => each.isTaking && each.unfit === undefined)
}

function pictures(groups: readonly OtherGroup[]): string {
  return counted(
    groups.reduce((sum, each) => sum + each.waiting, 0),
    'picture',
  )
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function named(names: readonly string[]): string {
  return listed(names, ', ')
}

function namedReasons(reasons: readonly string[]): string {
  return listed(reasons, '; ')
}

function listed(names: readonly string[], separator: string): string {
  const rest = names.length > namedMax ? `${separator}and ${names.length - namedMax} more` : ''
  return `${names.slice(0, namedMax).join(separator)}${rest}`
}

function bounded(saying: string): string {
  return saying.length > sayingLengthMax ? `${saying.slice(0, sayingLengthMax)}…` : saying
}

function inSeconds(ms: number): string {
  const seconds = ms / 1000
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`
}
