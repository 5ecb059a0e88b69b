import {
  type ApiGraph,
  type ApiNode,
  type Job,
  type JobProblem,
  modelFolderOf,
  type Problem,
} from '../../src/plugins/contract.js'
import { modelMissing, nodeMissing } from './job-failures.js'
import { isModelName } from './sent-graph.js'
import { normalName } from './shelf.js'

/** A problem of the sent graph; where the server merely lacks a model file or a node class, with what to do about it. */
export function explainProblem(problem: Problem, job: Job, graph: ApiGraph): JobProblem {
  const place = placeOf(problem.path)
  const node = place && graph[place.id]
  if (!node) return problem
  const { id, input } = place
  if (problem.code === 'WORKFLOW_CLASS_UNKNOWN') {
    const message =
      `${describeNode(id, node)}: the server has no node class "${node.class_type}": ` +
      'install the node pack that it comes from under custom_nodes there, and restart ComfyUI'
    return { ...problem, code: nodeMissing, cause: 'missing-node', message }
  }
  const value = input === undefined ? undefined : node.inputs[input]
  if (problem.code !== 'WORKFLOW_VALUE_UNKNOWN' || input === undefined || !isModelName(value)) return problem
  const folder =
    modelFolderOf(node, input) ?? job.models.find(({ name }) => normalName(name) === normalName(value))?.folder
  const target = folder === undefined ? `the folder that ${node.class_type} reads, under models` : `models/${folder}`
  const message =
    `${describeNode(id, node)}: the server has no "${value}": copy that file to ${target} there, ` +
    'or name one that it has instead, under "models" of its entry in foundry.yaml'
  return { ...problem, code: modelMissing, cause: 'missing-model', message }
}

/** A LoRA that the server lacks, with the node that loads it. */
export function explainLora(problem: Problem, job: Job): JobProblem {
  const lora = job.loras[Number(/^loras\[(\d+)\]$/.exec(problem.path ?? '')?.[1])]
  const [id, node] = Object.entries(job.graph).find(([, { inputs }]) => isLoadedBy(inputs, lora?.talent)) ?? []
  const message = id !== undefined && node ? `${describeNode(id, node)}: ${problem.message}` : problem.message
  return { ...problem, cause: 'missing-model', message }
}

function isLoadedBy(inputs: ApiNode['inputs'], talent: string | undefined): boolean {
  return Object.values(inputs).includes(`talent:${talent}`)
}

/** As the editor shows it: by number, title and class. */
function describeNode(id: string, node: ApiNode): string {
  const title = node._meta?.title
  return title ? `Node ${id} "${title}" (${node.class_type})` : `Node ${id} (${node.class_type})`
}

/** From a path such as `["3"].inputs.seed`. */
function placeOf(path = ''): { id: string; input: string | undefined } | undefined {
  const [, id, input, quoted] =
    /^\[("(?:[^"\\]|\\.)*")\](?:\.inputs(?:\.(\w+)|\[("(?:[^"\\]|\\.)*")\]))?/.exec(path) ?? []
  if (id === undefined) return undefined
  const plain = quoted === undefined ? input : String(JSON.parse(quoted))
  return { id: String(JSON.parse(id)), input: plain }
}
