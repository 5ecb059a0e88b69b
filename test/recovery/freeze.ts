import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkHome, filesUnder, type HomeFacts } from './check-home.js'
import { isFinished } from './kill-daemon.js'
import { makeHome } from './make-home.js'
import { foundry, rendersOf, startDaemon, startDraftHere, until } from './processes.js'

export interface FrozenFacts extends HomeFacts {
  /** How each second daemon ended that was started meanwhile, and what it said. */
  refusals: { code: number | string; said: string }[]
  /** Ends of attempts without a picture. */
  ended: string[]
  /** Pictures that the servers finished while the daemon stood still. */
  finishedMeanwhile: number
}

/** Beside twice what the rendering takes. */
const endMsMin = 60_000

/** Stops a daemon at work for a while, as a suspended machine does; its servers go on. Others try to take its home meanwhile. */
export async function freezeDaemon(
  folder: string,
  { slots, jobMs, frozenMs, depth }: { slots: number; jobMs: number; frozenMs: number; depth: number },
): Promise<FrozenFacts> {
  mkdirSync(folder, { recursive: true })
  const draft = await startDraftHere(join(folder, 'ledger.jsonl'), { faults: { prepared: true, jobMs } })
  const home = join(folder, 'home')
  makeHome(home, { slots, serverUrl: draft.url, depth })
  const daemon = await startDaemon(home)
  try {
    await until('a picture', () => filesUnder(join(home, 'runs')).some(each => each.endsWith('.png')))
    daemon.child.kill('SIGSTOP')
    const frozenAt = Date.now()
    const ended = sleep(frozenMs)
    const refusals: FrozenFacts['refusals'] = []
    do {
      const second = foundry(['daemon', '--home', home, '--port', '0'])
      refusals.push({ code: await second.ended, said: second.stderr() })
    } while (Date.now() < frozenAt + frozenMs / 2)
    await ended
    const thawedAt = Date.now()
    const renders = rendersOf(draft.ledgerFile)
    const finishedMeanwhile = renders.filter(({ endedAt = 0 }) => endedAt > frozenAt && endedAt < thawedAt).length
    daemon.child.kill('SIGCONT')
    await until('the end', () => isFinished(home), endMsMin + 2 * slots * jobMs)
    daemon.child.kill('SIGTERM')
    const code = await daemon.ended
    const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile) })
    if (code !== 0) facts.problems.push(`the daemon ended with ${code}`)
    const outcomes = facts.journal.flatMap(event => (event.kind === 'attempt-ended' ? [event.outcome] : []))
    return { ...facts, refusals, ended: outcomes, finishedMeanwhile }
  } finally {
    await daemon.kill()
    await draft.kill()
  }
}
