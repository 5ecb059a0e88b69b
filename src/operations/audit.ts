import { server } from '../config/server-entry.js'
import { type Act, actOf, actsMax } from '../record/acts.js'
import { eventsOnly } from '../record/ledger.js'
import { recordedEvents } from '../record/run-events.js'
import type { ServerEntry } from '../schema/config.js'
import { findNewestRun, runIdSchema } from './find-run.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'

/** What an operator did, by hand or through a program. */
export interface ToldAct {
  at: string
  by: string
  /** The kind of its event, without the word run: `paused`, `cancelled`, … */
  act: string
  run?: string
  server?: string
  details: Record<string, unknown>
}

const limitMax = 1000
const offsetMax = 100_000

export const audit = defineOperation({
  name: 'audit',
  summary: `What operators did, the newest first: the last ${actsMax} acts, and all of those on a run`,
  route: { method: 'GET', path: '/audit' },
  input: {
    type: 'object',
    additionalProperties: false,
    properties: {
      run: { ...runIdSchema, description: 'Only acts on this run; one that was removed is named in full' },
      limit: { type: 'integer', minimum: 1, maximum: limitMax, default: 100 },
      offset: { type: 'integer', minimum: 0, maximum: offsetMax, default: 0 },
    },
  },
  async run(foundry, { run, limit, offset }) {
    const acts = run === undefined ? foundry.ledger.state.acts : await actsOn(foundry, run)
    const end = Math.max(0, acts.length - offset)
    const page = acts.slice(Math.max(0, end - limit), end)
    return { total: acts.length, acts: page.reverse().map(describeAct) }
  },
})

/** On one run, also on one that was removed, by its whole name. Throws RUN_UNKNOWN. */
async function actsOn(foundry: Foundry, wanted: string): Promise<Act[]> {
  const { acts, runs } = foundry.ledger.state
  const isOn = (run: string) => (act: Act) => 'run' in act && act.run === run
  const isGone = !runs.has(wanted) && acts.some(isOn(wanted))
  const run = isGone ? wanted : findNewestRun(foundry, wanted).accepted.run
  const kept = acts.filter(isOn(run))
  if (isGone || kept[0]?.kind === 'run-accepted') return kept
  return recordedActs(foundry, run)
}

/** Those on a run that began before the acts that are kept: they stand in the journal, or in the folder of the run. */
async function recordedActs({ ledger, runFolder }: Foundry, run: string): Promise<Act[]> {
  const acts: Act[] = []
  let isWhole = false
  for await (const event of eventsOnly(ledger.eventsOf(run))) {
    isWhole ||= event.kind === 'run-accepted'
    const act = actOf(event)
    if (act) acts.push(act)
  }
  if (isWhole) return acts
  const earlier: Act[] = []
  for await (const event of recordedEvents(runFolder(run), '"by":')) {
    const act = actOf(event)
    if (act) earlier.push(act)
  }
  return [...earlier, ...acts]
}

function describeAct(act: Act): ToldAct {
  const { kind, at, by, run, server, ...rest } = act as ActFields
  return {
    at: new Date(at).toISOString(),
    by,
    act: kind.replace(/^run-/, ''),
    ...(run !== undefined && { run }),
    ...(server !== undefined && { server }),
    details: detailsOf(kind, rest),
  }
}

function detailsOf(kind: string, rest: Record<string, unknown>): Record<string, unknown> {
  if (kind !== 'server-added') return rest
  // The name stands beside it, and what is usual goes without saying.
  const { name: _name, ...entry } = rest['entry'] as ServerEntry
  const usual = new Map<string, unknown>(Object.entries(server({ name: '' })))
  return Object.fromEntries(Object.entries(entry).filter(([name, value]) => usual.get(name) !== value))
}

/** Of every kind of act. */
interface ActFields extends Record<string, unknown> {
  kind: string
  at: number
  by: string
  run?: string
  server?: string
}
