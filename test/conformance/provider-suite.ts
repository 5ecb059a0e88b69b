import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Attempt, type Connection, type Job, type RenderEvent, RenderFailure } from '../../src/plugins/contract.js'

/** A provider with a server of its own, as the suite needs it. Each test opens a fresh one. */
export interface Subject {
  connection: Connection
  /** A second connection to the same server, which knows nothing of the first: as after a crash. */
  reopen(): Promise<Connection>
  /** A valid job. Another seed is another picture. */
  makeJob(seed: number): Job
  /** A job that the server refuses or cannot run. */
  makeBadJob(): Job
  controls: ServerControls
  close(): Promise<void>
}

/** What a test does to the server. Left out: the server cannot be made to. */
export interface ServerControls {
  /** Each job takes at least this long. */
  slowDown?(jobMs: number): Promise<void>
  failNext?(): Promise<void>
  /** The next job is taken while its answer is lost. */
  loseNextAnswer?(): Promise<void>
  /** The next picture is cut short in transfer. */
  truncateNextPicture?(): Promise<void>
  /** The next job ends well and leaves nothing. */
  withholdNextPicture?(): Promise<void>
  dropEvents?(): Promise<void>
  /** Events stop, and everything looks open. */
  silenceEvents?(): Promise<void>
  /** Comes back at once with queue and history empty. */
  restartEmpty?(): Promise<void>
  /** Goes away. */
  stop?(): Promise<void>
  /** How many jobs were rendered so far, by the server's own count. */
  renders?(): Promise<number>
}

interface At extends Subject {
  t: Test
  signal: AbortSignal
}

interface Promised {
  needs?: readonly (keyof ServerControls)[]
  test(at: At): Promise<void>
}

/** Longest time that a job on a server made slow takes. */
const slowJobMs = 300

/** Holds a provider to every promise of the contract, one test for each. */
export function testProvider(name: string, open: () => Promise<Subject>): void {
  for (const [promise, { needs = [], test }] of Object.entries(promises)) {
    t.test(`${name}: ${promise}`, async t => {
      const subject = await open()
      const lacking = needs.filter(need => subject.controls[need] === undefined)
      if (lacking.length > 0) t.pass(`the server cannot be made to ${lacking.join(', ')}`, { skip: true })
      else await test({ ...subject, t, signal: new AbortController().signal })
      await subject.close()
    })
  }
}

const promises: Record<string, Promised> = {
  'probe tells what the server is, and how long that took': {
    async test({ t, connection, makeJob, signal }) {
      const probe = await connection.probe(signal)
      t.equal(probe.renderer, makeJob(1).target.renderer)
      t.ok(probe.tookMs >= 0)
      t.equal(probe.queueRemaining, 0)
    },
  },
  'check finds nothing wrong with a good job': {
    async test({ t, connection, makeJob, signal }) {
      t.same(await connection.check(makeJob(1), signal), [])
    },
  },
  'check gives the problems of a bad job, and does not throw': {
    async test({ t, connection, makeBadJob, signal }) {
      const problems = await connection.check(makeBadJob(), signal)
      t.ok(problems.some(problem => problem.severity === 'error'))
    },
  },
  'submit gives a receipt that is the same for every attempt of a job': {
    async test({ t, connection, makeJob, signal }) {
      const job = makeJob(1)
      const [first, second] = [attemptOf(job, 1), attemptOf(job, 2)]
      const receipts = [
        await connection.submit(job, first, signal),
        await connection.submit(job, second, signal),
        await connection.submit(makeJob(2), attemptOf(makeJob(2), 1), signal),
      ]
      t.equal(receipts[0]?.promptId, first.promptId)
      t.match(receipts[0]?.submittedSha256, /^[0-9a-f]{64}$/)
      t.equal(receipts[1]?.submittedSha256, receipts[0]?.submittedSha256)
      t.not(receipts[2]?.submittedSha256, receipts[0]?.submittedSha256)
      t.ok((receipts[0]?.sizeBytes ?? 0) > 0)
    },
  },
  'submit does not change the job': {
    async test({ t, connection, makeJob, signal }) {
      const job = makeJob(1)
      const before = JSON.stringify(job)
      await connection.submit(job, attemptOf(job, 1), signal)
      t.equal(JSON.stringify(job), before)
    },
  },
  'submit refuses a bad job with a cause': {
    async test({ t, connection, makeBadJob, signal }) {
      const job = makeBadJob()
      const attempt = attemptOf(job, 1)
      await t.rejects(connection.submit(job, attempt, signal), RenderFailure)
      t.equal(await connection.find(attempt, signal), 'unknown')
    },
  },
  'follow tells start, outputs and end, the end last and once': {
    async test({ t, connection, makeJob, signal }) {
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      const events = await collect(connection.follow(attempt, signal))
      const kinds = events.map(event => event.kind)
      t.equal(kinds.at(-1), 'finished')
      t.equal(kinds.filter(kind => kind === 'finished' || kind === 'failed').length, 1)
      t.ok(kinds.filter(kind => kind === 'started').length <= 1)
      const told = events.flatMap(event => (event.kind === 'output' ? [event.output] : []))
      t.same(told, outputsOf(events))
      t.ok(told.length > 0)
    },
  },
  'follow may begin after the job has ended, and be called again': {
    async test({ t, connection, makeJob, signal }) {
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      await untilFound(connection, attempt, 'done')
      const first = outputsOf(await collect(connection.follow(attempt, signal)))
      const second = outputsOf(await collect(connection.follow(attempt, signal)))
      t.ok(first.length > 0)
      t.same(second, first)
    },
  },
  'follow works after a crash, from another connection': {
    needs: ['slowDown'],
    async test({ t, connection, reopen, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      const { remote } = await connection.submit(job, attempt, signal)
      await connection.close()
      const reopened = await reopen()
      // As the journal gives it back.
      const again = { ...attempt, ...(remote !== undefined && { remote }) }
      t.equal(outputsOf(await collect(reopened.follow(again, signal))).length, 1)
      await reopened.close()
    },
  },
  'follow ends without a last event when it is stopped': {
    needs: ['slowDown'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      const stopper = new AbortController()
      const following = collect(connection.follow(attempt, stopper.signal))
      await untilFound(connection, attempt, 'running')
      stopper.abort()
      t.ok((await following).every(event => event.kind !== 'finished' && event.kind !== 'failed'))
      t.equal(outputsOf(await collect(connection.follow(attempt, signal))).length, 1, 'and can be taken up again')
    },
  },
  'follow reaches the end although events are dropped': {
    needs: ['slowDown', 'dropEvents'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      const following = collect(connection.follow(attempt, signal))
      await untilFound(connection, attempt, 'running')
      await controls.dropEvents?.()
      t.equal(outputsOf(await following).length, 1)
    },
  },
  'follow reaches the end although events fall silent': {
    needs: ['silenceEvents'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.silenceEvents?.()
      for (const seed of [1, 2]) {
        const job = makeJob(seed)
        const attempt = attemptOf(job, 1)
        await connection.submit(job, attempt, signal)
        t.equal(outputsOf(await collect(connection.follow(attempt, signal))).length, 1)
      }
    },
  },
  'follow tells a failure by its cause, and throws nothing': {
    needs: ['failNext'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.failNext?.()
      t.equal(await failureReason({ connection, job: makeJob(1), signal }), 'node-error')
      t.equal(await failureReason({ connection, job: makeJob(2), signal }), 'none', 'the next job is fine')
    },
  },
  'follow tells an end without a picture as no-output': {
    needs: ['withholdNextPicture'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.withholdNextPicture?.()
      t.equal(await failureReason({ connection, job: makeJob(1), signal }), 'no-output')
    },
  },
  'follow tells a job that the server has forgotten as lost': {
    needs: ['slowDown', 'restartEmpty'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.slowDown?.(10_000)
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      const following = collect(connection.follow(attempt, signal))
      await untilFound(connection, attempt, 'running')
      await controls.restartEmpty?.()
      const last = (await following).at(-1)
      t.equal(last?.kind === 'failed' && last.failure.reason, 'lost')
      t.equal(await connection.find(attempt, signal), 'unknown')
    },
  },
  'fetch gives the same bytes each time, and different ones for another job': {
    async test({ t, connection, makeJob, signal }) {
      const hashes = []
      for (const seed of [1, 2]) {
        const job = makeJob(seed)
        const attempt = attemptOf(job, 1)
        await connection.submit(job, attempt, signal)
        const [output] = outputsOf(await collect(connection.follow(attempt, signal)))
        assert(output)
        const bytes = await connection.fetch(output, signal)
        t.same(await connection.fetch(output, signal), bytes)
        hashes.push(createHash('sha256').update(bytes).digest('hex'))
      }
      t.not(hashes[0], hashes[1])
    },
  },
  'fetch refuses what is not there': {
    async test({ t, connection, signal }) {
      const absent = { filename: 'absent.png', subfolder: 'nowhere', type: 'output' }
      await t.rejects(connection.fetch(absent, signal), RenderFailure)
    },
  },
  'fetch never gives a part of a picture': {
    needs: ['truncateNextPicture'],
    async test({ t, connection, makeJob, controls, signal }) {
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      const [output] = outputsOf(await collect(connection.follow(attempt, signal)))
      assert(output)
      const whole = await connection.fetch(output, signal)
      await controls.truncateNextPicture?.()
      const found = await connection.fetch(output, signal).catch((thrown: unknown) => thrown)
      t.ok(found instanceof RenderFailure || (found as Buffer).equals(whole), 'refused, or asked for again')
    },
  },
  'find tells where an attempt is, and unknown is never done': {
    needs: ['slowDown'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const [running, waiting] = [makeJob(1), makeJob(2)]
      const attempts = [attemptOf(running, 1), attemptOf(waiting, 1)] as const
      t.equal(await connection.find(attempts[0], signal), 'unknown')
      await connection.submit(running, attempts[0], signal)
      await connection.submit(waiting, attempts[1], signal)
      await untilFound(connection, attempts[0], 'running')
      t.equal(await connection.find(attempts[1], signal), 'queued')
      await untilFound(connection, attempts[1], 'done')
      t.equal(await connection.find(attempts[0], signal), 'done')
    },
  },
  'a submission without an answer is told as unknown-outcome, and the attempt is found': {
    needs: ['loseNextAnswer'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.loseNextAnswer?.()
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      t.equal(await reasonOf(connection.submit(job, attempt, signal)), 'unknown-outcome')
      await connection.adopt?.(job, attempt, { taken: new Set(), signal })
      t.not(await connection.find(attempt, signal), 'unknown')
      t.equal(outputsOf(await collect(connection.follow(attempt, signal))).length, 1)
      const renders = await controls.renders?.()
      t.ok(renders === undefined || renders === 1, 'it was rendered once')
    },
  },
  'cancel takes a waiting job away, and leaves the running one alone': {
    needs: ['slowDown'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const [running, waiting] = [makeJob(1), makeJob(2)]
      const attempts = [attemptOf(running, 1), attemptOf(waiting, 1)] as const
      await connection.submit(running, attempts[0], signal)
      await connection.submit(waiting, attempts[1], signal)
      const following = collect(connection.follow(attempts[1], signal))
      t.equal(await connection.cancel(attempts[1], signal), 'gone')
      t.equal((await following).at(-1)?.kind, 'failed')
      t.equal(outputsOf(await collect(connection.follow(attempts[0], signal))).length, 1)
    },
  },
  'cancel stops a running job': {
    needs: ['slowDown'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.slowDown?.(10_000)
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      const following = collect(connection.follow(attempt, signal))
      await untilFound(connection, attempt, 'running')
      t.equal(await connection.cancel(attempt, signal), 'gone')
      const last = (await following).at(-1)
      t.equal(last?.kind === 'failed' && last.failure.reason, 'interrupted')
    },
  },
  'cancel tells that a job had ended': {
    async test({ t, connection, makeJob, signal }) {
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      await untilFound(connection, attempt, 'done')
      t.equal(await connection.cancel(attempt, signal), 'ran')
    },
  },
  'forget makes a settled attempt unknown': {
    async test({ t, connection, makeJob, signal }) {
      if (!connection.forget) return
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      await collect(connection.follow(attempt, signal))
      await connection.forget(attempt, signal)
      t.equal(await connection.find(attempt, signal), 'unknown')
    },
  },
  'a server that is away is told as unreachable, and nothing as done': {
    needs: ['stop'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.stop?.()
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      t.equal(await reasonOf(connection.probe(signal)), 'unreachable')
      t.equal(await reasonOf(connection.submit(job, attempt, signal)), 'unreachable')
      t.equal(await reasonOf(connection.find(attempt, signal)), 'unreachable')
      t.equal(await connection.cancel(attempt, signal), 'unknown')
    },
  },
  'close ends every following': {
    needs: ['slowDown'],
    async test({ t, connection, makeJob, controls, signal }) {
      await controls.slowDown?.(10_000)
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      await connection.submit(job, attempt, signal)
      const following = collect(connection.follow(attempt, signal))
      await untilFound(connection, attempt, 'running')
      await connection.close()
      t.ok((await following).every(event => event.kind !== 'finished'))
    },
  },
}

/** The same for the same job and number, as the plan makes it. */
function attemptOf(job: Job, number: number): Attempt {
  const hex = createHash('sha1').update(`${job.id}/${number}`).digest('hex')
  const promptId = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  return { job: job.id, number, promptId }
}

/** The reason of the failure that a promise rejects with. */
async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (thrown) {
    return thrown instanceof RenderFailure ? thrown.reason : String(thrown)
  }
}

async function collect(events: AsyncIterable<RenderEvent>): Promise<RenderEvent[]> {
  const all: RenderEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

function outputsOf(events: readonly RenderEvent[]): readonly { filename: string; subfolder: string; type: string }[] {
  const last = events.at(-1)
  return last?.kind === 'finished' ? last.outputs : []
}

async function failureReason(at: { connection: Connection; job: Job; signal: AbortSignal }): Promise<string> {
  const attempt = attemptOf(at.job, 1)
  await at.connection.submit(at.job, attempt, at.signal)
  const last = (await collect(at.connection.follow(attempt, at.signal))).at(-1)
  return last?.kind === 'failed' ? last.failure.reason : 'none'
}

const findMsMax = 10_000

async function untilFound(connection: Connection, attempt: Attempt, place: string): Promise<void> {
  const { signal } = new AbortController()
  for (let waitedMs = 0; waitedMs < findMsMax; waitedMs += 10) {
    if ((await connection.find(attempt, signal)) === place) return
    await sleep(10)
  }
  assert.fail(`the attempt was never ${place}`)
}
