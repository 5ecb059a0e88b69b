import type { Logger } from 'pino'
import { reasonOf } from '../errors.js'
import { waitAtMost } from '../files/within-time.js'
import { type Claim, extendEveryMs, type QueueEngine } from '../plugins/contract.js'

/** An engine that is away does not keep the end of a job from being told. */
const endMsMax = 1000

/**
 * The claims of this worker, kept alive while it works on them. The lease of the owner decides who renders: a claim that an engine
 * has lost, or cannot be told of while it is away, does no harm.
 */
export class Claims {
  private readonly held = new Map<string, Claim>()
  private readonly timer: NodeJS.Timeout

  constructor(
    private readonly engine: QueueEngine,
    private readonly log: Logger,
  ) {
    this.timer = setInterval(() => void this.extend(), extendEveryMs)
  }

  /** The oldest job of a lane; nothing while the engine is away. */
  async claim(lane: string): Promise<Claim | undefined> {
    try {
      const claim = await this.engine.claim(lane)
      if (claim) this.held.set(claim.token, claim)
      return claim
    } catch (error) {
      this.tell(error)
      return undefined
    }
  }

  /** The token of the claim on a job. */
  tokenOf(job: string): string | undefined {
    return [...this.held.values()].findLast(claim => claim.job.id === job)?.token
  }

  finish(claim: Claim): Promise<void> {
    return this.end(claim, () => this.engine.finish(claim))
  }

  release(claim: Claim): Promise<void> {
    return this.end(claim, () => this.engine.release(claim))
  }

  /** Waiting jobs by lane; none while the engine is away. */
  async counts(): Promise<ReadonlyMap<string, number>> {
    try {
      return await this.engine.counts()
    } catch (error) {
      this.tell(error)
      return new Map()
    }
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    await Promise.all([...this.held.values()].map(claim => this.release(claim)))
    await this.engine.close()
  }

  private async extend(): Promise<void> {
    await Promise.all(
      [...this.held.values()].map(async claim => {
        try {
          // One that was lost is with nobody else: the owner refuses whoever gets it.
          if (!(await this.engine.extend(claim))) this.held.delete(claim.token)
        } catch (error) {
          this.tell(error)
        }
      }),
    )
  }

  private async end(claim: Claim, act: () => Promise<void>): Promise<void> {
    if (!this.held.delete(claim.token)) return
    const end = act().catch((error: unknown) => this.tell(error))
    await waitAtMost(end, endMsMax)
  }

  private tell(error: unknown): void {
    this.log.debug({ reason: reasonOf(error) }, 'engine did not answer')
  }
}
