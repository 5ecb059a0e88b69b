import { type OutputFile, RenderFailure } from '../../src/plugins/contract.js'
import { failureOfExecution } from './job-failures.js'
import { isRecord, listOf, recordOf } from './json.js'
import { filesOfNode } from './outputs.js'

/** How a job ended, by the server's history. */
export interface HistoryEntry {
  /** Absent when it succeeded. */
  failure?: RenderFailure
  filesByNode: ReadonlyMap<string, readonly OutputFile[]>
  /** Milliseconds that it ran. */
  renderMs?: number
}

/** The entry of one job in the body of `/history/{id}`, or nothing while it has not ended. */
export function readHistory(body: unknown, promptId: string): HistoryEntry | undefined {
  const entry = recordOf(body)[promptId]
  if (!isRecord(entry)) return undefined
  const status = recordOf(entry['status'])
  const messages = listOf(status['messages']).map(listOf)
  const failure = status['status_str'] === 'success' ? undefined : failureOfMessages(messages)
  const renderMs = durationOf(messages)
  return {
    ...(failure && { failure }),
    filesByNode: new Map(Object.entries(recordOf(entry['outputs'])).map(([id, output]) => [id, filesOfNode(output)])),
    ...(renderMs !== undefined && { renderMs }),
  }
}

export function interruption(): RenderFailure {
  return new RenderFailure('interrupted', 'The job was interrupted on the server')
}

function failureOfMessages(messages: readonly (readonly unknown[])[]): RenderFailure {
  const [type, data] = messages.at(-1) ?? []
  if (type === 'execution_interrupted') return interruption()
  if (type === 'execution_error') return failureOfExecution(recordOf(data))
  return new RenderFailure('node-error', 'The server says that the job failed, and not why')
}

function durationOf(messages: readonly (readonly unknown[])[]): number | undefined {
  const start = timestampOf(messages[0]?.[1])
  const end = timestampOf(messages.at(-1)?.[1])
  return start === undefined || end === undefined ? undefined : Math.max(0, end - start)
}

/** Milliseconds since 1970 by the clock of the server. */
export function timestampOf(data: unknown): number | undefined {
  const { timestamp } = recordOf(data)
  return typeof timestamp === 'number' ? timestamp : undefined
}
