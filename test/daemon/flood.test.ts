import t from 'tap'
import { floodGood, floodMalformed } from './flood.js'

const seed = 20260114
t.setTimeout(120_000)

t.test(`600 malformed drops beside 12 good ones: each is answered, all runs are there (seed ${seed})`, async t => {
  const outcome = await floodMalformed(t.testdir({}), { bad: 600, good: 12, seed })
  t.equal(outcome.runs, 12)
  t.strictSame(outcome.unanswered, [])
  t.comment(JSON.stringify(outcome))
})

t.test('a burst of 600 drops is taken whole', async t => {
  const outcome = await floodGood(t.testdir({}), 600)
  t.equal(outcome.runs, 600)
  t.comment(JSON.stringify(outcome))
})

t.test('a burst of 300 drops that came while the daemon stood still is taken whole', async t => {
  const outcome = await floodGood(t.testdir({}), 300, { isFrozen: true })
  t.equal(outcome.runs, 300)
  t.comment(JSON.stringify(outcome))
})
