import { redact } from '../library/privacy.js'

const reasonLengthMax = 300
/** Longer than anything that begins within the length of a reason. */
const judgedLengthMax = 4 * reasonLengthMax

/**
 * What a plugin says, as it may stand in the journal and in logs: what looks like personal data in it is replaced, before it is cut, since
 * half of an address is not recognised.
 */
export function shownReason(reason: string): string {
  return redact(reason.slice(0, judgedLengthMax)).text.slice(0, reasonLengthMax)
}
