import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Foundry } from '../operations/foundry.js'
import { countSlots } from '../operations/status.js'

/** How late the process comes to its work. */
export interface DelayMonitor {
  /** Seconds by quantile since the last time that somebody asked. */
  take(): Record<'0.5' | '0.99' | '1', number>
  stop(): void
}

const delayResolutionMs = 10

export function watchDelay(): DelayMonitor {
  const histogram = monitorEventLoopDelay({ resolution: delayResolutionMs })
  histogram.enable()
  const seconds = (percentile: number) => histogram.percentile(percentile) / 1e9
  return {
    take() {
      const taken = { '0.5': seconds(50), '0.99': seconds(99), '1': seconds(100) }
      histogram.reset()
      return taken
    },
    stop: () => void histogram.disable(),
  }
}

/** Gauges and counters in the Prometheus text format 0.0.4. */
export function metricsText(foundry: Foundry, delay: DelayMonitor): string {
  const intake = foundry.intake?.status()
  const servers = foundry.farm.status()
  const memory = process.memoryUsage()
  const lines = [
    ...metric(
      'foundry_slots',
      'gauge',
      'Slots by state',
      Object.entries(countSlots(foundry)).map(([state, value]) => [{ state }, value]),
    ),
    ...metric('foundry_runs', 'gauge', 'Runs that are known', [[{}, foundry.ledger.state.runs.size]]),
    ...metric('foundry_orphans_total', 'counter', 'Pictures that came second and were kept aside', [
      [{}, foundry.ledger.state.orphans],
    ]),
    ...metric(
      'foundry_server_ready',
      'gauge',
      'Whether a server can be reached',
      servers.map(({ name, state }) => [{ server: name }, state === 'ready' ? 1 : 0]),
    ),
    ...metric(
      'foundry_server_jobs',
      'gauge',
      'Jobs on a server',
      servers.map(({ name, jobs }) => [{ server: name }, jobs.length]),
    ),
    ...metric(
      'foundry_rendered_total',
      'counter',
      'Pictures committed since the start',
      servers.map(({ name, rendered }) => [{ server: name }, rendered]),
    ),
    ...metric(
      'foundry_attempts_failed_total',
      'counter',
      'Attempts that failed since the start',
      servers.map(({ name, failed }) => [{ server: name }, failed]),
    ),
    ...(intake
      ? [
          ...metric('foundry_drops_waiting', 'gauge', 'Drops that were seen and not looked at yet', [
            [{}, intake.waiting],
          ]),
          ...metric('foundry_intake_paused', 'gauge', 'Whether nothing is accepted at the moment', [
            [{}, intake.paused ? 1 : 0],
          ]),
        ]
      : []),
    ...metric(
      'nodejs_eventloop_delay_seconds',
      'gauge',
      'Delay of the event loop since the last reading, the interval of 10 ms included',
      Object.entries(delay.take()).map(([quantile, value]) => [{ quantile }, value]),
    ),
    ...metric('process_resident_memory_bytes', 'gauge', 'Resident memory', [[{}, memory.rss]]),
    ...metric('nodejs_heap_size_used_bytes', 'gauge', 'Used by objects, garbage included', [[{}, memory.heapUsed]]),
    ...metric('nodejs_external_memory_bytes', 'gauge', 'Outside of the heap, for objects in it', [
      [{}, memory.external],
    ]),
    ...metric('process_start_time_seconds', 'gauge', 'Start of the process', [[{}, foundry.startedAt / 1000]]),
  ]
  return `${lines.join('\n')}\n`
}

function metric(
  name: string,
  type: string,
  help: string,
  values: readonly (readonly [Record<string, string>, number])[],
): string[] {
  const samples = values.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text.replaceAll(/["\\\n]/g, '_')}"`)
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`
  })
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples]
}
