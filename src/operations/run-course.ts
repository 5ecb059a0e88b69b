import type { Sources } from '../library/sources.js'
import type { RunAccepted } from '../record/events.js'
import { type RunState, usualCourse } from '../record/state.js'
import type { Submission } from './submission.js'

type Course = Pick<RunAccepted, 'priority' | 'weight' | 'labels' | 'preview' | 'inFlightMax'>

/** How a run is to go, as far as that is not the usual: not part of the plan, since it changes no picture. */
export function askedCourse(input: Submission, { drop }: Sources): Course {
  const order = drop?.kind === 'render-order' ? drop.order : undefined
  const priority = input.priority ?? order?.priority
  const weight = input.weight ?? order?.weight
  const labels = input.labels ?? order?.labels ?? []
  const { preview, inFlightMax } = input
  return {
    ...(priority !== undefined && { priority }),
    ...(weight !== undefined && { weight }),
    ...(labels.length > 0 && { labels }),
    ...(preview !== undefined && { preview }),
    ...(inFlightMax !== undefined && { inFlightMax }),
  }
}

/** How it goes. A known run changes only by what somebody asks for now: what was done by hand is newer than its order. */
export function courseOf(known: RunState | undefined, { input, sources }: { input: Submission; sources: Sources }) {
  const asked = known ? input : askedCourse(input, sources)
  const { priority, weight, labels } = known ?? usualCourse
  const { inFlightMax } = known ? known.accepted : asked
  return {
    priority: asked.priority ?? priority,
    weight: asked.weight ?? weight,
    labels: asked.labels ?? labels,
    ...(inFlightMax !== undefined && { inFlightMax }),
  }
}
