import type { Foundry } from '../operations/foundry.js'
import { countSlots } from '../operations/status.js'

/** Gauges and counters in the Prometheus text format 0.0.4. */
export function metricsText(foundry: Foundry): string {
  const servers = foundry.farm.status()
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
    ...metric('process_resident_memory_bytes', 'gauge', 'Resident memory', [[{}, process.memoryUsage.rss()]]),
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
