import { setTimeout as sleep } from 'node:timers/promises'
import type { Faults } from './options.js'

/** How long a job takes. Deadlines are absolute, so that the lateness of timers does not add up. */
export class Pace {
  private readonly startedAt = performance.now()
  /** What loading took of it. */
  loadMs = 0

  constructor(
    private readonly faults: Readonly<Faults>,
    private readonly signal: AbortSignal,
  ) {}

  get elapsedMs(): number {
    return performance.now() - this.startedAt
  }

  /** Reads files of models from the disk, as it were. */
  async load(ms: number): Promise<void> {
    this.loadMs += ms
    await this.until(this.elapsedMs + ms)
  }

  /** The steps a sampler reports. */
  stepsOf(steps: number): number {
    return this.faults.steps > 0 ? this.faults.steps : steps
  }

  /** The end of step `step` of `steps`, counted from 1. A set duration of a step goes before that of the job. */
  async step(step: number, steps: number, msPerStep: number | undefined): Promise<void> {
    const ms = msPerStep ?? this.faults.stepMs
    if (ms > 0) await this.until(this.elapsedMs + ms)
    else if (this.faults.jobMs > 0) await this.until(this.loadMs + (this.faults.jobMs * step) / steps)
  }

  /** Before the pictures of a job are reported. */
  async end(): Promise<void> {
    await this.until(this.loadMs + this.faults.jobMs)
  }

  private async until(elapsedMs: number): Promise<void> {
    const ms = elapsedMs - this.elapsedMs
    if (ms > 0) await sleep(ms, undefined, { signal: this.signal })
  }
}
