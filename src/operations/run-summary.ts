import type { TimeRange } from '../farm/forecast-shapes.js'
import { countSlotsIn } from '../plan/slot-ranges.js'
import { pausedRanges } from '../record/holds.js'
import { spendOf } from '../record/spend.js'
import { type RunState, runStateOf } from '../record/state.js'
import type { Band } from '../schema/run.js'
import type { Spend } from '../schema/run-manifest.js'
import type { Foundry } from './foundry.js'

export interface RunSummary {
  run: string
  key: string
  kind: string
  state: string
  renderer: string
  priority: Band
  weight: number
  /** What its servers must be labelled with. */
  labels?: readonly string[]
  /** The whole run is paused. */
  isPaused: boolean
  /** Slots that are paused by themselves. */
  pausedSlots?: number
  /** Every so manieth slot was rendered first; the others wait for approval. */
  preview?: number
  /** What a human has to do before this run goes on. */
  waitsFor?: 'resume' | 'approval' | 'decision'
  /** Until its last picture, as far as it was measured; present while it is worked on. */
  endsIn?: TimeRange
  counts: Record<string, number>
  /** What paid services were paid for its pictures. */
  spent?: Spend[]
  acceptedAt: string
  folder: string
}

export function summarise(foundry: Foundry, run: RunState): RunSummary {
  const { priority, weight, labels, isPaused, preview } = run
  const { run: name, key, dropKind, renderer, at } = run.accepted
  const pausedSlots = countSlotsIn(pausedRanges(run))
  const waitsFor = findWait(run)
  const spent = spendOf(run.done.values())
  const endsIn = isAtWork(foundry, run) ? foundry.farm.outlook.runs().get(name)?.endsIn : undefined
  return {
    run: name,
    key,
    kind: dropKind,
    state: runStateOf(run),
    renderer,
    priority,
    weight,
    ...(labels.length > 0 && { labels }),
    isPaused,
    ...(pausedSlots > 0 && { pausedSlots }),
    ...(preview && { preview: preview.every }),
    ...(waitsFor && { waitsFor }),
    ...(endsIn && { endsIn }),
    counts: { slots: run.slots.length, ...run.counts, reused: run.reused },
    ...(spent.length > 0 && { spent }),
    acceptedAt: new Date(at).toISOString(),
    folder: foundry.runFolder(name),
  }
}

/** Something of it waits or runs, and nobody has stopped it. */
export function isAtWork({ farm }: Foundry, { isPaused, isCancelled, counts }: RunState): boolean {
  return farm.isWorking && !isPaused && !isCancelled && counts.waiting + counts.running > 0
}

function findWait(run: RunState): RunSummary['waitsFor'] {
  const state = runStateOf(run)
  if (state === 'paused') return 'resume'
  if (state !== 'held') return undefined
  if (run.preview) return 'approval'
  return run.pauses.length > 0 ? 'resume' : 'decision'
}
