/**
 * Pure: which jobs a free place takes next. The order: band, then fair share between runs, then what the server has loaded,
 * then what waits most; all of it under a bound on waiting, and never where another server would be done sooner.
 * The figures are those of `reference/farms-and-engines.md` §3.5.
 */

/** Waiting slots of one run that need the same models and the same LoRAs. */
export interface Group {
  /** The lane that its jobs wait in: unique. */
  lane: string
  run: string
  /** 0 is served first. */
  band: number
  /** A run of weight 2 gets twice the places of one of weight 1. */
  weight: number
  /** The heavy files, as one key. */
  modelSet: string
  /** LoRAs with their weights, as keys. */
  loras: readonly string[]
  /** What speeds are known by: family and workflow. */
  work: string
  /** Slots that wait. */
  waiting: number
  /** Milliseconds on the farm's clock: since when it waits for a place. */
  since: number
}

/** What a server has loaded: that of the last job that was sent to it. */
export type Loaded = Pick<Group, 'modelSet' | 'loras'>

/** A server as the choice sees it. Durations are in milliseconds. */
export interface ServerView {
  name: string
  loaded: Loaded | undefined
  /** Jobs on it: from the second on, one waits there. */
  active: number
  /** Until all that is on it has ended, as far as one can tell. */
  busyMs: number
  /** One job of this work here; undefined before anything is known. */
  jobMs(work: string): number | undefined
  /** Loading other models, and other LoRAs alone. */
  swapMs: number
  patchMs: number
  /** Whether it can render the group at all, and may now. */
  takes(group: Group): boolean
}

export interface FarmView {
  now: number
  /** Places that a run has on all servers. */
  placesOf(run: string): number
  /** Servers that have these models loaded, and those that have these LoRAs on them as well. */
  serversWith(loaded: Loaded): { models: number; loras: number }
  /** All that take jobs now, the asking one included: counted at every choice, and looked at near the end of the work alone. */
  servers: Iterable<ServerView> & { length: number }
}

/** A set that nobody serves is served after this long, whatever is loaded; longer where a swap costs much. */
const ageingMsMin = 15 * 60_000
/** The same where only LoRAs differ, which is cheap to change. */
const patchAgeingMsMin = 60_000
const ageingPerSwap = 20
/** A set is loaded on as many servers as work it off in this many swaps, at least in `drainMsMin`. */
const drainPerSwap = 4
const drainMsMin = 30_000
/** Beyond so many waiting jobs per server nobody is kept from working: the end of the work is far. */
const tailPerServer = 8
/** Of equal candidates so many are looked at, when others would be done sooner. */
const lookMax = 16

/** The group that the server's next job is taken from; undefined where it had better wait, or nothing is there for it. */
export function chooseGroup(groups: readonly Group[], server: ServerView, farm: FarmView): Group | undefined {
  const able = groups.filter(group => group.waiting > 0 && server.takes(group))
  if (able.length === 0) return undefined
  const band = able.reduce((least, group) => Math.min(least, group.band), Infinity)
  const fit = able.filter(group => group.band === band)
  const order = server.active > 0 ? orderBehind(fit, server, farm) : orderFree(fit, server, farm)
  return order.slice(0, lookMax).find(group => !isDoneSoonerElsewhere(group, groups, server, farm))
}

/**
 * A job that waits on the server must need what is loaded there: a swap is not decided before it must be. While other models
 * have waited too long nothing is added, so that the server gets free for them.
 */
function orderBehind(fit: readonly Group[], server: ServerView, farm: FarmView): Group[] {
  const starved = mostStarved(fit, server, farm)
  if (starved) return isHot(starved, server) ? [starved] : []
  return orderLoaded(fit, server, farm)
}

function orderFree(fit: readonly Group[], server: ServerView, farm: FarmView): Group[] {
  const starved = mostStarved(fit, server, farm)
  if (starved) return [starved]
  const loaded = orderLoaded(fit, server, farm)
  return loaded.length > 0 ? loaded : orderCold(leastServed(fit, farm), server, farm)
}

/**
 * What needs no swap, of the runs that are due. A run that is ahead by one place keeps a server that has its LoRAs, and one that
 * has its models where no run that is due needs them: places come and go by the moment.
 */
function orderLoaded(fit: readonly Group[], server: ServerView, farm: FarmView): Group[] {
  const near = leastServed(fit, farm, 1).filter(group => isHot(group, server))
  const same = near.filter(group => isLoaded(group, server))
  if (same.length > 0) return orderHot(same, server, farm)
  const due = leastServed(fit, farm).filter(group => isHot(group, server))
  return orderHot(due.length > 0 ? due : near, server, farm)
}

/** Groups of the runs with the fewest places ÷ weight; with `ahead`, of those that are no more than so many places ahead. */
function leastServed(fit: readonly Group[], farm: FarmView, ahead = 0): Group[] {
  const shareOf = ({ run, weight }: Group, less = 0) => Math.max(0, farm.placesOf(run) - less) / weight
  const least = fit.reduce((least, group) => Math.min(least, shareOf(group)), Infinity)
  return fit.filter(group => shareOf(group, ahead) <= least)
}

/** The group that has waited longest beyond its bound. */
function mostStarved(fit: readonly Group[], server: ServerView, farm: FarmView): Group | undefined {
  const cold = oldestOf(fit.filter(group => !isHot(group, server)))
  const hot = oldestOf(fit.filter(group => isHot(group, server)))
  const coldOverMs = cold ? overMs(cold, swapAgeing(server), () => setsPerServer(fit, farm), farm) : 0
  const hotOverMs = hot ? overMs(hot, patchAgeing(server), () => groupsPerServer(fit, hot, farm), farm) : 0
  if (coldOverMs <= 0 && hotOverMs <= 0) return undefined
  return coldOverMs > hotOverMs ? cold : hot
}

function oldestOf(groups: readonly Group[]): Group | undefined {
  return groups.reduce<Group | undefined>(
    (oldest, group) => (oldest && oldest.since <= group.since ? oldest : group),
    undefined,
  )
}

interface Ageing {
  leastMs: number
  /** What a server changes costs so much that it changes no more often, however many wait. */
  eachMs: number
}

function swapAgeing({ swapMs }: ServerView): Ageing {
  return { leastMs: ageingMsMin, eachMs: ageingPerSwap * swapMs }
}

function patchAgeing({ patchMs }: ServerView): Ageing {
  return { leastMs: patchAgeingMsMin, eachMs: ageingPerSwap * patchMs }
}

/** How long a group has waited beyond its bound, which is longer where many take turns on few servers. */
function overMs({ since }: Group, { leastMs, eachMs }: Ageing, turns: () => number, { now }: FarmView): number {
  const waitedMs = now - since
  return waitedMs <= leastMs ? 0 : waitedMs - Math.max(leastMs, eachMs * Math.max(1, turns()))
}

/** Model sets that wait, for each server that works on one of them. */
function setsPerServer(fit: readonly Group[], farm: FarmView): number {
  const bySet = new Map(fit.map(group => [group.modelSet, group]))
  const servers = [...bySet.values()].reduce((sum, group) => sum + farm.serversWith(group).models, 0)
  return bySet.size / Math.max(1, servers)
}

/** Groups that wait for the models of one, for each server that has them. */
function groupsPerServer(fit: readonly Group[], hot: Group, farm: FarmView): number {
  const waiting = fit.filter(({ modelSet }) => modelSet === hot.modelSet)
  return waiting.length / Math.max(1, farm.serversWith(hot).models)
}

/** Of those whose models are loaded: the nearest LoRAs first, then those that wait most for how many servers have them. */
function orderHot(hot: readonly Group[], server: ServerView, farm: FarmView): Group[] {
  const keyed = hot.map(group => ({
    group,
    near: nearness(group.loras, server.loaded?.loras ?? []),
    need: needOf(pendingMs(group, server), farm.serversWith(group).loras, group, farm),
  }))
  return keyed.sort((a, b) => b.near - a.near || b.need - a.need).map(({ group }) => group)
}

/** Of those that need a swap: the model set that waits most for how many servers have it, unless enough servers have it. */
function orderCold(due: readonly Group[], server: ServerView, farm: FarmView): Group[] {
  const sets = new Map<string, { groups: Group[]; pendingMs: number }>()
  for (const group of due) {
    const set = sets.get(group.modelSet) ?? { groups: [], pendingMs: 0 }
    set.groups.push(group)
    set.pendingMs += pendingMs(group, server)
    sets.set(group.modelSet, set)
  }
  const drainMs = Math.max(drainMsMin, drainPerSwap * server.swapMs)
  const ranked = [...sets.values()].map(({ groups, pendingMs }) => {
    const oldest = groups.reduce((oldest, group) => (group.since < oldest.since ? group : oldest))
    const { models } = farm.serversWith(oldest)
    const isChased = models >= Math.ceil(pendingMs / drainMs)
    return { groups, isChased, need: needOf(pendingMs, models, oldest, farm) }
  })
  ranked.sort((a, b) => Number(a.isChased) - Number(b.isChased) || b.need - a.need)
  return ranked.flatMap(({ groups }) => orderHot(groups, server, farm))
}

function needOf(pendingMs: number, servers: number, { since }: Group, { now }: FarmView): number {
  return pendingMs / (servers + 1) + Math.max(0, now - since)
}

/** Whether the others would have done all of this before the server had done one of it: then it had better wait. */
function isDoneSoonerElsewhere(group: Group, groups: readonly Group[], server: ServerView, farm: FarmView): boolean {
  const doneMs = finishMs(group, server)
  if (doneMs === undefined || farm.servers.length < 2) return false
  // Nobody came for it: what kept the others away is not known here.
  if (farm.now - group.since > ageingMsMin) return false
  let waiting = 0
  for (const each of groups) {
    waiting += each.waiting
    if (waiting > farm.servers.length * tailPerServer) return false
  }
  let [roomForAll, roomForGroup] = [0, 0]
  for (const other of farm.servers) {
    if (other.name === server.name || other.busyMs >= doneMs || !other.takes(group)) continue
    const jobs = jobsBefore(doneMs, group, other)
    if (jobs === 0) continue
    roomForAll += jobs
    if (isLoaded(group, other)) roomForGroup += jobs
    if (roomForAll >= waiting || roomForGroup >= group.waiting) return true
  }
  return false
}

/** How many jobs of a group a server ends before a time. Of two that are as fast neither waits for the other. */
function jobsBefore(limitMs: number, group: Group, server: ServerView): number {
  const jobMs = server.jobMs(group.work)
  if (jobMs === undefined || jobMs <= 0) return 0
  return Math.max(0, Math.ceil((limitMs - server.busyMs - switchMs(group, server)) / jobMs) - 1)
}

/** When a job of the group would have ended on a server, from now; undefined before its speed is known. */
export function finishMs(group: Pick<Group, 'modelSet' | 'loras' | 'work'>, server: ServerView): number | undefined {
  const jobMs = server.jobMs(group.work)
  return jobMs === undefined ? undefined : server.busyMs + switchMs(group, server) + jobMs
}

/** What a server must load for a group. */
export function switchMs(group: Loaded, server: Pick<ServerView, 'loaded' | 'swapMs' | 'patchMs'>): number {
  if (!isHot(group, server)) return server.swapMs
  return isLoaded(group, server) ? 0 : server.patchMs
}

function isHot({ modelSet }: Loaded, { loaded }: Pick<ServerView, 'loaded'>): boolean {
  return loaded?.modelSet === modelSet
}

function isLoaded(group: Loaded, server: Pick<ServerView, 'loaded'>): boolean {
  return isHot(group, server) && nearness(group.loras, server.loaded?.loras ?? []) === 1
}

/** From 0, nothing in common, to 1, the same: shared ÷ all. */
function nearness(wanted: readonly string[], loaded: readonly string[]): number {
  if (wanted.length === 0 && loaded.length === 0) return 1
  const shared = wanted.filter(lora => loaded.includes(lora)).length
  return shared / (wanted.length + loaded.length - shared)
}

function pendingMs({ waiting, work }: Group, server: ServerView): number {
  return waiting * (server.jobMs(work) ?? 1)
}
