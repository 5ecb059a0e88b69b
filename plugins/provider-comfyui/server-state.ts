import { type HistoryEntry, readHistory } from './history.js'
import type { Http } from './http.js'
import { listOf, recordOf } from './json.js'

/** An entry of the history carries its graph, its extra data and every output. */
const historySizeBytesMax = 64 * 1024 * 1024
/** The queue carries the whole graph of every waiting job, of all clients. */
const queueSizeBytesMax = 64 * 1024 * 1024

/** Prompt ids in the queue of a server. */
export interface ServerQueue {
  running: ReadonlySet<string>
  pending: ReadonlySet<string>
}

export async function askQueue(http: Http, signal: AbortSignal): Promise<ServerQueue> {
  const route = '/queue'
  const body = recordOf(await http.getJson(route, { signal, sizeBytesMax: queueSizeBytesMax }))
  return { running: promptIds(body['queue_running']), pending: promptIds(body['queue_pending']) }
}

/** How a job ended, or nothing while the server has no history of it. */
export async function askHistory(http: Http, promptId: string, signal: AbortSignal): Promise<HistoryEntry | undefined> {
  const route = `/history/${encodeURIComponent(promptId)}`
  return readHistory(await http.getJson(route, { signal, sizeBytesMax: historySizeBytesMax }), promptId)
}

function promptIds(items: unknown): Set<string> {
  return new Set(listOf(items).map(item => String(listOf(item)[1])))
}
