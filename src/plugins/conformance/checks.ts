import { reasonOf } from '../../errors.js'
import { withinTime } from '../../files/within-time.js'

/** One thing that a plugin must do. */
export interface Check {
  name: string
  /** Rejects where it does not; answers why it cannot be asked here, if so. */
  run(): Promise<string | void>
}

export interface Checked {
  name: string
  state: 'pass' | 'fail' | 'skip'
  /** Why not `pass`. */
  reason?: string
}

const checkLimitMs = 30_000
const reasonLengthMax = 500

/** Runs checks one after the other; one that does not end in time has failed. */
export async function* runChecks(checks: readonly Check[], limitMs = checkLimitMs): AsyncIterable<Checked> {
  for (const { name, run } of checks) {
    try {
      const skipped = await withinTime((async () => run())(), limitMs, 'no end')
      yield skipped === undefined ? { name, state: 'pass' } : { name, state: 'skip', reason: skipped }
    } catch (error) {
      yield { name, state: 'fail', reason: reasonOf(error).slice(0, reasonLengthMax) }
    }
  }
}
