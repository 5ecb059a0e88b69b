import { redact } from '../library/privacy.js'

const reasonLengthMax = 300

/** What a plugin says, as it may stand in the journal and in logs: what looks like personal data in it is replaced. */
export function shownReason(reason: string): string {
  return redact(reason.slice(0, reasonLengthMax)).text
}
