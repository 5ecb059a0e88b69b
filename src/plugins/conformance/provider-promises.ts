import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { RenderFailure } from '../contract.js'
import { attemptOf, collect, failureReason, outputsOf, reasonOf, submitted, untilFound } from './follow-attempt.js'
import type { ProviderPromise } from './provider-subject.js'

/** Longest time that a job on a server made slow takes. */
const slowJobMs = 300

/** Everything that a provider promises, by its name. */
export const providerPromises: Readonly<Record<string, ProviderPromise>> = {
  'probe tells what the server is, and how long that took': {
    async test({ connection, makeJob, signal }) {
      const probe = await connection.probe(signal)
      assert.equal(probe.renderer, makeJob(1).target.renderer)
      assert.ok(probe.tookMs >= 0)
      assert.equal(probe.queueRemaining, 0)
    },
  },
  'check finds nothing wrong with a good job': {
    async test({ connection, makeJob, signal }) {
      assert.deepEqual(await connection.check(makeJob(1), signal), [])
    },
  },
  'check gives the problems of a bad job, and does not throw': {
    async test({ connection, makeBadJob, signal }) {
      const problems = await connection.check(makeBadJob(), signal)
      assert.ok(problems.some(problem => problem.severity === 'error'))
    },
  },
  'submit gives a receipt that is the same for every attempt of a job': {
    async test({ connection, makeJob, signal }) {
      const job = makeJob(1)
      const [first, second] = [attemptOf(job, 1), attemptOf(job, 2)]
      const receipts = [
        await connection.submit(job, first, signal),
        await connection.submit(job, second, signal),
        await connection.submit(makeJob(2), attemptOf(makeJob(2), 1), signal),
      ]
      assert.equal(receipts[0]?.promptId, first.promptId)
      assert.match(receipts[0]?.submittedSha256 ?? '', /^[0-9a-f]{64}$/)
      assert.equal(receipts[1]?.submittedSha256, receipts[0]?.submittedSha256)
      assert.notEqual(receipts[2]?.submittedSha256, receipts[0]?.submittedSha256)
      assert.ok((receipts[0]?.sizeBytes ?? 0) > 0)
    },
  },
  'submit does not change the job': {
    async test({ connection, makeJob, signal }) {
      const job = makeJob(1)
      const before = JSON.stringify(job)
      await connection.submit(job, attemptOf(job, 1), signal)
      assert.equal(JSON.stringify(job), before)
    },
  },
  'submit refuses a bad job with a cause': {
    async test({ connection, makeBadJob, signal }) {
      const job = makeBadJob()
      const attempt = attemptOf(job, 1)
      await assert.rejects(connection.submit(job, attempt, signal), RenderFailure)
      assert.equal(await connection.find(attempt, signal), 'unknown')
    },
  },
  'follow tells start, outputs and end, the end last and once': {
    async test({ connection, makeJob, signal }) {
      const attempt = await submitted({ connection, makeJob, signal })
      const events = await collect(connection.follow(attempt, signal))
      const kinds = events.map(event => event.kind)
      assert.equal(kinds.at(-1), 'finished')
      assert.equal(kinds.filter(kind => kind === 'finished' || kind === 'failed').length, 1)
      assert.ok(kinds.filter(kind => kind === 'started').length <= 1)
      const told = events.flatMap(event => (event.kind === 'output' ? [event.output] : []))
      assert.deepEqual(told, outputsOf(events))
      assert.ok(told.length > 0)
    },
  },
  'follow may begin after the job has ended, and be called again': {
    async test({ connection, makeJob, signal }) {
      const attempt = await submitted({ connection, makeJob, signal })
      await untilFound(connection, attempt, 'done')
      const first = outputsOf(await collect(connection.follow(attempt, signal)))
      const second = outputsOf(await collect(connection.follow(attempt, signal)))
      assert.ok(first.length > 0)
      assert.deepEqual(second, first)
    },
  },
  'follow works after a crash, from another connection': {
    needs: ['slowDown'],
    async test({ connection, reopen, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      const { remote } = await connection.submit(job, attempt, signal)
      await connection.close()
      const reopened = await reopen()
      // As the journal gives it back.
      const again = { ...attempt, ...(remote !== undefined && { remote }) }
      assert.equal(outputsOf(await collect(reopened.follow(again, signal))).length, 1)
      await reopened.close()
    },
  },
  'follow ends without a last event when it is stopped': {
    needs: ['slowDown'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const attempt = await submitted({ connection, makeJob, signal })
      const stopper = new AbortController()
      const following = collect(connection.follow(attempt, stopper.signal))
      await untilFound(connection, attempt, 'running')
      stopper.abort()
      assert.ok((await following).every(event => event.kind !== 'finished' && event.kind !== 'failed'))
      assert.equal(outputsOf(await collect(connection.follow(attempt, signal))).length, 1, 'and can be taken up again')
    },
  },
  'follow reaches the end although events are dropped': {
    needs: ['slowDown', 'dropEvents'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const attempt = await submitted({ connection, makeJob, signal })
      const following = collect(connection.follow(attempt, signal))
      await untilFound(connection, attempt, 'running')
      await controls.dropEvents?.()
      assert.equal(outputsOf(await following).length, 1)
    },
  },
  'follow reaches the end although events fall silent': {
    needs: ['silenceEvents'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.silenceEvents?.()
      for (const seed of [1, 2]) {
        const attempt = await submitted({ connection, makeJob, signal }, seed)
        assert.equal(outputsOf(await collect(connection.follow(attempt, signal))).length, 1)
      }
    },
  },
  'follow tells a failure by its cause, and throws nothing': {
    needs: ['failNext'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.failNext?.()
      assert.equal(await failureReason({ connection, job: makeJob(1), signal }), 'node-error')
      assert.equal(await failureReason({ connection, job: makeJob(2), signal }), 'none', 'the next job is fine')
    },
  },
  'follow tells an end without a picture as no-output': {
    needs: ['withholdNextPicture'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.withholdNextPicture?.()
      assert.equal(await failureReason({ connection, job: makeJob(1), signal }), 'no-output')
    },
  },
  'follow tells a job that the server has forgotten as lost': {
    needs: ['slowDown', 'restartEmpty'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.slowDown?.(10_000)
      const attempt = await submitted({ connection, makeJob, signal })
      const following = collect(connection.follow(attempt, signal))
      await untilFound(connection, attempt, 'running')
      await controls.restartEmpty?.()
      const last = (await following).at(-1)
      assert.equal(last?.kind === 'failed' && last.failure.reason, 'lost')
      assert.equal(await connection.find(attempt, signal), 'unknown')
    },
  },
  'fetch gives the same bytes each time, and different ones for another job': {
    async test({ connection, makeJob, signal }) {
      const hashes = []
      for (const seed of [1, 2]) {
        const attempt = await submitted({ connection, makeJob, signal }, seed)
        const [output] = outputsOf(await collect(connection.follow(attempt, signal)))
        assert(output)
        const bytes = await connection.fetch(output, signal)
        assert.deepEqual(await connection.fetch(output, signal), bytes)
        hashes.push(createHash('sha256').update(bytes).digest('hex'))
      }
      assert.notEqual(hashes[0], hashes[1])
    },
  },
  'fetch refuses what is not there': {
    async test({ connection, signal }) {
      const absent = { filename: 'absent.png', subfolder: 'nowhere', type: 'output' }
      await assert.rejects(connection.fetch(absent, signal), RenderFailure)
    },
  },
  'fetch never gives a part of a picture': {
    needs: ['truncateNextPicture'],
    async test({ connection, makeJob, controls, signal }) {
      const attempt = await submitted({ connection, makeJob, signal })
      const [output] = outputsOf(await collect(connection.follow(attempt, signal)))
      assert(output)
      const whole = await connection.fetch(output, signal)
      await controls.truncateNextPicture?.()
      const found = await connection.fetch(output, signal).catch((thrown: unknown) => thrown)
      assert.ok(found instanceof RenderFailure || (found as Buffer).equals(whole), 'refused, or asked for again')
    },
  },
  'find tells where an attempt is, and unknown is never done': {
    needs: ['slowDown'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const [running, waiting] = [makeJob(1), makeJob(2)]
      const attempts = [attemptOf(running, 1), attemptOf(waiting, 1)] as const
      assert.equal(await connection.find(attempts[0], signal), 'unknown')
      await connection.submit(running, attempts[0], signal)
      await connection.submit(waiting, attempts[1], signal)
      await untilFound(connection, attempts[0], 'running')
      assert.equal(await connection.find(attempts[1], signal), 'queued')
      await untilFound(connection, attempts[1], 'done')
      assert.equal(await connection.find(attempts[0], signal), 'done')
    },
  },
  'a submission without an answer is told as unknown-outcome, and the attempt is found': {
    needs: ['loseNextAnswer'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.loseNextAnswer?.()
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      assert.equal(await reasonOf(connection.submit(job, attempt, signal)), 'unknown-outcome')
      await connection.adopt?.(job, attempt, { taken: new Set(), signal })
      assert.notEqual(await connection.find(attempt, signal), 'unknown')
      assert.equal(outputsOf(await collect(connection.follow(attempt, signal))).length, 1)
      const renders = await controls.renders?.()
      assert.ok(renders === undefined || renders === 1, 'it was rendered once')
    },
  },
  'cancel takes a waiting job away, and leaves the running one alone': {
    needs: ['slowDown'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.slowDown?.(slowJobMs)
      const [running, waiting] = [makeJob(1), makeJob(2)]
      const attempts = [attemptOf(running, 1), attemptOf(waiting, 1)] as const
      await connection.submit(running, attempts[0], signal)
      await connection.submit(waiting, attempts[1], signal)
      const following = collect(connection.follow(attempts[1], signal))
      assert.equal(await connection.cancel(attempts[1], signal), 'gone')
      assert.equal((await following).at(-1)?.kind, 'failed')
      assert.equal(outputsOf(await collect(connection.follow(attempts[0], signal))).length, 1)
    },
  },
  'cancel stops a running job': {
    needs: ['slowDown'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.slowDown?.(10_000)
      const attempt = await submitted({ connection, makeJob, signal })
      const following = collect(connection.follow(attempt, signal))
      await untilFound(connection, attempt, 'running')
      assert.equal(await connection.cancel(attempt, signal), 'gone')
      const last = (await following).at(-1)
      assert.equal(last?.kind === 'failed' && last.failure.reason, 'interrupted')
    },
  },
  'cancel tells that a job had ended': {
    async test({ connection, makeJob, signal }) {
      const attempt = await submitted({ connection, makeJob, signal })
      await untilFound(connection, attempt, 'done')
      assert.equal(await connection.cancel(attempt, signal), 'ran')
    },
  },
  'forget makes a settled attempt unknown': {
    async test({ connection, makeJob, signal }) {
      if (!connection.forget) return
      const attempt = await submitted({ connection, makeJob, signal })
      await collect(connection.follow(attempt, signal))
      await connection.forget(attempt, signal)
      assert.equal(await connection.find(attempt, signal), 'unknown')
    },
  },
  'a server that is away is told as unreachable, and nothing as done': {
    needs: ['stop'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.stop?.()
      const job = makeJob(1)
      const attempt = attemptOf(job, 1)
      assert.equal(await reasonOf(connection.probe(signal)), 'unreachable')
      assert.equal(await reasonOf(connection.submit(job, attempt, signal)), 'unreachable')
      assert.equal(await reasonOf(connection.find(attempt, signal)), 'unreachable')
      assert.equal(await connection.cancel(attempt, signal), 'unknown')
    },
  },
  'close ends every following': {
    needs: ['slowDown'],
    async test({ connection, makeJob, controls, signal }) {
      await controls.slowDown?.(10_000)
      const attempt = await submitted({ connection, makeJob, signal })
      const following = collect(connection.follow(attempt, signal))
      await untilFound(connection, attempt, 'running')
      await connection.close()
      assert.ok((await following).every(event => event.kind !== 'finished'))
    },
  },
}
