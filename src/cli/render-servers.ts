import type { ServerStatus } from '../farm/worker-host.js'
import type { Door } from './door.js'
import type { Terminal } from './terminal.js'

/** Says which servers do not answer while a command waits for them. */
export interface ServerWatch {
  look(door: Door): Promise<void>
}

const lookEveryMs = 500
/** A server that is away for less is not worth a word. */
const awayMsMin = 1000

/** Each server that goes away is named once, and once more when it is back. */
export function watchServers(terminal: Pick<Terminal, 'note'>): ServerWatch {
  const away = new Map<string, { since: number; isTold: boolean }>()
  let lookedAt = -lookEveryMs

  function tell(server: ServerStatus, others: readonly ServerStatus[]): void {
    const { name, url = name, state, reason } = server
    const known = away.get(name)
    if (state === 'ready') {
      away.delete(name)
      if (known?.isTold) terminal.note(`server ${url} answers again`)
    } else if (state === 'unreachable' && !known) {
      away.set(name, { since: performance.now(), isTold: false })
    } else if (state === 'unreachable' && known && !known.isTold && performance.now() - known.since >= awayMsMin) {
      known.isTold = true
      const goesOn = others.some(each => each.state === 'ready' && each.mode === 'active' && each !== server)
      const rest = goesOn ? 'the others go on' : 'waiting – Ctrl C stops, --timeout S bounds it'
      terminal.note(`server ${url} does not answer (${reason ?? 'no cause is known'}); ${rest}`)
    }
  }

  return {
    async look(door) {
      if (performance.now() - lookedAt < lookEveryMs) return
      lookedAt = performance.now()
      const { servers } = await door.call('servers.list', {})
      for (const server of servers) tell(server, servers)
    },
  }
}
