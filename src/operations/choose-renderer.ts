import type { Problem } from '../errors.js'
import type { LibraryWorkflow } from '../library/workflows.js'
import type { PlannedWorkflow } from '../schema/run.js'
import { workflowsOf } from './workflows-of.js'

interface Home {
  /** What renders where no workflow says so. */
  renderer: string
  /** Whether a server of a renderer is listed. */
  lists(renderer: string): boolean
  library: ReadonlyMap<string, LibraryWorkflow>
}

/** What renders a plan: what its workflows ask for, else what the home renders by. All that does not fit together is a problem. */
export function chooseRenderer(
  workflows: readonly PlannedWorkflow[],
  { renderer: usual, lists, library }: Home,
): { renderer: string; problems: Problem[] } {
  const asked = [...new Set(workflows.flatMap(({ binding }) => binding.renderer ?? []))]
  const renderer = asked[0] ?? usual
  if (asked.length > 1) {
    const message = 'The workflows of these templates are for different renderers, and a run is of one'
    return { renderer, problems: [problem(message, asked.join(', '), 'one run for each')] }
  }
  const own = workflowsOf(renderer, library)
  const others = own.length === 0 ? [] : workflows.filter(({ binding }) => binding.renderer !== renderer)
  const unfit = others.map(({ name }) => {
    const message = `Workflow ${name} is a graph of ComfyUI, and the pictures are to be rendered by ${renderer}`
    return problem(message, name, `${own.join(', ')}; or a server that takes graphs, in foundry.yaml`)
  })
  if (asked.length === 0 || lists(renderer)) return { renderer, problems: unfit }
  const names = [...new Set(workflows.map(({ name }) => name))].join(', ')
  const message = `Workflow ${names} is rendered by ${renderer} alone, and no such server is listed`
  const allowed = `a server with "provider: ${renderer}" in foundry.yaml, or another workflow`
  return { renderer, problems: [...unfit, problem(message, usual, allowed)] }
}

function problem(message: string, found: string, allowed: string): Problem {
  return { severity: 'error', code: 'WORKFLOW_RENDERER_UNFIT', message, path: 'workflow', found, allowed }
}
