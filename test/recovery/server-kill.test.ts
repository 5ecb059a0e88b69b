import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { checkHome } from './check-home.js'
import { makeHome } from './make-home.js'
import { type Draft, foundry, rendersOf, startDraft, until } from './processes.js'

const leasedAgainMsMax = 20_000
const loadMs = 700
const jobMs = 700
const folder = t.testdir()
t.jobs = 2

/** Waits for the moment at which the server is killed. */
const moments: Record<string, (draft: Draft) => Promise<unknown>> = {
  'while a job waits there': draft =>
    until('two jobs', () => rendersOf(draft.ledgerFile).length > 0).then(() => untilQueued(draft)),
  'while it loads a model': draft => begun(draft).then(() => sleep(loadMs / 3)),
  'while it samples': draft => begun(draft).then(() => sleep(loadMs + jobMs / 3)),
  'while it saves': draft => until('an end', () => rendersOf(draft.ledgerFile)[0]?.outcome === 'success'),
}

for (const [at, [title, moment]] of Object.entries(moments).entries()) {
  t.test(`a server killed ${title} comes back empty, and renders what it lost`, async t => {
    const place = join(folder, String(at))
    mkdirSync(place)
    const faults = { prepared: true, modelLoadMs: loadMs, jobMs, historyLateMs: 500 }
    const draft = await startDraft(join(place, 'ledger.jsonl'), { faults })
    t.teardown(() => draft.kill())
    const home = join(place, 'home')
    const order = makeHome(home, { slots: 3, serverUrl: draft.url })
    const command = foundry(['render', order, '--home', home, '--json'])
    t.teardown(() => command.kill())
    await moment(draft)
    await draft.kill()
    const killedAt = Date.now()
    await draft.start()
    t.equal(await command.ended, 0, command.stderr())
    const renders = rendersOf(draft.ledgerFile)
    // The one it was at; and one whose end it had told nobody yet.
    const facts = await checkHome(home, { renders, extraRenders: 2 })
    t.strictSame(facts.problems, [])
    t.equal(facts.done, 3)
    const again = facts.journal.find(event => event.kind === 'attempt-leased' && event.at > killedAt)
    const tookMs = (again?.at ?? Infinity) - killedAt
    t.ok(tookMs <= leasedAgainMsMax, `leased again after ${tookMs} ms`)
    t.comment(`${renders.length} renders, leased again after ${tookMs} ms`)
  })
}

function begun({ ledgerFile }: Draft): Promise<void> {
  return until('a job', () => rendersOf(ledgerFile).length > 0)
}

async function untilQueued({ url }: Draft): Promise<void> {
  for (;;) {
    const { queue_pending } = (await (await fetch(`${url}/queue`)).json()) as { queue_pending: unknown[] }
    if (queue_pending.length > 0) return
    await sleep(20)
  }
}
