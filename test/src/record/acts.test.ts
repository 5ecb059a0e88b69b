import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { actsMax } from '../../../src/record/acts.js'
import type { FoundryEvent } from '../../../src/record/events.js'
import { openLedger } from '../../../src/record/ledger.js'
import { applyEvent, emptyState } from '../../../src/record/state.js'
import { fromSnapshot, toSnapshot } from '../../../src/record/state-snapshot.js'
import { acceptedRun } from './sample-run.js'

const accepted = acceptedRun({
  nonce: 'secret',
  drop: '/home/jane/order.yaml',
  files: { sheet: '/home/jane/sheet.json' },
  slots: 2,
  skipped: [[1, 'nothing to render']],
  by: 'jane',
})
const modeOf = (at: number): FoundryEvent => ({ kind: 'server-mode', at, server: 's', mode: 'paused', by: 'joe' })

t.test('acts are kept in order, without anything of the machine, and nothing that nobody did', async t => {
  const state = emptyState()
  const events: FoundryEvent[] = [
    accepted,
    { kind: 'run-planned', at: 2, run: 'r', models: [] },
    { kind: 'run-paused', at: 3, run: 'r', by: 'joe', slots: [[0, 0]], part: 'pip' },
    { kind: 'run-paused', at: 4, run: 'nobody', by: 'joe' },
    modeOf(5),
    accepted,
    { kind: 'run-removed', at: 6, run: 'r', by: 'joe' },
  ]
  for (const event of events) applyEvent(state, event)
  t.strictSame(
    state.acts.map(({ kind, at }) => `${kind} ${at}`),
    ['run-accepted 1', 'run-paused 3', 'server-mode 5', 'run-removed 6'],
  )
  t.notMatch(JSON.stringify(state.acts), /secret|home|nothing to render/)
})

t.test('only the newest acts are kept', async t => {
  const state = emptyState()
  for (let at = 0; at < actsMax + 5; at++) applyEvent(state, modeOf(at))
  t.equal(state.acts.length, actsMax)
  t.match([state.acts[0]?.at, state.acts.at(-1)?.at], [5, actsMax + 4])
})

t.test('acts outlive the part of the journal that told of them', async t => {
  const folder = join(t.testdir(), 'journal')
  mkdirSync(folder)
  for (let at = 0; at < 3; at++) {
    const ledger = await openLedger(folder, { epoch: 1, snapshotAfter: 1 })
    await ledger.append(modeOf(2 * at), modeOf(2 * at + 1))
    await ledger.close()
  }
  const ledger = await openLedger(folder, { epoch: 1 })
  t.strictSame(
    ledger.state.acts.map(({ at }) => at),
    [0, 1, 2, 3, 4, 5],
  )
  await ledger.close()
})

t.test('a snapshot of an earlier version knows of no acts', async t => {
  const { acts: _acts, ...earlier } = emptyState()
  const state = emptyState()
  // Its encoding takes any object.
  fromSnapshot(state, toSnapshot(earlier as ReturnType<typeof emptyState>))
  t.strictSame(state.acts, [])
})
