import { sameStamp, stampAt } from '../files/read-bounded.js'
import type { TimeRange } from '../farm/forecast-shapes.js'
import { lastEnd } from '../farm/last-end.js'
import { runStateOf } from '../record/state.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'
import { isAtWork } from './run-summary.js'

const nothing = { type: 'object', additionalProperties: false, properties: {} } as const

export const status = defineOperation({
  name: 'status',
  summary: 'What the foundry is doing',
  route: { method: 'GET', path: '/status' },
  input: nothing,
  async run(foundry) {
    const { state } = foundry.ledger
    const endsIn = endOf(foundry)
    return {
      version: foundry.config.version,
      home: foundry.config.paths.home,
      pid: process.pid,
      epoch: state.epoch,
      startedAt: new Date(foundry.startedAt).toISOString(),
      renderer: foundry.renderer,
      runs: countRuns(foundry),
      slots: countSlots(foundry),
      orphans: state.orphans,
      ...(foundry.intake && { intake: foundry.intake.status() }),
      ...(endsIn && { endsIn }),
      isConfigChanged: await isConfigChanged(foundry),
      servers: foundry.farm.status(),
    }
  },
})

export const drops = defineOperation({
  name: 'drops',
  summary: 'Drops that were seen, and what became of them',
  route: { method: 'GET', path: '/drops' },
  input: {
    type: 'object',
    additionalProperties: false,
    properties: {
      refused: { type: 'boolean' },
      limit: { type: 'integer', minimum: 1, maximum: 100_000, default: 1000 },
    },
  },
  async run(foundry, input) {
    const all = [...foundry.ledger.state.drops.values()].filter(
      drop => input.refused === undefined || (drop.run === undefined) === input.refused,
    )
    return {
      total: all.length,
      drops: all.slice(-input.limit).map(({ path, sha256, run, problems, code, at }) => ({
        drop: path,
        sha256,
        state: run === undefined ? 'refused' : 'accepted',
        ...(run !== undefined && { run }),
        ...(code !== undefined && { code, problems }),
        at: new Date(at).toISOString(),
      })),
    }
  },
})

/** Whether `foundry.yaml` is not the one any more that this process was started with. */
async function isConfigChanged({ config: { paths, fileStamp } }: Foundry): Promise<boolean> {
  const now = await stampAt(paths.configFile)
  return (now ?? fileStamp) !== undefined && !sameStamp(now, fileStamp)
}

/** Until everything that waits or runs has ended; absent where one of these runs was never measured. */
function endOf(foundry: Foundry): TimeRange | undefined {
  const open = [...foundry.ledger.state.runs.values()].filter(run => isAtWork(foundry, run))
  return lastEnd(open.map(run => foundry.farm.outlook.runs().get(run.accepted.run)?.endsIn))
}

function countRuns(foundry: Foundry): Record<string, number> {
  const counts: Record<string, number> = { waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 }
  for (const run of foundry.ledger.state.runs.values()) {
    const state = runStateOf(run)
    counts[state] = (counts[state] ?? 0) + 1
  }
  return counts
}

/** Sums of per-run counters, which the replay keeps: nothing is counted slot by slot. */
export function countSlots(foundry: Foundry): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const run of foundry.ledger.state.runs.values()) {
    for (const [state, count] of Object.entries(run.counts)) counts[state] = (counts[state] ?? 0) + count
  }
  return counts
}
