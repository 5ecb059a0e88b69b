import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LedgerEntry } from '../../plugins/provider-comfyui/draft-server/ledger.js'
import type { AttemptLeased, FoundryEvent } from '../../src/record/events.js'
import { freePort } from '../plugins/engine-bullmq/redis-server.js'
import { checkHome, filesUnder, type HomeFacts } from './check-home.js'
import { isFinished } from './kill-daemon.js'
import { makeHome, writeOrder } from './make-home.js'
import { type Command, type Draft, foundry, rendersOf, startDraftHere, until } from './processes.js'

export interface FarmOptions {
  /** Duration of a job on the servers of the workers. */
  jobMs: number
  /** Address of the Redis that owner and workers share. */
  redisUrl: string
  /** Names of the workers; three where absent. */
  names?: readonly string[]
  config?: Record<string, unknown>
  /** Duration of a job on a server that the owner has beside those of its workers; none where absent. */
  ownJobMs?: number
}

export interface WorkersCase extends FarmOptions {
  slots: number
  /** Renders that are allowed beyond one per picture. */
  extra?: number
  meanwhile?(farm: WorkersFarm): Promise<void>
}

/** One owner and its workers, each a process, each worker with a draft server of its own. */
export interface WorkersFarm {
  home: string
  workers: Map<string, Command>
  owner(): Command
  /** Starts the owner, again after it was killed: at the same address. */
  startOwner(): Promise<void>
  startWorker(name: string): Promise<void>
  /** Drops an order of so many pictures, each with a seed of its own. */
  drop(order: string, slots: number): void
  /** Changes the duration of jobs on the servers of the workers. */
  setPace(jobMs: number): Promise<void>
  /** Waits until the server of a worker renders. */
  busy(name: string): Promise<void>
  /** Waits for so many pictures of an order. */
  done(count: number, order?: string): Promise<void>
  /** Waits for the end of all runs, that of the order among them. */
  finished(order: string): Promise<void>
  /** Waits until the owner has given up what a worker had. */
  givenUp(worker: string): Promise<void>
  /** Stops workers and owner, and reads the home back. */
  stop(extra?: number): Promise<WorkersFacts>
  /** The last words of owner and workers. */
  said(): string
  /** Ends all that still runs. */
  end(): Promise<void>
}

export interface WorkersFacts {
  facts: HomeFacts
  /** Renders that began, by worker. */
  renders: Record<string, number>
  /** When attempts were leased and ended, by server. */
  leases: AttemptLeased[]
  ended: Extract<FoundryEvent, { kind: 'attempt-ended' }>[]
  /** Renders of jobs that had been begun before, by run. */
  again: Record<string, number>
  stored: string[]
}

/** Stops a worker for a time: it knows nothing of it, and goes on where it was. */
export async function freeze(worker: Command | undefined, ms: number): Promise<void> {
  worker?.child.kill('SIGSTOP')
  await sleep(ms)
  worker?.child.kill('SIGCONT')
}

const threeNames = ['w1', 'w2', 'w3']
const endMsMax = 120_000
const seedsPerOrder = 10_000

/** Starts an owner and its workers in a folder of their own. Who opens it ends it. */
export async function openWorkersFarm(folder: string, options: FarmOptions): Promise<WorkersFarm> {
  const { jobMs, redisUrl, names = threeNames, config, ownJobMs } = options
  mkdirSync(folder, { recursive: true })
  const home = join(folder, 'home')
  const storage = join(folder, 'shared')
  const drafts = new Map<string, Draft>()
  const workers = new Map<string, Command>()
  const port = await freePort()
  let owner: Command | undefined
  let orders = 0
  const engine = { name: 'bullmq', options: { url: redisUrl, timeoutSeconds: 2 } }
  const farm: WorkersFarm = {
    home,
    workers,
    owner() {
      if (!owner) throw new Error('no owner')
      return owner
    },
    async startOwner() {
      owner = foundry(['daemon', '--home', home, '--port', String(port)])
      await owner.says('daemon ready')
    },
    async startWorker(name) {
      const url = drafts.get(name)?.url ?? ''
      const there = ['--owner', `http://127.0.0.1:${port}`, '--storage', storage, '--server', url]
      const worker = foundry(['worker', ...there, '--name', name, '--home', folder])
      workers.set(name, worker)
      await worker.says('worker ready')
    },
    drop: (order, slots) => void writeOrder(home, order, slots, 1 + seedsPerOrder * orders++),
    async setPace(jobMs) {
      await Promise.all(names.map(name => drafts.get(name)?.setFaults({ jobMs })))
    },
    busy: name =>
      until(`a job with ${name}`, () =>
        rendersOf(drafts.get(name)?.ledgerFile ?? '').some(({ outcome }) => outcome === 'running'),
      ),
    done: (count, order = '') =>
      until(
        `${count} pictures`,
        () =>
          filesUnder(join(home, 'runs')).filter(each => each.startsWith(order) && each.endsWith('.png')).length >=
          count,
        endMsMax,
      ),
    finished: order =>
      until(
        `the end of ${order}`,
        () => filesUnder(join(home, 'runs')).some(each => each.startsWith(order)) && isFinished(home),
        endMsMax,
      ),
    givenUp: worker =>
      until(`the silence of ${worker}`, () =>
        farm
          .owner()
          .stderr()
          .split('\n')
          .some(line => line.includes('worker is silent') && line.includes(`"${worker}"`)),
      ),
    async stop(extra = 0) {
      for (const worker of workers.values()) worker.child.kill('SIGTERM')
      const codes = await Promise.all([...workers.values()].map(worker => worker.ended))
      farm.owner().child.kill('SIGTERM')
      codes.push(await farm.owner().ended)
      const renders = [...drafts.values()].flatMap(({ ledgerFile }) => rendersOf(ledgerFile))
      const facts = await checkHome(home, { renders, extraRenders: extra })
      for (const code of codes)
        if (code !== 0 && code !== 'SIGKILL') facts.problems.push(`a process ended with ${code}`)
      const leases = facts.journal.flatMap(event => (event.kind === 'attempt-leased' ? [event] : []))
      return {
        facts,
        renders: Object.fromEntries([...drafts].map(([name, draft]) => [name, rendersOf(draft.ledgerFile).length])),
        leases,
        again: rendersAgain(leases, renders),
        ended: facts.journal.flatMap(event => (event.kind === 'attempt-ended' ? [event] : [])),
        stored: filesUnder(storage),
      }
    },
    said: () => [owner, ...workers.values()].map(each => each?.stderr().slice(-4000)).join('\n---\n'),
    async end() {
      for (const worker of workers.values()) await worker.kill()
      await owner?.kill()
      for (const draft of drafts.values()) await draft.kill()
    },
  }
  try {
    const paint = (name: string, paceMs: number) =>
      startDraftHere(join(folder, `${name}.jsonl`), { faults: { jobMs: paceMs, prepared: true } })
    if (ownJobMs !== undefined) drafts.set('own', await paint('own', ownJobMs))
    const url = drafts.get('own')?.url
    makeHome(home, {
      slots: 0,
      servers: url === undefined ? [] : [{ name: 'own', url }],
      config: { engine, storage, ...config },
    })
    for (const name of names) drafts.set(name, await paint(name, jobMs))
    await farm.startOwner()
    await Promise.all(names.map(name => farm.startWorker(name)))
    return farm
  } catch (error) {
    await farm.end()
    throw error
  }
}

function rendersAgain(leases: readonly AttemptLeased[], renders: readonly LedgerEntry[]): Record<string, number> {
  const again: Record<string, number> = {}
  const begun = new Set<string>()
  const runs = new Map(leases.map(({ job, run }) => [job, run]))
  for (const { job = '' } of renders) {
    const run = runs.get(job) ?? ''
    again[run] = (again[run] ?? 0) + (begun.has(job) ? 1 : 0)
    begun.add(job)
  }
  return again
}

/** Renders an order on workers, in a folder of its own, and checks what is left. */
export async function renderWithWorkers(folder: string, wanted: WorkersCase): Promise<WorkersFacts> {
  const { slots, extra, meanwhile, ...options } = wanted
  const farm = await openWorkersFarm(folder, options)
  try {
    farm.drop('order', slots)
    await meanwhile?.(farm)
    await farm.finished('order')
    return await farm.stop(extra)
  } catch (error) {
    throw new Error(`${String(error)}\n${farm.said()}`, { cause: error })
  } finally {
    await farm.end()
  }
}
