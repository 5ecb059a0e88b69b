import type { Config } from '../config/config.js'
import type { KnownServer } from '../record/known-servers.js'
import type { ServerEntry } from '../schema/config.js'

export interface WantedServer extends KnownServer {
  /** As configured, or as added. */
  entry: ServerEntry
  isAdded: boolean
}

/**
 * Pure: the servers that a foundry starts with. Those of the configuration come first, also where one of the same name was
 * added. Servers that were named for this process alone are the only ones, and none of them is paused: the command line is newer
 * than whatever was said before. The usual address is tried only where nothing else is known.
 */
export function wantedServers(
  config: Pick<Config, 'servers' | 'hasOwnServers' | 'areServersAsked'>,
  known: ReadonlyMap<string, KnownServer>,
): WantedServer[] {
  const { servers, hasOwnServers, areServersAsked } = config
  if (areServersAsked) return servers.map(entry => ({ entry, mode: 'active', isAdded: false }))
  const configured = servers.map(entry => ({
    entry,
    mode: known.get(entry.name)?.mode ?? ('active' as const),
    isAdded: false,
  }))
  const own = hasOwnServers ? configured : []
  const added = [...known.values()].flatMap(({ entry, mode }) => {
    const isNamed = entry === undefined || own.some(each => each.entry.name === entry.name)
    return isNamed ? [] : [{ entry, mode, isAdded: true }]
  })
  return own.length + added.length > 0 ? [...own, ...added] : configured
}
