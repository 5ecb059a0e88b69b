import type { ServerStatus } from './worker-host.js'

/** A server that was asked in vain, with its address and the cause. */
export function describeTried({ name, url = name, reason }: Pick<ServerStatus, 'name' | 'url' | 'reason'>): string {
  if (reason === undefined) return url
  // Providers begin with the server's name and address, and names mean little where an option gave only the address.
  const [own, address] = [`${name} (`, url.replace(/\/$/, '')]
  if (!reason.startsWith(own + address)) return `${url}: ${reason}`
  return reason.slice(own.length).replace(')', '')
}
