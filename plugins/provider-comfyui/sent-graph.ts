import {
  type ApiGraph,
  type ApiNode,
  type Attempt,
  type Job,
  type Problem,
  plainValue,
  withSavePrefix,
} from '../../src/plugins/contract.js'
import { chooseLoraName } from './lora-names.js'
import { normalName, type Shelf, toShelf } from './shelf.js'

/** What the names of a job are translated with. */
export interface ServerNames {
  /** By folder, `loras` among them. Folders that are not read keep the names of the job. */
  shelves: Readonly<Record<string, Shelf>>
  /** A draft server knows every model and LoRA by any name. */
  takesAnyName: boolean
  /** LoRA names on the server by talent id, from the entry of the server. */
  loraAliases: Readonly<Record<string, string>>
  /** Model names on the server by name in a workflow, from the entry of the server. */
  modelAliases: Readonly<Record<string, string>>
  /** Reference pictures by logical name; those that are not uploaded keep it. */
  references?: ReadonlyMap<string, string>
}

export interface SentGraph {
  graph: ApiGraph
  /** LoRAs that the server does not have. The graph still holds their logical names. */
  problems: Problem[]
}

const saveFolder = 'foundry'

/**
 * The graph of a job with the names of one server, saving under the name of the attempt.
 * `is_changed`, which a graph from a picture may carry, goes: the server would trust it over its files.
 */
export function toSentGraph(job: Job, attempt: Attempt, names: ServerNames): SentGraph {
  const problems: Problem[] = []
  const loraNames = chooseLoraNames(job, names, problems)
  const modelNames = chooseModelNames(job, names)
  const graph: ApiGraph = {}
  for (const [id, node] of Object.entries(job.graph)) {
    const toSent = (value: unknown): unknown => {
      const plain = plainValue(value)
      if (plain !== value && Array.isArray(plain)) return { __value__: plain.map(toSent) }
      if (typeof value !== 'string') return value
      return names.references?.get(value) ?? loraNames.get(value) ?? modelNames.get(normalName(value)) ?? value
    }
    const inputs = Object.entries(node.inputs).map(([input, value]) => [input, toSent(value)] as const)
    graph[id] = { ...withoutFingerprint(node), inputs: Object.fromEntries(inputs) }
  }
  return { graph: withSavePrefix(graph, job.save, `${saveFolder}/${saveStem(attempt)}`), problems }
}

/** How the file names of an attempt begin. */
export function saveStem(attempt: Attempt): string {
  return `${attempt.job}-${attempt.number}-${attempt.promptId.slice(0, 8)}`
}

/** Whether a value is called like a model file. */
export function isModelName(value: unknown): value is string {
  return typeof value === 'string' && /\.(safetensors|sft|ckpt|pt2?|pth|bin|pkl|gguf)$/i.test(value)
}

/** By logical name, `talent:<id>`. */
function chooseLoraNames(job: Job, names: ServerNames, problems: Problem[]): Map<string, string> {
  const nameByLogical = new Map<string, string>()
  job.loras.forEach((lora, index) => {
    const chosen = names.takesAnyName
      ? { name: `${lora.talent}.safetensors` }
      : chooseLoraName(lora, names.shelves['loras'] ?? emptyShelf, names.loraAliases)
    if ('name' in chosen) nameByLogical.set(`talent:${lora.talent}`, chosen.name)
    else problems.push({ severity: 'error', path: `loras[${index}]`, ...chosen.problem })
  })
  return nameByLogical
}

/** By normal name in the workflow: through its alias, to the spelling of the server. */
function chooseModelNames(job: Job, names: ServerNames): Map<string, string> {
  const chosen = new Map<string, string>()
  for (const [name, alias] of Object.entries(names.modelAliases)) {
    if (isModelName(name)) chosen.set(normalName(name), alias)
  }
  for (const { folder, name } of job.models) {
    const wanted = names.modelAliases[name] ?? chosen.get(normalName(name)) ?? name
    chosen.set(normalName(name), names.shelves[folder]?.byName.get(normalName(wanted)) ?? wanted)
  }
  return chosen
}

function withoutFingerprint(node: ApiNode): ApiNode {
  if (!('is_changed' in node)) return node
  return Object.fromEntries(Object.entries(node).filter(([key]) => key !== 'is_changed')) as unknown as ApiNode
}

const emptyShelf = toShelf([])
