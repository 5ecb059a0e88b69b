import type { Problem } from '../errors.js'
import type { PlannedWorkflow } from '../schema/run.js'
import { referencesTaken } from '../workflow/references.js'

/** Reference pictures that a workflow has no place for: never left out in silence. */
export function checkReferences(
  { name, binding }: Pick<PlannedWorkflow, 'name' | 'binding'>,
  references: readonly unknown[],
): Problem[] {
  const max = referencesTaken(binding)
  if (references.length <= max) return []
  const message =
    max === 0 ? `Workflow ${name} takes no reference pictures` : `Workflow ${name} takes fewer reference pictures`
  const allowed = max === 0 ? 'a workflow whose binding has "references"' : `${max} or fewer`
  const found = String(references.length)
  return [{ severity: 'error', code: 'WORKFLOW_REFERENCES_UNFIT', message, path: 'references', found, allowed }]
}
