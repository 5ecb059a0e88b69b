import type { LedgerEntry } from '../../plugins/provider-comfyui/draft-server/ledger.js'
import type { AttemptLeased, FoundryEvent } from '../../src/record/events.js'
import { applyEvent, emptyState, type FoundryState } from '../../src/record/state.js'

interface Lease {
  promptId: string
  server: string
  /** When the server had ended it, by its own ledger. */
  endedAt: number
}

/** Finished pictures of one server that may be on their way into their folders, beside the jobs that are on it. */
const harvestsMax = 8
/** An attempt that ends without a picture frees its place a moment before its end is in the journal. */
const freedMsMax = 250

/**
 * I5: no server ever has more jobs than its depth. From the journal alone, leases that are open; where the ledgers of the servers
 * are known, only those that their server has not ended yet. Servers that `foundry.yaml` does not name are left out.
 */
export function checkLeases(
  events: readonly FoundryEvent[],
  known: { depths: ReadonlyMap<string, number>; renders: readonly LedgerEntry[] | undefined },
  problems: string[],
): void {
  const endedAt = new Map(known.renders?.map(({ promptId, endedAt }) => [promptId, endedAt ?? Infinity]))
  const givenUpAt = endsWithoutPicture(events)
  const open = new Map<string, Lease>()
  const state = emptyState()
  for (const event of events) {
    applyEvent(state, event)
    // What an earlier owner had leased and never sent is on no server.
    if (event.kind === 'owner-started')
      for (const [key, { promptId }] of open) if (known.renders && !endedAt.has(promptId)) open.delete(key)
    if (event.kind === 'attempt-ended' || event.kind === 'slot-done') open.delete(keyOf(event))
    // A lease that was being written while its run was cancelled counts for nothing: nothing was sent.
    if (event.kind !== 'attempt-leased' || !isCurrent(state, event)) continue
    const ends = Math.min(
      endedAt.get(event.promptId) ?? Infinity,
      (givenUpAt.get(keyOf(event)) ?? Infinity) - freedMsMax,
    )
    open.set(keyOf(event), { promptId: event.promptId, server: event.server, endedAt: ends })
    const depth = known.depths.get(event.server)
    if (depth === undefined) continue
    const here = [...open.values()].filter(({ server }) => server === event.server)
    if (here.length > depth + harvestsMax) problems.push(tell(event, here.length, depth + harvestsMax))
    const there = here.filter(each => each.endedAt > event.at)
    if (known.renders && there.length > depth) problems.push(tell(event, there.length, depth))
  }
}

function endsWithoutPicture(events: readonly FoundryEvent[]): Map<string, number> {
  return new Map(events.flatMap(event => (event.kind === 'attempt-ended' ? [[keyOf(event), event.at]] : [])))
}

/** Attempts that were open when one owner followed another. */
export function inFlightAtDeaths(events: readonly FoundryEvent[]): number {
  const state = emptyState()
  const struck = new Set<string>()
  for (const event of events) {
    applyEvent(state, event)
    if (event.kind !== 'owner-started') continue
    for (const [run, { leases }] of state.runs)
      for (const [slot, { attempt }] of leases) struck.add(keyOf({ run, slot, attempt }))
  }
  return struck.size
}

function isCurrent({ runs }: FoundryState, { run, slot, attempt }: AttemptLeased): boolean {
  return runs.get(run)?.leases.get(slot)?.attempt === attempt
}

function keyOf({ run, slot, attempt }: { run: string; slot: number; attempt: number }): string {
  return `${run} ${slot} ${attempt}`
}

function tell({ server, run, slot }: AttemptLeased, jobs: number, depth: number): string {
  return `${server} has ${jobs} jobs with ${run} ${slot}, where ${depth} are allowed`
}
