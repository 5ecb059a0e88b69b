import t from 'tap'
import { openConnection } from '../../../plugins/provider-comfyui/connection.js'
import { startDraftServer } from '../../../plugins/provider-comfyui/draft-server/draft-server.js'
import type { Faults } from '../../../plugins/provider-comfyui/draft-server/options.js'
import { collect, makeAttempt, makeHost, makeJob, makeServer, outcomeOf, smallGraph } from './make-job.js'
import { failureOf, quick } from './start-connection.js'

const jobs = 24
const { signal } = new AbortController()
const target = { renderer: 'draft', family: 'sd15', workflow: 'small' }

const cases: Record<string, Partial<Faults>> = {
  'sockets are dropped all the time': { dropSocketsEveryMs: 30 },
  'sockets stay open and carry nothing': { silentSockets: true },
  'answers come late': { postDelayMs: 40 },
  'the history comes late': { historyLateMs: 60 },
  'answers are lost': { postLost: 5 },
  'everything goes wrong at once': {
    dropSocketsEveryMs: 50,
    postDelayMs: 10,
    historyLateMs: 20,
    postLost: 3,
    failRate: 0.2,
  },
}

for (const [title, faults] of Object.entries(cases)) {
  t.test(`every job comes to its end, rendered once, while ${title}`, async t => {
    const server = await startDraftServer({ faults: { prepared: true, jobMs: 15, ...faults } })
    const connection = await openConnection(makeServer(server.url), makeHost(), quick)
    const waiting = Array.from({ length: jobs }, (_, index) => index)
    const outcomes = new Map<number, string>()
    const work = async (): Promise<void> => {
      for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
        const job = makeJob({ id: `jfault${seed}`, target, graph: smallGraph(seed) })
        const attempt = makeAttempt(job.id)
        try {
          await connection.submit(job, attempt, signal)
        } catch (thrown) {
          const failure = await failureOf(Promise.reject(thrown as Error))
          t.equal(failure.reason, 'unknown-outcome')
          t.not(await connection.find(attempt, signal), 'unknown')
        }
        outcomes.set(seed, outcomeOf(await collect(connection.follow(attempt, signal))))
      }
    }
    await Promise.all([work(), work()])
    t.equal(outcomes.size, jobs)
    t.equal(server.ledger.length, jobs)
    for (const [seed, outcome] of outcomes) {
      const isFine = outcome === `finished: jfault${seed}-1_00001_.png` || outcome === 'failed: node-error'
      t.ok(isFine, `${seed}: ${outcome}`)
    }
    await connection.close()
    await server.close()
  })
}
