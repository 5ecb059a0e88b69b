import { quantile } from '../bench/bench.js'
import { measureRestart } from '../bench/restart.js'
import { beginSoak } from './begin.js'

/** A start with a long journal: `node dist/test/soak/restart.js`. */
const soak = beginSoak('restart')
for (const [slots, firstMsMax] of [
  [10_000, 2000],
  [1_000_000, 10_000],
] as const) {
  const { openedMs, firstMs, statusMs } = await measureRestart(slots)
  const statusP95Ms = quantile(statusMs, 0.95)
  soak.tell(`${slots} jobs`, firstMs <= firstMsMax, { openedMs, firstMs, statusP95Ms })
}
soak.end()
