import type { Logger } from 'pino'
import type { Attempt, RenderEvent } from '../../src/plugins/contract.js'
import type { Address } from './address.js'
import { EventSocket, type SocketListener, type SocketTimes } from './event-socket.js'
import type { PreviewFrame, ServerMessage } from './frames.js'
import type { Http } from './http.js'
import { Poller, type PollTimes } from './poller.js'
import { type Submission, TrackedAttempt } from './tracked-attempt.js'

/** Attempts that are remembered at once; beyond, the oldest that nobody follows go. */
const trackedMax = 4096

interface Parts {
  address: Address
  http: Http
  log: Logger
  socketTimes: SocketTimes
  pollTimes: PollTimes
  socketLost(): void
}

/**
 * Brings together what socket and poller tell about the attempts of a connection.
 * A job keeps the client id it was submitted with: after its socket is lost, only asking tells of it.
 */
export class Tracker {
  readonly socket: EventSocket
  readonly #poller: Poller
  readonly #attempts = new Map<string, TrackedAttempt>()
  /** The attempt that a preview without a name belongs to. */
  #current: TrackedAttempt | undefined
  readonly #reportLost: () => void
  #isClosed = false

  constructor({ address, http, log, socketTimes, pollTimes, socketLost }: Parts) {
    this.#reportLost = socketLost
    this.socket = new EventSocket({ address, log, times: socketTimes, listener: this.#listener() })
    this.#poller = new Poller({ http, log, times: pollTimes, socketIsDeaf: id => this.socket.replace(id) })
  }

  /** Before the POST: its first frames may come before its answer. */
  register(attempt: Attempt, submission: Submission): TrackedAttempt {
    return this.#track(new TrackedAttempt(attempt, submission))
  }

  find(promptId: string): TrackedAttempt | undefined {
    return this.#attempts.get(promptId)
  }

  /** What is known of an attempt, remembered from now on. */
  findOrTrack(attempt: Attempt): TrackedAttempt {
    return this.#attempts.get(attempt.promptId) ?? this.#track(new TrackedAttempt(attempt))
  }

  drop(promptId: string): void {
    this.#attempts.delete(promptId)
  }

  /** Events until the attempt is settled. Ends early, without a last event, when the signal or the connection ends. */
  async *follow(attempt: Attempt, signal: AbortSignal): AsyncGenerator<RenderEvent, void, void> {
    const tracked = this.findOrTrack(attempt)
    const queue = tracked.subscribe()
    const stop = (): void => tracked.unsubscribe(queue)
    if (signal.aborted || this.#isClosed) stop()
    signal.addEventListener('abort', stop, { once: true })
    this.#poller.watch(tracked)
    try {
      yield* queue.read()
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
      if (tracked.isSettled && !tracked.isFollowed) this.drop(attempt.promptId)
    }
  }

  close(): void {
    this.#isClosed = true
    this.socket.close()
    this.#poller.close()
    for (const tracked of this.#attempts.values()) tracked.abandon()
    this.#attempts.clear()
  }

  #track(tracked: TrackedAttempt): TrackedAttempt {
    for (const [promptId, older] of this.#attempts) {
      if (this.#attempts.size < trackedMax) break
      if (!older.isFollowed) this.#attempts.delete(promptId)
    }
    this.#attempts.set(tracked.attempt.promptId, tracked)
    return tracked
  }

  #listener(): SocketListener {
    return {
      heard: (_, message) => this.#hear(message),
      shown: (_, preview) => this.#show(preview),
      lost: clientId => this.#loseSocket(clientId),
      isWanted: () => [...this.#attempts.values()].some(tracked => !tracked.isSettled),
    }
  }

  /** Frames of other clients' jobs arrive too: only those of ours are taken. */
  #hear(message: ServerMessage): void {
    const promptId = message.data['prompt_id']
    if (typeof promptId !== 'string') return
    const tracked = this.#attempts.get(promptId)
    if (message.type === 'execution_start' || message.type === 'executing') this.#current = tracked
    tracked?.hear(message)
    if (tracked?.isHistoryWanted) this.#poller.hasten(tracked)
  }

  #show(preview: PreviewFrame): void {
    const tracked = preview.promptId === undefined ? this.#current : this.#attempts.get(preview.promptId)
    tracked?.showPreview(preview)
  }

  #loseSocket(clientId: string): void {
    this.#current = undefined
    this.#reportLost()
    for (const tracked of this.#attempts.values()) {
      if (tracked.submission?.clientId !== clientId || !tracked.isHeard) continue
      tracked.isHeard = false
      this.#poller.hasten(tracked)
    }
  }
}
