import { shownAddress } from '../config/server-entry.js'
import type { ServerEntry } from '../schema/config.js'
import type { Fitness } from './fitness.js'
import type { Presence } from './presence.js'
import type { RunGroup } from './run-backlog.js'
import type { Active, ServerStatus } from './worker-host.js'

interface Described extends Pick<ServerStatus, 'speeds' | 'rendered' | 'failed'> {
  presence: Presence
  fitness: Fitness
  avoided: string | undefined
  renderer: string | undefined
  loaded: RunGroup | undefined
  jobs: readonly Active[]
}

/** What a server is doing, for screens and programs. */
export function describeServer(
  { name, provider, url, labels = [] }: ServerEntry,
  { presence, fitness, avoided, renderer, loaded, jobs, speeds, rendered, failed }: Described,
): ServerStatus {
  const { state, reason, probe } = presence
  const { restMs } = fitness
  return {
    name,
    ...(url !== undefined && { url: shownAddress(url) }),
    provider,
    state,
    mode: fitness.mode,
    ...(reason !== undefined && { reason }),
    ...(avoided !== undefined && { avoided }),
    ...(restMs !== undefined && { restsUntil: new Date(Date.now() + restMs).toISOString() }),
    ...(renderer !== undefined && { renderer }),
    ...(probe?.version !== undefined && { version: probe.version }),
    labels,
    depth: fitness.depth,
    ...(loaded && { modelSet: loaded.modelSet, models: loaded.models, loras: loaded.loras }),
    jobs: jobs.map(({ job, attempt, startedAt, value, max }) => ({
      run: job.run,
      slot: job.slot.id,
      attempt: attempt.number,
      state: startedAt === undefined ? 'waiting' : 'running',
      ...(value !== undefined && { value }),
      ...(max !== undefined && { max }),
    })),
    speeds,
    rendered,
    failed,
  }
}
