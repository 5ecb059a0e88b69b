import { setMaxListeners } from 'node:events'
import type { Logger } from 'pino'
import { reasonOf, RenderFailure } from '../../src/plugins/contract.js'
import type { Http } from './http.js'
import { askHistory, askQueue, type ServerQueue } from './server-state.js'
import type { TrackedAttempt } from './tracked-attempt.js'

/** Times in milliseconds. */
export interface PollTimes {
  /** Between two looks at a job whose socket is open; also the longest wait. */
  pollMs: number
  /** Before the first look at a job that no socket tells of. Doubles from look to look. */
  pollMsMin: number
  /** Between looks at a job that has ended and whose history is awaited, and how long that goes on. */
  historyRetryMs: number
  historyWaitMs: number
  /** How long a job must be neither in the queue nor in the history. */
  lostMs: number
  /** How long a server may be out of reach. */
  graceMs: number
}

export const pollTimes: Omit<PollTimes, 'graceMs'> = {
  pollMs: 2000,
  pollMsMin: 250,
  historyRetryMs: 100,
  historyWaitMs: 5000,
  lostMs: 1000,
}

interface Watch {
  nextAt: number
  delayMs: number
  missingSince?: number
  unreachableSince?: number
  historyWantedSince?: number
  /** Looks that found it running although its socket never told so. */
  unheardLooks: number
}

interface PollerParts {
  http: Http
  log: Logger
  times: PollTimes
  /** Called when a socket that is open tells nothing of a job that runs. */
  socketIsDeaf(clientId: string): void
}

const unheardLooksMax = 2

/** Asks the server for all followed attempts of a connection together: one loop, whatever their number. */
export class Poller {
  readonly #parts: PollerParts
  readonly #watches = new Map<TrackedAttempt, Watch>()
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #isLooking = false

  constructor(parts: PollerParts) {
    this.#parts = parts
    // Every exchange listens.
    setMaxListeners(0, this.#stop.signal)
  }

  /** Looks after an attempt until it is settled or nobody follows it. */
  watch(tracked: TrackedAttempt): void {
    if (tracked.isSettled || this.#watches.has(tracked)) return
    this.#watches.set(tracked, { ...this.#firstLook(tracked), unheardLooks: 0 })
    this.#schedule()
  }

  /** Looks at an attempt anew, after what is known of it has changed. */
  hasten(tracked: TrackedAttempt): void {
    const watch = this.#watches.get(tracked)
    if (!watch) return
    Object.assign(watch, this.#firstLook(tracked))
    this.#schedule()
  }

  close(): void {
    this.#stop.abort()
    clearTimeout(this.#timer)
    this.#watches.clear()
  }

  #firstLook(tracked: TrackedAttempt): { nextAt: number; delayMs: number } {
    const { pollMs, pollMsMin } = this.#parts.times
    const delayMs = tracked.isHeard ? pollMs : pollMsMin
    // A job that this connection did not submit may have ended long ago.
    const isOverdue = tracked.isHistoryWanted || tracked.submission === undefined
    return { nextAt: isOverdue ? performance.now() : performance.now() + delayMs, delayMs }
  }

  #schedule(): void {
    if (this.#isLooking || this.#stop.signal.aborted) return
    clearTimeout(this.#timer)
    for (const tracked of this.#watches.keys()) {
      if (tracked.isSettled || !tracked.isFollowed) this.#watches.delete(tracked)
    }
    if (this.#watches.size === 0) return
    const nextAt = Math.min(...[...this.#watches.values()].map(watch => watch.nextAt))
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, nextAt - performance.now()))
  }

  async #look(): Promise<void> {
    this.#isLooking = true
    const due = [...this.#watches].filter(([, watch]) => watch.nextAt <= performance.now())
    const answers = await Promise.all(due.map(each => this.#lookAtHistory(...each)))
    const open = due.filter(([tracked], index) => answers[index] && !tracked.isSettled)
    if (open.length > 0) await this.#lookAtQueue(open)
    for (const each of due) this.#planNext(...each)
    this.#isLooking = false
    this.#schedule()
  }

  /** False when the server could not be asked. */
  async #lookAtHistory(tracked: TrackedAttempt, watch: Watch): Promise<boolean> {
    try {
      const entry = await askHistory(this.#parts.http, tracked.attempt.promptId, this.#stop.signal)
      if (!entry) return true
      // A socket that heard nothing of a job that has ended will hear nothing of the next one either.
      if (tracked.isHeard && !tracked.hasStarted) this.#reportDeaf(tracked)
      tracked.settleByHistory(entry)
      return true
    } catch (thrown) {
      this.#bearUnreachable(tracked, watch, thrown)
      return false
    }
  }

  async #lookAtQueue(open: readonly [TrackedAttempt, Watch][]): Promise<void> {
    try {
      this.#compare(open, await askQueue(this.#parts.http, this.#stop.signal))
      for (const [, watch] of open) delete watch.unreachableSince
    } catch (thrown) {
      for (const each of open) this.#bearUnreachable(...each, thrown)
    }
  }

  #compare(open: readonly [TrackedAttempt, Watch][], queue: ServerQueue): void {
    for (const [tracked, watch] of open) {
      const { promptId } = tracked.attempt
      if (queue.running.has(promptId)) this.#seeRunning(tracked, watch)
      else if (queue.pending.has(promptId)) delete watch.missingSince
      else this.#miss(tracked, watch)
    }
  }

  #seeRunning(tracked: TrackedAttempt, watch: Watch): void {
    delete watch.missingSince
    if (tracked.isHeard && !tracked.hasStarted && ++watch.unheardLooks >= unheardLooksMax) this.#reportDeaf(tracked)
    tracked.seeRunning()
  }

  /**
   * It may go from the queue to the history between the two questions: only a second miss counts.
   * While its POST may still be under way, no miss does.
   */
  #miss(tracked: TrackedAttempt, watch: Watch): void {
    const { lostMs, graceMs } = this.#parts.times
    const now = performance.now()
    if (tracked.unansweredAt !== undefined && now - tracked.unansweredAt < graceMs) return
    watch.missingSince ??= now
    if (now - watch.missingSince < lostMs) return
    const message = 'The server knows the job no longer: it is neither in its queue nor in its history'
    tracked.settle({ kind: 'failed', failure: new RenderFailure('lost', message) })
  }

  #bearUnreachable(tracked: TrackedAttempt, watch: Watch, thrown: unknown): void {
    if (this.#stop.signal.aborted) return
    watch.unreachableSince ??= performance.now()
    delete watch.missingSince
    const sinceMs = performance.now() - watch.unreachableSince
    this.#parts.log.debug({ job: tracked.attempt.job, sinceMs, reason: reasonOf(thrown) }, 'server could not be asked')
    if (sinceMs < this.#parts.times.graceMs) return
    const message = `The server could not be asked about the job for ${Math.round(sinceMs / 1000)} s: ${reasonOf(thrown)}`
    tracked.settle({ kind: 'failed', failure: new RenderFailure('unreachable', message, { sinceMs }, thrown) })
  }

  #planNext(tracked: TrackedAttempt, watch: Watch): void {
    const { pollMs, historyRetryMs, historyWaitMs, lostMs } = this.#parts.times
    const now = performance.now()
    if (tracked.isHistoryWanted) watch.historyWantedSince ??= now
    const isHistoryDue = watch.historyWantedSince !== undefined && now - watch.historyWantedSince < historyWaitMs
    watch.delayMs = tracked.isHeard ? pollMs : Math.min(pollMs, watch.delayMs * 2)
    const waitMs = isHistoryDue ? historyRetryMs : watch.missingSince === undefined ? watch.delayMs : lostMs
    watch.nextAt = now + Math.min(waitMs, watch.delayMs)
  }

  #reportDeaf(tracked: TrackedAttempt): void {
    const clientId = tracked.submission?.clientId
    if (clientId !== undefined) this.#parts.socketIsDeaf(clientId)
  }
}
