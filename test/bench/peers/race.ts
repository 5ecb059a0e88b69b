import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Account, accountFor } from './account.js'
import type { Order, Report, WarmUp } from './contestant.js'
import { type RaceFarm, startRaceFarm } from './race-farm.js'
import { jobsOf, type Scenario } from './scenarios.js'

export const contestantNames = [
  'ours',
  'ComfyPool zero',
  'ComfyPool round robin',
  'p-queue + comfyui-client',
  'one at a time per server',
] as const
export type ContestantName = (typeof contestantNames)[number]

/** How one contestant did in one scenario. */
export interface Outcome extends Account {
  contestant: ContestantName
  scenario: string
  /** Absent where it did not come to an end. */
  makespanMs?: number
  cpuMs?: number
  /** Ends that the client told. */
  done: number
  failed: number
  /** Different pictures that lie there. */
  pictures: number
  requests: number
  /** Why there is no end. */
  trouble?: string
}

/** A contestant that is not ready after so long is ended. */
export const prepareMsMax = 60_000
/** A contestant that tells no end for so long, and has nothing new rendered meanwhile, has stalled. */
const silentMsMax = 15_000
const raceMsMax = 240_000
const exitMsMax = 5000
const watchEveryMs = 200
const wordsMax = 400

/** Races one contestant, in a process of its own against a fresh farm; what it does not end itself is ended here. */
export async function race(contestant: ContestantName, scenario: Scenario, peers: string): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'foundry-race-'))
  const own = join(folder, 'own')
  const warm = join(folder, 'warm')
  await Promise.all([mkdir(own), mkdir(warm)])
  const farm = await startRaceFarm(scenario, folder)
  const child = fork(fileURLToPath(new URL('child.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  try {
    const task = { urls: farm.urls, jobs: jobsOf(scenario), folder: own, peers }
    const ended = await follow(child, farm, {
      order: { kind: 'prepare', name: contestant, task, warmUp: warmUpOf(scenario, warm) },
      started: () => {
        if (scenario.kills) void farm.killWhileRendering(0)
      },
    })
    return { contestant, scenario: scenario.name, ...ended, ...(await count(farm, scenario, own)) }
  } finally {
    await leave(child)
    await farm.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Where times are compared. A fault is met by whom it meets first. */
function warmUpOf({ ratioMax, warmUpJobs = usualWarmUpJobs }: Scenario, folder: string): WarmUp | undefined {
  if (ratioMax === undefined) return undefined
  return { jobs: Array.from({ length: warmUpJobs }, (_, at) => ({ id: warmUpId + at, lora: undefined })), folder }
}
/** After fewer, the engine of the language still compiles what has turned out to be used much. */
const usualWarmUpJobs = 640
/** No job of a race has such a number. */
const warmUpId = 1_000_000

type Ended = Pick<Outcome, 'makespanMs' | 'cpuMs' | 'done' | 'failed' | 'trouble'>

async function follow(
  child: ChildProcess,
  farm: RaceFarm,
  { order, started }: { order: Order; started(): void },
): Promise<Ended> {
  const send = (message: Order) => child.send(message)
  const counts = { done: 0, failed: 0 }
  let words = ''
  child.stderr?.on('data', (bytes: Buffer) => (words = (words + String(bytes)).slice(-wordsMax)))
  const stop = new AbortController()
  let [hasStarted, changedAt, beganAt] = [false, performance.now(), performance.now()]
  const start = async () => {
    await farm.begin()
    ;[hasStarted, changedAt, beganAt] = [true, performance.now(), performance.now()]
    send({ kind: 'go' })
    started()
  }
  const answered = new Promise<Ended>((resolve, reject) => {
    child.on('message', (report: Report) => {
      if (report.kind === 'ready') {
        start().catch(reject)
        return
      }
      const { done, failed } = report
      if (done !== counts.done || failed !== counts.failed) changedAt = performance.now()
      Object.assign(counts, { done, failed })
      if (report.kind === 'ended') resolve({ ...counts, makespanMs: report.makespanMs, cpuMs: report.cpuMs })
    })
    // Not its exit, which may come before its last words.
    child.once('close', code => resolve({ ...counts, trouble: `ended by itself with ${code}: ${words.trim()}` }))
    child.once('error', error => resolve({ ...counts, trouble: error.message }))
  })
  async function watch(): Promise<Ended> {
    for (;;) {
      await sleep(watchEveryMs, undefined, { signal: stop.signal })
      const now = performance.now()
      if (!hasStarted && now - beganAt > prepareMsMax) return { ...counts, trouble: `was never ready: ${words.trim()}` }
      if (hasStarted && now - beganAt > raceMsMax) return { ...counts, trouble: 'ended after its time' }
      if (!hasStarted || now - changedAt <= silentMsMax) continue
      const idleMs = Date.now() - Math.max(...(await farm.ledgers()).flat().map(each => each.endedAt ?? each.startedAt))
      if (idleMs > silentMsMax) return { ...counts, trouble: 'stalled' }
      changedAt = now - idleMs
    }
  }
  send(order)
  try {
    return await Promise.race([answered, watch()])
  } finally {
    stop.abort()
  }
}

async function count(
  farm: RaceFarm,
  scenario: Scenario,
  own: string,
): Promise<Account & Pick<Outcome, 'pictures' | 'requests'>> {
  const requests = await farm.requests()
  const account = accountFor(await farm.ledgers(), scenario, server => !(scenario.kills && server === 0))
  const hashes = new Set<string>()
  for (const file of await readdir(own, { recursive: true })) {
    if (!file.endsWith('.png')) continue
    hashes.add(
      createHash('sha256')
        .update(await readFile(join(own, file)))
        .digest('hex'),
    )
  }
  return { ...account, requests, pictures: hashes.size }
}

async function leave(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  const limit = setTimeout(() => child.kill('SIGKILL'), exitMsMax)
  if (child.connected) child.disconnect()
  await ended
  clearTimeout(limit)
}
