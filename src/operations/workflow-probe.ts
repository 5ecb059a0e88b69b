import { join } from 'node:path'
import { FoundryError, type Problem, reasonOf } from '../errors.js'
import { makeFolder, replaceFile } from '../files/durable.js'
import { hashJson } from '../files/hash.js'
import { jobMaker } from '../plan/make-job.js'
import { indexSlots, slotAt } from '../plan/slots.js'
import { RenderFailure } from '../plugins/contract.js'
import type { Binding } from '../schema/binding.js'
import type { RunPlan } from '../schema/run.js'
import type { ApiGraph } from '../workflow/api-graph.js'
import { sizeOf } from '../workflow/keeps-size.js'
import type { Foundry } from './foundry.js'
import { renderProblems } from './render-problems.js'

/** What came of rendering one picture with a workflow. */
export type Probed =
  | { state: 'rendered'; picture: string; server: string }
  | { state: 'failed'; problems: Problem[] }
  | { state: 'skipped'; reason: string }

interface Wanted {
  name: string
  graph: ApiGraph
  binding: Binding
  /** A server by name; any that answers where absent. */
  server: string | undefined
}

/** Renders one picture with a workflow, outside of any run, and keeps it as `.foundry/probes/<name>.png`. */
export async function probeWorkflow(foundry: Foundry, wanted: Wanted): Promise<Probed> {
  const { farm, config } = foundry
  if (!(await farm.firstAnswer()))
    return { state: 'skipped', reason: `no server answered (${farm.tried().join('; ')})` }
  const known = farm.status().find(each => each.name === wanted.server)?.renderer
  const job = jobOf(wanted, known ?? foundry.renderer)
  if (!job) return { state: 'skipped', reason: 'the workflow gives no job' }
  try {
    const { bytes, server } = await farm.renderOnce(job, wanted.server)
    const folder = join(config.paths.dot, 'probes')
    const picture = join(folder, `${wanted.name}.png`)
    await makeFolder(folder)
    await replaceFile(picture, bytes)
    return { state: 'rendered', picture, server }
  } catch (error) {
    if (error instanceof RenderFailure) return { state: 'failed', problems: renderProblems(error) }
    if (error instanceof FoundryError && error.code === 'SERVER_NONE')
      return { state: 'skipped', reason: reasonOf(error) }
    throw error
  }
}

/** Words that suit any model, and the size of the workflow itself. */
function jobOf({ name, graph, binding }: Wanted, renderer: string) {
  const side = sidePx[binding.family]
  const plan: RunPlan = {
    renderer,
    orderSeed: 0,
    series: [
      {
        subject: 'probe',
        template: 'probe',
        workflow: name,
        ...(sizeOf(graph, binding) ?? { width: side, height: side }),
        views: ['probe'],
        variations: [{}],
        mixes: [
          {
            positive: [{ text: 'portrait of a lighthouse keeper, plain background', source: 'probe' }],
            negative: [],
            loras: [],
            sliders: {},
          },
        ],
        count: 1,
      },
    ],
    workflows: {
      [name]: {
        name,
        family: binding.family,
        graph,
        binding,
        graphSha256: hashJson(graph),
        bindingSha256: hashJson(binding),
      },
    },
    inputs: [],
  }
  const slot = slotAt(indexSlots(plan), 0)
  const context = { run: 'probe', plan, dropSha256: hashJson(graph), models: [], privateTexts: new Map(), plugins: [] }
  return slot && jobMaker(context).make(slot)
}

const sidePx: Readonly<Record<Binding['family'], number>> = { sd15: 512, sdxl: 1024, sd3: 1024, flux: 1024 }
