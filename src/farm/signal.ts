import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves after a time, or when aborted. */
export async function pause(ms: number, abort: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: abort }).catch(() => undefined)
}

/** A wake-up call: `wait` resolves at the next `notify`, at the time limit, or when aborted, whichever is first. */
export class Signal {
  private waiting = new Set<() => void>()
  private called = 0

  /** Calls so far: whoever looked for something before it waits passes what they were before the look. */
  get calls(): number {
    return this.called
  }

  notify(): void {
    this.called++
    const woken = this.waiting
    this.waiting = new Set()
    for (const wake of woken) wake()
  }

  wait(limitMs: number, abort: AbortSignal, calls = this.called): Promise<void> {
    if (abort.aborted || calls !== this.called) return Promise.resolve()
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
