import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { foundry as foundryHere } from '../cli/foundry.js'
import { checkHome } from './check-home.js'
import { makeHome } from './make-home.js'
import { foundry, rendersOf, startDraftHere } from './processes.js'

const folder = t.testdir()
const draft = await startDraftHere(join(folder, 'ledger.jsonl'), { faults: { prepared: true, jobMs: 20 } })
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

/** What goes on after a fault begins from the files like a new process, so it needs none. */
const goOn = (home: string, order: string) => foundryHere(['render', order], { cwd: home })

const crashed = join(folder, 'crashed')
makeHome(crashed, { slots: 12, serverUrl: draft.url })
const killed = foundry(['render', join(crashed, 'manifests', 'order.yaml'), '--home', crashed], {
  FOUNDRY_FAILPOINTS: 'done=kill@5',
})
await killed.ended

/** A home whose process was killed in the middle of a run. */
function crashedHome(name: string): { home: string; order: string } {
  const home = join(folder, name)
  cpSync(crashed, home, { recursive: true })
  return { home, order: join(home, 'manifests', 'order.yaml') }
}

t.test('a journal whose end is torn starts, and tells how much was dropped', async t => {
  const { home, order } = crashedHome('torn')
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
  const { home, order } = crashedHome('corrupt')
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
  const doctor = await foundryHere(['doctor', '--repair'], { cwd: home })
  t.match(doctor.out, /records kept, \d+ bytes set aside/)
  const end = await goOn(home, order)
  t.equal(end.code, 0, end.err)
})

/** Where the disk is full for a moment, as the n-th writes of the process: those after the first are tried again, and count once more. */
for (const times of [[3], [8], [10, 12, 15, 18]]) {
  t.test(`a disk that is full at write ${times.join(', ')} is waited for, and nothing false is told`, async t => {
    const home = join(folder, `full-${times[0]}`)
    const order = makeHome(home, { slots: 3, serverUrl: draft.url })
    const faults = times.map(time => `write=ENOSPC@${time}`).join(',')
    const command = foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: faults })
    const code = await command.ended
    if (code !== 0) {
      t.match(command.stderr(), /ENOSPC/, 'it says what')
      const again = await goOn(home, order)
      t.equal(again.code, 0, again.err)
    }
    t.comment(`ended with ${code}`)
    const facts = await checkHome(home)
    t.strictSame(facts.problems, [])
    t.equal(facts.done, 3)
  })
}

t.test('a command and a daemon whose journal cannot be synced stop at once, and the next one goes on', async t => {
  const home = join(folder, 'fsync')
  const own = await startDraftHere(join(folder, 'fsync.jsonl'), { faults: { prepared: true, jobMs: 20 } })
  t.teardown(() => own.kill())
  const order = makeHome(home, { slots: 30, serverUrl: own.url })
  const command = foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: 'sync=error@6' })
  t.equal(await command.ended, 70, command.stderr())
  t.match(command.stderr(), /EIO/)
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
  const again = await goOn(home, order)
  t.equal(again.code, 0, again.err)
  const facts = await checkHome(home, { renders: rendersOf(own.ledgerFile), extraRenders: 'in flight' })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 30)
})
