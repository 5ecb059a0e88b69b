import { finishMs, type Group, type ServerView } from './choose-group.js'

/** A job that waits on a server behind others. */
export interface Waiting {
  group: Pick<Group, 'modelSet' | 'loras' | 'work'>
  /** Milliseconds until it would have ended where it waits. */
  endsInMs: number
}

/** Taking a job back costs some exchanges: it must pay. */
const gainMsMin = 25
const gainMin = 0.15

/** Pure: the job that an idle server had better do, because it would end there well before it does where it waits. */
export function chooseSteal<Job extends Waiting>(waiting: readonly Job[], idle: ServerView): Job | undefined {
  let best: { job: Job; gainMs: number } | undefined
  for (const job of waiting) {
    const hereMs = finishMs(job.group, idle)
    if (hereMs === undefined) continue
    const gainMs = job.endsInMs - hereMs
    if (gainMs < Math.max(gainMsMin, job.endsInMs * gainMin)) continue
    if (gainMs > (best?.gainMs ?? 0)) best = { job, gainMs }
  }
  return best?.job
}
