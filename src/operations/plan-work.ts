import { setImmediate as turn } from 'node:timers/promises'
import { FoundryError } from '../errors.js'
import type { WaitingGroup } from '../farm/forecast-shapes.js'
import { dispatchFacts } from '../farm/gated-job.js'
import { heavyFiles } from '../farm/open-run.js'
import { RunBacklog } from '../farm/run-backlog.js'
import type { Job } from '../plan/job.js'
import { type JobMaker, jobMaker } from '../plan/make-job.js'
import { slotAt } from '../plan/slots.js'
import { heldBack } from '../record/holds.js'
import { findLostSlots } from '../record/lost-slots.js'
import { addUp } from '../record/spend.js'
import { stateOf } from '../record/state.js'
import { bands } from '../schema/run.js'
import type { Spend } from '../schema/run-manifest.js'
import type { ModelUse, Price } from '../schema/trace.js'
import type { Foundry } from './foundry.js'
import { type GatePlan, planGates } from './plan-gates.js'
import { privateTextsIn } from './private-texts.js'
import { courseOf } from './run-course.js'
import type { PreparedDrop } from './submit.js'

/** What of a planned run is there, and what is left to do, by what it needs. */
export interface PlannedWork {
  groups: WaitingGroup[]
  /** Why servers cannot render groups, by lane, then server: each problem as the provider tells it. */
  lacks: Map<string, Map<string, string[]>>
  rendered: number
  /** Pictures of earlier runs that are taken over; absent where that was not counted. */
  reused?: number
  notCounted?: string
  toRender: number
  /** Pictures that wait for somebody's word: after a preview, or for another reason. */
  held: number
  /** What a paid service asks for what is to render. */
  asks: Spend[]
  gates: GatePlan
}

/** Slots that are looked up by their hash in one question. */
export const countedMax = 10_000
/** Different needs that servers are asked about, for each run. */
const checksMax = 200
/** Jobs that are made at once, so that others are heard in between. */
const jobsPerTurn = 50

/** `budget.slots` may still be counted. */
export async function findWork(foundry: Foundry, drop: PreparedDrop, budget: { slots: number }): Promise<PlannedWork> {
  const { known, index } = drop
  const models = findModels(foundry, drop)
  const isWanted = await wantedSlots(foundry, drop)
  const wanted = countWanted(index.count, isWanted)
  const maker = makerOf(drop, models ?? [])
  const counted = await findReusable(foundry, drop, { maker, models, wanted, isWanted, budget })
  const { reusable } = counted
  const isHere = (ordinal: number) => foundry.farm.outlook.jobOf(drop.run, ordinal) !== undefined
  const isRunning = (ordinal: number) => known?.leases.has(ordinal) === true && isHere(ordinal)
  const isWaiting = (ordinal: number) => isWanted(ordinal) && !reusable.has(ordinal) && !isRunning(ordinal)
  const backlog = new RunBacklog({ run: drop.run, renderer: drop.renderer, index, models: models ?? [], isWaiting }, 0)
  const { priority, ...course } = courseOf(drop.known, drop)
  const asked = { ...course, band: bands.indexOf(priority) }
  const groups = backlog.groups.filter(each => each.waiting > 0).map(each => Object.assign(each, asked))
  const sampleOf = (group: (typeof groups)[number]) => {
    const ordinal = backlog.take(group, 0, () => true)
    if (ordinal !== undefined) backlog.giveBack(ordinal, 0)
    const slot = ordinal === undefined ? undefined : slotAt(index, ordinal)
    return slot && maker?.make(slot)
  }
  const factsOf = (group: (typeof groups)[number]) => {
    const job = sampleOf(group)
    const words = job && maker?.wordsOf(job.slot)
    return words && dispatchFacts(job, words)
  }
  const lacks = await findLacks(foundry, groups, sampleOf)
  const lost = drop.answer.missing?.slots ?? 0
  return {
    groups,
    lacks,
    rendered: (known?.counts.done ?? 0) - lost,
    ...(counted.why === undefined ? { reused: reusable.size } : { notCounted: counted.why }),
    toRender: wanted - reusable.size,
    held: known ? known.counts.held : countHeld(drop, isWanted),
    gates: await planGates(foundry.gates, groups, factsOf),
    asks: addUp(groups.flatMap(group => priceOf(foundry, sampleOf(group), group.waiting))),
  }
}

/** What pictures like this one cost; nothing where nobody has a price for them. */
function priceOf({ farm }: Foundry, sample: Job | undefined, pictures: number): { price: Price; pictures: number }[] {
  const price = sample && farm.outlook.priceOf(sample)
  return price ? [{ price, pictures }] : []
}

/** Undefined where no server that could tell has answered. */
function findModels({ farm }: Foundry, { plan, known, renderer }: PreparedDrop): ModelUse[] | undefined {
  if (known?.models) return known.models
  try {
    return farm.identify(heavyFiles({ plan }), renderer)
  } catch (error) {
    if (error instanceof FoundryError && error.code === 'SERVER_NONE') return undefined
    throw error
  }
}

/** Slots that asking for this drop would have rendered: of a known run also those that failed, were cancelled or are lost. */
async function wantedSlots(foundry: Foundry, { run, known, index, input, answer }: PreparedDrop) {
  if (known) {
    const lost = answer.missing ? await findLostSlots(foundry.runFolder(run), known) : []
    const again = new Set(lost.map(({ ordinal }) => ordinal))
    const open = new Set(['waiting', 'running', 'failed', 'cancelled'])
    return (ordinal: number) => open.has(stateOf(known, ordinal)) || again.has(ordinal)
  }
  const { starts, plan } = index
  const skipped = new Set(plan.series.flatMap((series, at) => (series.skipped === undefined ? [] : [starts[at]])))
  const isAny = (ordinal: number) => !skipped.has(ordinal)
  if (input.preview === undefined) return isAny
  const preview = { every: input.preview, from: firstOf(index.count, isAny) }
  return (ordinal: number) => isAny(ordinal) && heldBack({ pauses: [], preview }, ordinal) === undefined
}

function firstOf(count: number, isMeant: (ordinal: number) => boolean): number {
  for (let ordinal = 0; ordinal < count; ordinal++) if (isMeant(ordinal)) return ordinal
  return 0
}

function countWanted(count: number, isWanted: (ordinal: number) => boolean): number {
  let wanted = 0
  for (let ordinal = 0; ordinal < count; ordinal++) if (isWanted(ordinal)) wanted++
  return wanted
}

function countHeld({ input, index }: PreparedDrop, isWanted: (ordinal: number) => boolean): number {
  if (input.preview === undefined) return 0
  const skipped = index.plan.series.filter(series => series.skipped !== undefined).length
  return index.count - skipped - countWanted(index.count, isWanted)
}

/** Undefined where the private texts are not what was planned any more. */
function makerOf({ run, plan, sources }: PreparedDrop, models: readonly ModelUse[]): JobMaker | undefined {
  try {
    const privateTexts = sources.calls ? privateTextsIn(plan, sources.calls) : new Map<number, string>()
    return jobMaker({ run, plan, dropSha256: sources.sha256, models, privateTexts, plugins: [] })
  } catch (error) {
    if (error instanceof FoundryError && error.code === 'SOURCE_CHANGED') return undefined
    throw error
  }
}

interface Counting {
  maker: JobMaker | undefined
  models: readonly ModelUse[] | undefined
  wanted: number
  isWanted(ordinal: number): boolean
  budget: { slots: number }
}

/** Wanted slots whose picture is committed somewhere in this home, by their hash. */
async function findReusable(
  { ledger }: Foundry,
  { known, input, index }: PreparedDrop,
  { maker, models, wanted, isWanted, budget }: Counting,
): Promise<{ reusable: ReadonlySet<number>; why?: string }> {
  const reusable = new Set<number>()
  const { renders } = ledger.state
  if ((known ? known.accepted.fresh : input.fresh) || renders.size === 0 || wanted === 0) return { reusable }
  if (!models || !maker) return { reusable, why: 'no server answered that could tell which models it has' }
  if (wanted > budget.slots) return { reusable, why: `more than ${countedMax} pictures` }
  budget.slots -= wanted
  let made = 0
  for (let ordinal = 0; ordinal < index.count; ordinal++) {
    const slot = isWanted(ordinal) ? slotAt(index, ordinal) : undefined
    if (!slot) continue
    if (++made % jobsPerTurn === 0) await turn()
    const renderHash = maker.make(slot)?.renderHash
    if (renderHash !== undefined && renders.has(renderHash)) reusable.add(ordinal)
  }
  return { reusable }
}

/** Asks the servers about each different need once: weights of LoRAs make no difference. */
async function findLacks(
  { farm }: Foundry,
  groups: readonly WaitingGroup[],
  sampleOf: (group: WaitingGroup) => Parameters<typeof farm.outlook.lacks>[0] | undefined,
): Promise<PlannedWork['lacks']> {
  const found = new Map<string, Map<string, string[]>>()
  const byNeed = new Map<string, Map<string, string[]>>()
  for (const group of groups) {
    const need = [group.modelSet, group.work, ...group.loras.map(lora => lora.slice(0, lora.lastIndexOf('@')))].join(
      ' ',
    )
    if (!byNeed.has(need) && byNeed.size < checksMax) {
      const job = sampleOf(group)
      const lacks = job ? await farm.outlook.lacks(job) : []
      byNeed.set(need, new Map(lacks.map(({ server, problems }) => [server, problems])))
    }
    const lacks = byNeed.get(need)
    if (lacks && lacks.size > 0) found.set(group.lane, lacks)
  }
  return found
}
