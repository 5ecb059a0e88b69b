import type { ServerStatus } from './worker-host.js'

/** A server that was asked in vain, with its address and the cause. */
export function describeTried({ name, url = name, reason }: Pick<ServerStatus, 'name' | 'url' | 'reason'>): string {
  if (reason === undefined) return url
  // Names mean little where an option gave only the address.
  const rest = afterServer(reason, name)
  return rest === undefined ? `${url}: ${reason}` : `${url.replace(/\/$/, '')}${rest}`
}

/** What a provider says of a server behind its `name (address)`; undefined where it does not begin so. */
export function afterServer(reason: string, name: string): string | undefined {
  return reason.startsWith(`${name} (`) ? reason.slice(reason.indexOf(')') + 1) : undefined
}
