import type { ServerEntry, ServerMode } from '../schema/config.js'
import type { ServerAct } from './events.js'

/** What operators did to a server. */
export interface KnownServer {
  /** Of one that was added; one of the configuration has its entry there. */
  entry?: ServerEntry
  mode: ServerMode
}

/** Changes `servers` as the event says. What was forgiven is not part of the state. */
export function applyToServers(servers: Map<string, KnownServer>, event: ServerAct): void {
  const { server } = event
  if (event.kind === 'server-added') servers.set(server, { entry: event.entry, mode: 'active' })
  else if (event.kind === 'server-removed') servers.delete(server)
  else if (event.kind === 'server-mode') servers.set(server, { ...servers.get(server), mode: event.mode })
}
