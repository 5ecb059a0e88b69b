import type { Logger } from 'pino'
import { reasonOf } from '../errors.js'
import { isSettled, type RunState } from '../record/state.js'
import type { OpenRun } from './open-run.js'

const retryMs = 5000

interface EndsHost {
  log: Logger
  /** Nothing more is tried again. */
  halted: AbortSignal
  state(run: string): RunState | undefined
  open(run: string): Promise<OpenRun | undefined>
  finish(run: OpenRun): Promise<void>
  /** The run has ended. */
  ended(run: OpenRun): void
}

/** Ends runs that have nothing left to do, each once at a time; one whose end could not be written is ended again later. */
export class RunEnds {
  private readonly ending = new Map<string, Promise<void>>()

  constructor(private readonly host: EndsHost) {}

  /** Begins to end a run, where it is due. Rejects where it cannot be opened for a reason that is not its own. */
  async end(id: string): Promise<void> {
    const state = this.host.state(id)
    const isDue = () => state && !state.finished && isSettled(state) && !this.ending.has(id)
    if (!isDue()) return
    const run = await this.host.open(id)
    if (run && isDue()) this.ending.set(id, this.finish(id, run))
  }

  /** Waits until runs that are being ended have ended. */
  async idle(): Promise<void> {
    while (this.ending.size > 0) await Promise.all(this.ending.values())
  }

  private async finish(id: string, run: OpenRun): Promise<void> {
    const { log, halted } = this.host
    try {
      await this.host.finish(run)
    } catch (error) {
      this.ending.delete(id)
      log.error({ run: id, reason: reasonOf(error) }, 'run not finished')
      if (!halted.aborted) setTimeout(() => void this.endAgain(id), retryMs).unref()
      return
    }
    this.ending.delete(id)
    if (run.state.finished) this.host.ended(run)
    // Asked for more, and settled again, while it was being finished.
    else await this.endAgain(id)
  }

  private async endAgain(id: string): Promise<void> {
    await this.end(id).catch(error => this.host.log.error({ run: id, reason: reasonOf(error) }, 'run not finished'))
  }
}
