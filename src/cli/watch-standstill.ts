import { reasonOf } from '../errors.js'
import type { Door } from './door.js'
import type { Outcome } from './report-render.js'
import type { Terminal } from './terminal.js'

/** Says why nothing goes on while a command waits for runs. */
export interface StandstillWatch {
  look(door: Door, open: readonly Pick<Outcome, 'run' | 'counts'>[]): Promise<void>
}

/** Shorter than this is no standstill, but somebody else's turn. */
const standstillMsMin = 5000

/** Each cause is told once for each time that nothing goes on. */
export function watchStandstill(terminal: Pick<Terminal, 'note'>): StandstillWatch {
  let last = ''
  let since = 0
  let told = ''
  return {
    async look(door, open) {
      const now = performance.now()
      const counts = JSON.stringify(open.map(each => each.counts))
      const isGoing = counts !== last || open.some(each => (each.counts['running'] ?? 0) > 0)
      if (isGoing) [last, since, told] = [counts, now, '']
      const [first] = open
      if (!first || now - since < standstillMsMin) return
      since = now
      const cause = await door.call('why', { id: first.run }).catch(error => ({ cause: '', why: reasonOf(error) }))
      if (cause.cause === told) return
      told = cause.cause
      terminal.note(`${first.run} does not go on: ${cause.why}`)
    },
  }
}
