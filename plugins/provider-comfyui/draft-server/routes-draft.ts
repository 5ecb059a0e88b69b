import { describeProblem } from '../../../src/plugins/contract.js'
import { isRecord } from './graph.js'
import { checkFaults } from './check-options.js'
import type { Routes } from './handler.js'
import type { ServerState } from './server-state.js'

/** What no ComfyUI has: faults on demand, and the ledger. */
export function draftRoutes(state: ServerState): Routes {
  return {
    'GET /draft/ledger': x => x.json(state.ledger.entries),
    'GET /draft/requests': x => x.json({ requests: state.requests }),
    'GET /draft/faults': x => x.json(state.faults),
    'POST /draft/faults': async x => {
      const body = await x.jsonBody()
      if (!isRecord(body)) return x.json({ error: 'An object of faults is needed' }, 400)
      const { loseQueue, restart, ...changes } = body
      const problems = checkFaults(changes)
      if (problems.length > 0) return x.json({ error: problems.map(describeProblem).join('; ') }, 400)
      state.applyFaults(changes)
      if (loseQueue === true) state.loseQueue()
      x.json(state.faults)
      if (restart === true) state.restart()
    },
  }
}
