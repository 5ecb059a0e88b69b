import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Trace } from '../../src/schema/trace.js'
import { type CrashPoint, crashPoints } from '../../src/files/failpoint.js'
import { checkHome, type HomeFacts } from './check-home.js'
import { makeHome, writeOrder } from './make-home.js'
import { foundry, rendersOf, startDraft } from './processes.js'

/**
 * What becomes of a picture whose process died there:
 * `rendered`: nobody had begun, so it is made as if nothing had been · `lost`: the server is asked, knows nothing, and a second
 * attempt is made · `asked`: the server is asked, and gives the picture of the first attempt · `adopted`: what lay on the disk
 * is taken, without asking any server · `committed`: it was done already.
 */
type Outcome = 'rendered' | 'lost' | 'asked' | 'adopted' | 'committed'

/** By crash point: when it first acts in a home with one picture, what becomes of that picture, and a later time it acts. */
const table: Record<CrashPoint, { first: string; outcome: Outcome; later: string }> = {
  plan: { first: 'plan=kill', outcome: 'rendered', later: 'plan=kill' },
  // Owner, run, plan, lease: the fourth append is the first that concerns the server.
  journal: { first: 'journal=kill@4', outcome: 'rendered', later: 'journal=kill@8' },
  sync: { first: 'sync=kill@5', outcome: 'asked', later: 'sync=kill@9' },
  submit: { first: 'submit=kill', outcome: 'lost', later: 'submit=kill@3' },
  accepted: { first: 'accepted=kill', outcome: 'asked', later: 'accepted=kill@3' },
  'output-seen': { first: 'output-seen=kill', outcome: 'asked', later: 'output-seen=kill@3' },
  staged: { first: 'staged=kill', outcome: 'adopted', later: 'staged=kill@3' },
  synced: { first: 'synced=kill', outcome: 'adopted', later: 'synced=kill@3' },
  linked: { first: 'linked=kill', outcome: 'adopted', later: 'linked=kill@3' },
  'folder-synced': { first: 'folder-synced=kill', outcome: 'adopted', later: 'folder-synced=kill@3' },
  sidecar: { first: 'sidecar=kill', outcome: 'adopted', later: 'sidecar=kill@3' },
  done: { first: 'done=kill', outcome: 'committed', later: 'done=kill@3' },
  ack: { first: 'ack=kill', outcome: 'committed', later: 'ack=kill@3' },
}

const laterSlots = 5

t.jobs = 3
const folder = t.testdir()

t.test('the table of crash points is complete', async t => {
  t.strictSame(Object.keys(table), [...crashPoints])
})

for (const point of crashPoints) {
  const { first, outcome, later } = table[point]
  t.test(`a crash at ${point}, first and later: the picture is ${outcome}`, async t => {
    const place = join(folder, point)
    mkdirSync(place)
    const draft = await startDraft(join(place, 'ledger.jsonl'), { faults: { prepared: true, jobMs: 20 } })
    const home = join(place, 'home')
    const one = makeHome(home, { slots: 1, serverUrl: draft.url })
    const render = async (orders: string[], failpoints: string) => {
      const command = foundry(['render', ...orders, '--home', home, '--json'], { FOUNDRY_FAILPOINTS: failpoints })
      return { code: await command.ended, said: command.stderr() + command.stdout() }
    }
    try {
      const crash = await render([one], first)
      t.equal(crash.code, 'SIGKILL', `${first} is reached: ${crash.said}`)
      const many = writeOrder(home, 'many', laterSlots, 2)
      // It works on its own run alone: what became of the first picture is seen in the third process.
      const second = await render([many], later)
      t.equal(second.code, 'SIGKILL', `${later} is reached: ${second.said}`)
      const end = await render([one, many], '')
      t.equal(end.code, 0, end.said)
      const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile) })
      t.strictSame(facts.problems, [])
      t.equal(facts.done, 1 + laterSlots)
      t.equal(outcomeOf(facts), outcome, `instead: ${outcomeOf(facts)}`)
    } finally {
      await draft.kill()
    }
  })
}

/** What became of the picture of the first run, as journal and trace tell. */
function outcomeOf({ journal, traces }: HomeFacts): Outcome {
  let owner = 0
  const leasedBy: number[] = []
  let doneBy = 0
  let trace: Trace | undefined
  for (const event of journal) {
    if (event.kind === 'owner-started') owner++
    if (!('run' in event) || !event.run.startsWith('order-')) continue
    if (event.kind === 'attempt-leased') leasedBy.push(owner)
    if (event.kind === 'slot-done') doneBy = owner
    trace ??= traces.get(`${event.run}/pip/tiny-0001`)
  }
  if (leasedBy.length > 1) return 'lost'
  if (leasedBy[0] !== 1) return 'rendered'
  if (doneBy === 1) return 'committed'
  return trace?.result.timings?.['fetchMs'] === undefined ? 'adopted' : 'asked'
}
