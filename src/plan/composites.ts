import type { PlannedComposite } from '../schema/composite.js'
import type { Series } from '../schema/run.js'
import { describeValues, perVariation, type SlotIndex } from './slots.js'

/** One picture of several pictures of a series. */
export interface Composite {
  /** `<subject>/<template>…`, unique among the composites of its run. */
  id: string
  series: Series
  layout: PlannedComposite
  /** What tells it from the others of its series; empty where it is the only one. */
  detail: string
  /** Ordinals of its slots, in the order of `layout.labels`. */
  ordinals: readonly number[]
}

/** All composites of a plan, one at a time: a plan of many series holds none. */
export function* compositesOf({ plan, starts }: SlotIndex): Iterable<Composite> {
  for (const [at, series] of plan.series.entries()) {
    if (series.composite === undefined || series.skipped !== undefined) continue
    yield* compositesOfSeries(series, series.composite, starts[at] ?? 0)
  }
}

/** How many composites a series has. */
export function countComposites(series: Series): number {
  const { composite, views, variations } = series
  if (!composite) return 0
  return (composite.over === 'views' ? variations : views).length * perVariation(series)
}

function* compositesOfSeries(series: Series, layout: PlannedComposite, start: number): Iterable<Composite> {
  const { views, variations, parameters = [], subject, template } = series
  const each = perVariation(series)
  const isOverViews = layout.over === 'views'
  const [cells, others] = isOverViews ? [views, variations] : [variations, views]
  for (const other of others.keys()) {
    for (let index = 0; index < each; index++) {
      const ordinalOf = (cell: number) => {
        const [view, variation] = isOverViews ? [cell, other] : [other, cell]
        return start + (view * variations.length + variation) * each + index
      }
      const parts = [template]
      const details: string[] = []
      if (!isOverViews) parts.push('sheet')
      if (others.length > 1) {
        parts.push(isOverViews ? `v${pad(other + 1, 3)}` : (views[other] ?? ''))
        details.push(
          isOverViews ? describeValues({ ...variations[other], ...parameters[other] }) : (views[other] ?? ''),
        )
      }
      if (each > 1) {
        parts.push(pad(index + 1, 4))
        details.push(`no. ${index + 1}`)
      }
      yield {
        id: `${subject}/${parts.join('-')}`,
        series,
        layout,
        detail: details.join(' · '),
        ordinals: [...cells.keys()].map(ordinalOf),
      }
    }
  }
}

function pad(number: number, width: number): string {
  return String(number).padStart(width, '0')
}
