import { affinityOf } from '../plan/affinity.js'
import { shapesOf, type SlotIndex } from '../plan/slots.js'
import type { ModelUse } from '../schema/trace.js'
import type { Group } from './choose-group.js'

/** A group of a run, with what decides beside the choice where its jobs may run. */
export interface RunGroup extends Group {
  renderer: string
  /** The names of the heavy files. */
  models: readonly string[]
  /** Names that limits count. */
  tags: readonly string[]
  /** What a server must be called for it. */
  labels: readonly string[]
}

/** Slots side by side that belong to one group. */
interface Range {
  entry: Entry
  start: number
  end: number
  /** Slots before it are not looked at again, unless they were given back. */
  next: number
}

interface Entry {
  group: RunGroup
  ranges: Range[]
  /** Slots that wait again. */
  returned: number[]
}

export interface BacklogRun {
  run: string
  renderer: string
  index: SlotIndex
  models: readonly ModelUse[]
  /** Whether a slot waits and nobody has taken it. */
  isWaiting(ordinal: number): boolean
}

/**
 * What of a run waits, by what it needs loaded. A run of a million slots holds a line for each view and variation, and none for
 * a slot: which one comes next is found when it is taken.
 */
export class RunBacklog {
  private readonly entries: ReadonlyMap<string, Entry>
  /** In the order of their slots. */
  private readonly ranges: Range[] = []

  constructor(
    private readonly of: BacklogRun,
    now: number,
  ) {
    const { run, renderer, index, models } = of
    const entries = new Map<string, Entry>()
    for (const { series, mix, start, end } of shapesOf(index)) {
      const workflow = index.plan.workflows[series.workflow]
      const chosen = series.mixes[mix]
      if (!workflow || !chosen) continue
      const affinity = affinityOf(workflow, chosen, models)
      const key = [affinity.modelSet, affinity.work, ...affinity.loras].join(' ')
      const entry = entries.get(key) ?? {
        group: {
          lane: `${run}/${entries.size}`,
          run,
          renderer,
          band: 0,
          weight: 1,
          waiting: 0,
          since: now,
          labels: [],
          ...affinity,
        },
        ranges: [],
        returned: [],
      }
      entries.set(key, entry)
      const range = { entry, start, end, next: start }
      entry.ranges.push(range)
      this.ranges.push(range)
    }
    this.entries = new Map([...entries.values()].map(entry => [entry.group.lane, entry]))
    this.recount()
  }

  get groups(): RunGroup[] {
    return [...this.entries.values()].map(({ group }) => group)
  }

  get waiting(): number {
    return this.groups.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  /** The next slot of a group that is fit; those that are not wait on. The caller has then taken it. */
  take({ lane }: Pick<RunGroup, 'lane'>, now: number, isFit: (ordinal: number) => boolean): number | undefined {
    const entry = this.entries.get(lane)
    if (!entry) return undefined
    const { group, returned } = entry
    const ordinal = this.takeReturned(entry, isFit) ?? this.takeNext(entry, isFit)
    if (ordinal === undefined) group.waiting = returned.length
    else {
      group.waiting--
      group.since = now
    }
    return ordinal
  }

  /** Whether something of a group waits that is fit. What was never taken is fit for every server. */
  hasFit({ lane }: Pick<RunGroup, 'lane'>, isFit: (ordinal: number) => boolean): boolean {
    const { group, returned } = this.entries.get(lane) ?? { returned: [] }
    if (!group || group.waiting === 0) return false
    return group.waiting > returned.length || returned.some(ordinal => this.of.isWaiting(ordinal) && isFit(ordinal))
  }

  /** A slot waits again. */
  giveBack(ordinal: number, now: number): void {
    const range = this.rangeOf(ordinal)
    if (!range || !this.of.isWaiting(ordinal)) return
    const { group, returned } = range.entry
    returned.push(ordinal)
    // Nobody had to wait while there was nothing to wait for.
    if (group.waiting === 0) group.since = now
    group.waiting++
  }

  /** Which group a slot belongs to, and how many of that group come before it. */
  placeOf(ordinal: number): { group: RunGroup; ahead: number } | undefined {
    const own = this.rangeOf(ordinal)
    if (!own) return undefined
    const { group, ranges, returned } = own.entry
    if (returned.includes(ordinal)) return { group, ahead: returned.indexOf(ordinal) }
    let ahead = returned.length
    for (const { next, end } of ranges)
      for (let at = next; at < Math.min(end, ordinal); at++) if (this.of.isWaiting(at)) ahead++
    return { group, ahead }
  }

  /** Looks at every slot again: after an operator's act. */
  recount(): void {
    for (const { group, ranges, ...entry } of this.entries.values()) {
      entry.returned.length = 0
      group.waiting = 0
      for (const range of ranges) {
        range.next = range.start
        for (let ordinal = range.start; ordinal < range.end; ordinal++) {
          if (this.of.isWaiting(ordinal)) group.waiting++
        }
      }
    }
  }

  private takeReturned({ returned }: Entry, isFit: (ordinal: number) => boolean): number | undefined {
    for (let at = 0; at < returned.length; at++) {
      const ordinal = returned[at]
      if (ordinal === undefined) continue
      if (!this.of.isWaiting(ordinal)) returned.splice(at--, 1)
      else if (isFit(ordinal)) return returned.splice(at, 1)[0]
    }
    return undefined
  }

  private takeNext({ ranges, returned }: Entry, isFit: (ordinal: number) => boolean): number | undefined {
    for (const range of ranges) {
      while (range.next < range.end) {
        const ordinal = range.next++
        if (!this.of.isWaiting(ordinal)) continue
        if (isFit(ordinal)) return ordinal
        returned.push(ordinal)
      }
    }
    return undefined
  }

  /** Binary search. */
  private rangeOf(ordinal: number): Range | undefined {
    let [low, high] = [0, this.ranges.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const range = this.ranges[middle]
      if (!range) return undefined
      if (ordinal < range.start) high = middle - 1
      else if (ordinal >= range.end) low = middle + 1
      else return range
    }
    return undefined
  }
}

/** A group that waits, with the bound on jobs in flight of its run. */
export type BacklogGroup = RunGroup & { inFlightMax?: number }

export interface SlotStand {
  isWanted: boolean
  /** Somebody makes a job of it, or it rests after a failure. */
  isTaken: boolean
  /** Absent while its run is not looked at. */
  group?: RunGroup
  ahead?: number
}
