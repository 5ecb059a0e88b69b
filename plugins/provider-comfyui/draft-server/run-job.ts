import { runNode, failureOf } from './run-node.js'
import { orderExecution } from './execution-order.js'
import type { DraftGraph } from './graph.js'
import type { HistoryEntry } from './history.js'
import type { QueuedJob } from './job-heap.js'
import type { CachedNode, JobPlace, NodeCache, NodeRun } from './job-place.js'
import { signNodes } from './node-signatures.js'
import { Pace } from './pace.js'
import { ProgressBoard } from './progress-board.js'

export interface JobResult {
  outcome: 'success' | 'error' | 'interrupted'
  serviceMs: number
  /** What loading took of it. */
  loadMs: number
  entry: HistoryEntry
}

/**
 * Runs one job from `execution_start` to `execution_success` or its failure. What it reports and in which order is that
 * of the real server. Rejects only when `signal` takes the job away.
 */
export async function runJob(job: QueuedJob, place: JobPlace, signal: AbortSignal): Promise<JobResult> {
  const { hub, catalogue, cache } = place
  const graph = job.graph as DraftGraph
  const clientId = typeof job.extraData.client_id === 'string' ? job.extraData.client_id : undefined
  const messages: [string, Record<string, unknown>][] = []
  const say = (type: string, data: Record<string, unknown>, toEveryone = false) => {
    const told = { ...data, timestamp: Date.now() }
    messages.push([type, told])
    if (clientId !== undefined || toEveryone) hub.send(clientId, type, told)
  }
  const finished = new Map<string, CachedNode>()
  const run: NodeRun = {
    job,
    graph,
    clientId,
    place,
    signal,
    pace: new Pace(place.faults, signal),
    board: new ProgressBoard(hub, clientId, job.promptId),
    finished,
    executed: [],
  }

  say('execution_start', { prompt_id: job.promptId })
  const signatures = signNodes(graph, catalogue, place.facts)
  forgetOthers(cache, new Set(signatures.values()))
  const cachedIds = Object.keys(graph).filter(id => cache.has(signatures.get(id) ?? ''))
  for (const id of cachedIds) finished.set(id, cache.get(signatures.get(id) ?? '') as CachedNode)
  say('execution_cached', { nodes: cachedIds, prompt_id: job.promptId })

  const reported: { outputs: HistoryEntry['outputs']; meta: HistoryEntry['meta'] } = { outputs: {}, meta: {} }
  const report = (id: string, { ui, meta }: CachedNode) => {
    if (ui) reported.outputs[id] = ui
    if (ui && meta) reported.meta[id] = meta
  }
  const result = (outcome: JobResult['outcome']): JobResult => ({
    outcome,
    serviceMs: run.pace.elapsedMs,
    loadMs: run.pace.loadMs,
    entry: {
      prompt: [job.number, job.promptId, job.graph, job.extraData, job.outputs],
      ...reported,
      status: { status_str: outcome === 'success' ? 'success' : 'error', completed: outcome === 'success', messages },
    },
  })

  const cached = new Set(cachedIds)
  const order = orderExecution(graph, job.outputs, {
    isCached: id => cached.has(id),
    isOutput: id => catalogue.find(graph[id]?.class_type ?? '')?.isOutput ?? false,
  })
  for (let id = order.next(); id !== undefined; id = order.next()) {
    try {
      const known = cached.has(id) ? finished.get(id) : undefined
      if (known) {
        if (tellCached(run, id, known)) report(id, known)
      } else {
        const made = await runNode(run, id)
        finished.set(id, made)
        cache.set(signatures.get(id) ?? `unsigned ${id}`, made)
        report(id, made)
      }
      order.finish(id)
    } catch (thrown) {
      signal.throwIfAborted()
      const failure = failureOf(run, id, thrown)
      const isInterrupt = failure.type === 'execution_interrupted'
      say(failure.type, failure.data, isInterrupt)
      return result(isInterrupt ? 'interrupted' : 'error')
    }
  }
  say('execution_success', { prompt_id: job.promptId })
  return result('success')
}

/** Only what the current graph contains is kept: the server's default way of caching. */
function forgetOthers(cache: NodeCache, wanted: Set<string>): void {
  for (const signature of cache.keys()) if (!wanted.has(signature)) cache.delete(signature)
}

/** Tells of a cached output node; false where the job has no client and the version then keeps it to itself. */
function tellCached({ job, clientId, place, board }: NodeRun, id: string, { ui }: CachedNode): boolean {
  if (clientId !== undefined) {
    const data = { node: id, display_node: id, output: ui ?? null, prompt_id: job.promptId }
    place.hub.send(clientId, 'executed', data)
  }
  board.finish(id)
  return clientId !== undefined || place.traits.tellsCachedToNobody
}
