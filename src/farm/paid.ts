import { type Attempt, type Connection, RenderFailure } from '../plugins/contract.js'

/** A service that is paid by the picture. */
type Payee = Pick<Connection, 'isPaid'>

/** Whether a picture of this attempt may have been paid for. */
export function mayBePaid({ isPaid }: Payee, { remote }: Pick<Attempt, 'remote'>): boolean {
  // Only services give ids of their own; the one that did may be listed no more.
  return isPaid === true || remote !== undefined
}

/** A paid picture that is not here: nobody pays for another one without being asked. */
export function inDoubt({ message }: Pick<RenderFailure, 'message'>): RenderFailure {
  return new RenderFailure('in-doubt', `${message}. It may be paid for: "foundry runs retry" renders it anew`)
}

/** A failure that leaves open whether there is a picture: at a paid service it is in doubt. */
export function orInDoubt({ isPaid }: Payee, failure: RenderFailure): RenderFailure {
  return isPaid ? inDoubt(failure) : failure
}
