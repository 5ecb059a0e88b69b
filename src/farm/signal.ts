/** A wake-up call: `wait` resolves at the next `notify`, at the time limit, or when aborted, whichever is first. */
export class Signal {
  private waiting = new Set<() => void>()

  notify(): void {
    const woken = this.waiting
    this.waiting = new Set()
    for (const wake of woken) wake()
  }

  wait(limitMs: number, abort: AbortSignal): Promise<void> {
    if (abort.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const wake = () => {
        clearTimeout(timer)
        abort.removeEventListener('abort', wake)
        this.waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, limitMs)
      abort.addEventListener('abort', wake)
      this.waiting.add(wake)
    })
  }
}
