import t from 'tap'
import { Signal } from '../../../src/farm/signal.js'

const hourMs = 3_600_000

t.test('a wait ends at the next call', async t => {
  const signal = new Signal()
  const wait = signal.wait(hourMs, new AbortController().signal)
  signal.notify()
  await t.resolves(wait)
})

t.test('a call that came after somebody looked, and before it waits, is not lost', async t => {
  const signal = new Signal()
  const { calls } = signal
  signal.notify()
  await t.resolves(signal.wait(hourMs, new AbortController().signal, calls))
})

t.test('a wait that is aborted ends', async t => {
  const abort = new AbortController()
  const wait = new Signal().wait(hourMs, abort.signal)
  abort.abort()
  await t.resolves(wait)
})
