import t from 'tap'
import { server } from '../../../src/config/server-entry.js'
import type { FoundryEvent } from '../../../src/record/events.js'
import { applyEvent, emptyState, type FoundryState } from '../../../src/record/state.js'
import { fromSnapshot, toSnapshot } from '../../../src/record/state-snapshot.js'
import { acceptedRun } from './sample-run.js'

const by = 'somebody'
const at = 1
const entry = server({ name: 'gpu2', url: 'http://gpu2', token: '${GPU2_TOKEN}', labels: ['big'] })
const added: FoundryEvent = { kind: 'server-added', at, server: 'gpu2', entry, by }
const removed: FoundryEvent = { kind: 'server-removed', at, server: 'gpu2', by }
const forgiven: FoundryEvent = { kind: 'server-forgiven', at, server: 'gpu2', by }
const mode = (mode: 'active' | 'paused' | 'draining', name = 'gpu2'): FoundryEvent => ({
  kind: 'server-mode',
  at,
  server: name,
  mode,
  by,
})

function replay(...events: FoundryEvent[]): FoundryState {
  const state = emptyState()
  for (const event of events) applyEvent(state, event)
  return state
}

/** As it comes back from the disk. */
function reload(state: FoundryState): FoundryState {
  const loaded = emptyState()
  fromSnapshot(loaded, JSON.parse(JSON.stringify(toSnapshot(state))))
  return loaded
}

const cases: Record<string, [FoundryEvent[], object]> = {
  'adds one, which works': [[added], { gpu2: { entry, mode: 'active' } }],
  'keeps the mode of one that was added': [[added, mode('paused')], { gpu2: { entry, mode: 'paused' } }],
  'keeps the mode of one of the configuration': [[mode('draining', 'gpu1')], { gpu1: { mode: 'draining' } }],
  'forgets one that was removed, with its mode': [[added, mode('paused'), removed], {}],
  'has one that was removed and added again work': [
    [added, mode('paused'), removed, added],
    { gpu2: { entry, mode: 'active' } },
  ],
  'changes nothing where one is forgiven': [[forgiven], {}],
}
for (const [title, [events, servers]] of Object.entries(cases)) {
  t.test(`the replay ${title}`, async t => {
    const state = replay(...events)
    t.strictSame(Object.fromEntries(state.servers), servers)
    t.strictSame(Object.fromEntries(reload(state).servers), servers, 'also from a snapshot')
  })
}

t.test('a snapshot of an earlier version has no servers, and its runs no labels', async t => {
  const { servers: _servers, ...earlier } = replay(acceptedRun())
  const run = earlier.runs.get('r')
  if (run) delete (run as { labels?: object }).labels
  const loaded = replay(added)
  fromSnapshot(loaded, JSON.parse(JSON.stringify(toSnapshot(earlier as FoundryState))))
  t.equal(loaded.servers.size, 0)
  t.strictSame(loaded.runs.get('r')?.labels, [])
})

t.test('labels are of the acceptance, until they are changed', async t => {
  const changed = (change: object) => ({ kind: 'run-changed', at, run: 'r', by, ...change }) as FoundryEvent
  const found = (...events: FoundryEvent[]) => reload(replay(...events)).runs.get('r')?.labels
  t.strictSame(found(acceptedRun()), [])
  t.strictSame(found(acceptedRun({ labels: ['big'] }), changed({ priority: 'rush' })), ['big'])
  t.strictSame(found(acceptedRun({ labels: ['big'] }), changed({ labels: ['fast'] })), ['fast'])
  t.strictSame(found(acceptedRun({ labels: ['big'] }), changed({ labels: [] })), [])
})
