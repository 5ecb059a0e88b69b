import { isRecord } from './graph.js'
import { noFaults, type Faults } from './options.js'
import type { Routes } from './handler.js'
import type { ServerState } from './server-state.js'

/** What no ComfyUI has: faults on demand, and the ledger. */
export function draftRoutes(state: ServerState): Routes {
  return {
    'GET /draft/ledger': x => x.json(state.ledger.entries),
    'GET /draft/faults': x => x.json(state.faults),
    'POST /draft/faults': async x => {
      const body = await x.jsonBody()
      if (!isRecord(body)) return x.json({ error: 'An object of faults is needed' }, 400)
      const { loseQueue, restart, ...changes } = body
      const wrong = Object.entries(changes).find(([name, value]) => !isFault(name, value))
      if (wrong) return x.json({ error: `"${wrong[0]}" is no fault, or cannot be ${JSON.stringify(wrong[1])}` }, 400)
      state.applyFaults(changes)
      if (loseQueue === true) state.loseQueue()
      x.json(state.faults)
      if (restart === true) state.restart()
    },
  }
}

function isFault(name: string, value: unknown): boolean {
  if (name === 'failWith') return value === 'error' || value === 'out-of-memory'
  if (!Object.hasOwn(noFaults, name) || typeof value !== typeof noFaults[name as keyof Faults]) return false
  return typeof value !== 'number' || (Number.isFinite(value) && value >= 0)
}
