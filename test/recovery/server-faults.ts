import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Faults } from '../../plugins/provider-comfyui/draft-server/options.js'
import { foundry as foundryHere } from '../cli/foundry.js'
import { checkHome, filesUnder } from './check-home.js'
import { makeHome } from './make-home.js'
import { type Command, type Draft, foundry, rendersOf, startDraft, startDraftHere, until } from './processes.js'

/** A server that goes wrong, and what that may cost. */
export interface ServerFault {
  slots: number
  /** Slots of a long run. */
  soakSlots: number
  faults: Partial<Faults>
  /** It is a process of its own, which can be killed. */
  dies?: boolean
  /** It answers, if wrongly: no connection of it could keep a process alive, so the command needs none of its own. */
  answers?: boolean
  /** Further keys of the server entry. */
  server?: Record<string, unknown>
  /** Renders that the fault may cost beyond one per picture. */
  extra: number
  /** What is done while the run goes on; `done` waits for so many pictures. */
  meanwhile?(draft: Draft, done: (count: number) => Promise<void>): Promise<void>
}

/** The same port, nothing remembered: queue, history and pictures are gone. */
const restartEmpty: ServerFault['meanwhile'] = async (draft, done) => {
  for (const count of [2, 5, 8]) {
    await done(count)
    await untilQueued(draft)
    await draft.kill()
    await draft.start()
  }
}

/** One fault of so many jobs after the other, each when the one before is used up. */
function inTurn(...turns: readonly Partial<Faults>[]): (draft: Draft) => Promise<void> {
  return async draft => {
    for (const turn of turns) {
      await untilUsedUp(draft)
      await draft.setFaults(turn)
    }
    await untilUsedUp(draft)
  }
}

async function untilQueued({ url }: Draft): Promise<void> {
  for (;;) {
    const queue = (await (await fetch(`${url}/queue`)).json()) as { queue_pending: unknown[] }
    if (queue.queue_pending.length > 0) return
    await sleep(15)
  }
}

const counting = ['failNext', 'postLost', 'viewTruncated', 'noOutputs', 'wrongSize', 'black'] as const

async function untilUsedUp(draft: Draft): Promise<void> {
  for (;;) {
    const left = await faultsOf(draft)
    if (counting.every(name => left[name] === 0)) return
    await sleep(15)
  }
}

async function faultsOf({ url }: Draft): Promise<Faults> {
  const ask = () => fetch(`${url}/draft/faults`)
  // Connections that were kept are cut by some faults.
  return (await (await ask().catch(ask)).json()) as Faults
}

export const serverFaults: Record<string, ServerFault> = {
  // A killed server takes the running picture with it, and one that was finished but not fetched yet: two a kill.
  'killed and restarted empty three times': {
    slots: 12,
    soakSlots: 100,
    dies: true,
    faults: { jobMs: 150 },
    extra: 6,
    meanwhile: restartEmpty,
  },
  'that loses its queue three times': {
    slots: 14,
    soakSlots: 200,
    faults: { jobMs: 200 },
    answers: true,
    extra: 3,
    async meanwhile(draft, done) {
      for (const count of [2, 5, 8]) {
        await done(count)
        await untilQueued(draft)
        await draft.setFaults({ loseQueue: true })
      }
    },
  },
  'whose sockets are cut each 300 ms': {
    slots: 12,
    soakSlots: 200,
    faults: { jobMs: 150, dropSocketsEveryMs: 300 },
    extra: 0,
  },
  'whose sockets are open and silent': {
    slots: 3,
    soakSlots: 30,
    faults: { jobMs: 10, silentSockets: true },
    extra: 0,
  },
  'that answers a POST after 6 s': { slots: 2, soakSlots: 10, faults: { jobMs: 10, postDelayMs: 6000 }, extra: 0 },
  'that answers a POST after it was given up': {
    slots: 3,
    soakSlots: 30,
    faults: { jobMs: 10, postDelayMs: 6000 },
    server: { timeoutSeconds: 1 },
    extra: 0,
  },
  'that fails one job in ten': {
    slots: 20,
    soakSlots: 200,
    faults: { jobMs: 10, failRate: 0.1, failSeed: 7 },
    answers: true,
    extra: 0,
  },
  'that runs out of memory, then fails': {
    slots: 8,
    soakSlots: 100,
    faults: { jobMs: 10, failNext: 3, failWith: 'out-of-memory' },
    answers: true,
    extra: 0,
    meanwhile: inTurn({ failNext: 3, failWith: 'error' }),
  },
  'that fails a single job': { slots: 1, soakSlots: 5, faults: { failNext: 1 }, answers: true, extra: 0 },
  'that cuts connections instead of answering a POST, then cuts pictures short, then lacks outputs that its socket told':
    {
      slots: 24,
      soakSlots: 180,
      faults: { jobMs: 60, postLost: 3 },
      extra: 0,
      meanwhile: inTurn({ viewTruncated: 3 }, { noOutputs: 3 }),
    },
  'that reports no output anywhere': {
    slots: 3,
    soakSlots: 20,
    faults: { noOutputs: 2, silentSockets: true },
    extra: 2,
  },
  'that gives black pictures, then some of another size': {
    slots: 12,
    soakSlots: 120,
    faults: { jobMs: 60, black: 3 },
    answers: true,
    extra: 6,
    meanwhile: inTurn({ wrongSize: 3 }),
  },
  'whose history is late': {
    slots: 6,
    soakSlots: 60,
    faults: { jobMs: 10, historyLateMs: 300 },
    answers: true,
    extra: 0,
  },
}

/** Renders an order on such a server, in a folder of its own, and checks what is left. */
export async function renderWith(folder: string, fault: Omit<ServerFault, 'soakSlots'>) {
  const { slots, faults, dies = false, answers = false, server, extra, meanwhile } = fault
  mkdirSync(folder, { recursive: true })
  const start = dies ? startDraft : startDraftHere
  const draft = await start(join(folder, 'ledger.jsonl'), { faults: { prepared: true, ...faults } })
  const home = join(folder, 'home')
  const order = makeHome(home, { slots, serverUrl: draft.url, ...(server && { server }) })
  const command = answers ? renderHere(home, order) : foundry(['render', order, '--home', home, '--json'])
  try {
    const done = (count: number) =>
      until(
        `${count} pictures`,
        () => filesUnder(join(home, 'runs')).filter(each => each.endsWith('.png')).length >= count,
      )
    await Promise.race([meanwhile?.(draft, done), command.ended])
    const code = await command.ended
    const renders = rendersOf(draft.ledgerFile)
    const failures = renders.filter(render => render.outcome === 'error').length
    const facts = await checkHome(home, { renders, extraRenders: extra + failures })
    const left = await faultsOf(draft)
    for (const name of counting)
      if (left[name] > 0) facts.problems.push(`${left[name]} times ${name} were not met before the run ended`)
    return { code, facts, said: command.stderr() + command.stdout() }
  } finally {
    await command.kill()
    await draft.kill()
  }
}

/** The same in this process, to its end. */
function renderHere(home: string, order: string): Pick<Command, 'ended' | 'stdout' | 'stderr' | 'kill'> {
  const command = foundryHere(['render', order, '--json'], { cwd: home })
  const texts = { out: '', err: '' }
  const ended = command.then(({ code, out, err }) => {
    Object.assign(texts, { out, err })
    return code ?? 'no code'
  })
  return { ended, stdout: () => texts.out, stderr: () => texts.err, kill: async () => void (await ended) }
}
