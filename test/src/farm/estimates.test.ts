import t from 'tap'
import { server } from '../../../src/config/server-entry.js'
import { Estimates } from '../../../src/farm/estimates.js'
import { Speeds } from '../../../src/farm/speeds.js'
import type { Active } from '../../../src/farm/worker-host.js'

const entry = server({ name: 'gpu', graceSeconds: 60, jobTimeoutSeconds: 1800 })
const work = 'sd15/text'

function active(over: Partial<Active> = {}): Active {
  // Only what estimates look at.
  return {
    attempt: { job: 'j', number: 1, promptId: 'p' },
    group: { work },
    loads: 'none',
    isSubmitted: true,
    isBeingWithdrawn: false,
    ...over,
  } as unknown as Active
}

function measured(renderMs: number, count: number): Estimates {
  const speeds = new Speeds()
  for (let at = 0; at < count; at++) speeds.add('gpu', work, { renderMs, loaded: 'none' })
  return new Estimates(entry, speeds)
}

t.test('jobs end one after the other, the one that runs first', async t => {
  const estimates = measured(1000, 1)
  const running = active({ startedAt: performance.now() - 400 })
  const ends = estimates.endings([active(), running])
  t.equal(ends[0]?.active, running)
  t.ok(Math.abs((ends[0]?.endsInMs ?? 0) - 600) < 50)
  t.ok(Math.abs((ends[1]?.endsInMs ?? 0) - 1600) < 50)
})

t.test('a job that takes longer than usual may take as long again', async t => {
  const [late] = measured(1000, 1).endings([active({ startedAt: performance.now() - 4000 })])
  t.ok(Math.abs((late?.endsInMs ?? 0) - 3000) < 50)
})

t.test('a job may take ten times as long as usual, once that is known', async t => {
  t.equal(measured(30_000, 4).limitMs(active()), 1_800_000)
  t.equal(measured(30_000, 5).limitMs(active()), 300_000)
  t.equal(measured(100, 5).limitMs(active()), 60_000)
  t.equal(measured(900_000, 5).limitMs(active()), 1_800_000)
  t.equal(measured(100, 5).limitMs(undefined), 1_800_000)
})

t.test('the grace of a server is twice its jobs, where those take long', async t => {
  t.equal(measured(1000, 1).graceMs([active()]), 60_000)
  t.equal(measured(100_000, 1).graceMs([active()]), 200_000)
})

t.test('a picture that came sooner than it can have been rendered is a failure', async t => {
  const estimates = measured(10_000, 5)
  t.throws(() => estimates.checkPace(active(), 100), /in place of some 10000 ms/)
  t.doesNotThrow(() => estimates.checkPace(active(), 900), 'a lucky one')
  t.doesNotThrow(() => estimates.checkPace(active({ attempt: { job: 'j', number: 2, promptId: 'p' } }), 100))
  t.doesNotThrow(() => estimates.checkPace(active(), undefined))
  t.doesNotThrow(() => measured(10_000, 4).checkPace(active(), 100), 'too little is known')
  t.doesNotThrow(() => measured(500, 9).checkPace(active(), 1), 'quick work')
})
