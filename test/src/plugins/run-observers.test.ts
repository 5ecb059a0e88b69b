import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Observer, ObserverPlugin, ToldEvent } from '../../../src/plugins/contract.js'
import { openObservers } from '../../../src/plugins/run-observers.js'
import { pluginOf, silent } from './plugin-home.js'

const observersOf = (observers: Record<string, () => Observer>, limitMs?: number) =>
  openObservers(
    Object.entries(observers).map(([name, open]) => {
      const plugin: ObserverPlugin = { kind: 'observer', name, version: '1.0.0', options: {}, open }
      return pluginOf(plugin)
    }),
    { log: silent, ...(limitMs !== undefined && { limitMs }) },
  )
const event = (kind: string): ToldEvent => ({ kind, at: 1 })

t.test('observers are told every event in order, one after the other', async t => {
  const told: string[] = []
  let running = 0
  const observers = await observersOf({
    a: () => ({
      async told({ kind }) {
        t.equal(++running, 1)
        await Promise.resolve()
        told.push(kind)
        running--
      },
    }),
  })
  for (const kind of ['one', 'two', 'three']) observers.tell(event(kind))
  t.strictSame(told, [], 'whoever tells does not wait')
  await observers.close()
  t.strictSame(told, ['one', 'two', 'three'])
  t.strictSame(observers.counts(), { 'observer-a': { told: 3, failed: 0, leftOut: 0 } })
})

t.test('an observer that fails, hangs or cannot be opened harms nobody, and is counted', async t => {
  const told: string[] = []
  const observers = await observersOf(
    {
      throwing: () => ({
        told() {
          throw new RangeError('broken')
        },
      }),
      hanging: () => ({ told: () => new Promise(() => undefined) }),
      closed: () => {
        throw new RangeError('no network')
      },
      well: () => ({ told: ({ kind }) => void told.push(kind) }),
    },
    20,
  )
  observers.tell(event('one'))
  observers.tell(event('two'))
  while (observers.counts()['observer-hanging']?.failed !== 2) await sleep(5)
  await observers.close()
  t.strictSame(told, ['one', 'two'])
  t.match(observers.counts(), {
    'observer-throwing': { told: 2, failed: 2 },
    'observer-hanging': { failed: 2 },
    'observer-well': { told: 2, failed: 0 },
  })
  t.notOk('observer-closed' in observers.counts())
})

t.test('what an observer is too slow for is left out and counted', async t => {
  let go: () => void = () => undefined
  const observers = await observersOf(
    { slow: () => ({ told: () => new Promise<void>(resolve => (go = resolve)) }) },
    50,
  )
  for (let at = 0; at < 1500; at++) observers.tell(event(`${at}`))
  t.match(observers.counts(), { 'observer-slow': { leftOut: 500 } })
  await observers.close()
  t.match(observers.counts(), { 'observer-slow': { leftOut: 1499 } }, 'nothing is told after the end')
  go()
})
