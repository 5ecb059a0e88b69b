import { FoundryError, type Problem, problemsOf } from '../errors.js'
import type { RunForecast, Share, Switches, TimeRange } from '../farm/forecast-shapes.js'
import { lastEnd } from '../farm/last-end.js'
import { isOfTheHome } from '../farm/open-run.js'
import { type DiskNeed, diskFor, measurePictures } from './plan-disk.js'
import type { GatePlan } from './plan-gates.js'
import { countedMax, findWork, type PlannedWork } from './plan-work.js'
import type { Spend } from '../schema/run-manifest.js'
import type { Foundry } from './foundry.js'
import { type Caller, defineOperation } from './operation.js'
import { submitSchema } from './submission.js'
import { type PreparedDrop, prepareDrop, type Submitted } from './submit.js'

/** What rendering a drop would take. */
export interface PlannedRun extends Submitted {
  /** Pictures that this very run has already. */
  rendered: number
  /** Pictures that are taken over from earlier runs; absent where `notCounted` says why. */
  reused?: number
  notCounted?: string
  toRender: number
  /** Pictures that wait for somebody's word. */
  held: number
  /** Changes of models, and of LoRAs alone. */
  switches: Switches
  /** What each server would render. */
  servers: Share[]
  /** What servers lack, with what to copy where, and how many of the pictures they cannot render for it. */
  lacks: { server: string; slots: number; problems: string[] }[]
  /** Pictures that no server can render now. */
  unfit?: { slots: number; servers: { server: string; reason: string }[] }
  /** Servers of the renderer that get no jobs now. */
  away: { server: string; reason: string }[]
  /** From now until its last picture, with all that waits before it. Absent where `unmeasured` says what nobody knows. */
  endsIn?: TimeRange
  unmeasured: string[]
  disk: DiskNeed
  /** What the work of its servers costs. Absent where none of them has a price, and where `endsIn` is absent. */
  price?: number
  /** What paid services ask for the pictures that are to be rendered; absent where they cost nothing by the picture. */
  asks?: Spend[]
  /** What gates of plugins would refuse or change, where they would. */
  gates?: GatePlan
}

export interface PlanAnswer {
  runs: PlannedRun[]
  refused: { drop: string; problems: Problem[] }[]
  /** What waits already. Runs that are not looked at yet are no part of any range. */
  before: { runs: number; slots: number; runsNotLookedAt: number }
  /** Of all these runs together. */
  endsIn?: TimeRange
}

const dropsMax = 5000
const { path, dryRun: _, ...options } = submitSchema.properties

export const plan = defineOperation({
  name: 'plan',
  summary:
    'What rendering drops would take: pictures, switches, servers and what they lack, time, disk. Renders nothing',
  route: { method: 'POST', path: '/plan' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['paths'],
    properties: { paths: { type: 'array', minItems: 1, maxItems: dropsMax, items: path }, ...options },
  },
  async run(foundry, { paths, ...input }, caller): Promise<PlanAnswer> {
    const { prepared, refused } = await prepareAll(foundry, paths, { input, caller })
    await foundry.farm.outlook.settle()
    const budget = { slots: countedMax }
    const works = new Map<string, PlannedWork>()
    for (const [run, drop] of prepared) works.set(run, await findWork(foundry, drop, budget))
    const groups = [...works.values()].flatMap(work => work.groups)
    const lacks = new Map(
      [...works.values()].flatMap(work => [...work.lacks]).map(([lane, each]) => [lane, told(each)]),
    )
    const forecasts = foundry.farm.outlook.plan(groups, lacks)
    const pictures = await measurePictures(foundry, foundry.renderer)
    const runs = [...prepared].flatMap(([run, drop]) => {
      const work = works.get(run)
      if (!work) return []
      const disk = diskFor(drop.plan, work.toRender + (work.reused ?? 0), pictures)
      const away = foundry.farm.outlook.away(drop.renderer)
      const course = describeForecast(work, forecasts.get(run))
      const price = course.endsIn && priceOf(foundry, course.servers)
      return [{ ...drop.answer, ...describeWork(work), ...course, away, disk, ...(price !== undefined && { price }) }]
    })
    const endsIn = lastEnd(runs.filter(each => each.toRender > (each.unfit?.slots ?? 0)).map(each => each.endsIn))
    return { runs, refused, before: countBefore(foundry, new Set(prepared.keys())), ...(endsIn && { endsIn }) }
  },
})

async function prepareAll(
  foundry: Foundry,
  paths: readonly string[],
  { input, caller }: { input: Omit<Parameters<typeof prepareDrop>[1], 'path'>; caller: Caller },
) {
  const prepared = new Map<string, PreparedDrop>()
  const refused: PlanAnswer['refused'] = []
  for (const each of paths) {
    try {
      const drop = await prepareDrop(foundry, { ...input, path: each }, caller)
      prepared.set(drop.run, drop)
    } catch (error) {
      if (!(error instanceof FoundryError) || isOfTheHome(error)) throw error
      refused.push({ drop: each, problems: problemsOf(error) })
    }
  }
  return { prepared, refused }
}

/** One reason by server. */
function told(lacks: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, string> {
  return new Map([...lacks].map(([server, problems]) => [server, problems.join('; ')]))
}

/** Of what a server lacks, so many things are named. */
const problemsMax = 20

function describeWork({ groups, lacks, rendered, reused, notCounted, toRender, held, asks, gates }: PlannedWork) {
  const byServer = new Map<string, { slots: number; problems: Set<string> }>()
  for (const { lane, waiting } of groups) {
    for (const [server, problems] of lacks.get(lane) ?? []) {
      const known = byServer.get(server) ?? { slots: 0, problems: new Set() }
      known.slots += waiting
      for (const problem of problems) known.problems.add(problem)
      byServer.set(server, known)
    }
  }
  return {
    rendered,
    ...(reused !== undefined && { reused }),
    ...(notCounted !== undefined && { notCounted }),
    toRender,
    held,
    ...(asks.length > 0 && { asks }),
    ...((gates.refused.length > 0 || gates.redacted > 0) && { gates }),
    lacks: [...byServer].map(([server, { slots, problems }]) => ({
      server,
      slots,
      problems: [...problems].slice(0, problemsMax),
    })),
  }
}

function describeForecast({ toRender }: PlannedWork, found: RunForecast | undefined) {
  const { shares = [], switches = { models: 0, loras: 0 }, unfit = [], unmeasured, endsIn } = found ?? {}
  const works = unmeasured?.works ?? []
  const reasons = new Map(unfit.flatMap(each => each.servers).map(each => [`${each.server} ${each.reason}`, each]))
  const slots = unfit.reduce((sum, each) => sum + each.slots, 0)
  return {
    switches,
    servers: shares.toSorted((a, b) => (a.server < b.server ? -1 : 1)),
    ...(slots > 0 && { unfit: { slots, servers: [...reasons.values()] } }),
    ...(endsIn && toRender > slots && { endsIn }),
    unmeasured: [
      ...(works.length > 0 ? [`how long a picture of ${works.join(', ')} takes: nobody has rendered one yet`] : []),
      ...(unmeasured?.loading ? ['how long loading takes: nobody has timed it yet'] : []),
    ],
  }
}

/** In the money of the configuration, to the hundredth; undefined where no server has a price. */
function priceOf({ farm }: Foundry, shares: readonly Share[]): number | undefined {
  const known = shares.flatMap(({ server, workS }) => {
    const perHour = farm.outlook.pricePerHour(server)
    return perHour === undefined ? [] : [(workS / 3600) * perHour]
  })
  return known.length === 0 ? undefined : Math.round(known.reduce((sum, each) => sum + each, 0) * 100) / 100
}

function countBefore({ ledger, farm, desk }: Foundry, planned: ReadonlySet<string>): PlanAnswer['before'] {
  const groups = desk.backlog().filter(({ run }) => !planned.has(run))
  const looked = new Set(groups.map(({ run }) => run))
  const unseen = [...ledger.state.runs.values()].filter(
    run =>
      farm.isWorking &&
      run.counts.waiting > 0 &&
      !run.isPaused &&
      !run.isCancelled &&
      !planned.has(run.accepted.run) &&
      !looked.has(run.accepted.run) &&
      desk.standOf(run, 0).isWanted,
  )
  const slots = groups.reduce((sum, { waiting }) => sum + waiting, 0)
  return { runs: looked.size, slots, runsNotLookedAt: unseen.length }
}
