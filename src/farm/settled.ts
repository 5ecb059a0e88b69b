import { waitAtMost } from '../files/within-time.js'
import type { Attempt, Connection } from '../plugins/contract.js'

/** Servers keep what they rendered in memory, the history of ComfyUI up to 10,000 jobs: committed attempts are deleted there in groups. */
const groupMax = 64
const forgetMsMax = 2000

/** Attempts of one server whose pictures are committed, until the server has forgotten them. */
export class Settled {
  private attempts: Attempt[] = []

  constructor(private readonly connection: Pick<Connection, 'forget'>) {}

  add(attempt: Attempt): void {
    this.attempts.push(attempt)
    if (this.attempts.length >= groupMax) void this.flush()
  }

  /** Never rejects: what a server keeps does no harm. */
  async flush(): Promise<void> {
    const attempts = this.attempts
    if (attempts.length === 0) return
    this.attempts = []
    const limit = AbortSignal.timeout(forgetMsMax)
    const forgotten = attempts.map(attempt => this.connection.forget?.(attempt, limit).catch(() => undefined))
    await waitAtMost(Promise.all(forgotten), forgetMsMax)
  }
}
