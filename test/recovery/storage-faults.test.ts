import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkHome } from './check-home.js'
import { makeHome } from './make-home.js'
import { foundry, rendersOf, startDraft } from './processes.js'

const folder = t.testdir()
const draft = await startDraft(join(folder, 'ledger.jsonl'), { faults: { prepared: true, jobMs: 20 } })
t.teardown(() => draft.kill())
t.jobs = 2

/** After a failed sync nothing more is accepted. */
const stoppedMsMax = 100

const newestSegment = (home: string) => {
  const journal = join(home, '.foundry', 'journal')
  const name =
    readdirSync(journal)
      .filter(each => each.endsWith('.journal'))
      .sort()
      .at(-1) ?? ''
  return join(journal, name)
}

/** A home whose process was killed in the middle of a run. */
async function crashedHome(name: string): Promise<{ home: string; order: string }> {
  const home = join(folder, name)
  const order = makeHome(home, { slots: 12, serverUrl: draft.url })
  const killed = foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: 'done=kill@5' })
  await killed.ended
  return { home, order }
}

t.test('a journal whose end is torn starts, and tells how much was dropped', async t => {
  const { home, order } = await crashedHome('torn')
  const segment = newestSegment(home)
  truncateSync(segment, statSync(segment).size - 7)
  const command = foundry(['render', order, '--home', home, '-v'])
  t.equal(await command.ended, 0, command.stderr())
  t.match(command.stderr(), /torn end of the journal dropped/)
  t.match(command.stderr(), /"bytes":[1-9]/)
  const facts = await checkHome(home)
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 12)
})

t.test('a journal that is damaged in its middle is refused by name and place, and doctor mends it', async t => {
  const { home, order } = await crashedHome('corrupt')
  const segment = newestSegment(home)
  const bytes = readFileSync(segment)
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(segment, bytes)
  const daemon = foundry(['daemon', '--home', home, '--port', '0'])
  t.equal(await daemon.ended, 70)
  t.match(daemon.stderr(), segment.split('/').at(-1) ?? '', 'the segment is named')
  t.match(daemon.stderr(), /damaged at byte \d+/, 'and the offset')
  t.match(daemon.stderr(), /doctor --repair/, 'and what to do')
  t.strictSame(readFileSync(segment), bytes, 'nothing was changed')
  const doctor = foundry(['doctor', '--repair', '--home', home])
  await doctor.ended
  t.match(doctor.stdout(), /records kept, \d+ bytes set aside/)
  const end = foundry(['render', order, '--home', home])
  t.equal(await end.ended, 0, end.stderr())
})

/** Where the disk is full for a moment, as the n-th write of the process. */
for (const time of [3, 8, 10, 11, 13, 15]) {
  t.test(`a disk that is full at write ${time} is waited for, and nothing false is told`, async t => {
    const home = join(folder, `full-${time}`)
    const order = makeHome(home, { slots: 3, serverUrl: draft.url })
    const command = foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: `write=ENOSPC@${time}` })
    const code = await command.ended
    if (code !== 0) {
      t.match(command.stderr(), /ENOSPC/, 'it says what')
      const again = foundry(['render', order, '--home', home])
      t.equal(await again.ended, 0, again.stderr())
    }
    t.comment(`ended with ${code}`)
    const facts = await checkHome(home)
    t.strictSame(facts.problems, [])
    t.equal(facts.done, 3)
  })
}

t.test('a journal that cannot be synced ends the process, and the next start recovers', async t => {
  const home = join(folder, 'fsync')
  mkdirSync(home)
  const order = makeHome(home, { slots: 4, serverUrl: draft.url })
  const command = foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: 'sync=error@6' })
  t.equal(await command.ended, 70, command.stderr())
  t.match(command.stderr(), /EIO/)
  const again = foundry(['render', order, '--home', home])
  t.equal(await again.ended, 0, again.stderr())
  const facts = await checkHome(home)
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 4)
})

t.test('a daemon whose journal cannot be synced stops at once, and the next one goes on', async t => {
  const home = join(folder, 'daemon-fsync')
  const own = await startDraft(join(folder, 'daemon-fsync.jsonl'), { faults: { prepared: true, jobMs: 20 } })
  t.teardown(() => own.kill())
  const order = makeHome(home, { slots: 40, serverUrl: own.url })
  const daemon = foundry(['daemon', '--home', home, '--port', '0'], { FOUNDRY_FAILPOINTS: 'sync=error@25' })
  t.teardown(() => daemon.kill())
  t.equal(await daemon.ended, 70, daemon.stderr())
  const said = daemon
    .stderr()
    .split('\n')
    .filter(each => each.startsWith('{'))
  const failed = said
    .map(each => JSON.parse(each) as { time: number; msg: string })
    .find(({ msg }) => msg === 'daemon failed')
  t.ok(failed, 'it says why')
  const { journal } = await checkHome(home)
  const late = (at: number) => at - (failed?.time ?? 0)
  const latest = Math.max(...journal.map(({ at }) => late(at)))
  // A job that was on the server waits there for its turn, so what counts is what was sent.
  const prompts = new Set(journal.flatMap(event => (event.kind === 'attempt-leased' ? [event.promptId] : [])))
  t.ok(latest <= stoppedMsMax, `the last record is ${latest} ms after the failure`)
  const renders = rendersOf(own.ledgerFile)
  t.ok(
    renders.every(({ promptId }) => prompts.has(promptId)),
    'nothing was sent that is not in the journal',
  )
  t.comment(`the last record is ${latest} ms after the failure`)
  const again = foundry(['render', order, '--home', home])
  t.equal(await again.ended, 0, again.stderr())
  const facts = await checkHome(home, { renders: rendersOf(own.ledgerFile), extraRenders: 'in flight' })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 40)
})
