import type { Changed } from '../operations/run-priority.js'
import type { RunSummary } from '../operations/run-summary.js'
import { describeRange } from './describe-range.js'
import { counted } from './terminal.js'

/** How a run goes, as far as that is not the usual. */
export function describeCourse({ priority, weight, labels, pausedSlots, preview, endsIn }: RunSummary): string {
  const notes = [
    priority === 'default' ? '' : priority,
    weight === 1 ? '' : `weight ${weight}`,
    labels === undefined ? '' : describeLabels(labels),
    pausedSlots === undefined ? '' : `${counted(pausedSlots, 'picture')} paused`,
    preview === undefined ? '' : `preview of 1 in ${preview}`,
    endsIn ? `ends in ${describeRange(endsIn)}` : '',
  ]
  return notes.filter(Boolean).join(', ')
}

/** What a run has after it was changed. */
export function describeChange({ priority, weight, labels }: Changed): string {
  return `priority ${priority}, weight ${weight}${labels === undefined ? '' : `, ${describeLabels(labels)}`}`
}

function describeLabels(labels: readonly string[]): string {
  if (labels.length === 0) return 'no labels'
  return `${labels.length === 1 ? 'label' : 'labels'} ${labels.join('+')}`
}
