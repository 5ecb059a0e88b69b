import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { checkHome } from './check-home.js'
import { makeHome } from './make-home.js'
import { type Draft, foundry, rendersOf, startDraft, until } from './processes.js'

const leasedAgainMsMax = 20_000
const loadMs = 700
const jobMs = 700
const slots = 6
const folder = t.testdir()

/** Waits for the moment at which the server is killed; so many jobs had begun before. */
const moments: Record<string, (draft: Draft, before: number) => Promise<unknown>> = {
  'while a job waits there': (draft, before) => begun(draft, before).then(() => untilQueued(draft)),
  'while it loads a model': (draft, before) => begun(draft, before).then(() => sleep(loadMs / 3)),
  'while it samples': (draft, before) => begun(draft, before).then(() => sleep(loadMs + jobMs / 3)),
  'while it saves': ({ ledgerFile }, before) =>
    until('an end', () => rendersOf(ledgerFile)[before]?.outcome === 'success'),
}

t.test('a server killed again and again comes back empty each time, and renders what it lost', async t => {
  const faults = { prepared: true, modelLoadMs: loadMs, jobMs, historyLateMs: 500 }
  const draft = await startDraft(join(folder, 'ledger.jsonl'), { faults })
  t.teardown(() => draft.kill())
  const home = join(folder, 'home')
  const order = makeHome(home, { slots, serverUrl: draft.url })
  const command = foundry(['render', order, '--home', home, '--json'])
  t.teardown(() => command.kill())
  const kills: Record<string, number> = {}
  for (const [title, moment] of Object.entries(moments)) {
    await moment(draft, rendersOf(draft.ledgerFile).length)
    await draft.kill()
    kills[title] = Date.now()
    await draft.start()
  }
  t.equal(await command.ended, 0, command.stderr())
  const renders = rendersOf(draft.ledgerFile)
  // For each kill the one it was at; and one whose end it had told nobody yet.
  const facts = await checkHome(home, { renders, extraRenders: 2 * Object.keys(kills).length })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, slots)
  for (const [title, killedAt] of Object.entries(kills)) {
    const again = facts.journal.find(event => event.kind === 'attempt-leased' && event.at > killedAt)
    const tookMs = (again?.at ?? Infinity) - killedAt
    t.ok(tookMs <= leasedAgainMsMax, `killed ${title}, leased again after ${tookMs} ms`)
  }
  t.comment(`${renders.length} renders, ${facts.attempts} attempts`)
})

function begun({ ledgerFile }: Draft, before: number): Promise<void> {
  return until('a job', () => rendersOf(ledgerFile).length > before)
}

async function untilQueued({ url }: Draft): Promise<void> {
  for (;;) {
    const { queue_pending } = (await (await fetch(`${url}/queue`)).json()) as { queue_pending: unknown[] }
    if (queue_pending.length > 0) return
    await sleep(20)
  }
}
