import { type SlotIndex, seriesLength, slotById } from './slots.js'

/** Ordinals from the first to the last, both included. Lists of them are in order and do not overlap. */
export type SlotRange = [first: number, last: number]

/** All slots of one subject. */
export function rangesOfSubject({ plan, starts }: SlotIndex, subject: string): SlotRange[] {
  const ranges = plan.series.flatMap((series, at): SlotRange[] => {
    const first = starts[at] ?? 0
    const length = seriesLength(series)
    return series.subject === subject && length > 0 ? [[first, first + length - 1]] : []
  })
  return joinRanges(ranges)
}

/** The slot with this id, alone; none where there is no such slot. */
export function rangesOfSlot(index: SlotIndex, id: string): SlotRange[] {
  const slot = slotById(index, id)
  return slot ? [[slot.ordinal, slot.ordinal]] : []
}

/** Binary search: whether the ordinal lies in one of the ranges. */
export function isWithin(ranges: readonly SlotRange[], ordinal: number): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const [first, last] = ranges[middle] ?? [0, -1]
    if (ordinal < first) high = middle - 1
    else if (ordinal > last) low = middle + 1
    else return true
  }
  return false
}

/** Whether a slot is meant where no ranges mean the whole run. */
export function isMeant(ranges: readonly SlotRange[] | undefined, ordinal: number): boolean {
  return ranges === undefined || isWithin(ranges, ordinal)
}

/** The ranges in order; those that touch are one. */
export function joinRanges(ranges: readonly SlotRange[]): SlotRange[] {
  const joined: SlotRange[] = []
  for (const [first, last] of [...ranges].sort(([a], [b]) => a - b)) {
    const before = joined.at(-1)
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last)
    else joined.push([first, last])
  }
  return joined
}

/** What of the first ranges is not part of the second ones. */
export function withoutRanges(ranges: readonly SlotRange[], taken: readonly SlotRange[]): SlotRange[] {
  let rest = ranges.map(([first, last]): SlotRange => [first, last])
  for (const [from, to] of taken) {
    rest = rest.flatMap(([first, last]): SlotRange[] => {
      if (to < first || from > last) return [[first, last]]
      return [
        ...(first < from ? [[first, from - 1] as SlotRange] : []),
        ...(to < last ? [[to + 1, last] as SlotRange] : []),
      ]
    })
  }
  return rest
}

export function countSlotsIn(ranges: readonly SlotRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
}
