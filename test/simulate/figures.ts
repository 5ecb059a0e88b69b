import type { Result } from './simulate.js'
import type { Scenario, Size } from './scenario.js'

const hourMs = 3_600_000

/** Jobs done in each of the first hours. */
export function jobsPerHour({ doneAt }: Result, hours: number): number {
  return doneAt.filter(at => at <= hours * hourMs).length / hours
}

/** The time below which a share of the jobs began, of one model set or of all. */
export function waitMs({ waitsMs }: Result, share: number, modelSet?: string): number {
  const waits = modelSet === undefined ? [...waitsMs.values()].flat() : (waitsMs.get(modelSet) ?? [])
  waits.sort((one, other) => one - other)
  return waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0
}

/** Model sets are numbered from the one that is asked for most. */
export function rarestOf({ modelSets }: Size): string {
  return `set-${modelSets - 1}`
}

/** What no farm can beat by much: all the work and each set loaded once, shared among the servers. */
export function leastMakespanMs(jobs: number, { jobMs, modelSets, swapMs, servers }: Size): number {
  return (jobs * jobMs + modelSets * swapMs) / servers
}

/** Of the choice, with one job and one swap under way at the moment when a group has waited too long, and one more that was earlier. */
export function waitBoundMs({ jobMs, swapMs, modelSets, servers }: Size): number {
  return Math.max(15 * 60_000, (20 * swapMs * modelSets) / servers) * (1 + measuringError) + 2 * (jobMs + swapMs)
}
/** The bound goes by measured durations. */
const measuringError = 0.1

/** One line that tells which simulation it was. */
export function describe({ seed, servers, groups, spells }: Scenario): string {
  return `seed ${seed}: ${servers.length} servers, ${groups.length} groups, ${spells.length} spells`
}
