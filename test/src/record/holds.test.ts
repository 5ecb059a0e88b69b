import t from 'tap'
import type { FoundryEvent, RunAccepted } from '../../../src/record/events.js'
import {
  applyEvent,
  emptyState,
  type FoundryState,
  isStopping,
  runStateOf,
  slotReason,
  stateOf,
} from '../../../src/record/state.js'
import { fromSnapshot, toSnapshot } from '../../../src/record/state-snapshot.js'
import { acceptedRun } from './sample-run.js'

const run = 'r'
const at = 1
const by = 'somebody'
const accepted = (changes: Partial<RunAccepted> = {}): FoundryEvent => acceptedRun({ slots: 6, ...changes })
const leased = (slot: number, attempt = 1): FoundryEvent => ({
  kind: 'attempt-leased',
  at,
  run,
  slot,
  job: `j${slot}`,
  attempt,
  server: 's',
  promptId: 'p',
})
const ended = (slot: number, attempt = 1): FoundryEvent => ({
  kind: 'attempt-ended',
  at,
  run,
  slot,
  attempt,
  server: 's',
  outcome: 'interrupted',
  message: 'm',
})
const done = (slot: number): FoundryEvent => ({
  kind: 'slot-done',
  at,
  run,
  slot,
  file: `images/${slot}.png`,
  sha256: 'h',
  traceSha256: 't',
  renderHash: `render ${slot}`,
  sizeBytes: 1,
  attempt: 1,
})
const failed = (slot: number): FoundryEvent => ({ kind: 'slot-failed', at, run, slot, reason: 'why' })
const orphaned = (slot: number): FoundryEvent => ({ kind: 'slot-held', at, run, slot, reason: 'look' })
const act = (kind: 'paused' | 'resumed' | 'cancelled' | 'retried', slots?: [number, number][]): FoundryEvent => ({
  kind: `run-${kind}`,
  at,
  run,
  ...(slots && { slots }),
  by,
})
const approved: FoundryEvent = { kind: 'run-approved', at, run, by }

function replay(...events: FoundryEvent[]): FoundryState {
  const state = emptyState()
  for (const event of events) applyEvent(state, event)
  return state
}
function runOf(...events: FoundryEvent[]) {
  const found = replay(...events).runs.get(run)
  if (!found) throw new Error('no run')
  return found
}
/** One letter a slot; the counts say the same. */
function lettersOf(...events: FoundryEvent[]): string {
  const found = runOf(...events)
  const states = Array.from({ length: found.slots.length }, (_, ordinal) => stateOf(found, ordinal))
  const miscounted = Object.entries(found.counts).filter(
    ([state, count]) => states.filter(each => each === state).length !== count,
  )
  return [states.map(state => state[0]).join(''), ...miscounted.map(([state]) => `${state} is miscounted`)].join(', ')
}

const cases: Record<string, [events: FoundryEvent[], letters: string, state: string]> = {
  'a paused run keeps its slots as they are': [[accepted(), leased(0), act('paused')], 'rwwwww', 'paused'],
  'a resumed run goes on': [[accepted(), act('paused'), act('resumed')], 'wwwwww', 'waiting'],
  'paused slots are held': [[accepted(), act('paused', [[1, 2]])], 'whhwww', 'waiting'],
  'a paused slot that runs goes on': [[accepted(), leased(1), act('paused', [[1, 2]])], 'wrhwww', 'running'],
  'and is held when its attempt gave nothing': [
    [accepted(), leased(1), act('paused', [[1, 2]]), ended(1)],
    'whhwww',
    'waiting',
  ],
  'resumed slots wait again, the others stay': [
    [accepted(), act('paused', [[0, 3]]), act('resumed', [[1, 2]])],
    'hwwhww',
    'waiting',
  ],
  'a run that only has held slots is held': [[accepted(), act('paused', [[0, 5]])], 'hhhhhh', 'held'],
  'what is held for another reason is not resumed': [
    [accepted(), leased(0), orphaned(0), act('paused', [[0, 1]]), act('resumed', [[0, 1]])],
    'hwwwww',
    'waiting',
  ],
  'a retry does not resume': [[accepted(), act('paused', [[0, 1]]), act('retried')], 'hhwwww', 'waiting'],
  'a failed slot that is paused is held when it is tried again': [
    [accepted(), leased(0), failed(0), act('paused', [[0, 1]]), act('retried')],
    'hhwwww',
    'waiting',
  ],
  'cancelled slots are cancelled alone': [[accepted(), act('cancelled', [[1, 2]])], 'wccwww', 'waiting'],
  'a cancelled slot that runs is cancelled at its end': [
    [accepted(), leased(1), leased(3), act('cancelled', [[1, 2]]), ended(1), ended(3)],
    'wccwww',
    'waiting',
  ],
  'and is done when it was faster': [[accepted(), leased(1), act('cancelled', [[1, 2]]), done(1)], 'wdcwww', 'running'],
  'a slot that is tried again while it is stopped waits at its end': [
    [accepted(), leased(1), act('cancelled', [[1, 2]]), act('retried', [[1, 1]]), ended(1)],
    'wwcwww',
    'waiting',
  ],
  'retried slots wait, the others stay': [
    [accepted(), leased(0), failed(0), leased(3), failed(3), act('retried', [[2, 5]])],
    'fwwwww',
    'waiting',
  ],
  'of a cancelled run some slots may be tried again, the others end as cancelled': [
    [accepted({ slots: 3 }), leased(0), act('cancelled'), act('retried', [[1, 1]]), ended(0)],
    'cwc',
    'waiting',
  ],
  'who cancels a run ends its pauses': [
    [accepted({ slots: 2 }), act('paused'), act('paused', [[0, 0]]), act('cancelled'), act('retried')],
    'ww',
    'waiting',
  ],
  'a preview holds all but every nth': [[accepted({ preview: 3 })], 'whhwhh', 'waiting'],
  'the first slot of a preview has something to render': [
    [accepted({ preview: 3, skipped: [[0, 'no text']] })],
    'swhhwh',
    'waiting',
  ],
  'a preview that is done waits for a human': [
    [accepted({ preview: 3 }), leased(0), done(0), leased(3), done(3)],
    'dhhdhh',
    'held',
  ],
  'approved, the rest waits': [[accepted({ preview: 3 }), leased(0), done(0), approved], 'dwwwww', 'running'],
  'what is paused stays so': [[accepted({ preview: 3 }), act('paused', [[1, 1]]), approved], 'whwwww', 'waiting'],
  'and the preview stays where it is resumed': [
    [accepted({ preview: 3 }), act('paused', [[0, 1]]), act('resumed', [[0, 1]])],
    'whhwhh',
    'waiting',
  ],
  'a preview that was cancelled is asked for again': [
    [accepted({ preview: 3 }), act('cancelled'), act('retried')],
    'whhwhh',
    'waiting',
  ],
  'a preview of everything holds nothing': [[accepted({ preview: 3, slots: 1 })], 'w', 'waiting'],
  'ranges beyond the end mean what is there': [[accepted({ slots: 2 }), act('paused', [[1, 9]])], 'wh', 'waiting'],
}
for (const [title, [events, letters, state]] of Object.entries(cases)) {
  t.test(title, async t => {
    t.equal(lettersOf(...events), letters)
    t.equal(runStateOf(runOf(...events)), state)
    const before = replay(...events)
    const after = emptyState()
    fromSnapshot(after, JSON.parse(JSON.stringify(toSnapshot(before))))
    t.strictSame(after, before, 'a snapshot is the same state')
  })
}

t.test('a held slot tells who paused it, or that its preview waits', async t => {
  const held = runOf(accepted({ preview: 2 }), leased(0), orphaned(0), act('paused', [[2, 3]]))
  t.strictSame(
    Array.from({ length: 6 }, (_, ordinal) => slotReason(held, ordinal)),
    [
      'look',
      'Waits for approval after the preview',
      ...Array(2).fill('Paused by somebody'),
      undefined,
      'Waits for approval after the preview',
    ],
  )
  t.equal(slotReason(runOf(accepted(), leased(1), act('paused', [[1, 1]])), 1), undefined, 'it runs')
})

t.test('pauses of one operator are one, and each slot is paused once', async t => {
  const { pauses } = runOf(
    accepted({ slots: 20 }),
    act('paused', [[0, 3]]),
    { kind: 'run-paused', at, run, slots: [[2, 7]], by: 'another' },
    act('paused', [[5, 9]]),
    act('resumed', [[8, 8]]),
  )
  t.strictSame(pauses, [
    { slots: [[4, 7]], by: 'another' },
    { slots: [[0, 3], [9, 9]], by }, // prettier-ignore
  ])
})

t.test('an operator stops slots, and whoever drives them is told', async t => {
  const some = runOf(accepted(), leased(0), leased(1), act('cancelled', [[1, 1]]))
  t.strictSame([isStopping(some, 0), isStopping(some, 1)], [false, true])
  t.equal(some.isCancelled, false)
  const whole = runOf(accepted(), leased(0), act('cancelled'))
  t.ok(isStopping(whole, 0))
})

t.test('a retry of some slots forgives those alone', async t => {
  const tried = (slot: number) => [leased(slot), ended(slot), leased(slot, 2), failed(slot)]
  const again = runOf(accepted(), ...tried(0), ...tried(1), act('retried', [[1, 1]]))
  t.strictSame([...again.forgiven], [[1, 1]])
})

t.test('a lost picture of a paused slot is held', async t => {
  const lost: FoundryEvent = { kind: 'slot-lost', at, run, slot: 0, reason: 'gone' }
  t.equal(lettersOf(accepted({ slots: 2 }), leased(0), done(0), act('paused', [[0, 1]]), lost), 'hh')
})

t.test('priority and weight are of the acceptance, until they are changed', async t => {
  const changed = (change: object) => ({ kind: 'run-changed', at, run, by, ...change }) as FoundryEvent
  const found = (...events: FoundryEvent[]) => {
    const { priority, weight } = runOf(...events)
    return [priority, weight]
  }
  t.strictSame(found(accepted()), ['default', 1])
  t.strictSame(found(accepted({ priority: 'batch', weight: 0.5 })), ['batch', 0.5])
  t.strictSame(found(accepted({ weight: 3 }), changed({ priority: 'rush' })), ['rush', 3])
  t.strictSame(found(accepted({ priority: 'rush' }), changed({ weight: 2 })), ['rush', 2])
})

t.test('a million slots are held by one sentence', async t => {
  const slots = 1_000_000
  const held = runOf(accepted({ slots, preview: 1000 }), act('paused', [[0, 499_999]]))
  t.match(held.counts, { waiting: 500, held: slots - 500 })
  t.equal(held.reasons.size, 0)
  t.equal(held.pauses.length, 1)
  t.ok(JSON.stringify(toSnapshot({ ...emptyState(), runs: new Map([[run, held]]) })).length < 10 * slots)
})

t.test('the snapshot of an earlier version is of runs that go as usual', async t => {
  const before = replay(accepted({ slots: 1 }), leased(0), done(0), {
    kind: 'run-finished',
    at,
    run,
    state: 'done',
  })
  const snapshot = toSnapshot({
    ...before,
    runs: new Map(
      [...before.runs].map(([name, { priority: _p, weight: _w, isPaused: _i, pauses: _s, preview: _v, ...older }]) => [
        name,
        older as never,
      ]),
    ),
  })
  const after = emptyState()
  fromSnapshot(after, JSON.parse(JSON.stringify(snapshot)))
  t.same(after, before)
  t.match(after.runs.get(run), { priority: 'default', weight: 1, isPaused: false, pauses: [] })
})
