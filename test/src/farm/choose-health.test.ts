import t from 'tap'
import { afterFailure, afterRest, type Health, wellHealth } from '../../../src/farm/choose-health.js'

function afterFailures(jobs: readonly string[], from: Health = wellHealth, now = 1000): Health {
  return jobs.reduce((health, job) => afterFailure(health, { job, reason: `broke ${job}`, now }), from)
}

t.test('a server is sick after three different jobs failed in a row', async t => {
  t.match(afterFailures(['a', 'b']), { state: 'well', failed: ['a', 'b'] })
  t.strictSame(afterFailures(['a', 'b', 'c']), {
    state: 'sick',
    failed: ['a', 'b', 'c'],
    reason: 'broke c',
    until: 31_000,
    times: 1,
  })
})

t.test('one job that fails again and again makes no server sick', async t => {
  t.match(afterFailures(['a', 'a', 'a', 'a', 'b', 'a', 'b']), { state: 'well', failed: ['a', 'b'] })
})

t.test('what else fails on a sick server makes it rest no longer', async t => {
  const sick = afterFailures(['a', 'b', 'c'])
  t.equal(afterFailure(sick, { job: 'd', reason: 'broke d', now: 20_000 }), sick)
})

t.test('a sick server that has rested is tried', async t => {
  const sick = afterFailures(['a', 'b', 'c'])
  t.equal(afterRest(sick, 30_999), sick)
  t.match(afterRest(sick, 31_000), { state: 'tried', failed: ['a', 'b', 'c'] })
  t.equal(afterRest(wellHealth, 31_000), wellHealth)
})

t.test('a server that fails the trial rests twice as long, up to a bound', async t => {
  let health = afterFailures(['a', 'b', 'c'])
  for (const seconds of [60, 120, 240, 480, 900, 900]) {
    health = afterRest(health, health.until)
    const { until } = health
    health = afterFailure(health, { job: 'a', reason: 'again', now: until })
    t.match(health, { state: 'sick', until: until + seconds * 1000 })
  }
})
