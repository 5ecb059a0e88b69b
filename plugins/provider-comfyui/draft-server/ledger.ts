import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { isRecord, type DraftGraph } from './graph.js'
import { printExact } from './exact-json.js'
import type { QueuedJob } from './job-heap.js'

/** What the server rendered: the proof that tests and benchmarks count by. */
export interface LedgerEntry {
  promptId: string
  /** SHA-256 of the graph without the names it saves under. */
  graphSha256: string
  prefix?: string
  /** Of the foundry, where the request says. */
  job?: string
  slot?: string
  /** Milliseconds since 1970. */
  startedAt: number
  endedAt?: number
  /** Duration with fractions, from a clock that cannot jump. */
  serviceMs?: number
  /** What loading models and LoRAs took of it, where it took any. */
  loadMs?: number
  outcome: 'running' | 'success' | 'error' | 'interrupted' | 'lost'
  /** Pictures painted, also when the job reports none of them. */
  outputs: Record<string, unknown>[]
}

/** The account of all jobs that began, in order. With a file, every start and end is written there before it counts. */
export class Ledger {
  readonly entries: LedgerEntry[] = []
  private readonly file: number | undefined

  constructor(path: string | undefined) {
    this.file = path === undefined ? undefined : openSync(path, 'a')
  }

  begin(job: QueuedJob): LedgerEntry {
    const info = isRecord(job.extraData.extra_pnginfo) ? job.extraData.extra_pnginfo.foundry : undefined
    const { job: jobId, slot } = isRecord(info) ? info : {}
    const { graphSha256, prefix } = describeGraph(job.graph as DraftGraph)
    const entry: LedgerEntry = {
      promptId: job.promptId,
      graphSha256,
      ...(prefix !== undefined && { prefix }),
      ...(typeof jobId === 'string' && { job: jobId }),
      ...(typeof slot === 'string' && { slot }),
      startedAt: Date.now(),
      outcome: 'running',
      outputs: [],
    }
    this.entries.push(entry)
    this.write(entry)
    return entry
  }

  end(entry: LedgerEntry, outcome: LedgerEntry['outcome'], took: { serviceMs: number; loadMs?: number }): void {
    const { serviceMs, loadMs = 0 } = took
    Object.assign(entry, { outcome, endedAt: Date.now(), serviceMs, ...(loadMs > 0 && { loadMs }) })
    this.write(entry)
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file)
  }

  /** A write into the system's cache survives the death of this process, which is all that is promised. */
  private write(entry: LedgerEntry): void {
    if (this.file !== undefined) writeSync(this.file, `${JSON.stringify(entry)}\n`)
  }
}

function describeGraph(graph: DraftGraph): { graphSha256: string; prefix: string | undefined } {
  let prefix: string | undefined
  const text = printExact(
    Object.entries(graph).map(([id, node]) => {
      if (typeof node.inputs?.filename_prefix !== 'string') return [id, node.class_type, node.inputs]
      const { filename_prefix: own, ...inputs } = node.inputs
      prefix ??= String(own)
      return [id, node.class_type, inputs]
    }),
  )
  return { graphSha256: createHash('sha256').update(text).digest('hex'), prefix }
}
