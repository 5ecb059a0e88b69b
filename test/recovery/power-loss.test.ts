import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkHome } from './check-home.js'
import type { Ignored } from './lossy-disk.js'
import { makeHome } from './make-home.js'
import { cutPower, type LossOptions, recordDisk } from './power-loss.js'
import { foundry, startDraftHere } from './processes.js'

const seed = 20_260_321
const slots = 4
const folder = t.testdir()
t.setTimeout(120_000)
const draft = await startDraftHere(join(folder, 'ledger.jsonl'), { faults: { prepared: true, jobMs: 10 } })
t.teardown(() => draft.kill())

const home = join(folder, 'home')
const order = makeHome(home, { slots, serverUrl: draft.url })
const rendered = await recordDisk(join(folder, 'render'), { mode: 'render', folder: home, order })
const journal = join(folder, 'journal')
const journaled = await recordDisk(join(folder, 'journaled'), { mode: 'journal', folder: journal })
const ofHome: LossOptions = { folder: home, seed, every: 2, journal: '.foundry/journal', isHome: true }
const ofJournal: LossOptions = { folder: journal, seed, every: 2, journal: '.', isHome: false }

t.test(`a power loss at any moment of a run loses nothing that was told, seed ${seed}`, async t => {
  const { losses, told, problems } = await cutPower(rendered, ofHome)
  t.strictSame(problems, [])
  t.ok(told > slots * 3, `${told} records were told`)
  t.comment(`${losses} power losses, ${rendered.calls.length} calls, ${told} records`)
})

t.test(`a power loss at any moment of a journal of many segments loses nothing, seed ${seed}`, async t => {
  const { losses, told, problems } = await cutPower(journaled, ofJournal)
  t.strictSame(problems, [])
  t.comment(`${losses} power losses, ${journaled.calls.length} calls, ${told} records`)
})

t.test('a run that the power was cut in ends whole', async t => {
  let ended = 0
  const recover = async () => {
    const command = foundry(['render', order, '--home', home, '--json'])
    const code = await command.ended
    const { problems, done } = await checkHome(home)
    ended++
    return [
      ...problems,
      ...(code === 0 && done === slots ? [] : [`ended with ${code}, ${done} done: ${command.stderr()}`]),
    ]
  }
  const { problems } = await cutPower(rendered, { ...ofHome, every: 23, recover, recoverEvery: 40 })
  t.strictSame(problems, [])
  t.ok(ended >= 3, `${ended} times`)
  t.comment(`${ended} recoveries`)
})

for (const ignored of ['file syncs', 'folder syncs'] as const) {
  t.test(`without ${ignored} records are lost: the test can fail`, async t => {
    await fails(t, ignored)
  })
}

async function fails(t: Test, ignored: Ignored): Promise<void> {
  const run = await cutPower(rendered, { ...ofHome, every: Infinity, ignored })
  t.match(run.problems.join('\n'), /record \d+ is lost/)
  const segments = await cutPower(journaled, { ...ofJournal, every: Infinity, ignored })
  t.match(segments.problems.join('\n'), /is lost/)
}
