import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Faults } from '../../plugins/provider-comfyui/draft-server/options.js'
import { checkHome, filesUnder } from './check-home.js'
import { makeHome } from './make-home.js'
import { type Draft, foundry, rendersOf, startDraft, until } from './processes.js'

/** A server that goes wrong, and what that may cost. */
export interface ServerFault {
  slots: number
  faults: Partial<Faults>
  /** Further keys of the server entry. */
  server?: Record<string, unknown>
  /** Renders that the fault may cost beyond one per picture. */
  extra: number
  /** What is done while the run goes on; `done` waits for so many pictures. */
  meanwhile?(draft: Draft, done: (count: number) => Promise<void>): Promise<void>
}

/** The same port, nothing remembered: queue, history and pictures are gone. */
const restartEmpty: ServerFault['meanwhile'] = async (draft, done) => {
  for (const count of [4, 8, 12]) {
    await done(count)
    await draft.kill()
    await draft.start()
  }
}

export const serverFaults: Record<string, ServerFault> = {
  // A killed server takes the running picture with it, and one that was finished but not fetched yet: two a kill.
  'killed and restarted empty three times': { slots: 20, faults: { jobMs: 30 }, extra: 6, meanwhile: restartEmpty },
  'that loses its queue three times': {
    slots: 40,
    faults: { jobMs: 30 },
    extra: 3,
    async meanwhile(draft, done) {
      for (const count of [4, 8, 12]) await done(count).then(() => draft.setFaults({ loseQueue: true }))
    },
  },
  'whose sockets are cut each 300 ms': { slots: 40, faults: { jobMs: 30, dropSocketsEveryMs: 300 }, extra: 0 },
  'whose sockets are open and silent': { slots: 6, faults: { jobMs: 10, silentSockets: true }, extra: 0 },
  'that answers a POST after 6 s': { slots: 2, faults: { jobMs: 10, postDelayMs: 6000 }, extra: 0 },
  'that answers a POST after it was given up': {
    slots: 6,
    faults: { jobMs: 10, postDelayMs: 6000 },
    server: { timeoutSeconds: 1 },
    extra: 0,
  },
  'that cuts connections instead of answering a POST': { slots: 12, faults: { jobMs: 10, postLost: 5 }, extra: 0 },
  'that fails one job in ten': { slots: 40, faults: { jobMs: 10, failRate: 0.1, failSeed: 7 }, extra: 0 },
  'that runs out of memory, then fails': {
    slots: 20,
    faults: { jobMs: 10, failNext: 3, failWith: 'out-of-memory' },
    extra: 0,
    meanwhile: (draft, done) => done(5).then(() => draft.setFaults({ failNext: 3, failWith: 'error' })),
  },
  'that fails a single job': { slots: 1, faults: { failNext: 1 }, extra: 0 },
  'whose pictures are cut short in transfer': { slots: 12, faults: { jobMs: 10, viewTruncated: 6 }, extra: 0 },
  'whose history lacks outputs that its socket told': { slots: 12, faults: { jobMs: 10, noOutputs: 4 }, extra: 0 },
  'that reports no output anywhere': { slots: 4, faults: { noOutputs: 2, silentSockets: true }, extra: 2 },
  'that gives black pictures': { slots: 12, faults: { jobMs: 10, black: 4 }, extra: 4 },
  'that gives pictures of another size': { slots: 12, faults: { jobMs: 10, wrongSize: 4 }, extra: 4 },
  'whose history is late': { slots: 12, faults: { jobMs: 10, historyLateMs: 300 }, extra: 0 },
}

/** Renders an order on such a server, in a folder of its own, and checks what is left. */
export async function renderWith(folder: string, { slots, faults, server, extra, meanwhile }: ServerFault) {
  mkdirSync(folder, { recursive: true })
  const draft = await startDraft(join(folder, 'ledger.jsonl'), { faults: { prepared: true, ...faults } })
  const home = join(folder, 'home')
  const order = makeHome(home, { slots, serverUrl: draft.url, ...(server && { server }) })
  const command = foundry(['render', order, '--home', home, '--json'])
  try {
    const done = (count: number) =>
      until(
        `${count} pictures`,
        () => filesUnder(join(home, 'runs')).filter(each => each.endsWith('.png')).length >= count,
      )
    await meanwhile?.(draft, done)
    const code = await command.ended
    const renders = rendersOf(draft.ledgerFile)
    const failures = renders.filter(render => render.outcome === 'error').length
    const facts = await checkHome(home, { renders, extraRenders: extra + failures })
    return { code, facts, said: command.stderr() + command.stdout() }
  } finally {
    await command.kill()
    await draft.kill()
  }
}
