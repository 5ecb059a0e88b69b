import type { Problem } from '../errors.js'
import type { RenderFailure } from '../plugins/contract.js'

/** Why a job was not rendered, problem by problem where the server told several. */
export function renderProblems({ reason, message, details }: RenderFailure): Problem[] {
  const listed = details['problems']
  if (Array.isArray(listed)) return listed as Problem[]
  return [{ severity: 'error', code: reason.toUpperCase().replaceAll('-', '_'), message }]
}
