import { setTimeout as sleep } from 'node:timers/promises'
import { type Attempt, RenderFailure } from '../../src/plugins/contract.js'
import type { Http } from './http.js'
import { askHistory, askQueue } from './server-state.js'

/** How long a cancelled job may take to leave the queue: loading a model cannot be interrupted. */
const confirmMsMax = 10_000
const confirmEveryMs = 100

export type Cancellation = 'gone' | 'ran' | 'unknown'

/**
 * Takes a job from the queue, or interrupts it by its id where it runs, and sees what became of it.
 * Never a bare interrupt: that would stop whatever job runs. `unknown` where the server cannot be asked, or works on.
 */
export async function cancelAttempt(http: Http, { promptId }: Attempt, signal: AbortSignal): Promise<Cancellation> {
  try {
    await http.command('/queue', { delete: [promptId] }, { signal })
    let isInterrupted = false
    for (let waitedMs = 0; waitedMs <= confirmMsMax; waitedMs += confirmEveryMs) {
      const queue = await askQueue(http, signal)
      const isRunning = queue.running.has(promptId)
      if (!isRunning && !queue.pending.has(promptId)) return await seeEnd(http, promptId, signal)
      if (isRunning && !isInterrupted) {
        await http.command('/interrupt', { prompt_id: promptId }, { signal })
        isInterrupted = true
      }
      await sleep(confirmEveryMs, undefined, { signal })
    }
    return 'unknown'
  } catch (thrown) {
    if (thrown instanceof RenderFailure || signal.aborted) return 'unknown'
    throw thrown
  }
}

/**
 * Takes a job from the queue if it still waits there. The queue is asked after the deletion: what is in none of its parts and not
 * in the history has not begun and never will.
 */
export async function withdrawAttempt(http: Http, { promptId }: Attempt, signal: AbortSignal): Promise<boolean> {
  try {
    const before = await askQueue(http, signal)
    if (!before.pending.has(promptId)) return false
    await http.command('/queue', { delete: [promptId] }, { signal })
    const after = await askQueue(http, signal)
    if (after.running.has(promptId) || after.pending.has(promptId)) return false
    return (await askHistory(http, promptId, signal)) === undefined
  } catch (thrown) {
    if (thrown instanceof RenderFailure || signal.aborted) return false
    throw thrown
  }
}

async function seeEnd(http: Http, promptId: string, signal: AbortSignal): Promise<Cancellation> {
  const entry = await askHistory(http, promptId, signal)
  return !entry || entry.failure?.reason === 'interrupted' ? 'gone' : 'ran'
}
