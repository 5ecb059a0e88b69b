import t from 'tap'
import type { FoundryEvent, RunAccepted } from '../../../src/record/events.js'
import {
  applyEvent,
  emptyState,
  type FoundryState,
  isSettled,
  nextStates,
  runStateOf,
  settledState,
  stateOf,
} from '../../../src/record/state.js'
import { type SlotState, slotStates } from '../../../src/schema/run.js'
import { acceptedRun } from './sample-run.js'

const at = 1000
const run = 'r'
const accepted = (changes: Partial<RunAccepted> = {}): RunAccepted => acceptedRun({ at, ...changes })
const leased = (attempt = 1, slot = 0): FoundryEvent => ({
  kind: 'attempt-leased',
  at: at + attempt,
  run,
  slot,
  job: 'j',
  attempt,
  server: 's',
  promptId: `p${attempt}`,
})
const ended = (attempt = 1, slot = 0): FoundryEvent => ({
  kind: 'attempt-ended',
  at,
  run,
  slot,
  attempt,
  server: 's',
  outcome: 'lost',
  message: 'm',
})
const done = (attempt = 1, slot = 0): FoundryEvent => ({
  kind: 'slot-done',
  at,
  run,
  slot,
  file: `images/${slot}.png`,
  sha256: 'h',
  traceSha256: 't',
  renderHash: `render ${slot}`,
  sizeBytes: 1,
  attempt,
})
const failed: FoundryEvent = { kind: 'slot-failed', at, run, slot: 0, reason: 'why' }
const held: FoundryEvent = { kind: 'slot-held', at, run, slot: 0, reason: 'look' }
const cancelled: FoundryEvent = { kind: 'run-cancelled', at, run, by: 'test' }
const retried: FoundryEvent = { kind: 'run-retried', at, run, by: 'test' }
const lost: FoundryEvent = { kind: 'slot-lost', at, run, slot: 0, reason: 'gone' }
const finished: FoundryEvent = { kind: 'run-finished', at, run, state: 'done' }

function replay(...events: FoundryEvent[]): FoundryState {
  const state = emptyState()
  for (const event of events) applyEvent(state, event)
  return state
}
function runOf(state: FoundryState) {
  const found = state.runs.get(run)
  if (!found) throw new Error('no run')
  return found
}

/** How a slot comes into each state, and which event asks for each. */
const ways: Record<SlotState, FoundryEvent[]> = {
  waiting: [accepted()],
  running: [accepted(), leased()],
  held: [accepted(), leased(), held],
  done: [accepted(), leased(), done()],
  failed: [accepted(), leased(), failed],
  cancelled: [accepted(), cancelled],
  skipped: [accepted({ skipped: [[0, 'no transcript']] })],
}
const asks: Partial<Record<SlotState, FoundryEvent[][]>> = {
  waiting: [[retried], [ended()], [lost]],
  running: [[leased(2)]],
  held: [[held]],
  done: [[done(2)]],
  failed: [[failed]],
  cancelled: [[cancelled], [cancelled, ended()]],
}

for (const from of slotStates) {
  for (const [to, events] of Object.entries(asks)) {
    const allowed = nextStates[from].includes(to as SlotState)
    t.test(`a slot that is ${from} ${allowed ? 'may become' : 'never becomes'} ${to}`, async t => {
      const reached = events.map(each => {
        const state = runOf(replay(...ways[from], ...each))
        t.equal(
          slotStates.reduce((sum, each) => sum + state.counts[each], 0),
          1,
          'the counts are whole',
        )
        t.equal(state.counts[stateOf(state, 0)], 1, 'and of the state it has')
        return stateOf(state, 0)
      })
      t.equal(reached.includes(to as SlotState), allowed || from === to)
    })
  }
}

t.test('an event that changes nothing leaves no trace of itself', async t => {
  const settled = runOf(replay(...ways.done, failed, held, leased(2)))
  t.equal(settled.reasons.size, 0)
  t.equal(settled.leases.size, 0)
  t.equal(settled.attempts[0], 2, 'but attempt numbers only grow')
  const twice = replay(...ways.done, { ...done(3), sha256: 'other' } as FoundryEvent)
  t.equal(runOf(twice).done.get(0)?.sha256, 'h', 'the first picture stays')
  t.strictSame(replay(leased(), done(), failed).runs.size, 0, 'events of an unknown run are passed over')
})

t.test('an attempt that ended is known by its number', async t => {
  const late = runOf(replay(accepted(), leased(1), ended(1), leased(2), ended(1)))
  t.equal(stateOf(late, 0), 'running', 'news of an older attempt do not end a newer one')
  t.equal(late.leases.get(0)?.attempt, 2)
  t.equal(late.failures.get(0)?.length, 2)
  const submitted = (attempt: number): FoundryEvent => ({
    kind: 'attempt-submitted',
    at,
    run,
    slot: 0,
    attempt,
    submittedSha256: `sent ${attempt}`,
  })
  t.equal(runOf(replay(accepted(), leased(1), submitted(1))).leases.get(0)?.submittedSha256, 'sent 1')
  t.equal(runOf(replay(accepted(), leased(1), submitted(2))).leases.get(0)?.submittedSha256, undefined)
  t.equal(stateOf(runOf(replay(accepted(), leased(), cancelled, ended())), 0), 'cancelled')
})

t.test('a retry forgives what was charged before', async t => {
  const state = runOf(
    replay(accepted(), leased(1), ended(1), leased(2), ended(2), leased(3), failed, finished, retried),
  )
  t.equal(stateOf(state, 0), 'waiting')
  t.equal(state.forgiven.get(0), 2)
  t.equal(state.finished, undefined)
  t.equal(state.reasons.size, 0)
})

t.test('a lost picture is forgotten, told as an attempt without one, and charged to nobody', async t => {
  const other = { ...accepted(), run: 'other' }
  const state = replay(...ways.done, finished, lost)
  const known = runOf(state)
  t.equal(stateOf(known, 0), 'waiting')
  t.equal(known.finished, undefined)
  t.equal(known.done.size, 0)
  t.equal(state.renders.size, 0, 'nothing is taken over from it')
  t.strictSame(known.failures.get(0), [{ number: 1, server: 's', outcome: 'picture-lost', message: 'gone' }])
  t.equal(known.forgiven.get(0), 1)
  t.equal(known.attempts[0], 1, 'the next attempt is the second')
  const again = replay(...ways.done, finished, retried, lost, lost, leased(2), done(2), finished)
  t.equal(runOf(again).failures.get(0)?.length, 1, 'the same news again says nothing')
  t.match(runOf(again).finished, { state: 'done' })
  t.equal(again.renders.get('render 0')?.run, run)
  const reused = replay(other, { ...done(0), run: 'other' } as FoundryEvent, ...ways.done, {
    ...lost,
    run: 'other',
  } as FoundryEvent)
  t.equal(reused.runs.get('other')?.reused, 0)
  t.equal(reused.runs.get('other')?.failures.size, 0)
  t.equal(reused.renders.get('render 0')?.run, run, 'that of another run stays')
})

t.test('a run is finished only once it is settled', async t => {
  t.equal(runOf(replay(accepted(), leased(), finished)).finished, undefined)
  t.strictSame(runOf(replay(...ways.done, finished)).finished, { at, state: 'done' })
  t.equal(runOf(replay(...ways.held, finished)).finished, undefined, 'what is held is not settled')
})

t.test('a run has ended only once that is journaled', async t => {
  const cases: [FoundryEvent[], string, string][] = [
    [[accepted({ slots: 2 })], 'waiting', 'open'],
    [[accepted({ slots: 2 }), leased()], 'running', 'open'],
    [[accepted({ slots: 2 }), leased(), done()], 'running', 'open'],
    [ways.held, 'held', 'open'],
    [[accepted({ slots: 2 }), leased(), held], 'waiting', 'open'],
    [[accepted(), leased(), done()], 'running', 'done'],
    [[accepted({ slots: 2 }), leased(), failed, leased(1, 1), done(1, 1)], 'running', 'failed'],
    [[accepted({ slots: 2 }), leased(), done(), cancelled], 'cancelled', 'cancelled'],
    [[accepted({ slots: 2 }), leased(), cancelled], 'cancelling', 'open'],
    [ways.skipped, 'waiting', 'done'],
  ]
  for (const [events, open, settled] of cases) {
    const state = runOf(replay(...events))
    t.equal(runStateOf(state), open)
    t.equal(isSettled(state) ? settledState(state) : 'open', settled)
    if (settled !== 'open') t.equal(runStateOf(runOf(replay(...events, { ...finished, state: 'failed' }))), 'failed')
  }
})

t.test('pictures are known by what rendered them, until their run is removed', async t => {
  const other = { ...accepted(), run: 'other' }
  const reused = { ...done(0), run: 'other' } as FoundryEvent
  const dropped: FoundryEvent = {
    kind: 'drop-accepted',
    at,
    drop: '/d',
    root: '/',
    sha256: 'x',
    run,
    renderer: 'draft',
  }
  const state = replay(...ways.done, other, reused, dropped)
  t.equal(state.renders.get('render 0')?.run, 'other')
  t.equal(state.runs.get('other')?.reused, 1)
  applyEvent(state, { kind: 'run-removed', at, run, by: 'test' })
  t.equal(state.renders.get('render 0')?.run, 'other', 'that of another run stays')
  applyEvent(state, { kind: 'run-removed', at, run: 'other', by: 'test' })
  applyEvent(state, { kind: 'run-removed', at, run: 'nobody', by: 'test' })
  t.equal(state.renders.size, 0)
})

t.test('owner, drops and orphans are part of the state', async t => {
  const refused: FoundryEvent = {
    kind: 'drop-refused',
    at,
    drop: '/d',
    root: '/',
    sha256: 'x',
    problems: 2,
    code: 'BAD',
  }
  const orphan: FoundryEvent = { kind: 'orphan-kept', at, run, slot: 0, attempt: 1, file: 'f' }
  const owner: FoundryEvent = { kind: 'owner-started', at, epoch: 3, pid: 1, version: '1' }
  const state = replay(owner, refused, orphan, accepted(), accepted({ slots: 9 }))
  t.equal(state.epoch, 3)
  t.match(state.drops.get('/d'), { problems: 2, code: 'BAD', run: undefined })
  t.equal(state.orphans, 1)
  t.equal(runOf(state).slots.length, 1, 'a run is accepted once')
})

t.test('what a service told of an attempt is known after a replay, and its price goes with the picture', async t => {
  const price = { amount: 0.04, currency: 'USD' }
  const submitted = (attempt: number): FoundryEvent => ({
    kind: 'attempt-submitted',
    at,
    run,
    slot: 0,
    attempt,
    submittedSha256: 's',
    remote: 'r1',
    price,
  })
  const lease = replay(accepted(), leased(2), submitted(1), submitted(2)).runs.get(run)?.leases.get(0)
  t.match(lease, { attempt: 2, submittedSha256: 's', remote: 'r1', price, at: at + 2 })
  const other = replay(accepted(), leased(2), submitted(1)).runs.get(run)?.leases.get(0)
  t.equal(other?.remote, undefined, 'one of an earlier attempt says nothing')
  const state = replay(accepted(), leased(), submitted(1), { ...done(), price } as FoundryEvent).runs.get(run)
  t.same(state?.done.get(0)?.price, price)
})
