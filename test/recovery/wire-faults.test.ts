import { join } from 'node:path'
import t from 'tap'
import { renderOn } from './farm-faults.js'
import type { FrameFaults } from './wire.js'

// Completion is found by asking so soon after the event that would have told it was lost.
const heardMsMax = 10_000
const seed = 20_260_214
const folder = t.testdir()
t.jobs = 2
t.setTimeout(120_000)

const garbled: Record<string, Omit<FrameFaults, 'seed'>> = {
  'drops every fifth': { dropShare: 0.2, repeatShare: 0, swapShare: 0 },
  'repeats and swaps': { dropShare: 0, repeatShare: 0.3, swapShare: 0.3 },
  'drops, repeats and swaps most': { dropShare: 0.4, repeatShare: 0.2, swapShare: 0.2 },
}

for (const [at, [title, frames]] of Object.entries(garbled).entries()) {
  t.test(`events on a wire that ${title} change no outcome, seed ${seed}`, async t => {
    const wire = { frames: { seed: seed + at, ...frames } }
    const member = { options: { faults: { jobMs: 60 } }, wire }
    const { code, facts, said, heardMs, faults, ended } = await renderOn(join(folder, String(at)), {
      slots: 16,
      members: [member, member],
      extra: 0,
    })
    t.strictSame(facts.problems, [], said)
    t.equal(code, 0, said)
    t.equal(facts.done, 16)
    t.strictSame(
      ended.filter(({ outcome }) => outcome !== 'withdrawn'),
      [],
      'no attempt failed',
    )
    const all = faults.reduce(
      (sum, { dropped = 0, repeated = 0, swapped = 0 }) => sum + dropped + repeated + swapped,
      0,
    )
    t.ok(all > 20, `${all} frames were garbled`)
    const most = Math.max(...heardMs)
    t.ok(most <= heardMsMax, `committed within ${most} ms of its rendering`)
    t.comment(`${JSON.stringify(faults)}, committed within ${most} ms`)
  })
}
