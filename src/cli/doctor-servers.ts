import { hasErrors, reasonOf } from '../errors.js'
import { afterServer } from '../farm/describe-tried.js'
import { deployedName } from '../library/talents-deploy.js'
import type { LibraryWorkflow } from '../library/workflows.js'
import { workflowsOf } from '../operations/workflows-of.js'
import type { Shelf } from '../operations/shelf.js'
import type { Job } from '../plan/job.js'
import type { Connection, JobProblem, Probe } from '../plugins/contract.js'
import { type ServerEntry, serverSchema } from '../schema/config.js'
import type { RequestPart } from '../schema/trace.js'

export interface Finding {
  what: string
  state: 'ok' | 'warning' | 'wrong'
  found: string
  next?: string
}

type Tell = (finding: Finding) => void

interface Server {
  entry: ServerEntry
  connection: Connection
}

const probeLimitMs = 10_000

/** What each server is, which workflows can run there, and what is missing where. Wrong when none can run anywhere. */
export async function lookAtServers(servers: readonly Server[], shelf: Shelf, tell: Tell): Promise<void> {
  const runnable: number[] = []
  let hasReal = false
  for (const server of servers) {
    const probe = await lookAtServer(server, tell)
    if (!probe) continue
    if (probe.renderer === 'draft') {
      // It paints any graph.
      runnable.push(shelf.workflows.size)
      continue
    }
    hasReal = true
    runnable.push(await lookAtWorkflows(server, probe.renderer, { shelf, tell }))
    lookAtTalents(server.entry, probe, { shelf, tell })
  }
  if (hasReal) tellDraftTalents(shelf, tell)
  if (shelf.workflows.size > 0 && runnable.length > 0 && runnable.every(count => count === 0)) {
    const next = 'mend what is listed for one of them (workflows/README.md says where its files come from)'
    tell({ what: 'workflows', state: 'wrong', found: 'none can run on any server that answered', next })
  }
}

async function lookAtServer({ entry, connection }: Server, tell: Tell): Promise<Probe | undefined> {
  const { name, provider, url = provider } = entry
  const what = `server ${name} (${url})`
  try {
    const probe = await connection.probe(AbortSignal.timeout(probeLimitMs))
    const { renderer, version = '', queueRemaining, tookMs } = probe
    const found = `${[renderer, version].join(' ').trim()}, ${queueRemaining} queued, answered in ${Math.round(tookMs)} ms`
    tell({ what, state: 'ok', found })
    return probe
  } catch (error) {
    const reason = reasonOf(error)
    const isGraphs = provider === serverSchema.properties.provider.default
    const next = isGraphs
      ? 'start ComfyUI (python main.py), mend the address (--server, or foundry.yaml), or render drafts with --draft'
      : 'mend its entry in foundry.yaml, or render drafts with --draft'
    tell({ what, state: 'wrong', found: (afterServer(reason, name) ?? reason).replace(/^:? /, ''), next })
    return undefined
  }
}

/** Answers how many workflows can run there. */
async function lookAtWorkflows(
  { entry: { name }, connection }: Server,
  renderer: string,
  { shelf, tell }: { shelf: Shelf; tell: Tell },
): Promise<number> {
  let count = 0
  for (const workflow of workflowsFor(renderer, shelf)) {
    const what = `workflow ${workflow.name} on ${name}`
    const problems = await connection
      .check(jobOf(workflow, renderer), AbortSignal.timeout(probeLimitMs))
      .catch((error): JobProblem[] => [{ severity: 'error', code: 'SERVER_UNFIT', message: reasonOf(error) }])
    if (hasErrors(problems)) {
      const errors = problems.filter(problem => problem.severity === 'error')
      tell({ what, state: 'warning', found: errors.map(describeLack).join('\n    ') })
    } else {
      count++
      tell({ what, state: 'ok', found: 'can run' })
    }
  }
  return count
}

/** Those of its own, where a renderer has any; otherwise those that belong to nobody. */
function workflowsFor(renderer: string, { workflows }: Shelf): LibraryWorkflow[] {
  const own = workflowsOf(renderer, workflows).length > 0 ? renderer : undefined
  return [...workflows.values()].filter(({ binding }) => binding?.renderer === own)
}

/** What a server merely lacks is told in full by the provider; of other mistakes the place matters too. */
function describeLack({ cause, path, message }: JobProblem): string {
  return cause === undefined && path !== undefined ? `${path}: ${message}` : message
}

/** A workflow as a job that nobody renders: what a server needs for it does not depend on the words. */
function jobOf({ name, graph, binding }: LibraryWorkflow, renderer: string): Job {
  const models = (binding?.models ?? []).flatMap(({ node, input, folder }) => {
    const value = graph[node]?.inputs[input]
    return typeof value === 'string' ? [{ folder, name: value.replaceAll('\\', '/'), identity: '', proven: false }] : []
  })
  const slot = { ordinal: 0, id: name, series: 0, subject: '', template: '', view: '', variation: 0, index: 0, seed: 0 }
  return {
    kind: 'graph',
    id: name,
    run: 'doctor',
    slot,
    renderHash: '',
    modelSet: '',
    target: { renderer, family: binding?.family ?? '', workflow: name },
    graph,
    save: binding?.save ?? [],
    loras: [],
    models,
    width: 0,
    height: 0,
    isSizeKnown: false,
    isPrivate: false,
    // A provider only hands it on to pictures, and none is made.
    request: {} as RequestPart,
  }
}

function lookAtTalents(
  { name, loras: aliases }: ServerEntry,
  probe: Probe,
  { shelf, tell }: { shelf: Shelf; tell: Tell },
): void {
  const loras = (probe.models['loras'] ?? []).map(each =>
    each
      .split(/[\\/]/)
      .at(-1)
      ?.replace(/\.[^.]*$/, ''),
  )
  for (const { id, usable, weights } of shelf.talents.values()) {
    const names = [id, deployedName(id, weights?.sha256 ?? '').replace('.safetensors', '')]
    if (!usable || weights?.isDraft || aliases?.[id] !== undefined) continue
    if (loras.some(lora => lora !== undefined && names.includes(lora))) continue
    const next = `copy ${weights?.path ?? 'weights.safetensors'} to models/loras/${id}.safetensors there, or let "foundry talents deploy ${id} --to FOLDER" do it`
    tell({ what: `talent ${id}`, state: 'warning', found: `${name} lacks its LoRA`, next })
  }
}

function tellDraftTalents(shelf: Shelf, tell: Tell): void {
  const drafts = [...shelf.talents.values()].filter(talent => talent.usable && talent.weights?.isDraft)
  if (drafts.length === 0) return
  tell({
    what: 'draft talents',
    state: 'warning',
    found: `${drafts.map(({ id }) => id).join(', ')}: no real server is ever sent these, pictures are rendered without`,
    next: 'put the trained weights.safetensors into the kit, and a copy of it into models/loras of the server',
  })
}
