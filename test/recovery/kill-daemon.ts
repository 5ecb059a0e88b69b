import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkHome, type HomeFacts } from './check-home.js'
import { makeHome } from './make-home.js'
import { type Command, foundry, randomNumbers, rendersOf, startDaemon, startDraft, until } from './processes.js'

export interface Rampage {
  folder: string
  seed: number
  kills: number
  slots: number
  jobMs: number
}

/** After the process was started; it is ready after some 400 ms, so that kills hit its start as well as its work. */
const firstKillMs = 150
const lastKillMs = 900
const endLimitMs = 120_000

/** Kills a daemon again and again while it works off an order, starts another at once each time, and lets the last one end. */
export async function rampage({
  folder,
  seed,
  kills,
  slots,
  jobMs,
}: Rampage): Promise<HomeFacts & { killed: number; sinceMs: number }> {
  mkdirSync(folder, { recursive: true })
  const home = join(folder, 'home')
  const draft = await startDraft(join(folder, 'ledger.jsonl'), { faults: { jobMs, prepared: true } })
  const random = randomNumbers(seed)
  const begin = performance.now()
  let daemon: Command | undefined
  let killed = 0
  try {
    makeHome(home, { slots, serverUrl: draft.url })
    for (; killed < kills && !isFinished(home); killed++) {
      daemon = foundry(['daemon', '--home', home, '--port', '0'])
      await sleep(firstKillMs + random(lastKillMs - firstKillMs))
      await daemon.kill()
    }
    daemon = await startDaemon(home)
    await until('the end of the run', () => isFinished(home), endLimitMs)
    daemon.child.kill('SIGTERM')
    const code = await daemon.ended
    const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile), extraRenders: killed })
    if (code !== 0) facts.problems.push(`the last daemon ended with ${code}`)
    return { ...facts, killed, sinceMs: performance.now() - begin }
  } finally {
    await daemon?.kill()
    await draft.kill()
  }
}

/** Whether every run of the home has its report, which is written last. */
export function isFinished(home: string): boolean {
  const runs = join(home, 'runs')
  const names = existsSync(runs) ? readdirSync(runs) : []
  return names.length > 0 && names.every(name => existsSync(join(runs, name, 'report.json')))
}
