import { isWithin, joinRanges, type SlotRange, withoutRanges } from '../plan/slot-ranges.js'

/** Why slots of a run are held back by an operator: said once for all of them, since there may be a million. */
export interface Holds {
  /** Slots that wait until they are resumed; none is part of two. */
  pauses: Pause[]
  /** Present until the rest is approved. */
  preview: Preview | undefined
}

interface Pause {
  slots: SlotRange[]
  by: string
}

/** Every so manieth slot from the first that has anything to render. */
interface Preview {
  every: number
  from: number
}

export const previewReason = 'Waits for approval after the preview'

/** Why a slot must not be rendered yet. */
export function heldBack({ pauses, preview }: Holds, ordinal: number): string | undefined {
  const pause = pauses.find(({ slots }) => isWithin(slots, ordinal))
  if (pause) return `Paused by ${pause.by}`
  return preview && (ordinal - preview.from) % preview.every !== 0 ? previewReason : undefined
}

/** The slots that are paused, whoever did it. */
export function pausedRanges({ pauses }: Pick<Holds, 'pauses'>): SlotRange[] {
  return joinRanges(pauses.flatMap(({ slots }) => slots))
}

/** With these slots paused; of those that are paused already the first pause counts. */
export function withPause(pauses: readonly Pause[], slots: readonly SlotRange[], by: string): Pause[] {
  const known = pauses.find(pause => pause.by === by)
  const added = withoutRanges(slots, pausedRanges({ pauses: [...pauses] }))
  const others = pauses.filter(pause => pause !== known)
  const own = { slots: joinRanges([...(known?.slots ?? []), ...added]), by }
  return own.slots.length > 0 ? [...others, own] : others
}

/** With these slots resumed. */
export function withoutPause(pauses: readonly Pause[], slots: readonly SlotRange[]): Pause[] {
  const rest = pauses.map(({ slots: paused, by }) => ({ slots: withoutRanges(paused, slots), by }))
  return rest.filter(pause => pause.slots.length > 0)
}
