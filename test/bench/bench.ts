import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { fillHome } from '../../src/cli/init.js'
import { loadConfig } from '../../src/config/config.js'
import { openFoundry, type OpenFoundry } from '../../src/daemon.js'

/** The answer to one question, with its bar. */
export interface Figures {
  question: string
  figures: Record<string, number | string>
  bar: string
  pass: boolean
  /** What the figures were made from, for `--json`. */
  rows?: Record<string, unknown>[]
}

/** What the command line says, for those that have a choice. */
export interface RunOptions {
  scenarios: readonly string[]
  rounds: number
  /** Of whatever goes by chance. */
  seed: number
}

export interface DraftFarm {
  url: string
  ledger(): Promise<{ startedAt: number; endedAt: number; serviceMs: number; outcome: string; slot?: string }[]>
  stop(): Promise<void>
}

/** A draft server in a process of its own, so that its work is not counted as ours. */
export async function startDraft(faults: object): Promise<DraftFarm> {
  const main = fileURLToPath(new URL('../../plugins/provider-comfyui/draft-server/main.js', import.meta.url))
  const child = spawn(process.execPath, [main, '--options', JSON.stringify({ faults })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  return {
    url,
    ledger: async () => (await (await fetch(`${url}/draft/ledger`)).json()) as never,
    stop: async () => {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** A home of its own for one measurement. */
export async function makeHome(): Promise<{ home: string; remove(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'foundry-bench-'))
  await fillHome(home, true)
  return { home, remove: () => rm(home, { recursive: true, force: true }) }
}

/** A render order over the example persona. */
export async function writeOrder(home: string, name: string, order: object): Promise<string> {
  const path = join(home, 'manifests', `${name}.json`)
  await writeFile(path, JSON.stringify({ name, personas: ['aurora.yaml'], templates: ['hero-portrait'], ...order }))
  return path
}

export async function openAt(home: string, urls: readonly string[]): Promise<OpenFoundry> {
  const config = await loadConfig({ home, servers: urls }, {}, '0.0.0-bench')
  return openFoundry(config, { log: pino({ level: 'silent' }) })
}

/** Resolves when the run has its report. */
export async function finished({ foundry }: OpenFoundry, run: string): Promise<void> {
  if (foundry.ledger.state.runs.get(run)?.finished) return
  await new Promise<void>(resolve => {
    const stop = foundry.ledger.listen(event => {
      if (event.kind !== 'run-finished' || event.run !== run) return
      stop()
      resolve()
    })
  })
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}
