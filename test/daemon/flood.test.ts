import t from 'tap'
import { floodGood, floodMalformed } from './flood.js'

const seed = 20260114
t.setTimeout(120_000)

t.test(`2,000 malformed drops beside 20 good ones: each is answered, all runs are there (seed ${seed})`, async t => {
  const outcome = await floodMalformed(t.testdir({}), { bad: 2000, good: 20, seed })
  t.equal(outcome.runs, 20)
  t.strictSame(outcome.unanswered, [])
  t.comment(JSON.stringify(outcome))
})

t.test('a burst of 2,000 drops is taken whole', async t => {
  const outcome = await floodGood(t.testdir({}), 2000)
  t.equal(outcome.runs, 2000)
  t.comment(JSON.stringify(outcome))
})

t.test('a burst of 1,000 drops that came while the daemon stood still is taken whole', async t => {
  const outcome = await floodGood(t.testdir({}), 1000, { isFrozen: true })
  t.equal(outcome.runs, 1000)
  t.comment(JSON.stringify(outcome))
})
