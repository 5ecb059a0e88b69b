import { getEventListeners } from 'node:events'
import t from 'tap'
import { joinSignals, withAnySignal } from '../../../src/files/join-signals.js'

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

t.test('it is aborted with the first, for its reason, and then holds neither', async t => {
  const [one, other] = [new AbortController(), new AbortController()]
  const { signal } = joinSignals(one.signal, other.signal)
  t.equal(signal.aborted, false)
  other.abort('enough')
  t.equal(signal.reason, 'enough')
  one.abort('later')
  t.equal(signal.reason, 'enough')
  t.strictSame([listenersOf(one.signal), listenersOf(other.signal)], [0, 0])
})

t.test('one of a signal that is aborted already is aborted', async t => {
  const long = new AbortController()
  t.equal(joinSignals(long.signal, AbortSignal.abort('before')).signal.reason, 'before')
  t.equal(listenersOf(long.signal), 0)
})

t.test('a signal that lives long keeps nothing of those that were joined with it', async t => {
  const long = new AbortController()
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) =>
      withAnySignal([long.signal, new AbortController().signal], async signal => {
        t.equal(listenersOf(long.signal) > 0, true)
        return signal.aborted ? -1 : at
      }),
    ),
  )
  t.equal(answers.length, 100)
  await t.rejects(
    withAnySignal([long.signal], () => Promise.reject(new Error('no'))),
    { message: 'no' },
  )
  t.equal(listenersOf(long.signal), 0)
})
