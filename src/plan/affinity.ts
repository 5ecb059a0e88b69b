import { hashJson } from '../files/hash.js'
import type { Mix, PlannedWorkflow } from '../schema/run.js'
import type { ModelUse } from '../schema/trace.js'

/** What a server must have loaded for a job, and what else decides where and when it may run. */
export interface Affinity {
  /** Hash of the heavy files. */
  modelSet: string
  /** The names of the heavy files. */
  models: readonly string[]
  /** `<talent>@<effective weight>`, in the order of the chain. */
  loras: readonly string[]
  /** `<family>/<workflow>`: jobs of one work take alike long on one server. */
  work: string
  /** Names that limits may count: family, workflow, talents. */
  tags: readonly string[]
}

export function affinityOf(workflow: PlannedWorkflow, mix: Pick<Mix, 'loras'>, models: readonly ModelUse[]): Affinity {
  const { family, name } = workflow
  const needed = modelsOf(workflow, models)
  return {
    modelSet: modelSetOf(needed),
    models: needed.map(model => model.name),
    ...affinityOfJob({ target: { family, workflow: name }, loras: mix.loras }),
  }
}

/** What of its affinity a job tells by itself. */
export function affinityOfJob({
  target: { family, workflow },
  loras,
}: {
  target: { family: string; workflow: string }
  loras: readonly { talent: string; effective: number }[]
}): Pick<Affinity, 'loras' | 'work' | 'tags'> {
  return {
    loras: loras.map(({ talent, effective }) => `${talent}@${effective}`),
    work: `${family}/${workflow}`,
    tags: [family, workflow, ...loras.map(({ talent }) => talent)],
  }
}

export function modelSetOf(models: readonly ModelUse[]): string {
  return hashJson(models.map(({ folder, identity }) => [folder, identity])).slice(0, 16)
}

/** The heavy files that a workflow loads, with their identity where it is known. */
export function modelsOf({ graph, binding }: PlannedWorkflow, known: readonly ModelUse[]): ModelUse[] {
  return (binding.models ?? []).flatMap(({ node, input, folder }) => {
    // The schema of the plan keeps graphs open; they were parsed as API graphs when the plan was made.
    const name = (graph[node] as { inputs?: Record<string, unknown> } | undefined)?.inputs?.[input]
    if (typeof name !== 'string') return []
    const spelled = name.replaceAll('\\', '/')
    const found = known.find(each => each.folder === folder && each.name === spelled)
    return [found ?? { folder, name: spelled, identity: `name:${spelled}`, proven: false }]
  })
}
