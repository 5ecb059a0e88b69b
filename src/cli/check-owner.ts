import type { Config } from '../config/config.js'
import { shownAddress } from '../config/server-entry.js'
import { failure } from '../errors.js'
import type { Door } from './door.js'
import type { Terminal } from './terminal.js'

/** What was named on the command line instead of the servers of the home. */
export type ServerWish = 'draft' | 'servers'

/** What the owner's servers render is the owner's choice: drafts that would become real pictures, or the reverse, are refused. */
export async function checkOwner(
  door: Door,
  config: Config,
  asksFor: ServerWish | undefined,
  terminal: Terminal,
): Promise<void> {
  if (!door.owner || asksFor === undefined) return
  const { pid } = door.owner
  const { renderer, servers } = await door.call('status', {})
  const next = `stop it ("kill ${pid}"), or take another home with --home DIR`
  if (asksFor === 'draft' && renderer !== 'draft') {
    const problem = `Process ${pid} works on this home and renders on ${renderer}, not drafts`
    throw failure('USAGE_INVALID', { problem, next })
  }
  const owned = new Set(servers.map(each => each.url ?? each.name))
  const asked = config.servers.map(({ url, name }) => (url === undefined ? name : shownAddress(url)))
  if (asksFor === 'draft' || asked.every(url => owned.has(url))) return
  const problem = `${asked.join(', ')} has no effect: process ${pid} works on this home and renders on its own servers`
  if (renderer === 'draft') throw failure('USAGE_INVALID', { problem: `${problem}, which are drafts`, next })
  terminal.note(`${problem} (${[...owned].join(', ')}). To change that, ${next}.`)
}
