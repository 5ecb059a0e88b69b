import type { Problem } from '../errors.js'
import type { LibraryWorkflow } from '../library/workflows.js'
import type { Binding } from '../schema/binding.js'
import type { Template } from '../schema/template.js'
import { analyseGraph } from '../workflow/analyse.js'
import { referencesTaken } from '../workflow/references.js'
import { workflowsOf } from './workflows-of.js'

interface Wish {
  /** Reference pictures that it must take. */
  references: number
  /** Model family that the user names. */
  family: string | undefined
  /** What renders where no workflow says so. */
  renderer: string
}

interface Candidate {
  name: string
  binding: Binding
  max: number
}

/**
 * The workflow of pictures with references where nobody names one: the usual one if it takes so many, else the only one of the
 * home's renderer that does. Otherwise a problem with all that take some.
 */
export function chooseReferenceWorkflow(
  usual: string,
  { sizes }: Template,
  { references, family, renderer }: Wish,
  library: ReadonlyMap<string, LibraryWorkflow>,
): string | Problem {
  const candidates = [...library.values()].flatMap(toCandidate).filter(({ max }) => max > 0)
  const own = workflowsOf(renderer, library).length > 0 ? renderer : undefined
  const isSuited = ({ binding, max }: Candidate) =>
    max >= references &&
    binding.renderer === own &&
    (family === undefined || binding.family === family) &&
    sizes[binding.family] !== undefined
  const suited = candidates.filter(isSuited)
  const chosen = suited.find(({ name }) => name === usual) ?? (suited.length === 1 ? suited[0] : undefined)
  if (chosen) return chosen.name
  const why = suited.length === 0 ? 'and no other one of this home does' : 'and several others do'
  const message = `The usual workflow ${usual} does not take these reference pictures, ${why}: name one with --workflow`
  const allowed = candidates.map(describe).sort().join('; ') || 'a workflow whose binding has "references"'
  const found = String(references)
  return { severity: 'error', code: 'WORKFLOW_REFERENCES_UNFIT', message, path: 'references', found, allowed }
}

function toCandidate({ name, graph, binding: own }: LibraryWorkflow): Candidate[] {
  const binding = own ?? analyseGraph(graph).binding
  return binding ? [{ name, binding, max: referencesTaken(binding) }] : []
}

function describe({ name, binding, max }: Candidate): string {
  const by = binding.renderer === undefined ? '' : `, on ${binding.renderer}`
  return `${name} (${max === 1 ? '1 picture' : `up to ${max} pictures`}, ${binding.family}${by})`
}
