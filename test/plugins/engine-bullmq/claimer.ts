import { setTimeout as sleep } from 'node:timers/promises'
import { extendEveryMs } from '../../../src/plugins/contract.js'
import { openBullmq } from './open-bullmq.js'

/** A process that claims one job, tells its id, and keeps the claim until it is killed: `claimer.js URL LANE`. */
const [url = '', lane = ''] = process.argv.slice(2)
const { engine } = await openBullmq({ url })
const claim = await engine.claim(lane)
if (claim) {
  console.log(claim.job.id)
  for (;;) {
    await sleep(extendEveryMs)
    await engine.extend(claim)
  }
}
