import { RenderFailure } from '../plugins/contract.js'
import type { ServerEntry } from '../schema/config.js'
import type { RunGroup } from './run-backlog.js'
import type { Speeds } from './speeds.js'
import type { Active } from './worker-host.js'

/** Enough measurements to tell what is too fast, or too slow. */
const measuredMin = 5
/** A picture that comes in less than this part of the usual time was not rendered; told where the usual time can be trusted. */
const paceMin = 0.05
const pacedJobMsMin = 1000
/** A job may take this many times as long as usual, and no less than `patienceMsMin`. */
const patience = 10
const patienceMsMin = 60_000

/** A job on a server, and when it will have ended. */
export interface Ending {
  active: Active
  endsInMs: number
}

/** What is expected of the jobs on one server, from the speeds that were measured. Durations are in milliseconds. */
export class Estimates {
  constructor(
    private readonly entry: ServerEntry,
    private readonly speeds: Speeds,
  ) {}

  /** In the order of the server's queue. Jobs of unknown duration count as nothing. */
  endings(actives: Iterable<Active>): Ending[] {
    const now = performance.now()
    let endsInMs = 0
    return [...actives].sort(byStart).map(active => {
      const jobMs = this.jobMs(active)
      const sinceMs = active.startedAt === undefined ? 0 : now - active.startedAt
      // One that takes longer than expected may take as long again.
      endsInMs += sinceMs < jobMs ? jobMs - sinceMs : sinceMs - jobMs
      return { active, endsInMs }
    })
  }

  /** How long a job may take from its beginning. */
  limitMs(active: Active | undefined): number {
    const mostMs = this.entry.jobTimeoutSeconds * 1000
    if (!active || !this.isMeasured(active.group)) return mostMs
    return Math.min(mostMs, Math.max(patienceMsMin, patience * this.jobMs(active)))
  }

  /** How long the server may be unreachable before its jobs go elsewhere. */
  graceMs(actives: Iterable<Active>): number {
    return Math.max(this.entry.graceSeconds * 1000, ...[...actives].map(active => 2 * this.jobMs(active)))
  }

  /**
   * Throws `too-fast` for a picture that came sooner than it can have been rendered. Of a first attempt alone: of a later one the
   * server may still have what an earlier one left.
   */
  checkPace({ group, attempt }: Active, renderMs: number | undefined): void {
    if (renderMs === undefined || attempt.number > 1 || !this.isMeasured(group)) return
    const usualMs = this.speeds.jobMs(this.entry.name, group.work) ?? 0
    if (usualMs < pacedJobMsMin || renderMs >= usualMs * paceMin) return
    const message = `${this.entry.name} took ${renderMs} ms in place of some ${Math.round(usualMs)} ms`
    throw new RenderFailure('too-fast', message)
  }

  /** What it takes with what must be loaded; 0 before anything is known. */
  private jobMs({ group, loads }: Active): number {
    const { name } = this.entry
    if (!group) return 0
    return (this.speeds.jobMs(name, group.work) ?? 0) + (loads === 'none' ? 0 : this.speeds.switchMs(name, loads))
  }

  private isMeasured(group: RunGroup | undefined): group is RunGroup {
    return group !== undefined && this.speeds.countOf(this.entry.name, group.work) >= measuredMin
  }
}

function byStart(a: Active, b: Active): number {
  return (a.startedAt ?? Infinity) - (b.startedAt ?? Infinity)
}
