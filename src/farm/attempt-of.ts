import type { Attempt } from '../plugins/contract.js'
import type { Lease } from '../record/state.js'

/** An attempt that an earlier process began, as the journal gives it back. */
export function attemptOf({ job, attempt: number, promptId, at: leasedAt, remote }: Lease): Attempt {
  return { job, number, promptId, leasedAt, ...(remote !== undefined && { remote }) }
}
