import { waitAtMost } from '../files/within-time.js'
import type { Presence } from './presence.js'

/** Once a server of drafts has answered, others are given this long to be real ones. */
const realAnswerMsMax = 3000

interface Asked {
  presence: Pick<Presence, 'known'>
}

interface Wanted {
  /** Those that may render new runs. */
  candidates: readonly Asked[]
  all: readonly Asked[]
  /** Whether a worker on another machine has told of a server. */
  remote: Promise<boolean> | undefined
}

/**
 * Asks all servers once that were not heard a moment ago: resolves as soon as a candidate has answered or a worker is there, and
 * with false when all was in vain.
 */
export async function firstAnswer({ candidates, all, remote }: Wanted): Promise<boolean> {
  for (const each of all) if (!candidates.includes(each)) void each.presence.known()
  const looks = candidates.map(each => each.presence.known())
  const real = anyOf(looks.map(look => look.then(probe => probe !== undefined && probe.renderer !== 'draft')))
  const here = looks.map(look => look.then(probe => probe !== undefined))
  if (!(await anyOf([...here, ...(remote ? [remote] : [])]))) return false
  // An address does not tell that drafts are behind it: another one may be real.
  await waitAtMost(real, realAnswerMsMax)
  return true
}

/** True as soon as one is, false once none is. */
function anyOf(answers: readonly Promise<boolean>[]): Promise<boolean> {
  const meant = answers.map(async answer => {
    if (!(await answer)) throw new RangeError('another one')
  })
  return Promise.any(meant).then(
    () => true,
    () => false,
  )
}
