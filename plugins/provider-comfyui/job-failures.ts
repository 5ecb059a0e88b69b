import { type ApiGraph, type Problem, type RenderCause, RenderFailure } from '../../src/plugins/contract.js'
import { isRecord, listOf, recordOf } from './json.js'
import { isModelName } from './sent-graph.js'

const textLengthMax = 500
const problemsMax = 200
const choicesShownMax = 8
const filesShownMax = 8

/**
 * The failure of a job from the `execution_error` of a server. Tells node, type and message; of the inputs,
 * which hold prompts, only the model files that could not be used; never the traceback, which holds paths of the server.
 */
export function failureOfExecution(data: Readonly<Record<string, unknown>>): RenderFailure {
  const type = textOf(data['exception_type'])
  const reason = shorten(textOf(data['exception_message']))
  const node = textOf(data['node_id'])
  const nodeType = textOf(data['node_type'])
  const cause = causeOf(type, reason)
  const files = cause === 'missing-model' ? modelFilesOf(data['current_inputs']) : ''
  const message = `Node ${node} (${nodeType}) failed${files && ` with ${files}`}: ${reason || type || 'without a reason'}`
  return new RenderFailure(cause, message, { node, nodeType, exception: type })
}

/** Values of inputs come as lists. */
function modelFilesOf(inputs: unknown): string {
  const values = Object.values(recordOf(inputs)).flatMap(value => (Array.isArray(value) ? listOf(value) : [value]))
  return shorten(values.filter(isModelName).slice(0, filesShownMax).join(', '))
}

/** Whether an `execution_error` only says that a node held its output back. Such a job goes on and succeeds. */
export function isBlocked(data: Readonly<Record<string, unknown>>): boolean {
  return data['exception_type'] === 'ExecutionBlocked'
}

/** The failure that a refused graph stands for: every mistake of every node as a problem. */
export function failureOfRejection(body: unknown, graph: ApiGraph): RenderFailure {
  const answer = recordOf(body)
  const error = recordOf(answer['error'])
  const problems = [...problemsOfError(error, graph), ...problemsOfNodes(answer['node_errors'])].slice(0, problemsMax)
  const cause = causeOfProblems(problems)
  const [first] = problems
  const message = first
    ? `The server refuses the graph: ${first.path ? `${first.path}: ` : ''}${first.message}`
    : `The server refuses the graph: ${shorten(textOf(error['message'])) || 'without a reason'}`
  return new RenderFailure(cause, message, { type: textOf(error['type']), problems })
}

/** Every mistake in the `node_errors` of an answer. */
export function problemsOfNodes(nodeErrors: unknown): Problem[] {
  return Object.entries(recordOf(nodeErrors)).flatMap(([id, value]) => {
    const { class_type: classType, errors } = recordOf(value)
    return listOf(errors).map(error => problemOfNode(id, textOf(classType), recordOf(error)))
  })
}

export function causeOfProblems(problems: readonly Problem[]): RenderCause {
  if (problems.some(problem => problem.code === nodeMissing)) return 'missing-node'
  if (problems.length > 0 && problems.every(problem => problem.code === modelMissing)) return 'missing-model'
  return 'invalid-graph'
}

export const nodeMissing = 'COMFYUI_NODE_MISSING'
export const modelMissing = 'COMFYUI_MODEL_MISSING'

/** The error of the whole graph, where it is not merely the sum of those of the nodes. */
function problemsOfError(error: Record<string, unknown>, graph: ApiGraph): Problem[] {
  const type = textOf(error['type'])
  if (type === '' || type === 'prompt_outputs_failed_validation') return []
  const id = /Node ID '#(.*)'/.exec(textOf(error['details']))?.[1]
  const classType = id === undefined ? undefined : graph[id]?.class_type
  if (classType !== undefined && (type === 'missing_node_type' || type === 'invalid_prompt')) {
    const message = `The server has no node class "${classType}"`
    return [{ severity: 'error', code: nodeMissing, message, ...(id !== undefined && { path: id }), found: classType }]
  }
  const message = shorten(textOf(error['message'])) || 'The graph is not valid'
  return [{ severity: 'error', code: codeOf(type), message }]
}

function problemOfNode(id: string, classType: string, error: Record<string, unknown>): Problem {
  const type = textOf(error['type'])
  const info = recordOf(error['extra_info'])
  const input = textOf(info['input_name'])
  const received = info['received_value']
  const isModel = type === 'value_not_in_list' && isModelName(received)
  const said = shorten(textOf(error['message'])) || type
  return {
    severity: 'error',
    code: isModel ? modelMissing : codeOf(type),
    message: isModel ? `The server has no model of that name for ${classType}` : `${classType}: ${said}`,
    path: input ? `${id}.${input}` : id,
    ...foundOf(received, info['input_config']),
    ...allowedOf(info['input_config']),
  }
}

/** Values of text inputs are left out: they are prompts. */
function foundOf(received: unknown, config: unknown): { found?: string } {
  const [type] = listOf(config)
  if (received === undefined || isRecord(received) || type === 'STRING') return {}
  return { found: shorten(String(received)) }
}

function allowedOf(config: unknown): { allowed?: string } {
  const [type, options] = listOf(config)
  const { options: listed, min, max } = recordOf(options)
  const choices = Array.isArray(type) ? listOf(type) : listOf(listed)
  if (choices.length > 0) {
    const more = choices.length > choicesShownMax ? ', …' : ''
    return { allowed: shorten(choices.slice(0, choicesShownMax).map(String).join(', ')) + more }
  }
  if (min === undefined && max === undefined) return typeof type === 'string' ? { allowed: type } : {}
  return { allowed: `${String(min ?? '')} to ${String(max ?? '')}` }
}

function causeOf(type: string, message: string): RenderCause {
  if (/OutOfMemory/i.test(type) || /out of memory|not enough memory/i.test(message)) return 'out-of-memory'
  if (/SafetensorError|FileNotFoundError|UnpicklingError/.test(type)) return 'missing-model'
  if (/no such file|model .*not found|file .*(not found|does not exist)/i.test(message)) return 'missing-model'
  return 'node-error'
}

function codeOf(type: string): string {
  return `COMFYUI_${(type || 'graph_invalid').toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}`
}

/** One line, without the folders of the server, of bounded length. */
function shorten(text: string): string {
  const line = text
    .slice(0, 4 * textLengthMax)
    .replaceAll(/\s+/g, ' ')
    .trim()
  const bare = line.replaceAll(/(?<![\w.])(?:[A-Za-z]:)?(?:[\\/][\w.@ -]*[\w.@-])+[\\/](?=[\w.])/g, '…/')
  return bare.length > textLengthMax ? `${bare.slice(0, textLengthMax)}…` : bare
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}
