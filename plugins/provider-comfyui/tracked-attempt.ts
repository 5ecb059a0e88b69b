import { type Attempt, type OutputFile, type RenderEvent, RenderFailure } from '../../src/plugins/contract.js'
import { EventQueue } from './event-queue.js'
import type { PreviewFrame, ServerMessage } from './frames.js'
import { type HistoryEntry, interruption, timestampOf } from './history.js'
import { failureOfExecution, isBlocked } from './job-failures.js'
import { filesOfNode, pictureFiles } from './outputs.js'

/** How an attempt was handed over: what `submit` knows and a follower after a crash does not. */
export interface Submission {
  saveNodes: readonly string[]
  /** The socket that hears of it; absent when none could be had. */
  clientId?: string
}

/**
 * All that is known of one attempt: fed with frames of the socket and entries of the history, read by its followers.
 * Frames settle it without the history when all of its frames were heard on the socket it was submitted with:
 * files of every save node, then `execution_success`, then `executing` null. Whatever was missed is asked of the history.
 */
export class TrackedAttempt {
  readonly attempt: Attempt
  readonly submission: Submission | undefined
  /** On the clock that never jumps. */
  readonly registeredAt = performance.now()
  /** When the POST was given up without an answer: it may still arrive. */
  unansweredAt: number | undefined
  /** Whether the socket it was submitted with is still open, and so hears everything about it. */
  isHeard: boolean
  /** Whether the socket told of its beginning. */
  hasStarted = false
  /** Whether it has ended and the frames did not tell how: the history is asked at once. */
  isHistoryWanted = false
  readonly #queues = new Set<EventQueue>()
  readonly #filesByNode = new Map<string, readonly OutputFile[]>()
  #startedAt: number | undefined
  #waitMs: number | undefined
  #startStamp: number | undefined
  #renderMs: number | undefined
  #hasSucceeded = false
  #failure: RenderFailure | undefined
  #blocked: RenderFailure | undefined
  #settlement: Settlement | undefined

  constructor(attempt: Attempt, submission?: Submission) {
    this.attempt = attempt
    this.submission = submission
    this.isHeard = submission?.clientId !== undefined
  }

  get isFollowed(): boolean {
    return this.#queues.size > 0
  }

  get isSettled(): boolean {
    return this.#settlement !== undefined
  }

  /** A reader of everything so far and to come. */
  subscribe(): EventQueue {
    const queue = new EventQueue()
    this.#queues.add(queue)
    if (this.#startedAt !== undefined) queue.push({ kind: 'started', at: this.#startedAt })
    for (const output of this.#pictures()) queue.push({ kind: 'output', output })
    if (this.#settlement) {
      queue.push(this.#settlement)
      queue.end()
    }
    return queue
  }

  unsubscribe(queue: EventQueue): void {
    this.#queues.delete(queue)
    queue.end()
  }

  /** Ends all reading, whatever came of the attempt. */
  abandon(): void {
    for (const queue of this.#queues) this.unsubscribe(queue)
  }

  /** Takes a frame about this attempt. */
  hear({ type, data }: ServerMessage): void {
    if (this.#settlement) return
    if (type === 'execution_start') {
      this.hasStarted = true
      this.#startStamp = timestampOf(data)
      this.#start()
    } else if (type === 'progress') this.#progress(data)
    else if (type === 'executed') this.#collect(new Map([[String(data['node']), filesOfNode(data['output'])]]))
    else if (type === 'execution_success') this.#succeed(timestampOf(data))
    else if (type === 'execution_interrupted') this.#failure = interruption()
    else if (type === 'execution_error') this.#fail(data)
    else if (type === 'executing' && data['node'] === null) this.#end()
  }

  showPreview({ mime, bytes }: PreviewFrame): void {
    if (!this.#settlement) this.#emit({ kind: 'preview', mime, bytes })
  }

  /** The server says that it runs now. */
  seeRunning(): void {
    this.#start()
  }

  /** The server has it in its history: this settles it. */
  settleByHistory(entry: HistoryEntry): void {
    if (this.#settlement) return
    this.#renderMs = entry.renderMs
    this.#collect(entry.filesByNode)
    if (entry.failure) this.settle({ kind: 'failed', failure: entry.failure })
    else this.#finish()
  }

  settle(settlement: Settlement): void {
    if (this.#settlement) return
    this.#settlement = settlement
    this.#emit(settlement)
    for (const queue of this.#queues) queue.end()
  }

  #start(): void {
    if (this.#startedAt !== undefined) return
    this.#startedAt = Date.now()
    if (this.submission) this.#waitMs = Math.round(performance.now() - this.registeredAt)
    this.#emit({ kind: 'started', at: this.#startedAt })
  }

  #progress({ value, max, node }: Record<string, unknown>): void {
    if (typeof value !== 'number' || typeof max !== 'number') return
    // A number of JSON may be too large to be one.
    if (!Number.isFinite(value + max)) return
    this.#emit({ kind: 'progress', value, max, ...(typeof node === 'string' && { node }) })
  }

  #collect(filesByNode: ReadonlyMap<string, readonly OutputFile[]>): void {
    const before = new Set(this.#pictures().map(fileKey))
    for (const [node, files] of filesByNode) this.#filesByNode.set(node, files)
    for (const output of this.#pictures()) if (!before.has(fileKey(output))) this.#emit({ kind: 'output', output })
  }

  #succeed(endStamp: number | undefined): void {
    this.#hasSucceeded = true
    if (this.#startStamp !== undefined && endStamp !== undefined) this.#renderMs = endStamp - this.#startStamp
  }

  #fail(data: Record<string, unknown>): void {
    if (isBlocked(data)) this.#blocked = failureOfExecution(data)
    else this.#failure = failureOfExecution(data)
  }

  #end(): void {
    const isComplete = this.submission?.saveNodes.every(id => (this.#filesByNode.get(id)?.length ?? 0) > 0) ?? false
    if (this.#failure) this.settle({ kind: 'failed', failure: this.#failure })
    else if (this.#hasSucceeded && this.hasStarted && isComplete) this.#finish()
    else this.isHistoryWanted = true
  }

  #finish(): void {
    const outputs = this.#pictures()
    if (outputs.length > 0) this.settle({ kind: 'finished', outputs, timings: this.#timings() })
    else {
      const message = 'The job ended well and left no picture'
      const details = this.#blocked ? { blocked: this.#blocked.message } : {}
      this.settle({ kind: 'failed', failure: new RenderFailure('no-output', message, details) })
    }
  }

  #timings(): Record<string, number> {
    return {
      ...(this.#waitMs !== undefined && { waitMs: this.#waitMs }),
      ...(this.#renderMs !== undefined && { renderMs: this.#renderMs }),
      ...(this.submission && { totalMs: Math.round(performance.now() - this.registeredAt) }),
    }
  }

  #pictures(): OutputFile[] {
    return pictureFiles(this.#filesByNode, this.attempt, this.submission?.saveNodes)
  }

  #emit(event: RenderEvent): void {
    for (const queue of this.#queues) queue.push(event)
  }
}

export type Settlement = Extract<RenderEvent, { kind: 'finished' | 'failed' }>

function fileKey(file: OutputFile): string {
  return `${file.type}/${file.subfolder}/${file.filename}`
}
