import { setTimeout as sleep } from 'node:timers/promises'
import { renderOn } from '../recovery/farm-faults.js'
import { beginSoak } from './begin.js'

/** A slow network, a partition that heals, and garbled events, each at length: `node dist/test/soak/network.js [SEED [MINUTES]]`. */
const soak = beginSoak('network')
const bytesPerSecond = 125_000
const shareMin = 0.8
const cutMs = 300_000
const heardMsMax = 10_000

// 200 ms for a round trip, 1 Mbit/s, 2 % of pieces lost and sent again. Pictures are painted: some ten KB each.
const slow = { delayMs: 100, bytesPerSecond, lossShare: 0.02 }
const pictureBytes = 12_000
const slots = Math.round((soak.minutes * 60 * bytesPerSecond) / pictureBytes / 4)
const begin = performance.now()
const lazy = await renderOn(soak.place('slow'), {
  slots,
  members: [{ options: { faults: { jobMs: 1 } }, entry: { depth: 4 }, wire: slow }],
  extra: 0,
})
const seconds = (performance.now() - begin) / 1000
const share = (lazy.carriedBytes[0] ?? 0) / seconds / bytesPerSecond
soak.tell('slow', lazy.code === 0 && lazy.facts.problems.length === 0 && lazy.ended.length === 0 && share >= shareMin, {
  slots,
  seconds: Math.round(seconds),
  share,
  bytes: lazy.carriedBytes,
  ended: lazy.ended.length,
  problems: lazy.facts.problems,
})

const lone = { options: { faults: { jobMs: 20_000 } }, entry: { graceSeconds: 5, timeoutSeconds: 2 }, wire: {} }
const healed = await renderOn(soak.place('partition'), {
  slots: 120,
  members: [{ options: { faults: { jobMs: 4000 } } }, lone],
  extra: 4,
  async meanwhile([, second], done) {
    await done(4)
    second?.wire?.cut()
    await sleep(cutMs)
    second?.wire?.heal()
  },
})
const attempts = new Map<string, number>()
for (const event of healed.facts.journal)
  if (event.kind === 'attempt-leased') attempts.set(event.job, (attempts.get(event.job) ?? 0) + 1)
const attemptsMost = Math.max(...attempts.values())
soak.tell('partition', healed.code === 0 && healed.facts.problems.length === 0 && attemptsMost <= 2, {
  cutMs,
  attemptsMost,
  renders: healed.renders,
  problems: healed.facts.problems,
})

const frames = { seed: soak.seed, dropShare: 0.2, repeatShare: 0.1, swapShare: 0.1 }
const member = { options: { faults: { jobMs: 100, dropSocketsEveryMs: 10_000 } }, wire: { frames } }
const garbled = await renderOn(soak.place('frames'), { slots: 1000, members: [member, member], extra: 0 })
const heardMost = Math.max(...garbled.heardMs)
soak.tell('frames', garbled.code === 0 && garbled.facts.problems.length === 0 && heardMost <= heardMsMax, {
  heardMost,
  faults: garbled.faults,
  problems: garbled.facts.problems,
})
soak.end()
