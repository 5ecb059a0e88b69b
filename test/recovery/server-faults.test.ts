import { join } from 'node:path'
import t from 'tap'
import type { HomeFacts } from './check-home.js'
import { renderWith, serverFaults } from './server-faults.js'

t.jobs = 3
t.setTimeout(170_000)
const folder = t.testdir()

for (const [at, [title, each]] of Object.entries(serverFaults).entries()) {
  t.test(`a run ends whole on a server ${title}`, async t => {
    const { code, facts, said } = await renderWith(join(folder, String(at)), each)
    t.strictSame(facts.problems, [], said)
    t.equal(code, 0, said)
    t.equal(facts.done, each.slots)
    t.comment(summary(facts))
  })
}

t.test('a run fails on a server that fails everything, after the attempts it has', async t => {
  const { code, facts, said } = await renderWith(join(folder, 'broken'), {
    slots: 2,
    faults: { failRate: 1 },
    answers: true,
    extra: 0,
  })
  t.strictSame(facts.problems, [], said)
  t.equal(code, 1)
  t.match(facts, { done: 0, failed: 2, attempts: 8, renders: 8 })
})

function summary({ slots, attempts, renders }: HomeFacts): string {
  return `${slots} slots, ${attempts} attempts, ${renders} renders`
}
