import { Stumble, type Exchange } from './http-exchange.js'
import { isRecord } from './graph.js'
import type { HistoryEntry } from './history.js'
import type { QueuedJob } from './job-heap.js'
import type { Routes } from './handler.js'
import type { ServerState } from './server-state.js'

/** The newer view on queue and history at once, under `/api` only. */
export function jobListRoutes(state: ServerState): Routes {
  const allJobs = () => [
    ...(state.worker.running ? [fromQueue(state.worker.running, 'in_progress')] : []),
    ...state.worker.pending.list().map(job => fromQueue(job, 'pending')),
    ...state.history.all().map(([, entry]) => fromHistory(entry)),
  ]
  return {
    'GET /api/jobs': x => {
      const asked = readQuery(x.query)
      if ('error' in asked) return x.json(asked, 400)
      listJobs(x, allJobs(), asked)
    },
    'GET /api/jobs/:id': (x, { id = '' }) => {
      const entry = state.history.get(id)
      if (entry) return x.json({ ...fromHistory(entry), ...detailsOf(entry) })
      const job = allJobs().find(each => each.id === id)
      if (job) x.json(job)
      else x.json({ error: 'Job not found' }, 404)
    },
  }
}

interface ListedJob {
  id: string
  status: string
  priority: unknown
  create_time?: unknown
  execution_start_time?: unknown
  execution_end_time?: unknown
  workflow_id?: unknown
  [fact: string]: unknown
}

interface Query {
  statuses: string[]
  workflowId: string | null
  sortBy: string
  isDescending: boolean
  limit: number | undefined
  offset: number
}

const statuses = ['pending', 'in_progress', 'completed', 'failed', 'cancelled']

function readQuery(query: URLSearchParams): Query | { error: string } {
  const wanted = (query.get('status') ?? '').split(',').filter(Boolean)
  const unknown = wanted.filter(each => !statuses.includes(each))
  if (unknown.length > 0) {
    return { error: `Invalid status value(s): ${unknown.join(', ')}. Valid values: ${statuses.join(', ')}` }
  }
  const sortBy = query.get('sort_by') ?? 'created_at'
  if (!['created_at', 'execution_duration'].includes(sortBy)) {
    return { error: "sort_by must be 'created_at' or 'execution_duration'" }
  }
  const order = query.get('sort_order') ?? 'desc'
  if (!['asc', 'desc'].includes(order)) return { error: "sort_order must be 'asc' or 'desc'" }
  const limit = query.get('limit')
  const offset = query.get('offset')
  for (const [name, value] of Object.entries({ limit, offset })) {
    if (value !== null && !/^-?\d+$/.test(value)) return { error: `${name} must be an integer` }
  }
  if (limit !== null && Number(limit) < 1) return { error: 'limit must be a positive integer' }
  return {
    statuses: wanted,
    workflowId: query.get('workflow_id'),
    sortBy,
    isDescending: order === 'desc',
    limit: limit === null ? undefined : Number(limit),
    offset: Math.max(0, Number(offset ?? 0)),
  }
}

function listJobs(x: Exchange, all: ListedJob[], asked: Query): void {
  const wanted = all.filter(
    job =>
      (asked.statuses.length === 0 || asked.statuses.includes(job.status)) &&
      (asked.workflowId === null || job.workflow_id === asked.workflowId),
  )
  const weight = asked.sortBy === 'created_at' ? createdAt : durationOf
  // Stable in both directions: equal jobs stay in the order of queue and history.
  const sorted = wanted.sort((a, b) => (asked.isDescending ? weight(b) - weight(a) : weight(a) - weight(b)))
  const { offset, limit } = asked
  const jobs = sorted.slice(offset, limit === undefined ? undefined : offset + limit)
  const pagination = {
    offset,
    limit: limit ?? null,
    total: sorted.length,
    has_more: offset + jobs.length < sorted.length,
  }
  x.json({ jobs, pagination })
}

const createdAt = (job: ListedJob) => Number(job.create_time ?? 0)
const durationOf = (job: ListedJob) => Number(job.execution_end_time ?? 0) - Number(job.execution_start_time ?? 0)

function fromQueue(job: QueuedJob, status: string): ListedJob {
  return {
    id: job.promptId,
    status,
    priority: job.number,
    create_time: job.extraData.create_time,
    outputs_count: 0,
    ...workflowOf(job.extraData),
  }
}

function fromHistory({ prompt, outputs, status }: HistoryEntry): ListedJob {
  const [number, id, , extraData] = prompt as [number, string, unknown, Record<string, unknown>]
  const first = status.messages[0]?.[1].timestamp
  const last = status.messages.at(-1)
  const error = last?.[0] === 'execution_error' ? { execution_error: last[1] } : {}
  const state = last?.[0] === 'execution_interrupted' ? 'cancelled' : error.execution_error ? 'failed' : 'completed'
  const { count, preview } = summarize(outputs)
  return {
    id,
    status: state,
    priority: number,
    create_time: extraData.create_time,
    execution_start_time: first,
    execution_end_time: last?.[1].timestamp,
    ...error,
    outputs_count: count,
    ...(preview && { preview_output: preview }),
    ...workflowOf(extraData),
  }
}

function detailsOf({ prompt, outputs, status }: HistoryEntry): Record<string, unknown> {
  return { outputs, execution_status: status, workflow: { prompt: prompt[2], extra_data: prompt[3] } }
}

/** The listing falls over as a whole when one job has null where an object belongs. */
function workflowOf(extraData: Record<string, unknown>): { workflow_id?: unknown } {
  if (!('extra_pnginfo' in extraData)) return {}
  const info = extraData.extra_pnginfo
  if (!isRecord(info)) throw new Stumble()
  if (!('workflow' in info)) return {}
  if (!isRecord(info.workflow)) throw new Stumble()
  return info.workflow.id === undefined ? {} : { workflow_id: info.workflow.id }
}

function summarize(outputs: HistoryEntry['outputs']): { count: number; preview: object | undefined } {
  let count = 0
  let preview: object | undefined
  let fallback: object | undefined
  for (const [nodeId, node] of Object.entries(outputs)) {
    for (const [mediaType, items] of Object.entries(node)) {
      if (!Array.isArray(items)) continue
      count += items.length
      const file = items.find(isRecord)
      if (!file) continue
      const shown = { ...file, nodeId, mediaType }
      if (file.type === 'output') preview ??= shown
      else fallback ??= shown
    }
  }
  return { count, preview: preview ?? fallback }
}
