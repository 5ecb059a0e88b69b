import { randomUUID } from 'node:crypto'
import { Stumble, queryInt, type Exchange } from './http-exchange.js'
import { isRecord } from './graph.js'
import { parseExact } from './exact-json.js'
import type { QueuedJob } from './job-heap.js'
import { useFault } from './options.js'
import { pythonText } from './cast-literal.js'
import type { Routes } from './handler.js'
import type { ServerState } from './server-state.js'
import { noPrompt, validateGraph, type GraphError } from './validate-graph.js'

/** Submitting, queue, interrupt, memory, history. */
export function queueRoutes(state: ServerState): Routes {
  const { worker, history } = state
  return {
    'GET /prompt': x => x.json({ exec_info: { queue_remaining: worker.remaining } }),
    'POST /prompt': async x => await answerSubmission(x, submit(await x.jsonBody(), state), state),
    'GET /queue': x =>
      x.json({
        queue_running: worker.running ? [shownJob(worker.running)] : [],
        queue_pending: worker.pending.list().map(shownJob),
      }),
    'POST /queue': async x => {
      const { clear, delete: ids } = listedMembers(await x.jsonBody())
      if (clear) worker.clear()
      for (const id of asList(ids)) worker.delete(id)
      x.empty(200)
    },
    'POST /interrupt': async x => {
      const { prompt_id: promptId } = objectBody(looseJson((await x.body()).toString()))
      worker.interrupt(promptId ? String(promptId) : undefined)
      x.empty(200)
    },
    'POST /free': async x => {
      const { unload_models: unload, free_memory: free } = objectBody(await x.jsonBody())
      if (free || unload) worker.free(Boolean(free))
      x.empty(200)
    },
    'GET /history': x => x.json(history.page(queryInt(x.query, 'max_items'), queryInt(x.query, 'offset'))),
    'GET /history/:id': (x, { id = '' }) => {
      const entry = history.get(id)
      x.json(entry ? { [id]: entry } : {})
    },
    'POST /history': async x => {
      const { clear, delete: ids } = listedMembers(await x.jsonBody())
      if (clear) history.clear()
      for (const id of asList(ids)) history.delete(id)
      x.empty(200)
    },
  }
}

type Submission =
  { kind: 'queued'; answer: Record<string, unknown> } | { kind: 'refused'; error: GraphError; nodeErrors: object }

/** Everything that happens to a submitted body before it is answered. A valid one is queued when this returns. */
function submit(body: unknown, state: ServerState): Submission {
  if (body === null || typeof body === 'number' || typeof body === 'boolean') throw new Stumble()
  const number = takeNumber(isRecord(body) ? body : {}, state)
  if (!isRecord(body) || !('prompt' in body)) return { kind: 'refused', error: noPrompt, nodeErrors: {} }
  const { catalogue, traits, facts } = state
  const validation = validateGraph(body.prompt, body.partial_execution_targets, { catalogue, traits, files: facts })
  if (validation.kind === 'broken') throw new Stumble()
  const extraData = extraDataOf(body, state)
  if (validation.kind === 'refused') return validation
  if (state.worker.pending.length >= pendingMax) throw new Stumble()
  const promptId = 'prompt_id' in body ? pythonText(body.prompt_id) : randomUUID()
  const { graph, outputs, nodeErrors } = validation
  state.worker.add({ number, promptId, graph, extraData, outputs })
  return { kind: 'queued', answer: { prompt_id: promptId, number, node_errors: nodeErrors } }
}

/** The real server knows no limit. */
const pendingMax = 100_000

async function answerSubmission(x: Exchange, submission: Submission, { faults }: ServerState): Promise<void> {
  if (submission.kind === 'queued' && useFault(faults, 'postLost')) return void x.request.socket.destroy()
  if (faults.postDelayMs > 0) await new Promise(resolve => setTimeout(resolve, faults.postDelayMs))
  if (submission.kind === 'queued') x.json(submission.answer)
  else x.json({ error: submission.error, node_errors: submission.nodeErrors }, 400)
}

function takeNumber(body: Record<string, unknown>, state: ServerState): number {
  if ('number' in body) {
    const number = typeof body.number === 'string' && body.number.trim() === '' ? NaN : Number(body.number)
    if (Number.isNaN(number) || body.number === null) throw new Stumble()
    return number
  }
  const counter = state.counter++
  return body.front && counter > 0 ? -counter : counter
}

/** What is kept of `extra_data`: the client id goes in, secrets stay out. */
function extraDataOf(body: Record<string, unknown>, { traits }: ServerState): QueuedJob['extraData'] {
  const given = 'extra_data' in body ? body.extra_data : {}
  if (!isRecord(given)) throw new Stumble()
  const kept = Object.fromEntries(Object.entries(given).filter(([name]) => !secretNames.has(name)))
  return {
    ...kept,
    ...('client_id' in body && { client_id: body.client_id }),
    ...(traits.hasCreateTime && { create_time: Date.now() }),
  }
}

const secretNames = new Set(['api_key_comfy_org', 'auth_token_comfy_org'])

function shownJob({ number, promptId, graph, extraData, outputs }: QueuedJob): unknown[] {
  return [number, promptId, graph, extraData, outputs]
}

function objectBody(body: unknown): Record<string, unknown> {
  if (!isRecord(body)) throw new Stumble()
  return body
}

/** A list has none of the members asked for, and does no harm. */
function listedMembers(body: unknown): Record<string, unknown> {
  return Array.isArray(body) ? {} : objectBody(body)
}

/** Interrupting works with any body: what is no JSON counts as none. */
function looseJson(text: string): unknown {
  try {
    return parseExact(text)
  } catch {
    return {}
  }
}

function asList(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
