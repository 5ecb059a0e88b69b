import t from 'tap'
import { waitAtMost, withinTime } from '../../../src/files/within-time.js'

const never = new Promise<string>(() => undefined)
const broken = () => Promise.reject(new TypeError('broken'))

t.test('withinTime gives what comes in time, and says what did not', async t => {
  t.equal(await withinTime(Promise.resolve('here'), 1000, 'no answer'), 'here')
  await t.rejects(withinTime(broken(), 1000, 'no answer'), TypeError)
  await t.rejects(withinTime(never, 1, 'no answer'), new RangeError('no answer within 1 ms'))
  await t.rejects(
    withinTime(never, 1, () => new SyntaxError('of one’s own')),
    new SyntaxError('of one’s own'),
  )
})

t.test('waitAtMost ends with the promise or the limit, and hears nothing of it later', async t => {
  await t.resolves(waitAtMost(Promise.resolve(), 60_000))
  await t.rejects(waitAtMost(broken(), 60_000), TypeError)
  let fail = (_: Error) => undefined as void
  const late = new Promise<void>((_, reject) => (fail = reject))
  await t.resolves(waitAtMost(late, 1))
  fail(new TypeError('late'))
})
