import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Trace } from '../../src/schema/trace.js'
import { type CrashPoint, crashPoints } from '../../src/files/failpoint.js'
import { checkHome, type HomeFacts } from './check-home.js'
import { makeHome, writeOrder } from './make-home.js'
import { foundry, rendersOf, startDraftHere } from './processes.js'

/**
 * What becomes of a picture whose process died there:
 * `rendered`: nobody had begun, so it is made as if nothing had been · `lost`: the server is asked, knows nothing, and a second
 * attempt is made · `asked`: the server is asked, and gives the picture of the first attempt · `adopted`: what lay on the disk
 * is taken, without asking any server · `committed`: it was done already.
 */
type Outcome = 'rendered' | 'lost' | 'asked' | 'adopted' | 'committed'

/** By crash point: when it first acts in a run of one picture, and what becomes of that picture. */
const table: Record<CrashPoint, { first: string; outcome: Outcome }> = {
  plan: { first: 'plan=kill', outcome: 'rendered' },
  // Owner, run, plan, lease: the fourth append is the first that concerns the server.
  journal: { first: 'journal=kill@4', outcome: 'rendered' },
  sync: { first: 'sync=kill@5', outcome: 'asked' },
  submit: { first: 'submit=kill', outcome: 'lost' },
  accepted: { first: 'accepted=kill', outcome: 'asked' },
  'output-seen': { first: 'output-seen=kill', outcome: 'asked' },
  staged: { first: 'staged=kill', outcome: 'adopted' },
  synced: { first: 'synced=kill', outcome: 'adopted' },
  linked: { first: 'linked=kill', outcome: 'adopted' },
  'folder-synced': { first: 'folder-synced=kill', outcome: 'adopted' },
  sidecar: { first: 'sidecar=kill', outcome: 'adopted' },
  done: { first: 'done=kill', outcome: 'committed' },
  ack: { first: 'ack=kill', outcome: 'committed' },
  composite: { first: 'composite=kill@2', outcome: 'committed' },
}
/** In each home one more crash, with other pictures done and under way: a few steps here, each of them many times in the soak. */
const laterCrashes = ['linked=kill@3', 'journal=kill@7', 'staged=kill@3', 'submit=kill@3']
const laterSlots = 5

t.jobs = 2
t.setTimeout(170_000)
const folder = t.testdir()

t.test('the table of crash points is complete', async t => {
  t.strictSame(Object.keys(table), [...crashPoints])
})

// Crashes of one home follow each other, each in runs of its own, and are taken up by one process at the end.
for (const [at, later] of laterCrashes.entries()) {
  const points = crashPoints.filter((_, place) => place % laterCrashes.length === at)
  t.test(`crashes at ${points.join(', ')}, and later ${later}, become what the table says`, async t => {
    const place = join(folder, String(at))
    mkdirSync(place)
    const draft = await startDraftHere(join(place, 'ledger.jsonl'), { faults: { prepared: true, jobMs: 20 } })
    t.teardown(() => draft.kill())
    const home = join(place, 'home')
    makeHome(home, { slots: 0, serverUrl: draft.url, composites: points.includes('composite') })
    const orders: string[] = []
    const render = async (orders: readonly string[], failpoints: string) => {
      const command = foundry(['render', ...orders, '--home', home, '--json'], { FOUNDRY_FAILPOINTS: failpoints })
      return { code: await command.ended, said: command.stderr() + command.stdout() }
    }
    for (const [turn, point] of points.entries()) {
      const { first } = table[point]
      const one = writeOrder(home, `first-${point}`, 1, 1 + turn)
      orders.push(one)
      const crash = await render([one], first)
      t.equal(crash.code, 'SIGKILL', `${first} is reached: ${crash.said}`)
    }
    const many = writeOrder(home, 'later', laterSlots, 1 + points.length)
    orders.push(many)
    // It works on its own run alone: what became of the others is seen at the end.
    const crash = await render([many], later)
    t.equal(crash.code, 'SIGKILL', `${later} is reached: ${crash.said}`)
    const end = await render(orders, '')
    t.equal(end.code, 0, end.said)
    const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile) })
    t.strictSame(facts.problems, [])
    t.equal(facts.done, points.length + laterSlots)
    for (const point of points) t.equal(outcomeOf(facts, `first-${point}-`), table[point].outcome, point)
  })
}

/** What became of the one picture of a run, as journal and trace tell. */
function outcomeOf({ journal, traces }: HomeFacts, name: string): Outcome {
  let owner = 0
  let crashed = 0
  const leasedBy: number[] = []
  let doneBy = 0
  let trace: Trace | undefined
  for (const event of journal) {
    if (event.kind === 'owner-started') owner++
    if (!('run' in event) || !event.run.startsWith(name)) continue
    crashed ||= owner
    if (event.kind === 'attempt-leased') leasedBy.push(owner)
    if (event.kind === 'slot-done') doneBy = owner
    trace ??= traces.get(`${event.run}/pip/tiny-0001`)
  }
  if (leasedBy.length > 1) return 'lost'
  if (leasedBy[0] !== crashed) return 'rendered'
  if (doneBy === crashed) return 'committed'
  return trace?.result.timings?.['fetchMs'] === undefined ? 'adopted' : 'asked'
}
