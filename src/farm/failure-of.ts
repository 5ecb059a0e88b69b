import { describeProblem, FoundryError, reasonOf } from '../errors.js'
import { hideWords } from '../library/hide-words.js'
import type { Job } from '../plan/job.js'
import { type JobProblem, type RenderCause, RenderFailure } from '../plugins/contract.js'

/** What a server's check of a job says, of which some are errors, as the failure of the job there. */
export function failureOfCheck(problems: readonly JobProblem[]): RenderFailure {
  const errors = problems.filter(each => each.severity === 'error')
  return new RenderFailure(causeOf(errors), errors.map(describeProblem).join('; '), { problems: errors })
}

/** Without a node class the server cannot judge the rest; without a model file it can, and finds nothing else. */
function causeOf(errors: readonly JobProblem[]): RenderCause {
  if (errors.some(({ cause }) => cause === 'missing-node')) return 'missing-node'
  return errors.every(({ cause }) => cause === 'missing-model') ? 'missing-model' : 'invalid-graph'
}

/** What went wrong with an attempt. Throws what says nothing about it, such as a disk that is full. */
export function failureOf(error: unknown): RenderFailure {
  if (error instanceof RenderFailure) return error
  if (error instanceof FoundryError && (error.code === 'OUTPUT_INVALID' || error.code === 'PICTURES_FAILED'))
    return new RenderFailure('bad-output', error.message, error.details, error)
  throw error
}

/** A failure as it may be told: servers repeat words of prompts, and private ones are written nowhere. Names of files have no spaces. */
export function tellable({ isPrivate, graph }: Job, failed: RenderFailure): RenderFailure {
  if (!isPrivate) return failed
  const texts = Object.values(graph).flatMap(({ inputs }) =>
    Object.values(inputs).filter(value => typeof value === 'string' && value.includes(' ')),
  )
  return new RenderFailure(failed.reason, hideWords(failed.message, texts as string[]), failed.details, failed)
}

/** What nobody has foreseen, as a fault of the server as a whole where its provider says so, else of the job. */
export function unforeseen(error: unknown): RenderFailure {
  if (error instanceof FoundryError) return new RenderFailure('refused', error.message, {}, error)
  return new RenderFailure('node-error', `Not foreseen: ${reasonOf(error)}`, {}, error)
}
