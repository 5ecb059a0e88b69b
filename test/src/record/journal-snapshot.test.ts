import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { armFailpoints } from '../../../src/files/failpoint.js'
import { openJournal } from '../../../src/record/journal.js'
import { filesOf, numbered, reopen, replayed, segmentsOf } from './journal-helpers.js'

t.afterEach(() => armFailpoints(''))

t.test('a snapshot stands for the records before it', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  await journal.append(numbered(1, 5))
  const state = { count: 5 }
  const snapshotting = journal.snapshot(state)
  state.count = 99
  await snapshotting
  await journal.append(numbered(6, 8))
  await journal.close()
  const opened = await replayed(folder)
  t.same(opened.state, { count: 5 }, 'as it was at the call')
  t.same(opened.events, numbered(6, 8))
})

t.test('a snapshot with nothing after it is a whole journal', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  await journal.append(numbered(1, 5))
  await journal.snapshot({ count: 5 })
  await journal.snapshot({ count: 5 })
  await journal.close()
  const opened = await reopen(folder)
  t.same([opened.state, opened.events], [{ count: 5 }, []])
  await opened.journal.append(numbered(6, 6))
  await opened.journal.snapshot({ count: 6 })
  await opened.journal.close()
  t.same((await replayed(folder)).state, { count: 6 })
})

t.test('records appended while a snapshot is written are replayed after it', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  await journal.append(numbered(1, 5))
  const before = journal.append(numbered(6, 8))
  const snapshotting = journal.snapshot({ count: 5 })
  const after = journal.append(numbered(9, 10))
  await Promise.all([before, snapshotting, after])
  await journal.close()
  const opened = await replayed(folder)
  t.same([opened.state, opened.events], [{ count: 5 }, numbered(6, 10)])
})

t.test('a snapshot may be of a record a little earlier than the last', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  const [first] = await Promise.all([journal.append(numbered(1, 2)), journal.append(numbered(3, 4))])
  await journal.snapshot({ count: 2 }, first)
  await journal.append(numbered(5, 5))
  await t.rejects(journal.snapshot({}, 1), { code: 'ERR_ASSERTION' })
  await t.rejects(journal.snapshot({}, 100), { code: 'ERR_ASSERTION' })
  await journal.close()
  const opened = await replayed(folder)
  t.same([opened.state, opened.events], [{ count: 2 }, numbered(3, 5)])
})

t.test('two complete ways back are kept, and no more', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder, { segmentSizeBytes: 200 })
  for (let number = 1; number <= 40; number++) {
    await journal.append(numbered(number, number))
    if (number % 10 === 0) await journal.snapshot({ count: number })
  }
  await journal.append(numbered(41, 43))
  const firstKept = journal.firstSequence
  await journal.close()
  const snapshots = Object.keys(filesOf(folder)).filter(name => name.endsWith('.snapshot'))
  t.equal(snapshots.length, 2)
  t.equal(Number.parseInt(segmentsOf(folder)[0] ?? '', 10), firstKept)
  t.ok(firstKept > 30)

  const latest = await replayed(folder)
  t.same([latest.state, latest.events], [{ count: 40 }, numbered(41, 43)])
  const withoutSnapshots = openJournal(folder, { epoch: 1, onRecord() {} })
  await t.rejects(withoutSnapshots, { code: 'JOURNAL_CORRUPT' }, 'the rest is not the whole')

  const newest = join(folder, snapshots[1] ?? '')
  const whole = readFileSync(newest)
  for (let at = 0; at < whole.length; at += 3) {
    const flipped = Buffer.from(whole)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    writeFileSync(newest, flipped)
    const earlier = await replayed(folder)
    t.same([earlier.state, earlier.events], [{ count: 30 }, numbered(31, 43)], `bit of byte ${at}`)
  }
  writeFileSync(newest, whole.subarray(0, -1))
  t.same((await replayed(folder)).state, { count: 30 }, 'cut short')
  copyFileSync(join(folder, snapshots[0] ?? ''), newest)
  t.same((await replayed(folder)).state, { count: 30 }, 'another under its name')

  for (const name of snapshots) rmSync(join(folder, name))
  await t.rejects(replayed(folder), { code: 'JOURNAL_CORRUPT' })
})

t.test('a snapshot that cannot be written changes nothing', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  await journal.append(numbered(1, 5))
  const before = filesOf(folder)
  armFailpoints('write=ENOSPC')
  await t.rejects(journal.snapshot({ count: 5 }), { code: 'FILE_WRITE_FAILED' })
  armFailpoints('')
  t.same(filesOf(folder), before)
  await journal.append(numbered(6, 6))
  await journal.close()
  t.same((await replayed(folder)).events, numbered(1, 6))
})
