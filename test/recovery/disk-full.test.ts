import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openLedger } from '../../src/record/ledger.js'
import { checkHome, filesUnder } from './check-home.js'
import { isFinished } from './kill-daemon.js'
import { makeHome, writeOrder } from './make-home.js'
import { type Command, foundry, startDaemon, startDraftHere, until } from './processes.js'
import { mountSmallDisk, needsMount, type SmallDisk } from './small-disk.js'
import { apiUrlOf } from './told-counts.js'

const smallBytes = 64 * 1024
/** The program looks every so often; a busy machine adds to it. */
const pausedMsMax = 5000
const resumedMsMax = 20_000
/** A commit that was begun may end after the disk was filled. */
const settleMs = 500
const slotsUsual = 30

t.jobs = 3
t.setTimeout(120_000)
// Not where tests leave their files: what a test that is killed leaves mounted would be in the way of the next.
const folder = mkdtempSync(join(tmpdir(), 'foundry-disk-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const draft = await startDraftHere(join(folder, 'ledger.jsonl'), { faults: { prepared: true, jobMs: 40 } })
t.teardown(() => draft.kill())

const pictures = (home: string) => filesUnder(join(home, 'runs')).filter(each => each.endsWith('.png')).length

/** A home with a small disk at one of its folders, and a daemon that works in it. */
async function open(t: Test, name: string, place: string, { slots = slotsUsual, sizeBytes = smallBytes } = {}) {
  const home = join(folder, name)
  const disk = mountSmallDisk(join(home, place), sizeBytes)
  t.teardown(() => disk.unmount())
  makeHome(home, { slots, serverUrl: draft.url })
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  return { home, disk, daemon }
}

/** What is told and done while the disk is full, and that it goes on once there is room. */
async function checkPause(
  t: Test,
  { home, disk, daemon, slots = slotsUsual }: { home: string; disk: SmallDisk; daemon: Command; slots?: number },
) {
  await daemon.says('the disk refuses to write')
  t.match(daemon.stderr(), /ENOSPC/, 'it says why')
  let before: number
  do {
    before = pictures(home)
    await sleep(settleMs)
  } while (pictures(home) !== before)
  t.ok(before < slots, `it stands still at ${before} pictures`)
  t.ok((await fetch(`${apiUrlOf(home)}/status`)).ok, 'it still answers')
  disk.free()
  disk.grow(16 * 1024 * 1024)
  const begin = performance.now()
  await until('a picture more', () => pictures(home) > before)
  const tookMs = performance.now() - begin
  t.ok(tookMs <= resumedMsMax, `went on after ${Math.round(tookMs)} ms`)
  await until('the end', () => isFinished(home), 60_000)
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
  const facts = await checkHome(home)
  t.strictSame(facts.problems, [])
  t.equal(facts.done, slots)
  t.comment(`full at ${before} pictures, went on after ${Math.round(tookMs)} ms`)
}

for (const [title, place, sizeBytes] of [
  ['the journal', '.foundry/journal', 16 * 1024],
  ['committed pictures', 'runs', smallBytes],
] as const)
  t.test(`a full disk of ${title} is waited for`, { ...needsMount }, async t => {
    await checkPause(t, await open(t, place.replace('.foundry/', ''), place, { sizeBytes }))
  })

t.test('a full disk of staged pictures is waited for', { ...needsMount }, async t => {
  const opened = await open(t, 'staging', '.foundry/staging')
  await until('pictures', () => pictures(opened.home) > 2)
  // What is committed meanwhile leaves room again.
  for (let time = 0; time < 4; time++) {
    opened.disk.fill()
    await sleep(settleMs / 2)
  }
  await checkPause(t, opened)
})

t.test('a full disk of the log loses lines of the log, and nothing else', { ...needsMount }, async t => {
  const home = join(folder, 'logged')
  const disk = mountSmallDisk(join(home, 'log'), smallBytes)
  t.teardown(() => disk.unmount())
  makeHome(home, {
    slots: 8,
    serverUrl: draft.url,
    config: { log: { file: join(home, 'log', 'daemon.log'), level: 'debug' } },
  })
  disk.fill()
  const daemon = foundry(['daemon', '--home', home, '--port', '0'])
  t.teardown(() => daemon.kill())
  await until('the end', () => isFinished(home))
  disk.free()
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0, daemon.stderr())
  t.strictSame((await checkHome(home)).problems, [])
  const log = readFileSync(join(home, 'log', 'daemon.log'), 'utf8')
  t.notMatch(log, /daemon ready/, 'lines are lost')
  t.match(log, /daemon stopped/, 'and it is written again')
})

t.test('a full disk under a snapshot leaves the journal as it was', { ...needsMount }, async t => {
  const journal = join(folder, 'snapshot')
  const disk = mountSmallDisk(journal, smallBytes)
  t.teardown(() => disk.unmount())
  const write = async (snapshotAfter: number, count: number) => {
    const ledger = await openLedger(journal, { epoch: 1, snapshotAfter })
    for (let at = 0; at < count; at++)
      await ledger.append({ kind: 'drop-gone', at, drop: `/in/${'x'.repeat(100)}${at}`, root: '/in' })
    const { sequence } = ledger.journal
    if (snapshotAfter === 1) disk.fill()
    await ledger.close()
    return sequence
  }
  const before = await write(1, 20)
  t.notOk(
    filesUnder(journal).some(each => each.endsWith('.snapshot')),
    'there was no room for it',
  )
  disk.free()
  const again = await openLedger(journal, { epoch: 2 })
  t.equal(again.journal.sequence, before, 'nothing is lost')
  t.equal(again.journal.droppedBytes, 0)
  await again.close()
  await write(2, 1)
  t.ok(
    filesUnder(journal).some(each => each.endsWith('.snapshot')),
    'and the next one is there',
  )
})

t.test(
  'a home whose disk is nearly full takes no drops, says so, and goes on by itself',
  { ...needsMount },
  async t => {
    const { home, disk, daemon } = await open(t, 'home', '.', { slots: 0, sizeBytes: 80 * 1024 * 1024 })
    const intake = async () =>
      ((await (await fetch(`${apiUrlOf(home)}/status`)).json()) as { intake: { paused?: { reason: string } } }).intake
    disk.fill()
    disk.grow(81 * 1024 * 1024)
    let begin = performance.now()
    while (!(await intake()).paused && performance.now() - begin < 20_000) await sleep(20)
    const pausedMs = performance.now() - begin
    t.ok(pausedMs <= pausedMsMax, `paused after ${Math.round(pausedMs)} ms`)
    t.match(await intake(), { paused: { reason: 'disk' } })
    t.equal((await fetch(`${apiUrlOf(home)}/ready`)).status, 503)
    writeOrder(home, 'order', 3)
    await sleep(settleMs)
    t.strictSame(filesUnder(join(home, 'runs')), [], 'nothing is accepted')
    disk.free()
    begin = performance.now()
    await until('a run', () => filesUnder(join(home, 'runs')).length > 0)
    const tookMs = performance.now() - begin
    t.ok(tookMs <= resumedMsMax, `accepted after ${Math.round(tookMs)} ms`)
    await until('the end', () => isFinished(home))
    daemon.child.kill('SIGTERM')
    t.equal(await daemon.ended, 0)
    t.strictSame((await checkHome(home)).problems, [])
    t.comment(`paused after ${Math.round(pausedMs)} ms, accepted after ${Math.round(tookMs)} ms`)
  },
)
