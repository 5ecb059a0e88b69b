import { createHash } from 'node:crypto'
import type { ParameterValue } from '../schema/parameter.js'
import type { RunPlan, Series } from '../schema/run.js'
import type { Slot } from './job.js'

/** Where each series of a plan begins, so that any slot is found from its ordinal alone. */
export interface SlotIndex {
  plan: RunPlan
  /** `starts[i]` is the ordinal of the first slot of series i. */
  starts: readonly number[]
  count: number
}

/** Slots are numbered series by series, then by view, variation and index. A skipped series counts as one slot. */
export function indexSlots(plan: RunPlan): SlotIndex {
  const starts: number[] = []
  let count = 0
  for (const series of plan.series) {
    starts.push(count)
    count += seriesLength(series)
  }
  return { plan, starts, count }
}

export function seriesLength(series: Series): number {
  return series.skipped === undefined ? series.views.length * series.variations.length * perVariation(series) : 1
}

/** The slot with this ordinal, made when it is needed: a plan of a million slots holds none. */
export function slotAt(index: SlotIndex, ordinal: number): Slot | undefined {
  if (!Number.isInteger(ordinal) || ordinal < 0 || ordinal >= index.count) return undefined
  const { at, start } = findSeries(index.starts, ordinal)
  const series = index.plan.series[at]
  if (!series) return undefined
  const each = perVariation(series)
  const offset = ordinal - start
  const number = offset % each
  const variation = Math.floor(offset / each) % series.variations.length
  const view = series.views[Math.floor(offset / each / series.variations.length)] ?? 'main'
  const { subject, template } = series
  const seed = series.seeds?.[number] ?? slotSeed([index.plan.orderSeed, subject, template, view, number])
  return {
    ordinal,
    id: slotId(series, view, variation, number),
    series: at,
    subject,
    template,
    view,
    variation,
    index: number,
    seed,
  }
}

/** Slots that differ in their seed only: those of one view and variation stand side by side. */
export interface Shape {
  series: Series
  /** Of `series.mixes`. */
  mix: number
  /** First ordinal, and the one after the last. */
  start: number
  end: number
}

/** The shapes of a plan in the order of its slots. Skipped series have none. */
export function* shapesOf({ plan, starts }: SlotIndex): Iterable<Shape> {
  for (const [at, series] of plan.series.entries()) {
    if (series.skipped !== undefined) continue
    const each = perVariation(series)
    const shapes = series.views.length * series.variations.length
    for (let mix = 0; mix < shapes; mix++) {
      const start = (starts[at] ?? 0) + mix * each
      yield { series, mix, start, end: start + each }
    }
  }
}

/** The slot with this id. */
export function slotById(index: SlotIndex, id: string): Slot | undefined {
  const number = Number(/-(\d+)$/.exec(id)?.[1] ?? 1) - 1
  for (const [at, series] of index.plan.series.entries()) {
    const each = series.skipped === undefined ? perVariation(series) : 1
    if (!id.startsWith(`${series.subject}/${series.template}`)) continue
    const start = index.starts[at] ?? 0
    // Of each view and variation only the slot of that number can be meant.
    for (let ordinal = start + (number % each); ordinal < start + seriesLength(series); ordinal += each) {
      const slot = slotAt(index, ordinal)
      if (slot?.id === id) return slot
    }
  }
  return undefined
}

/** The first 53 bits of SHA-256 over the JSON of `[order seed, persona, template, view, index]`: stable and safe in JSON. */
export function slotSeed(parts: readonly [number, string, string, string, number]): number {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest()
  return Number(digest.readBigUInt64BE(0) >> 11n)
}

/** The slider values that a sweep gives a slot; none where nothing is swept. */
export function sweptSliders({ plan }: SlotIndex, slot: Slot): Readonly<Record<string, number>> {
  return plan.series[slot.series]?.variations[slot.variation] ?? {}
}

/** The parameters that are set for a slot; none where nothing is set. */
export function setParameters({ plan }: SlotIndex, slot: Slot): Readonly<Record<string, ParameterValue>> {
  return plan.series[slot.series]?.parameters?.[slot.variation] ?? {}
}

const shownLengthMax = 24

/** `mecha 0.3 · cfg 6.5`, as people read it; long texts are cut. */
export function describeValues(values: Readonly<Record<string, ParameterValue>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${showValue(value)}`)
    .join(' · ')
}

/** What `describeValues` shows of a value. */
export function showValue(value: ParameterValue): string {
  return String(value).slice(0, shownLengthMax)
}

/** Pictures of each view and variation. */
export function perVariation(series: Series): number {
  return series.seeds?.length ?? series.count
}

/** `<subject>/<template>[-<view>][-v<variation>]-<index>`: what does not vary is left out. */
export function slotId(series: Series, view: string, variation: number, index: number): string {
  if (series.skipped !== undefined) return `${series.subject}/${series.template}`
  const parts = [series.template]
  if (series.views.length > 1) parts.push(view)
  if (series.variations.length > 1) parts.push(`v${pad(variation + 1, 3)}`)
  return `${series.subject}/${parts.join('-')}-${pad(index + 1, 4)}`
}

function pad(number: number, width: number): string {
  return String(number).padStart(width, '0')
}

/** Binary search: the last start that is not beyond the ordinal, and where it stands. */
function findSeries(starts: readonly number[], ordinal: number): { at: number; start: number } {
  let found = { at: 0, start: 0 }
  let end = starts.length
  while (found.at + 1 < end) {
    const at = (found.at + end) >> 1
    const start = starts.at(at) ?? Infinity
    if (start <= ordinal) found = { at, start }
    else end = at
  }
  return found
}
