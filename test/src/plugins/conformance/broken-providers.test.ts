import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { providerChecks, type ProviderSubject, runChecks } from '../../../../src/plugins/conformance/conformance.js'
import { type Connection, RenderFailure } from '../../../../src/plugins/contract.js'
import { offerContract } from '../../../../src/plugins/contract-hooks.js'
import { makeSkeleton } from '../../../../src/plugins/make-skeleton.js'

/** The provider that `foundry plugins init` writes keeps every promise; broken in one way, it is caught by the check of that promise. */
const folder = join(t.testdir(), 'provider-foo')
await makeSkeleton('provider-foo', folder)
offerContract()
const { default: open } = (await import(pathToFileURL(join(folder, 'conformance.js')).href)) as {
  default: () => Promise<ProviderSubject>
}

type Break = (whole: Connection) => Partial<Connection>
const broken: Record<string, { caughtBy: string; by: Break }> = {
  'says it is another renderer': {
    caughtBy: 'probe tells what the server is, and how long that took',
    by: whole => ({ probe: async signal => ({ ...(await whole.probe(signal)), renderer: 'other' }) }),
  },
  'finds something wrong with everything': {
    caughtBy: 'check finds nothing wrong with a good job',
    by: () => ({ check: async () => [{ severity: 'error', code: 'NO', message: 'no' }] }),
  },
  'throws where a job does not fit': {
    caughtBy: 'check gives the problems of a bad job, and does not throw',
    by: whole => ({
      check: async (job, signal) => {
        if ((await whole.check(job, signal)).length > 0) throw new RenderFailure('invalid-graph', 'too large')
        return []
      },
    }),
  },
  'hashes the attempt with the job': {
    caughtBy: 'submit gives a receipt that is the same for every attempt of a job',
    by: whole => ({
      submit: async (job, attempt, signal) => ({
        ...(await whole.submit(job, attempt, signal)),
        submittedSha256: String(attempt.number).repeat(64),
      }),
    }),
  },
  'writes into the job': {
    caughtBy: 'submit does not change the job',
    by: whole => ({
      submit: (job, attempt, signal) => whole.submit(Object.assign(job, { run: attempt.promptId }), attempt, signal),
    }),
  },
  'takes every job': {
    caughtBy: 'submit refuses a bad job with a cause',
    by: whole => ({ submit: (job, ...rest) => whole.submit({ ...job, width: 64 }, ...rest) }),
  },
  'tells the end twice': {
    caughtBy: 'follow tells start, outputs and end, the end last and once',
    by: whole => ({
      async *follow(...of) {
        for await (const event of whole.follow(...of)) {
          yield event
          if (event.kind === 'finished') yield event
        }
      },
    }),
  },
  'throws a failure instead of telling it': {
    caughtBy: 'follow tells a failure by its cause, and throws nothing',
    by: whole => ({
      async *follow(...of) {
        for await (const event of whole.follow(...of)) {
          if (event.kind === 'failed') throw event.failure
          yield event
        }
      },
    }),
  },
  'forgets what it has followed': {
    caughtBy: 'follow may begin after the job has ended, and be called again',
    by: whole => {
      const seen = new Set<string>()
      return {
        async *follow(attempt, signal) {
          if (!seen.has(attempt.promptId)) yield* whole.follow(attempt, signal)
          seen.add(attempt.promptId)
        },
      }
    },
  },
  'gives other bytes each time': {
    caughtBy: 'fetch gives the same bytes each time, and different ones for another job',
    by: () => ({ fetch: async () => randomBytes(64) }),
  },
  'gives nothing for what is not there': {
    caughtBy: 'fetch refuses what is not there',
    by: whole => ({ fetch: (...of) => whole.fetch(...of).catch(() => Buffer.alloc(0)) }),
  },
  'gives what has come of a picture': {
    caughtBy: 'fetch never gives a part of a picture',
    by: whole => ({ fetch: (...of) => whole.fetch(...of).catch(() => Buffer.from('a part')) }),
  },
  'calls an unknown job done': {
    caughtBy: 'find tells where an attempt is, and unknown is never done',
    by: whole => ({
      find: async (...of) => {
        const place = await whole.find(...of)
        return place === 'unknown' ? 'done' : place
      },
    }),
  },
  'calls a lost answer unreachable': {
    caughtBy: 'a submission without an answer is told as unknown-outcome, and the attempt is found',
    by: whole => ({
      submit: (...of) =>
        whole.submit(...of).catch(() => {
          throw new RenderFailure('unreachable', 'no answer')
        }),
    }),
  },
  'sends again what may have been taken': {
    caughtBy: 'a submission without an answer is told as unknown-outcome, and the attempt is found',
    by: whole => ({ submit: (...of) => whole.submit(...of).catch(() => whole.submit(...of)) }),
  },
  'says that it has stopped what had ended': {
    caughtBy: 'cancel tells that a job had ended',
    by: whole => ({
      cancel: async (...of) => {
        await whole.cancel(...of)
        return 'gone'
      },
    }),
  },
  'leaves a running job alone': { caughtBy: 'cancel stops a running job', by: () => ({ cancel: async () => 'gone' }) },
}

for (const [fault, { caughtBy, by }] of Object.entries(broken))
  t.test(`a provider that ${fault} is caught by "${caughtBy}"`, async t => {
    const openBroken = async () => {
      const subject = await open()
      return { ...subject, connection: { ...subject.connection, ...by(subject.connection) } }
    }
    t.strictSame(await statesOf(open, caughtBy), ['pass'], 'the whole one passes')
    t.strictSame(await statesOf(openBroken, caughtBy), ['fail'])
  })

async function statesOf(opened: () => Promise<ProviderSubject>, name: string): Promise<string[]> {
  const states: string[] = []
  const checks = providerChecks(opened).filter(each => each.name === name)
  for await (const { state } of runChecks(checks, 3000)) states.push(state)
  return states
}

t.test('a check that never ends has failed', async t => {
  const states: string[] = []
  const check = { name: 'endless', run: () => new Promise<void>(() => undefined) }
  for await (const { state, reason } of runChecks([check], 20)) states.push(`${state}: ${reason}`)
  t.strictSame(states, ['fail: no end within 20 ms'])
})
