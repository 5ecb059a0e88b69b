import t, { type Test } from 'tap'
import { Checker } from './checker.js'
import { describe, jobsPerHour, leastMakespanMs, rarestOf, waitBoundMs, waitMs } from './figures.js'
import { fifo, lookAhead, ours, pressure, pull } from './policies.js'
import { arriveAtOnce, arriveForHours, referenceSize, type Scenario, type Size, withFailures } from './scenario.js'
import { type Result, simulate } from './simulate.js'

/** To see one seed again: `node dist/test/simulate/simulate.test.js --seed 7`. */
const asked = process.argv[process.argv.indexOf('--seed') + 1]
const seeds = process.argv.includes('--seed') ? [Number(asked)] : [1, 2, 3, 4, 5, 6, 7, 8]

const runs = [
  { run: 'first', band: 0, weight: 1 },
  { run: 'heavy', band: 0, weight: 2 },
  { run: 'later', band: 1, weight: 1 },
]

function check(t: Test, scenario: Scenario, policy = ours): Result {
  t.comment(describe(scenario))
  const result = simulate(scenario, policy)
  t.strictSame(result.problems, [], `seed ${scenario.seed}: all audits`)
  return result
}

for (const seed of seeds) {
  t.test(`more work than servers: seed ${seed}`, async t => {
    const hours = 3
    const scenario = arriveForHours(seed, { hours, load: 1.1 }, referenceSize)
    const mine = check(t, scenario)
    const naive = check(t, scenario, fifo)
    const ratio = jobsPerHour(mine, hours) / jobsPerHour(naive, hours)
    t.ok(ratio >= 2, `throughput is ${ratio.toFixed(2)} × that of FIFO`)
    const share = waitMs(mine, 0.95, rarestOf(referenceSize)) / waitMs(mine, 0.95)
    t.ok(share <= 1.2, `the rarest models wait ${share.toFixed(2)} × as long as all`)
    const bound = waitBoundMs(referenceSize)
    t.ok(
      mine.longestGroupWaitMs <= bound,
      `the longest wait of a group is ${mine.longestGroupWaitMs.toFixed(0)} ms, its bound ${bound}`,
    )
  })

  t.test(`all jobs at once: seed ${seed}`, async t => {
    const jobs = 2000
    const { makespanMs } = check(t, arriveAtOnce(seed, jobs, referenceSize))
    const ratio = makespanMs / leastMakespanMs(jobs, referenceSize)
    t.ok(ratio <= 1.1, `makespan is ${ratio.toFixed(3)} × the least`)
  })

  t.test(`failures of every kind: seed ${seed}`, async t => {
    const size = { ...referenceSize, loraSets: 3, runs }
    const calm = arriveForHours(seed, { hours: 2, load: 0.9 }, size)
    const scenario = { ...withFailures(calm, { hours: 2, poison: 0.002 }), cancels: [{ at: 3_600_000, run: 'heavy' }] }
    const { jobs, adopted, orphans, failedSound, charged } = check(t, scenario)
    t.ok(jobs.done > 1000 && jobs.cancelled > 0, 'most are done, some cancelled')
    t.ok(adopted > 0, `${adopted} late pictures were taken, ${orphans} kept aside`)
    t.ok(charged > 0)
    // A job that meets three broken servers is taken for poison, which is rare.
    t.ok(failedSound <= jobs.done / 1000, `${failedSound} of ${jobs.done} sound jobs failed`)
  })
}

t.test('the same seed gives the same result', async t => {
  const scenario = withFailures(arriveForHours(4, { hours: 1, load: 1 }, referenceSize), { hours: 1, poison: 0.01 })
  t.strictSame(simulate(scenario, ours), simulate(scenario, ours))
})

t.test('policy models end every job too', async t => {
  const scenario = arriveForHours(5, { hours: 1, load: 1 }, { ...referenceSize, depth: 1 })
  for (const policy of [pressure, pull, lookAhead]) {
    const { jobs } = check(t, scenario, policy)
    t.equal(jobs.failed + jobs.cancelled, 0, policy.name)
  }
})

/** Places by size where the plan of the servers counts. */
const flat: Size = { ...referenceSize, modelSets: 1, swapMs: 0, patchMs: 0, jobMs: 200 }

t.test('servers that are slower get less, and none is waited for', async t => {
  const scenario = arriveAtOnce(6, 240, flat)
  const slowness = [1, 1, 1, 1, 2, 2, 3, 4]
  const servers = scenario.servers.map((plan, at) => ({ ...plan, slowness: slowness[at] ?? 1 }))
  const { makespanMs } = check(t, { ...scenario, servers })
  const least = (240 * 200) / slowness.reduce((speed, each) => speed + 1 / each, 0)
  t.ok(makespanMs <= 1.05 * least, `${makespanMs.toFixed(0)} ms, at least ${least.toFixed(0)}`)
})

t.test('LoRAs that are patched slowly stay where they are', async t => {
  const { makespanMs, patches } = check(t, arriveAtOnce(7, 240, { ...flat, loraSets: 12, patchMs: 800 }))
  const least = (240 * 200 + 12 * 800) / 8
  t.ok(makespanMs <= 1.15 * least, `${makespanMs.toFixed(0)} ms, at least ${least}`)
  t.ok(patches <= 20, `${patches} patches`)
})

t.test('one server with many models or LoRAs does not spend its time on changing them', async t => {
  const single = { ...referenceSize, servers: 1 }
  for (const size of [single, { ...single, modelSets: 1, loraSets: 12 }]) {
    const { makespanMs } = check(t, arriveAtOnce(8, 500, size))
    t.ok(makespanMs <= 1.1 * leastMakespanMs(500, size), `${(makespanMs / leastMakespanMs(500, size)).toFixed(3)}`)
  }
})

t.test('a server that fails everything at once is left alone', async t => {
  const scenario = arriveAtOnce(9, 2000, referenceSize)
  const spells = [{ server: 3, at: 0, ms: 6 * 3_600_000, kind: 'sick' as const }]
  const { charged, failedSound, jobs } = check(t, { ...scenario, spells })
  t.equal(jobs.done, 2000)
  t.equal(failedSound, 0)
  t.ok(charged <= 20, `${charged} of 2000 jobs were charged an attempt`)
})

t.test('jobs that take servers down fail, and no other does', async t => {
  const scenario = arriveAtOnce(10, 1000, referenceSize)
  function* arrivals() {
    let count = 0
    for (const arrival of scenario.arrivals)
      yield ++count % 250 === 0 ? { ...arrival, poison: 'crashes' as const } : arrival
  }
  const { jobs, failedSound } = check(t, { ...scenario, arrivals: { [Symbol.iterator]: arrivals } })
  t.equal(jobs.failed, 4)
  t.equal(failedSound, 0)
})

t.test('models that one server alone has are rendered there', async t => {
  const scenario = arriveAtOnce(11, 300, referenceSize)
  const most = new Set(Array.from({ length: 11 }, (_, set) => `set-${set}`))
  const servers = scenario.servers.map((plan, at) => (at === 5 ? plan : { ...plan, modelSets: most }))
  t.equal(check(t, { ...scenario, servers }).jobs.done, 300)
})

const none = { waiting: 0, delayed: 0, running: 0, done: 0, failed: 0, cancelled: 0 }
/** Histories that must not be, and what is said of them. */
const histories: Record<string, { act: (checker: Checker) => void; problem: RegExp }> = {
  'a job that never ends': { act: () => undefined, problem: /job 0 was lost/ },
  'a job that ends twice': {
    act: checker => {
      checker.settled(0, 'done')
      checker.settled(0, 'failed')
    },
    problem: /ended as done and as failed/,
  },
  'two attempts at once': {
    act: checker => {
      checker.leased(0, 1, 0)
      checker.leased(0, 2, 1)
    },
    problem: /two current attempts/,
  },
  'an attempt number that comes again': {
    act: checker => {
      checker.leased(0, 1, 0)
      checker.ended(0, 1, 0)
      checker.leased(0, 1, 0)
    },
    problem: /attempt 1 came after 1/,
  },
  'more jobs than places': {
    act: checker => {
      checker.accepted(1)
      checker.leased(0, 1, 0)
      checker.leased(1, 1, 0)
    },
    problem: /server 0 has 2 jobs/,
  },
  'an end of an attempt that is over': {
    act: checker => {
      checker.leased(0, 1, 0)
      checker.ended(0, 1, 0)
      checker.ended(0, 1, 0)
    },
    problem: /ended while it was not current/,
  },
  'a late picture that is thrown away': {
    act: checker => checker.late(0, 1, 'orphan'),
    problem: /late picture of it is told as orphan/,
  },
  'counters that are wrong': {
    act: checker => checker.settled(0, 'done'),
    problem: /done: the farm counts 0, a recount 1/,
  },
}
for (const [title, { act, problem }] of Object.entries(histories)) {
  t.test(`the checker finds ${title}`, async t => {
    const checker = new Checker([1, 1])
    checker.accepted(0)
    act(checker)
    checker.close({ jobs: none, attempts: 0, adopted: 0, orphans: 0 })
    t.match(checker.problems.join('\n'), problem)
  })
}
