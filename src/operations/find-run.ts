import { failure } from '../errors.js'
import type { RunState } from '../record/state.js'
import type { Foundry } from './foundry.js'

/** A run by its name or the beginning of it. */
export const runIdSchema = { type: 'string', minLength: 1, maxLength: 128, pattern: '^[a-z0-9][a-z0-9-]*$' } as const

/** Of the runs that begin alike, this many are named. */
const alikeMax = 8

/**
 * A run by its name or the beginning of it. Of several that begin alike only those that fit are meant; where none does, the newest
 * is, so that its state can be told. Throws RUN_UNKNOWN, RUN_AMBIGUOUS.
 */
export function findRun(foundry: Foundry, wanted: string, isFit: (run: RunState) => boolean = () => true): RunState {
  const alike = findAlike(foundry, wanted)
  const fit = alike.filter(isFit)
  const found = fit.at(-1) ?? alike.at(-1)
  if (!found) throw failure('RUN_UNKNOWN', { run: wanted })
  if (fit.length > 1) throw failure('RUN_AMBIGUOUS', { run: wanted, runs: fit.slice(-alikeMax).map(nameOf) })
  return found
}

/**
 * For those who only look: of several runs that begin alike the newest, and `aurora` is rather `aurora-<hash>` than
 * `aurora-sweep-<hash>`. Throws RUN_UNKNOWN.
 */
export function findNewestRun(foundry: Foundry, wanted: string): RunState {
  return findNewestOf(foundry, wanted).run
}

/** As `findNewestRun`, with the names of the newest others that begin alike. Throws RUN_UNKNOWN. */
export function findNewestOf(foundry: Foundry, wanted: string): { run: RunState; others: string[] } {
  const alike = findAlike(foundry, wanted)
  const whole = alike.filter(run => /^-[0-9a-f]{10}(-\d+)?$/.test(nameOf(run).slice(wanted.length)))
  const newest = whole.at(-1) ?? alike.at(-1)
  if (!newest) throw failure('RUN_UNKNOWN', { run: wanted })
  const others = alike.filter(run => run !== newest).map(nameOf)
  return { run: newest, others: others.slice(-alikeMax) }
}

/** The run of that name, else all that begin with it, the oldest first. */
function findAlike({ ledger }: Foundry, wanted: string): RunState[] {
  const { runs } = ledger.state
  const exact = runs.get(wanted)
  return exact ? [exact] : [...runs.values()].filter(run => nameOf(run).startsWith(wanted))
}

function nameOf({ accepted }: RunState): string {
  return accepted.run
}
