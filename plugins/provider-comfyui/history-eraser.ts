import type { Http } from './http.js'

const batchMax = 500

/**
 * Deletes entries from the history of a server. What is asked for while a request is under way goes together
 * in the next one, so that a fast farm sends few.
 */
export class HistoryEraser {
  readonly #http: Http
  readonly #signal: AbortSignal
  #waiting: string[] = []
  #next: Promise<void> | undefined
  #current: Promise<void> = Promise.resolve()

  constructor(http: Http, signal: AbortSignal) {
    this.#http = http
    this.#signal = signal
  }

  /** Resolves when the entry is deleted. */
  async erase(promptId: string): Promise<void> {
    this.#waiting.push(promptId)
    this.#next ??= this.#afterCurrent()
    return this.#next
  }

  async #afterCurrent(): Promise<void> {
    // Whoever asked for the current batch hears of its failure.
    await this.#current.catch(() => undefined)
    const ids = this.#waiting
    this.#waiting = []
    this.#next = undefined
    this.#current = this.#send(ids)
    return this.#current
  }

  async #send(ids: readonly string[]): Promise<void> {
    for (let start = 0; start < ids.length; start += batchMax) {
      await this.#http.command('/history', { delete: ids.slice(start, start + batchMax) }, { signal: this.#signal })
    }
  }
}
