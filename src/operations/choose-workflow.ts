import { resolve } from 'node:path'
import { FoundryError, type Problem } from '../errors.js'
import { confineReal } from '../files/confined-path.js'
import { findNearMiss } from '../files/near-miss.js'
import { hashJson } from '../files/hash.js'
import { type LibraryWorkflow, readWorkflow } from '../library/workflows.js'
import type { PlannedWorkflow } from '../schema/run.js'
import type { Family, Template } from '../schema/template.js'
import { analyseGraph } from '../workflow/analyse.js'
import { checkBinding } from '../workflow/check-binding.js'
import { parseGraph } from '../workflow/parse-graph.js'
import { chooseReferenceWorkflow } from './choose-reference-workflow.js'
import { workflowsOf } from './workflows-of.js'

export interface WorkflowWish {
  /** Workflow of personas that the user or an order names: a name of the library, or a path that ends in `.json`. */
  persona: string | undefined
  /** Where `persona` must lie when it is a path: an order names only what lies beside it. */
  inside?: string
  /** The same of backdrops. */
  backdrop: string | undefined
  /** Model family that the user names. */
  family: Family | undefined
  /** Model family where nobody names one and the workflow does not tell. */
  usualFamily: Family
  /** Names of the default workflows. */
  byFamily: Readonly<Record<string, string>>
  /** What renders where no workflow says so: one that has workflows of its own gets one of these. */
  renderer: string
  /** Reference pictures that a persona of the run is rendered after, at most. */
  references?: number
}

export interface ChosenWorkflow {
  planned: PlannedWorkflow
  path: string
  /** Read from a path that the user gave, instead of from the library. */
  isOwn: boolean
}

/** The workflow of a template with its binding: its own, or the one that analysis finds. Adds to the problems. */
export async function chooseWorkflow(
  template: Template,
  wish: WorkflowWish,
  { library, problems }: { library: ReadonlyMap<string, LibraryWorkflow>; problems: Problem[] },
): Promise<ChosenWorkflow | undefined> {
  const name = nameFor(template, wish, library)
  if (typeof name !== 'string') {
    problems.push(name)
    return undefined
  }
  const known = library.get(name)
  const workflow = known ?? (await readOwn(name, wish.inside, { library, problems }))
  const planned = workflow && bind(workflow, wish, problems)
  return planned && { planned, path: workflow.path, isOwn: known === undefined }
}

/** Whether a workflow is named by its path instead of by its name. */
export function isWorkflowPath(name: string): boolean {
  return /\.json$/i.test(name)
}

function nameFor(
  template: Template,
  { persona, backdrop, family, usualFamily, byFamily, renderer, references = 0 }: WorkflowWish,
  library: ReadonlyMap<string, LibraryWorkflow>,
): string | Problem {
  const asked = template.subject === 'backdrop' ? backdrop : persona
  const chosen = family ?? usualFamily
  if (asked !== undefined) return asked
  const own = workflowsOf(renderer, library)
  const defaults = Object.values(byFamily)
  const hosted = own.find(each => defaults.includes(each)) ?? own[0]
  const usual = hosted ?? template.workflows?.[chosen] ?? byFamily[chosen] ?? chosen
  if (references === 0) return usual
  return chooseReferenceWorkflow(usual, template, { references, family, renderer }, library)
}

async function readOwn(
  name: string,
  inside: string | undefined,
  { library, problems }: { library: ReadonlyMap<string, LibraryWorkflow>; problems: Problem[] },
): Promise<LibraryWorkflow | undefined> {
  const path = isWorkflowPath(name) ? await locate(name, inside) : unknown(name, [...library.keys()])
  const read = typeof path === 'string' ? await readWorkflow(path, parseGraph) : { problems: [path] }
  problems.push(...read.problems)
  return 'workflow' in read ? read.workflow : undefined
}

async function locate(name: string, inside: string | undefined): Promise<string | Problem> {
  if (inside === undefined) return resolve(name)
  return confineReal(inside, name).catch((error: unknown): Problem => {
    if (!(error instanceof FoundryError)) throw error
    const message = 'leads outside of the folder of the order'
    return { severity: 'error', code: error.code, message, path: 'workflow' }
  })
}

function unknown(name: string, known: readonly string[]): Problem {
  const meant = findNearMiss(name, known)
  const hint = meant === undefined ? '' : `: did you mean "${meant}"?`
  return {
    severity: 'error',
    code: 'WORKFLOW_UNKNOWN',
    message: `No workflow is named "${name}"${hint}`,
    allowed: `${known.join(', ')}, or the path of a .json file`,
  }
}

function bind(workflow: LibraryWorkflow, wish: WorkflowWish, problems: Problem[]): PlannedWorkflow | undefined {
  const { name, file, graph, graphSha256, binding: own, bindingSha256 } = workflow
  const binding = own ?? analyse(workflow, wish, problems)
  if (!binding) return undefined
  if (own) problems.push(...checkBinding(graph, own).map(each => ({ ...each, file: each.file ?? file })))
  return {
    name,
    family: binding.family,
    graph,
    graphSha256,
    binding,
    bindingSha256: bindingSha256 ?? hashJson(binding),
  }
}

/** What the user says about the family holds; the usual one counts only where the graph itself does not tell. */
function analyse({ graph, file }: LibraryWorkflow, { family, usualFamily }: WorkflowWish, problems: Problem[]) {
  const first = analyseGraph(graph, family === undefined ? {} : { hints: { family } })
  const isAsked = first.problems.some(each => each.path === 'family' && each.severity === 'error')
  const { binding, problems: found } = isAsked ? analyseGraph(graph, { hints: { family: usualFamily } }) : first
  problems.push(...found.map(each => ({ ...each, file: each.file ?? file })))
  return binding
}
