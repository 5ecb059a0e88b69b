import { Checker } from './checker.js'
import { Clock } from './clock.js'
import { SimulatedFarm } from './farm.js'
import type { JobState } from './lane.js'
import type { Policy } from './policies.js'
import { Random } from './random.js'
import { RenderServer } from './render-server.js'
import type { Scenario } from './scenario.js'

/** What came of a simulated farm. */
export interface Result {
  policy: string
  seed: number
  jobs: Record<JobState, number>
  /** When the last job ended. */
  makespanMs: number
  /** Ends of good jobs, in order. */
  doneAt: number[]
  /** From arrival to the first rendering, by model set. */
  waitsMs: Map<string, number[]>
  longestGroupWaitMs: number
  attempts: number
  charged: number
  /** Jobs that failed although nothing was wrong with them. */
  failedSound: number
  adopted: number
  orphans: number
  steals: number
  swaps: number
  patches: number
  choices: number
  /** What must never be, and was. */
  problems: readonly string[]
}

/** Events between two audits on the way. */
const auditEvery = 5000

/** Lets a scenario happen to a farm. The same scenario and policy give the same result, always. */
export function simulate(scenario: Scenario, policy: Policy): Result {
  const clock = new Clock()
  const checker = new Checker(scenario.servers.map(({ depth }) => depth))
  const waitsMs = new Map<string, number[]>()
  const doneAt: number[] = []
  const servers: RenderServer[] = []
  const farm = new SimulatedFarm({ scenario, policy, clock, checker, servers })
  const host = {
    clock,
    scenario,
    random: new Random(scenario.seed),
    begun(attempt: Parameters<SimulatedFarm['begun']>[0]) {
      const { job } = attempt
      if (!farm.begun(attempt)) return
      const waits = waitsMs.get(job.lane.modelSet)
      if (waits) waits.push(clock.now - job.arrivedAt)
      else waitsMs.set(job.lane.modelSet, [clock.now - job.arrivedAt])
    },
    ended(...[attempt, outcome]: Parameters<SimulatedFarm['ended']>) {
      farm.ended(attempt, outcome)
      if (outcome === 'done') doneAt.push(clock.now)
    },
    gone: (server: number) => farm.gone(server),
    back: (server: number, isNew: boolean) => farm.back(server, isNew),
    broken: (problem: string) => checker.say(problem),
  }
  scenario.servers.forEach((plan, index) => servers.push(new RenderServer(index, plan, host)))
  schedule(scenario, { clock, farm, servers })
  let events = 0
  clock.run(() => {
    farm.dispatch()
    if (++events % auditEvery === 0) farm.audit()
  })
  farm.audit()
  checker.close(farm.counters)
  const { jobs, attempts, adopted, orphans } = farm.counters
  return {
    policy: policy.name,
    seed: scenario.seed,
    jobs,
    makespanMs: farm.lastEndAt,
    doneAt,
    waitsMs,
    longestGroupWaitMs: farm.longestWaitMs,
    attempts,
    charged: farm.charged,
    failedSound: farm.failedSound,
    adopted,
    orphans,
    steals: farm.steals,
    swaps: servers.reduce((sum, server) => sum + server.swaps, 0),
    patches: servers.reduce((sum, server) => sum + server.patches, 0),
    choices: farm.choices,
    problems: checker.problems,
  }
}

interface Stage {
  clock: Clock
  farm: SimulatedFarm
  servers: readonly RenderServer[]
}

function schedule(scenario: Scenario, { clock, farm, servers }: Stage): void {
  const arrivals = scenario.arrivals[Symbol.iterator]()
  let next = arrivals.next()
  const arrive = () => {
    for (; !next.done && next.value.at <= clock.now; next = arrivals.next()) farm.accept(next.value)
    if (!next.done) clock.at(next.value.at, arrive)
  }
  arrive()
  clock.at(0, () => undefined)
  for (const { at, run } of scenario.cancels) clock.at(at, () => farm.cancel(run))
  for (const { at, ms, kind, server } of scenario.spells) {
    clock.at(at, () => {
      if (kind === 'sick') servers[server]?.fallIll(ms)
      else if (kind === 'crashed') servers[server]?.crash(ms)
      else servers[server]?.leave(ms)
    })
  }
}
