import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ConfigFlags } from '../../src/config/config.js'
import { plainNode } from '../plain-node.js'

export interface TestDaemon {
  home: string
  manifests: string
  url: string
  child: ChildProcess
  /** Exit code, or signal that ended it. */
  ended: Promise<number | string>
  /** JSON lines of the log so far. */
  log(): Record<string, unknown>[]
  get<Answer = Record<string, unknown>>(path: string): Promise<Answer>
  metric(line: string): Promise<number>
  kill(signal?: NodeJS.Signals): Promise<number | string>
}

const childFile = fileURLToPath(new URL('./daemon-child.js', import.meta.url))
const startMsMax = 60_000

/** A daemon in a process of its own, which answers. `config` is its foundry.yaml, which is JSON here. */
export async function startDaemon(
  home: string,
  config: object = {},
  { flags = { draft: true }, env = {} }: { flags?: ConfigFlags; env?: Record<string, string> } = {},
): Promise<TestDaemon> {
  await mkdir(join(home, 'manifests'), { recursive: true })
  writeFileSync(join(home, 'foundry.yaml'), JSON.stringify(config))
  const logFile = join(home, 'daemon.log')
  const { FOUNDRY_HOME: _, FOUNDRY_SERVER: __, FOUNDRY_API_TOKEN: ___, ...clean } = process.env
  const child = spawn(...plainNode([childFile, JSON.stringify({ home, port: 0, logFile, ...flags })]), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...clean, ...env },
  })
  let complaint = ''
  child.stderr.on('data', chunk => (complaint += String(chunk)))
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  const url = await announced(home, child)
  if (url === undefined) throw new Error(`the daemon ended with ${await ended}: ${complaint}`)
  const get = async (path: string) => (await fetch(`${url}${path}`)).json()
  return {
    home,
    manifests: join(home, 'manifests'),
    url,
    child,
    ended,
    log: () => lines(logFile),
    get: get as TestDaemon['get'],
    async metric(line) {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(
        text
          .split('\n')
          .find(each => each.startsWith(`${line} `))
          ?.split(' ')
          .at(-1),
      )
    },
    kill(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}

/** Resolves with the first answer that is not undefined; rejects by name when there is none in time. */
export async function eventually<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined> | Answer | undefined,
  limitMs = 60_000,
): Promise<Answer> {
  const giveUpAt = performance.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > giveUpAt) throw new Error(`${what} did not come within ${limitMs} ms`)
    await sleep(20)
  }
}

/** Undefined when the daemon ended before it had an address. */
async function announced(home: string, child: ChildProcess): Promise<string | undefined> {
  const look = async () => {
    const text = await readFile(join(home, '.foundry', 'owner.json'), 'utf8').catch(() => '{}')
    const owner = JSON.parse(text) as { pid?: number; apiUrl?: string }
    if (owner.pid === child.pid && owner.apiUrl !== undefined) return { url: owner.apiUrl }
    return child.exitCode === null && child.signalCode === null ? undefined : {}
  }
  const found: { url?: string } = await eventually('the address of the daemon', look, startMsMax)
  return found.url
}

function lines(file: string): Record<string, unknown>[] {
  const text = readFileSync(file, 'utf8')
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>)
}
