import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Connection, RenderFailure } from '../../../src/plugins/contract.js'
import { type RunState, stateOf } from '../../../src/record/state.js'
import { noOdds, type Odds } from './fake-server.js'
import { ended, openFarm } from './open-farm.js'

const folder = t.testdir()
const limitMs = 20_000

async function settled(run: RunState): Promise<void> {
  const until = performance.now() + limitMs
  while (run.counts.waiting + run.counts.running > 0) {
    if (performance.now() > until) throw new Error(JSON.stringify(run.counts))
    await sleep(10)
  }
}

/** What goes wrong, how the connection differs, and how often the picture may have been rendered. */
const doubts: Record<string, [Partial<Odds>, (connection: Connection) => Partial<Connection>]> = {
  'whose fate nobody knows': [{ vanishes: 1 }, () => ({})],
  'that the service has forgotten': [{ forgets: 1 }, () => ({})],
  'whose picture cannot be fetched': [
    {},
    () => ({ fetch: () => Promise.reject(new RenderFailure('no-output', 'gone')) }),
  ],
  'that ends without a picture': [
    {},
    () => ({
      async *follow() {
        yield { kind: 'failed' as const, failure: new RenderFailure('no-output', 'success without a picture') }
      },
    }),
  ],
  'whose picture cannot be used': [{}, () => ({ fetch: async () => Buffer.from('no picture') })],
  'that cannot be adopted': [
    { vanishes: 1 },
    () => ({ adopt: () => Promise.reject(new RenderFailure('in-doubt', 'not listed')) }),
  ],
}
for (const [title, [odds, differ]] of Object.entries(doubts))
  t.test(`a paid job ${title} is held, and not sent again before somebody says so`, async t => {
    let sent = 0
    const paid = {
      with: (connection: Connection) => ({
        isPaid: true,
        submit: (...all: Parameters<Connection['submit']>) => (sent++, connection.submit(...all)),
        ...differ(connection),
      }),
    }
    const open = await openFarm(t, {
      folder: join(folder, title.replaceAll(' ', '-')),
      seed: 1,
      odds: { ...noOdds, ...odds },
      servers: { hosted: paid, other: paid },
    })
    await open.farm.start()
    const run = await open.accept('one', 1)
    await settled(run)
    t.equal(stateOf(run, 0), 'held')
    t.equal(sent, 1)
    t.match(run.reasons.get(0), /./)
    await open.ledger.append({ kind: 'run-retried', at: Date.now(), run: 'one', by: 'test' })
    await open.desk.review('one')
    open.farm.wake()
    await settled(run)
    t.equal(sent, 2, 'who asks for it gets it')
  })

t.test('an account that may not render keeps its jobs, however often it is tried', async t => {
  let isLocked = true
  const locked = {
    with: (connection: Connection) => ({
      isPaid: true,
      submit: (...all: Parameters<Connection['submit']>) =>
        isLocked ? Promise.reject(new RenderFailure('locked-out', 'no credit')) : connection.submit(...all),
    }),
  }
  const open = await openFarm(t, { folder: join(folder, 'locked'), seed: 1, servers: { hosted: locked } })
  await open.farm.start()
  const run = await open.accept('one', 1)
  for (let tries = 1; tries <= 25; tries++) {
    while ((run.failures.get(0)?.length ?? 0) < tries) await sleep(1)
    while (!open.farm.status().some(({ avoided }) => /may not render: no credit/.test(avoided ?? ''))) await sleep(1)
    if (tries === 25) isLocked = false
    open.farm.forgive('hosted')
  }
  await ended(run)
  t.match(run.counts, { done: 1, failed: 0 })
})
