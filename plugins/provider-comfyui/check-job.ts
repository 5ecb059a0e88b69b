import { checkGraph, hasErrors, type Job, type JobProblem, type Problem } from '../../src/plugins/contract.js'
import { type Catalogue, doubtMs } from './catalogue.js'
import { explainLora, explainProblem } from './explain-lack.js'
import type { SentGraph } from './sent-graph.js'
import type { ServerIdentity } from './server-identity.js'

interface Checked {
  job: Job
  sent: SentGraph
  identity: ServerIdentity
  catalogue: Catalogue
}

/** Everything that keeps a job from running on a server. What seems wrong by what is remembered is asked once more. */
export async function checkJob({ job, sent, identity, catalogue }: Checked): Promise<JobProblem[]> {
  const names = Object.values(job.graph).map(node => node.class_type)
  const check = async (ageMs?: number): Promise<Problem[]> =>
    checkGraph(sent.graph, await catalogue.classes(names, ageMs)).filter(problem => isOwn(problem, identity))
  const remembered = await check()
  const found = hasErrors(remembered) ? await check(doubtMs) : remembered
  return [
    ...problemsOfTarget(job, identity),
    ...sent.problems.map(problem => explainLora(problem, job)),
    ...found.map(problem => explainProblem(problem, job, sent.graph)),
  ]
}

/** What must never reach this kind of server: jobs planned for another renderer, and draft weights on a real one. */
export function problemsOfTarget(job: Job, { renderer }: ServerIdentity): Problem[] {
  const problems: Problem[] = []
  if (job.target.renderer !== renderer) {
    const message = 'The job is planned for another renderer'
    const [found, allowed] = [job.target.renderer, renderer]
    problems.push({
      severity: 'error',
      code: 'COMFYUI_RENDERER_OTHER',
      message,
      path: 'target.renderer',
      found,
      allowed,
    })
  }
  if (renderer === 'draft') return problems
  job.loras.forEach((lora, index) => {
    if (!lora.draft) return
    const message = `The weights of talent "${lora.talent}" are a draft, and are never sent to a real server`
    const allowed = 'the draft server (--draft), or a kit with real weights'
    problems.push({ severity: 'error', code: 'COMFYUI_LORA_DRAFT', message, path: `loras[${index}].draft`, allowed })
  })
  return problems
}

/**
 * A LoRA without a name on the server is told as such, and not a second time as a wrong value.
 * A draft server paints graphs of any classes with any files, whatever it lists.
 */
function isOwn({ code, found }: Problem, { renderer }: ServerIdentity): boolean {
  if (found?.includes('talent:')) return false
  return renderer !== 'draft' || !['WORKFLOW_VALUE_UNKNOWN', 'WORKFLOW_CLASS_UNKNOWN'].includes(code)
}
