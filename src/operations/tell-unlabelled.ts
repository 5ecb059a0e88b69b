import type { Problem } from '../errors.js'
import type { Foundry } from './foundry.js'

/** Says where no server has the labels that a run asks for. It is accepted all the same: such a server may come. */
export function tellUnlabelled({ farm }: Foundry, labels: readonly string[]): Problem[] {
  if (labels.length === 0) return []
  if (farm.status().some(server => labels.every(label => server.labels.includes(label)))) return []
  const message = `No server has the ${labels.length === 1 ? 'label' : 'labels'} ${labels.join(', ')}`
  const allowed = 'labels that "foundry servers" shows; until a server has them, nothing is rendered'
  return [{ severity: 'warning', code: 'LABELS_UNMET', message, allowed }]
}
