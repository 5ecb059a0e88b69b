import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { LedgerEntry } from '../../../plugins/provider-comfyui/draft-server/ledger.js'
import type { DraftServerOptions } from '../../../plugins/provider-comfyui/draft-server/options.js'
import { makeGraph } from './graph.js'
import type { Scenario } from './scenarios.js'

const main = fileURLToPath(new URL('../../../plugins/provider-comfyui/draft-server/main.js', import.meta.url))
/** A sampler reports as often as a quick one does. */
const steps = 4
const pollMs = 20
const warmUpJobMs = 10

/** Draft servers in processes of their own, so that their work is not counted as that of a client. */
export interface RaceFarm {
  urls: readonly string[]
  /** The race starts now, at the pace and with the faults of the scenario: what came before counts no more. */
  begin(): Promise<void>
  /** Everything rendered since the start of the race, by server. */
  ledgers(): Promise<LedgerEntry[][]>
  /** Requests since the start of the race, to the servers that live. */
  requests(): Promise<number>
  /** Ends the process of one server, without a word, while it renders. */
  killWhileRendering(server: number): Promise<void>
  stop(): Promise<void>
}

/**
 * All servers of a scenario in one process, or each in its own where one is to be killed. They have their picture painted
 * before the first job comes, and are quick until the race begins.
 */
export async function startRaceFarm(scenario: Scenario, folder: string): Promise<RaceFarm> {
  const { slowness, jobMs, loraLoadMs, faults, kills } = scenario
  const files = slowness.map((_, server) => join(folder, `ledger-${server}.jsonl`))
  const options = files.map((ledgerFile, server): DraftServerOptions => {
    return { ledgerFile, faults: { prepared: true, failSeed: 1 + server * 7919 } }
  })
  const groups = kills ? options.map(each => [each]) : [options]
  const processes = await Promise.all(groups.map(startServers))
  const urls = processes.flatMap(each => each.urls)
  await Promise.all(urls.map(warmUp))
  const setPace = (paceOf: (server: number) => object) =>
    Promise.all(urls.map((url, server) => post(`${url}/draft/faults`, { steps, ...paceOf(server) })))
  await setPace(() => ({ jobMs: warmUpJobMs }))
  const dead = new Set<number>()
  let isStopped = false
  const requests = async () => {
    const living = urls.filter((_, server) => !dead.has(server))
    const counts = await Promise.all(
      living.map(async url => (await (await fetch(`${url}/draft/requests`)).json()) as { requests: number }),
    )
    return counts.reduce((sum, each) => sum + each.requests, 0)
  }
  let [before, beganAt] = [0, 0]
  return {
    urls,
    async begin() {
      await setPace(server => ({ ...faults, loraLoadMs, jobMs: jobMs * (slowness[server] ?? 1) }))
      before = await requests()
      beganAt = Date.now()
    },
    ledgers: () => Promise.all(files.map(file => readLedger(file, beganAt))),
    requests: async () => (await requests()) - before,
    async killWhileRendering(server) {
      if (!(await isRendering(files[server] ?? '', beganAt, () => isStopped))) return
      dead.add(server)
      processes[server]?.child.kill('SIGKILL')
    },
    async stop() {
      isStopped = true
      await Promise.all(processes.map(({ child }) => endProcess(child)))
    },
  }
}

async function startServers(options: readonly DraftServerOptions[]): Promise<{ child: ChildProcess; urls: string[] }> {
  const child = spawn(process.execPath, [main, '--options', JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, urls: (JSON.parse(line) as { urls: string[] }).urls }
}

/** The first picture of a size is painted, which takes its time. */
async function warmUp(url: string): Promise<void> {
  const prompt = makeGraph({ id: 0, lora: undefined }, 'warm')
  const { prompt_id: id } = (await post(`${url}/prompt`, { prompt })) as { prompt_id: string }
  while (JSON.stringify(await (await fetch(`${url}/history/${id}`)).json()) === '{}') await sleep(pollMs)
}

async function post(url: string, body: unknown): Promise<unknown> {
  return (await fetch(url, { method: 'POST', body: JSON.stringify(body) })).json()
}

/** A job stands in the file once when it begins and once when it ends. */
async function readLedger(file: string, beganAt: number): Promise<LedgerEntry[]> {
  const entries = new Map<string, LedgerEntry>()
  const text = existsSync(file) ? await readFile(file, 'utf8') : ''
  // The last line may be half there.
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = JSON.parse(line) as LedgerEntry
    entries.set(`${entry.promptId} ${entry.startedAt}`, entry)
  }
  return [...entries.values()].filter(({ startedAt }) => startedAt >= beganAt)
}

const rendersBeforeKill = 3
const renderingMs = 50

/** Resolves when some jobs were rendered and one has been running for a while; false when that is not to come any more. */
async function isRendering(file: string, beganAt: number, isOver: () => boolean): Promise<boolean> {
  while (!isOver()) {
    const entries = await readLedger(file, beganAt)
    const last = entries.at(-1)
    const isRunning = last?.outcome === 'running' && Date.now() - last.startedAt >= renderingMs
    if (isRunning && entries.length > rendersBeforeKill) return true
    await sleep(pollMs)
  }
  return false
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
