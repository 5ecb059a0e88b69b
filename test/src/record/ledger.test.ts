import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { FoundryEvent } from '../../../src/record/events.js'
import { openLedger } from '../../../src/record/ledger.js'
import { acceptedRun } from './sample-run.js'

const accepted = (run: string, slots: number): FoundryEvent =>
  acceptedRun({ run, slots, skipped: [[2, 'nothing to render']] })
const leased = (run: string, slot: number, attempt: number): FoundryEvent => ({
  kind: 'attempt-leased',
  at: 2,
  run,
  slot,
  job: `j${slot}`,
  attempt,
  server: 'one',
  promptId: 'p',
})
const done = (run: string, slot: number, attempt: number): FoundryEvent => ({
  kind: 'slot-done',
  at: 3,
  run,
  slot,
  attempt,
  file: `images/${slot}.png`,
  sha256: 's',
  traceSha256: 't',
  renderHash: `${run}-${slot}`,
  sizeBytes: 1,
})
const finished = (run: string): FoundryEvent => ({ kind: 'run-finished', at: 4, run, state: 'failed' })
const failed = (run: string, slot: number): FoundryEvent => ({
  kind: 'slot-failed',
  at: 3,
  run,
  slot,
  reason: 'because',
})
const ended = (run: string, slot: number): FoundryEvent => ({
  kind: 'attempt-ended',
  at: 3,
  run,
  slot,
  attempt: 1,
  server: 'one',
  outcome: 'node-error',
  message: 'no',
})
const lost = (run: string, slot: number): FoundryEvent => ({ kind: 'slot-lost', at: 5, run, slot, reason: 'gone' })
const wholeRun = [
  accepted('a', 4),
  leased('a', 0, 1),
  done('a', 0, 1),
  leased('a', 1, 1),
  ended('a', 1),
  leased('a', 1, 2),
  done('a', 1, 2),
  leased('a', 3, 1),
  failed('a', 3),
  finished('a'),
]

t.test('a ledger gives the same state after a restart, with and without a snapshot', async t => {
  for (const snapshotAfter of [1, 1_000_000]) {
    const folder = join(t.testdir(), 'journal')
    const first = await openLedger(folder, { epoch: 1, snapshotAfter })
    await first.append(...wholeRun)
    const before = first.state
    await first.close()
    const names = await readdir(folder)
    t.equal(
      names.some(name => name.includes('snapshot')),
      snapshotAfter === 1,
      `${names}`,
    )
    const second = await openLedger(folder, { epoch: 2, snapshotAfter })
    t.strictSame(second.state, before)
    await second.append(accepted('b', 2), leased('b', 0, 1), done('b', 0, 1))
    t.equal(second.state.runs.get('b')?.counts.done, 1)
    await second.close()
    const third = await openLedger(folder, { epoch: 3, snapshotAfter })
    t.strictSame(third.state, second.state)
    await third.append({ kind: 'run-retried', at: 5, run: 'a', by: 'test' }, lost('a', 0), lost('b', 0))
    t.match(third.state.runs.get('a')?.counts, { waiting: 2, done: 1 })
    t.strictSame(
      ['a', 'b'].map(run => third.state.runs.get(run)?.failures.get(0)),
      ['a', 'b'].map(() => [{ number: 1, server: 'one', outcome: 'picture-lost', message: 'gone' }]),
    )
    await third.close()
    const fourth = await openLedger(folder, { epoch: 4, snapshotAfter })
    t.strictSame(fourth.state, third.state)
    await fourth.close()
  }
})

t.test('a ledger takes no snapshot while a run goes on, and keeps its events', async t => {
  const folder = join(t.testdir(), 'journal')
  const first = await openLedger(folder, { epoch: 1, snapshotAfter: 1 })
  await first.append(accepted('a', 4), leased('a', 0, 1))
  await first.close()
  t.notOk((await readdir(folder)).some(name => name.includes('snapshot')))
  const second = await openLedger(folder, { epoch: 2 })
  const kinds: string[] = []
  for await (const { event } of second.eventsOf('a')) kinds.push(event.kind)
  t.strictSame(kinds, ['run-accepted', 'attempt-leased'])
  await second.close()
})

t.test('a ledger reads a long run page by page, in order and once', async t => {
  const ledger = await openLedger(join(t.testdir(), 'journal'), { epoch: 1 })
  const slots = 6000
  await ledger.append(accepted('long', slots + 3))
  for (let slot = 3; slot < slots; slot += 100) {
    await ledger.append(...Array.from({ length: 100 }, (_, at) => leased('long', slot + at, 1)))
  }
  const sequences: number[] = []
  for await (const { sequence } of ledger.eventsOf('long')) sequences.push(sequence)
  t.equal(sequences.length, 6001)
  t.ok(sequences.every((sequence, at) => at === 0 || sequence > (sequences[at - 1] ?? 0)))
  await ledger.close()
})
