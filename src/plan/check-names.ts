import type { Problem } from '../errors.js'
import type { Series } from '../schema/run.js'
import { slotId } from './slots.js'

/** Pure: pictures that would lie in one place, such as view `side` of the template `hero`, and the template `hero-side`. */
export function checkNames(series: readonly Series[]): Problem[] {
  const firstByName = new Map<string, string>()
  return series.flatMap(each =>
    each.views.flatMap((view): Problem[] => {
      const name = slotId(each, view, 0, 0)
      const own = `template ${each.template}, view ${view}`
      const first = firstByName.get(name)
      firstByName.set(name, first ?? own)
      if (first === undefined) return []
      const message = `Two pictures would be called ${name}: of ${first}, and of ${own}`
      const allowed = 'other ids, or a run of its own for each template'
      return [{ severity: 'error', code: 'PLAN_NAME_TWICE', message, path: 'templates', allowed }]
    }),
  )
}
