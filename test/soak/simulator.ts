import { rarestOf, waitMs } from '../simulate/figures.js'
import { ours } from '../simulate/policies.js'
import { arriveAtOnce, arriveForHours, referenceSize, withFailures } from '../simulate/scenario.js'
import { simulate } from '../simulate/simulate.js'
import { beginSoak } from './begin.js'

/** A million jobs on 64 simulated servers, with storms that cancel; and hours of more work than they can do: `node dist/test/soak/simulator.js [SEED]`. */
const soak = beginSoak('simulator')
const jobs = 1_000_000
const runs = Array.from({ length: 20 }, (_, at) => ({ run: `run-${at}`, band: at % 3, weight: 1 + (at % 4) }))
const size = { ...referenceSize, servers: 64, modelSets: 12, runs }
const swapsMax = 3
const rarestShareMax = 1.2
const choiceMsMax = 50

// Each storm takes a run of some 50,000 jobs.
const calm = arriveAtOnce(soak.seed, jobs, size)
const cancels = Array.from({ length: 8 }, (_, at) => ({ at: (at + 1) * 3_600_000, run: `run-${at * 2}` }))
let begin = performance.now()
const stormy = simulate({ ...withFailures(calm, { hours: 5, poison: 0.0005 }), cancels }, ours)
const choiceMs = (performance.now() - begin) / stormy.choices
const swaps = (100 * stormy.swaps) / stormy.jobs.done
soak.tell('storms', stormy.problems.length === 0 && swaps <= swapsMax && choiceMs <= choiceMsMax, {
  jobs: stormy.jobs,
  swapsPer100: swaps,
  choiceMs,
  residentMb: process.memoryUsage.rss() / 2 ** 20,
  problems: stormy.problems,
})

begin = performance.now()
const rush = { ...referenceSize, servers: 64, modelSets: 12 }
const rushed = simulate(arriveForHours(soak.seed, { hours: 3, load: 1.1 }, rush), ours)
const share = waitMs(rushed, 0.95, rarestOf(rush)) / waitMs(rushed, 0.95)
soak.tell('rush', rushed.problems.length === 0 && share <= rarestShareMax, {
  jobs: rushed.jobs,
  rarestShare: share,
  swapsPer100: (100 * rushed.swaps) / rushed.jobs.done,
  seconds: (performance.now() - begin) / 1000,
  problems: rushed.problems,
})
soak.end()
