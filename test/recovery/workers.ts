import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../plugins/engine-bullmq/redis-server.js'
import { checkHome, filesUnder, type HomeFacts } from './check-home.js'
import { isFinished } from './kill-daemon.js'
import { makeHome, writeOrder } from './make-home.js'
import { type Command, type Draft, foundry, rendersOf, startDraft, until } from './processes.js'

export interface WorkersCase {
  slots: number
  jobMs: number
  /** Address of the Redis that owner and workers share. */
  redisUrl: string
  /** Renders that are allowed beyond one per picture. */
  extra?: number
  config?: Record<string, unknown>
  /** Duration of a job on a server that the owner has beside those of its workers; none where absent. */
  ownJobMs?: number
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
  /** Waits until the server of a worker renders. */
  busy(name: string): Promise<void>
  /** Waits for so many pictures. */
  done(count: number): Promise<void>
}

export interface WorkersFacts {
  facts: HomeFacts
  /** Renders that began, by worker. */
  renders: Record<string, number>
  /** When attempts were leased and ended, by server. */
  leases: { server: string; at: number; slot: number; attempt: number }[]
  ended: { server: string; outcome: string; slot: number; at: number }[]
  stored: string[]
  sinceMs: number
}

/** Stops a worker for a time: it knows nothing of it, and goes on where it was. */
export async function freeze(worker: Command | undefined, ms: number): Promise<void> {
  worker?.child.kill('SIGSTOP')
  await sleep(ms)
  worker?.child.kill('SIGCONT')
}

const names = ['w1', 'w2', 'w3']
const endMsMax = 120_000

/** Renders an order on three workers, in a folder of its own, and checks what is left. */
export async function renderWithWorkers(folder: string, wanted: WorkersCase): Promise<WorkersFacts> {
  const { slots, jobMs, redisUrl, extra = 0, config, ownJobMs, meanwhile } = wanted
  mkdirSync(folder, { recursive: true })
  const home = join(folder, 'home')
  const storage = join(folder, 'shared')
  const drafts = new Map<string, Draft>()
  const workers = new Map<string, Command>()
  const port = await freePort()
  let owner: Command | undefined
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
    busy: name =>
      until(`a job with ${name}`, () =>
        rendersOf(drafts.get(name)?.ledgerFile ?? '').some(({ outcome }) => outcome === 'running'),
      ),
    done: count =>
      until(
        `${count} pictures`,
        () => filesUnder(join(home, 'runs')).filter(each => each.endsWith('.png')).length >= count,
        endMsMax,
      ),
  }
  const begin = performance.now()
  try {
    const paint = (name: string, paceMs: number) =>
      startDraft(join(folder, `${name}.jsonl`), { faults: { jobMs: paceMs, prepared: true } })
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
    writeOrder(home, 'order', slots)
    await meanwhile?.(farm)
    await until('the end of the run', () => isFinished(home), endMsMax)
    for (const worker of workers.values()) worker.child.kill('SIGTERM')
    const codes = await Promise.all([...workers.values()].map(worker => worker.ended))
    farm.owner().child.kill('SIGTERM')
    codes.push(await farm.owner().ended)
    const renders = [...drafts.values()].flatMap(({ ledgerFile }) => rendersOf(ledgerFile))
    const facts = await checkHome(home, { renders, extraRenders: extra })
    for (const code of codes) if (code !== 0 && code !== 'SIGKILL') facts.problems.push(`a process ended with ${code}`)
    return {
      facts,
      renders: Object.fromEntries([...drafts].map(([name, draft]) => [name, rendersOf(draft.ledgerFile).length])),
      leases: facts.journal.flatMap(event => (event.kind === 'attempt-leased' ? [event] : [])),
      ended: facts.journal.flatMap(event => (event.kind === 'attempt-ended' ? [event] : [])),
      stored: filesUnder(storage),
      sinceMs: performance.now() - begin,
    }
  } catch (error) {
    const said = [owner, ...workers.values()].map(each => each?.stderr().slice(-4000)).join('\n---\n')
    throw new Error(`${String(error)}\n${said}`, { cause: error })
  } finally {
    for (const worker of workers.values()) await worker.kill()
    await owner?.kill()
    for (const draft of drafts.values()) await draft.kill()
  }
}
