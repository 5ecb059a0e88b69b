import { hasErrors } from '../errors.js'
import type { Job } from '../plan/job.js'
import type { Connection } from '../plugins/contract.js'
import { failureOfCheck } from './failure-of.js'

/** What one server was found able to render, kept while it stays up. */
export class CheckedGraphs {
  private readonly known = new Map<string, Promise<void>>()

  constructor(
    private readonly connection: Pick<Connection, 'check'>,
    private readonly signal: AbortSignal,
  ) {}

  /** Throws a RenderFailure with everything that keeps the job from running here. Asks once per graph shape; failures are asked again. */
  async check(job: Job): Promise<void> {
    const key = `${job.modelSet} ${job.request.graphSha256} ${job.loras.map(lora => lora.talent).join(' ')}`
    const check = this.known.get(key) ?? this.ask(job)
    this.known.set(key, check)
    try {
      await check
    } catch (error) {
      this.known.delete(key)
      throw error
    }
  }

  /** The server may be another one by now. */
  clear(): void {
    this.known.clear()
  }

  private async ask(job: Job): Promise<void> {
    const problems = await this.connection.check(job, this.signal)
    if (hasErrors(problems)) throw failureOfCheck(problems)
  }
}
