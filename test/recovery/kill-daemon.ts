import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkHome, type HomeFacts } from './check-home.js'
import { makeHome } from './make-home.js'
import { type Told, toldCounts } from './told-counts.js'
import {
  type Command,
  type Draft,
  foundry,
  randomNumbers,
  rendersOf,
  startDaemon,
  startDraftHere,
  until,
} from './processes.js'

export interface Rampage {
  folder: string
  seed: number
  kills: number
  slots: number
  jobMs: number
  servers?: number
}

export interface RampageFacts extends HomeFacts {
  killed: number
  sinceMs: number
  /** From the start of the last process to its word that it is ready. */
  readyMs: number
  /** From the last owner's first event to the first attempt that it took up or made; undefined where nothing was left to do. */
  resumedMs: number | undefined
}

/** Every second kill hits the start of a process, after so long; the others hit its work, so long after it is at work. */
const startKillMsMax = 900
const workKillMsMax = 900
const endLimitMs = 120_000

/** Kills a daemon again and again while it works off an order, starts another at once each time, and lets the last one end. */
export async function rampage({ folder, seed, kills, slots, jobMs, servers = 1 }: Rampage): Promise<RampageFacts> {
  mkdirSync(folder, { recursive: true })
  const home = join(folder, 'home')
  const random = randomNumbers(seed)
  const begin = performance.now()
  const drafts: Draft[] = []
  let daemon: Command | undefined
  let killed = 0
  try {
    for (let at = 1; at <= servers; at++)
      drafts.push(await startDraftHere(join(folder, `gpu${at}.jsonl`), { faults: { jobMs, prepared: true } }))
    makeHome(home, { slots, servers: drafts.map(({ url }, at) => ({ name: `gpu${at + 1}`, url, depth: 2 })) })
    for (; killed < kills && !isFinished(home); killed++) {
      daemon = foundry(['daemon', '--home', home, '--port', '0'])
      if (killed % 2 === 1) {
        await daemon.says('daemon ready')
        await until('work', () => isFinished(home) || drafts.some(isAtWork))
      }
      await sleep(random(killed % 2 === 1 ? workKillMsMax : startKillMsMax))
      await daemon.kill()
    }
    const startedAt = performance.now()
    daemon = await startDaemon(home)
    const readyMs = performance.now() - startedAt
    await until('the end of the run', () => isFinished(home), endLimitMs)
    const told = await toldAtRest(home)
    daemon.child.kill('SIGTERM')
    const code = await daemon.ended
    const renders = drafts.flatMap(({ ledgerFile }) => rendersOf(ledgerFile))
    const facts = await checkHome(home, { renders, extraRenders: 'in flight', told })
    if (code !== 0) facts.problems.push(`the last daemon ended with ${code}`)
    return { ...facts, killed, sinceMs: performance.now() - begin, readyMs, resumedMs: resumedMs(facts) }
  } finally {
    await daemon?.kill()
    for (const draft of drafts) await draft.kill()
  }
}

function isAtWork({ ledgerFile }: Draft): boolean {
  return rendersOf(ledgerFile).some(({ outcome }) => outcome === 'running')
}

/** The report is written a moment before the end of its run is counted, so what is told is asked for until it stays the same. */
async function toldAtRest(home: string): Promise<Told> {
  let told = await toldCounts(home)
  for (;;) {
    await sleep(restMs)
    const again = await toldCounts(home)
    if (JSON.stringify(again) === JSON.stringify(told)) return told
    told = again
  }
}
const restMs = 100

function resumedMs({ journal }: HomeFacts): number | undefined {
  const last = journal.findLastIndex(event => event.kind === 'owner-started')
  const next = journal.slice(last).find(event => event.kind === 'attempt-leased' || event.kind === 'slot-done')
  return next && next.at - (journal[last]?.at ?? 0)
}

/** Whether every run of the home has its report, which is written last. */
export function isFinished(home: string): boolean {
  const runs = join(home, 'runs')
  const names = existsSync(runs) ? readdirSync(runs) : []
  return names.length > 0 && names.every(name => existsSync(join(runs, name, 'report.json')))
}
