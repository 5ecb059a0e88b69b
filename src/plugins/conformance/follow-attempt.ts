import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Attempt, type Connection, type Job, type RenderEvent, RenderFailure } from '../contract.js'

/** The same for the same job and number, as the plan makes it. */
export function attemptOf(job: Job, number: number): Attempt {
  const hex = createHash('sha1').update(`${job.id}/${number}`).digest('hex')
  const promptId = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  return { job: job.id, number, promptId }
}

/** The first attempt of a good job, handed over. */
export async function submitted(
  { connection, makeJob, signal }: { connection: Connection; makeJob: (seed: number) => Job; signal: AbortSignal },
  seed = 1,
): Promise<Attempt> {
  const job = makeJob(seed)
  const attempt = attemptOf(job, 1)
  await connection.submit(job, attempt, signal)
  return attempt
}

/** The reason of the failure that a promise rejects with. */
export async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (thrown) {
    return thrown instanceof RenderFailure ? thrown.reason : String(thrown)
  }
}

export async function collect(events: AsyncIterable<RenderEvent>): Promise<RenderEvent[]> {
  const all: RenderEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

export function outputsOf(
  events: readonly RenderEvent[],
): readonly { filename: string; subfolder: string; type: string }[] {
  const last = events.at(-1)
  return last?.kind === 'finished' ? last.outputs : []
}

export async function failureReason(at: { connection: Connection; job: Job; signal: AbortSignal }): Promise<string> {
  const attempt = attemptOf(at.job, 1)
  await at.connection.submit(at.job, attempt, at.signal)
  const last = (await collect(at.connection.follow(attempt, at.signal))).at(-1)
  return last?.kind === 'failed' ? last.failure.reason : 'none'
}

const findMsMax = 10_000

export async function untilFound(connection: Connection, attempt: Attempt, place: string): Promise<void> {
  const { signal } = new AbortController()
  for (let waitedMs = 0; waitedMs < findMsMax; waitedMs += 10) {
    if ((await connection.find(attempt, signal)) === place) return
    await sleep(10)
  }
  assert.fail(`the attempt was never ${place}`)
}
