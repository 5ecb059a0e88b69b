import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type DraftServer, startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import type { DraftServerOptions, Faults } from '../../plugins/provider-comfyui/draft-server/options.js'
import type { LedgerEntry } from '../../plugins/provider-comfyui/draft-server/ledger.js'
import { plainNode } from '../plain-node.js'

/** The compiled code: this file is `<output>/test/recovery/processes.js`. */
const output = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const startLimitMs = 60_000

export interface Draft {
  url: string
  ledgerFile: string
  start(): Promise<void>
  setFaults(faults: Partial<Faults> & { loseQueue?: boolean; restart?: boolean }): Promise<void>
  kill(): Promise<void>
}

/** A draft server as a process of its own. Started again it has the same port, and nothing else but its ledger. */
export async function startDraft(ledgerFile: string, options: DraftServerOptions = {}): Promise<Draft> {
  const script = join(output, 'plugins/provider-comfyui/draft-server/main.js')
  let child: ChildProcess | undefined
  const draft: Draft = {
    url: '',
    ledgerFile,
    async start() {
      const port = draft.url === '' ? '0' : new URL(draft.url).port
      const args = ['--port', port, '--ledger-file', ledgerFile, '--options', JSON.stringify(options)]
      const started = spawn(...plainNode([script, ...args]), { stdio: ['ignore', 'pipe', 'inherit'] })
      child = started
      const [line] = (await once(createInterface(started.stdout), 'line')) as [string]
      draft.url = (JSON.parse(line) as { url: string }).url
    },
    async setFaults(faults) {
      await fetch(`${draft.url}/draft/faults`, { method: 'POST', body: JSON.stringify(faults) })
    },
    kill: async () => {
      if (child) await kill(child)
    },
  }
  await draft.start()
  return draft
}

/** The same in this process, which spares a start of Node: where no server dies a death that only a process can die. */
export async function startDraftHere(ledgerFile: string, options: DraftServerOptions = {}): Promise<Draft> {
  let server: DraftServer | undefined
  const draft: Draft = {
    url: '',
    ledgerFile,
    async start() {
      server = await startDraftServer({ ...options, ledgerFile, port: server?.port ?? 0 })
      draft.url = server.url
    },
    async setFaults({ loseQueue, restart, ...faults }) {
      server?.setFaults(faults)
      if (loseQueue) server?.loseQueue()
      if (restart) server?.restart()
    },
    kill: async () => server?.close(),
  }
  await draft.start()
  return draft
}

/** Jobs that began, as the server's own ledger has them, the oldest first; each with how it ended, if it did. */
export function rendersOf(ledgerFile: string): LedgerEntry[] {
  if (!existsSync(ledgerFile)) return []
  const renders: LedgerEntry[] = []
  const open = new Map<string, LedgerEntry>()
  for (const line of readFileSync(ledgerFile, 'utf8').split('\n').filter(Boolean)) {
    const entry = JSON.parse(line) as LedgerEntry
    if (entry.outcome === 'running') {
      renders.push(entry)
      open.set(entry.promptId, entry)
    } else Object.assign(open.get(entry.promptId) ?? {}, entry)
  }
  return renders
}

export interface Command {
  child: ChildProcess
  /** What was written to stdout and stderr so far. */
  stdout(): string
  stderr(): string
  /** Resolves once stderr or stdout holds the text; rejects when the process ends before. */
  says(text: string): Promise<void>
  /** The exit code; the signal's name where one ended it. */
  ended: Promise<number | string>
  kill(): Promise<void>
}

/** `foundry …` as a process; `flags` are those of Node, where it is not to live for some seconds only. */
export function foundry(args: readonly string[], env: Record<string, string> = {}, flags?: readonly string[]): Command {
  const child = spawn(...plainNode([join(output, 'src/cli/main.js'), ...args], flags), {
    env: { ...process.env, FOUNDRY_SERVER: '', FOUNDRY_FAILPOINTS: '', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => (texts.stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (texts.stderr += text))
  const ended = once(child, 'close').then(([code, signal]) => (code as number | null) ?? String(signal))
  let isOver = false
  void ended.then(() => (isOver = true))
  return {
    child,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    async says(text) {
      await until(`"${text}"`, () => {
        if (texts.stderr.includes(text) || texts.stdout.includes(text)) return true
        if (isOver) throw new Error(`ended without "${text}":\n${texts.stderr}${texts.stdout}`)
        return false
      })
    },
    ended,
    kill: () => kill(child),
  }
}

/** `foundry daemon` that has told it is ready. */
export async function startDaemon(
  home: string,
  env: Record<string, string> = {},
  flags?: readonly string[],
): Promise<Command> {
  const daemon = foundry(['daemon', '--home', home, '--port', '0'], env, flags)
  await daemon.says('daemon ready')
  return daemon
}

/** Waits until a condition holds. */
export async function until(what: string, holds: () => boolean, limitMs = startLimitMs): Promise<void> {
  const giveUpAt = performance.now() + limitMs
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`${what} did not come within ${limitMs} ms`)
    await sleep(pollMs)
  }
}
const pollMs = 15

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** Whole numbers from 0 to below `limit`, the same for the same seed. */
export function randomNumbers(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return limit => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
