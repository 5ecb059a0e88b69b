import { chooseGroup, type FarmView, type Group, type ServerView } from '../../src/farm/choose-group.js'
import { jobsPerHour, leastMakespanMs, rarestOf, waitBoundMs, waitMs } from '../simulate/figures.js'
import { LoadedCounts } from '../simulate/loaded-counts.js'
import { fifo, lookAhead, ours, pressure, pull } from '../simulate/policies.js'
import { Random, zipfSums } from '../simulate/random.js'
import { arriveAtOnce, arriveForHours, referenceSize, withFailures } from '../simulate/scenario.js'
import { type Result, simulate } from '../simulate/simulate.js'
import { type Figures, quantile, round, type RunOptions } from './bench.js'

const hours = 4
const loadSeeds = 5
const makespanSeeds = 20
const hugeServers = 1000
const hugeJobs = 1_000_000

/** How good the choice of jobs is, in simulated farms that are audited. `--seed` gives the first of the seeds. */
export async function run({ seed }: RunOptions): Promise<Figures> {
  const problems: string[] = []
  const audited = (result: Result) => {
    problems.push(...result.problems.map(problem => `seed ${result.seed}: ${problem}`))
    return result
  }
  const overload = measureOverload(seed, audited)
  const makespan = measureMakespan(seed, audited)
  const huge = measureHuge(seed, audited)
  const choice = measureChoice(seed)
  return {
    question: 'the choice of jobs, in simulated farms that are audited',
    figures: {
      'first seed': seed,
      'what must never be, and was': problems.length === 0 ? 'nothing' : problems.join('; '),
      ...overload.figures,
      ...makespan.figures,
      ...huge.figures,
      ...choice.figures,
      ...comparePolicies(seed, audited),
    },
    bar:
      'no problem; throughput ≥ 2 × FIFO; rarest ≤ 1.2 × all; no group waits longer than its bound; ' +
      'makespan ≤ 1.10; a million jobs in < 300 s; a choice ≤ 1 ms',
    pass: problems.length === 0 && [overload, makespan, huge, choice].every(each => each.pass),
  }
}

interface Measured {
  figures: Record<string, number | string>
  pass: boolean
}

type Audited = (result: Result) => Result

/** Arrivals at 1.1 × what the servers render when they never swap. */
function measureOverload(seed: number, audited: Audited): Measured {
  const rarest = rarestOf(referenceSize)
  const rows = Array.from({ length: loadSeeds }, (_, at) => {
    const scenario = arriveForHours(seed + at, { hours, load: 1.1 }, referenceSize)
    const mine = audited(simulate(scenario, ours))
    const naive = audited(simulate({ ...scenario, servers: withoutDepth(scenario.servers) }, fifo))
    return {
      ratio: jobsPerHour(mine, hours) / jobsPerHour(naive, hours),
      rarest: waitMs(mine, 0.95, rarest) / waitMs(mine, 0.95),
      longestMs: mine.longestGroupWaitMs,
      swaps: (100 * mine.swaps) / mine.jobs.done,
    }
  })
  const least = Math.min(...rows.map(row => row.ratio))
  const most = Math.max(...rows.map(row => row.rarest))
  const longestMs = Math.max(...rows.map(row => row.longestMs))
  const boundMs = waitBoundMs(referenceSize)
  return {
    figures: {
      [`throughput ÷ FIFO, least of ${loadSeeds} seeds`]: round(least),
      'p95 wait of the rarest ÷ of all, most': round(most),
      'longest wait of a group, s (bound)': `${round(longestMs / 1000, 0)} (${round(boundMs / 1000, 0)})`,
      'swaps per 100 jobs, most': round(Math.max(...rows.map(row => row.swaps))),
    },
    pass: least >= 2 && most <= 1.2 && longestMs <= boundMs,
  }
}

function measureMakespan(seed: number, audited: Audited): Measured {
  const jobs = 5000
  const ratios = Array.from({ length: makespanSeeds }, (_, at) => {
    const { makespanMs } = audited(simulate(arriveAtOnce(seed + at, jobs, referenceSize), ours))
    return makespanMs / leastMakespanMs(jobs, referenceSize)
  })
  return {
    figures: {
      [`makespan ÷ least, ${makespanSeeds} seeds, most`]: round(Math.max(...ratios), 3),
      'makespan ÷ least, median': round(quantile(ratios, 0.5), 3),
    },
    pass: Math.max(...ratios) <= 1.1,
  }
}

/** With failures of every kind, LoRAs and several runs. */
function measureHuge(seed: number, audited: Audited): Measured {
  const size = { ...referenceSize, servers: hugeServers, loraSets: 3, runs }
  const scenario = withFailures(arriveAtOnce(seed, hugeJobs, size), { hours: 5, poison: 0.0005 })
  const begin = performance.now()
  const result = audited(simulate(scenario, ours))
  const seconds = (performance.now() - begin) / 1000
  const { jobs, failedSound, charged, adopted, orphans, attempts } = result
  return {
    figures: {
      [`${hugeServers} servers, ${hugeJobs} jobs, s`]: round(seconds, 1),
      'memory afterwards, MiB': Math.round(process.memoryUsage.rss() / 2 ** 20),
      'done, failed': `${jobs.done}, ${jobs.failed} (${failedSound} of them sound)`,
      'attempts, charged, adopted, orphans': `${attempts}, ${charged}, ${adopted}, ${orphans}`,
    },
    pass: seconds < 300,
  }
}

const runs = [
  { run: 'first', band: 0, weight: 1 },
  { run: 'heavy', band: 0, weight: 2 },
  { run: 'later', band: 1, weight: 1 },
]

/** Jobs that wait in 600 groups: 50 model sets, 4 LoRA sets of each, 3 runs; 64 servers. */
function measureChoice(seed: number): Measured {
  const cases = [
    { title: '100,000 waiting', waiting: 100_000, waitedMsMax: 30_000 },
    { title: '100,000 waiting long', waiting: 100_000, waitedMsMax: 20 * 60_000 },
    { title: 'the last 400', waiting: 400, waitedMsMax: 30_000 },
  ]
  const rows = cases.map(({ title, ...of }) => ({ title, p95: quantile(timeChoices(seed, of), 0.95) }))
  return {
    figures: Object.fromEntries(rows.map(({ title, p95 }) => [`a choice, ${title}, p95 ms`, round(p95, 3)])),
    pass: rows.every(({ p95 }) => p95 <= 1),
  }
}

function timeChoices(seed: number, { waiting, waitedMsMax }: { waiting: number; waitedMsMax: number }): number[] {
  const random = new Random(seed)
  const now = 3_600_000
  const groups: Group[] = []
  for (const { run, weight } of runs) {
    for (let at = 0; at < 200; at++) {
      const set = at % 50
      const loras = [`style-${at % 3}`, `identity-${at % 4}`]
      const lane = `${run}/${at}`
      const since = now - random.between(0, waitedMsMax)
      groups.push({ lane, run, weight, band: 0, modelSet: `set-${set}`, loras, work: 'w', waiting: 0, since })
    }
  }
  const sums = zipfSums(groups.length)
  for (let job = 0; job < waiting; job++) {
    const group = groups[random.pick(sums)]
    if (group) group.waiting++
  }
  const loadedCounts = new LoadedCounts()
  const servers = Array.from({ length: 64 }, (_, at): ServerView => {
    const loaded = groups[random.pick(sums)]
    loadedCounts.add(loaded, 1)
    const active = at % 2
    const busyMs = active * random.between(0, 20_000)
    const jobMs = () => 20_000
    return { name: `s${at}`, loaded, active, busyMs, jobMs, swapMs: 30_000, patchMs: 2000, takes: () => true }
  })
  const places = new Map(runs.map(({ run }) => [run, random.below(40)]))
  const farm: FarmView = {
    now,
    placesOf: run => places.get(run) ?? 0,
    serversWith: loaded => loadedCounts.of(loaded),
    servers,
  }
  return Array.from({ length: 6400 }, (_, at) => {
    const server = servers[at % servers.length]
    const begin = performance.now()
    if (server) chooseGroup(groups, server, farm)
    return performance.now() - begin
  }).slice(640)
}

function comparePolicies(seed: number, audited: Audited): Record<string, string> {
  const scenario = arriveForHours(seed, { hours, load: 1.1 }, referenceSize)
  const rows = [ours, pressure, lookAhead, pull, fifo].map(policy => {
    const servers = policy === ours ? scenario.servers : withoutDepth(scenario.servers)
    const result = audited(simulate({ ...scenario, servers }, policy))
    const seconds = (ms: number) => `${Math.round(ms / 1000)} s`
    const waits = `p95 wait ${seconds(waitMs(result, 0.95))}, rarest ${seconds(waitMs(result, 0.95, rarestOf(referenceSize)))}`
    const perHour = Math.round(jobsPerHour(result, hours))
    return [policy.name, `${perHour} jobs/h, ${result.swaps} swaps, ${waits}`]
  })
  return Object.fromEntries(rows) as Record<string, string>
}

/** They send a job when the server is free. */
function withoutDepth<Plan extends { depth: number }>(servers: readonly Plan[]): Plan[] {
  return servers.map(plan => ({ ...plan, depth: 1 }))
}
