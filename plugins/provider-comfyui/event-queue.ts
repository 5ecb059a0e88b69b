import type { RenderEvent } from '../../src/plugins/contract.js'

/**
 * Events on their way to one reader. Progress and previews that were not read yet are replaced by newer ones,
 * so that a slow reader holds at most one of each; everything else is kept in order.
 */
export class EventQueue {
  readonly #waiting: RenderEvent[] = []
  #wake: (() => void) | undefined
  #isEnded = false

  push(event: RenderEvent): void {
    const older = isReplaceable(event) ? this.#waiting.findIndex(each => each.kind === event.kind) : -1
    if (older >= 0) this.#waiting.splice(older, 1)
    this.#waiting.push(event)
    this.#wake?.()
  }

  /** What waits is still read; then the reading ends. */
  end(): void {
    this.#isEnded = true
    this.#wake?.()
  }

  async *read(): AsyncGenerator<RenderEvent, void, void> {
    for (;;) {
      const event = this.#waiting.shift()
      if (event) yield event
      else if (this.#isEnded) return
      else await new Promise<void>(wake => (this.#wake = wake))
    }
  }
}

function isReplaceable(event: RenderEvent): boolean {
  return event.kind === 'progress' || event.kind === 'preview'
}
