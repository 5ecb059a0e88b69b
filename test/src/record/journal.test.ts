import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { failure } from '../../../src/errors.js'
import { armFailpoints } from '../../../src/files/failpoint.js'
import type { JournalRecord } from '../../../src/record/journal-read.js'
import { recordSizeBytesMax } from '../../../src/record/journal.js'
import { filesOf, numbered, reopen, replayed, segmentsOf } from './journal-helpers.js'

const child = fileURLToPath(new URL('journal-child.js', import.meta.url))

t.afterEach(() => armFailpoints(''))

t.test('a journal gives back what was appended, in order, over any number of starts', async t => {
  const folder = join(t.testdir(), 'made', 'journal')
  for (let start = 0; start < 4; start++) {
    const { journal, events } = await reopen(folder, { epoch: start + 1 })
    t.same(events, numbered(1, start * 10))
    t.equal(journal.replayedCount, start * 10)
    t.equal(journal.droppedBytes, 0)
    await journal.append(numbered(start * 10 + 1, start * 10 + 4))
    await Promise.all([5, 6, 7, 8, 9, 10].map(each => journal.append(numbered(start * 10 + each, start * 10 + each))))
    await journal.close()
  }
  const { sequences } = await replayed(folder, { epoch: 9 })
  // Each start begins a segment, whose header takes one number.
  t.same(sequences.slice(8, 12), [10, 11, 13, 14])
  t.equal(segmentsOf(folder).length, 4)
})

t.test('a start that appends nothing leaves no file', async t => {
  const folder = t.testdir()
  await replayed(folder)
  t.same(filesOf(folder), {})
})

t.test('append answers the last sequence of its events, which stay together', async t => {
  const { journal } = await reopen(t.testdir())
  const answers = await Promise.all([
    journal.append(numbered(1, 3)),
    journal.append([]),
    journal.append(numbered(4, 5)),
  ])
  t.same(answers, [4, 0, 6])
  t.equal(journal.sequence, 6)
  t.equal(await journal.append([]), 6)
  await journal.close()
  await journal.close()
})

t.test('a segment that is full is followed by another', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder, { segmentSizeBytes: 500 })
  for (let number = 1; number <= 40; number++) await journal.append(numbered(number, number))
  await journal.close()
  t.ok(segmentsOf(folder).length > 3)
  for (const name of segmentsOf(folder)) t.ok(statSync(join(folder, name)).size < 700)
  t.same((await replayed(folder)).events, numbered(1, 40))
})

t.test('events offered at once share one write and one sync', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  await journal.append(numbered(1, 1))
  armFailpoints('fsync=EIO@2,write=EIO@2')
  await Promise.all(numbered(2, 300).map(event => journal.append([event])))
  armFailpoints('')
  await journal.close()
  t.same((await replayed(folder)).events, numbered(1, 300))
})

t.test('close writes what was appended before, however much', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  const appends = numbered(1, 40).map(event => journal.append([{ ...event, filler: 'x'.repeat(50_000) }]))
  await journal.close()
  await Promise.all(appends)
  await t.rejects(journal.append(numbered(1, 1)), { code: 'JOURNAL_BROKEN' })
  t.equal((await replayed(folder)).events.length, 40)
})

t.test('append acknowledges only after the sync', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  await journal.append(numbered(1, 1))
  for (const spec of ['sync=delay:80', 'fsync=delay:80']) {
    armFailpoints(spec)
    let isAcknowledged = false
    const appending = journal.append(numbered(2, 2)).then(() => (isAcknowledged = true))
    const before = statSync(join(folder, segmentsOf(folder)[0] ?? '')).size
    while (statSync(join(folder, segmentsOf(folder)[0] ?? '')).size === before)
      await new Promise(resolve => setImmediate(resolve))
    t.notOk(isAcknowledged, 'written is not acknowledged')
    await appending
  }
  await journal.close()
})

for (const spec of ['fsync=EIO@1', 'sync=error'])
  t.test(`a journal whose ${spec} writes nothing any more`, async t => {
    const folder = t.testdir()
    const told: string[] = []
    const { journal } = await reopen(folder, { onBroken: error => told.push(error.code) })
    await journal.append(numbered(1, 2))
    armFailpoints(spec)
    const failing = [journal.append(numbered(3, 3)), journal.append(numbered(4, 4))]
    for (const each of failing) await t.rejects(each, { code: 'JOURNAL_BROKEN' })
    armFailpoints('')
    await t.rejects(journal.append(numbered(5, 5)), { code: 'JOURNAL_BROKEN' })
    await t.rejects(journal.snapshot({}), { code: 'JOURNAL_BROKEN' })
    t.same(told, ['JOURNAL_BROKEN'])
    await journal.close()
    t.match((await replayed(folder)).events, numbered(1, 2), 'what was acknowledged is there')
  })

const failingWrites: Record<string, string> = {
  'no byte': 'write=ENOSPC@1',
  'some bytes': 'write=short@1,write=ENOSPC@2',
  'no byte, for a failpoint': 'journal=error@1',
}
for (const [title, spec] of Object.entries(failingWrites))
  t.test(`a write that takes ${title} is undone, and the next may succeed`, async t => {
    const folder = t.testdir()
    const { journal } = await reopen(folder)
    await journal.append(numbered(1, 2))
    const before = filesOf(folder)
    armFailpoints(spec)
    await t.rejects(journal.append(numbered(8, 9)), { code: 'FILE_WRITE_FAILED' })
    t.same(filesOf(folder), before)
    t.equal(await journal.append(numbered(3, 4)), 5)
    await journal.close()
    t.same((await replayed(folder)).events, numbered(1, 4))
  })

t.test('a segment that cannot be begun is tried again', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  armFailpoints('write=short@1,write=ENOSPC@2')
  await t.rejects(journal.append(numbered(1, 1)), { code: 'FILE_WRITE_FAILED' })
  t.same(filesOf(folder), {})
  t.equal(await journal.append(numbered(1, 1)), 2)
  await journal.close()
  t.same((await replayed(folder)).events, numbered(1, 1))
})

t.test('a write that cannot be undone breaks the journal', async t => {
  const { journal } = await reopen(t.testdir())
  await journal.append(numbered(1, 1))
  armFailpoints('write=ENOSPC@1,fsync=EIO@1')
  await t.rejects(journal.append(numbered(2, 2)), { code: 'JOURNAL_BROKEN' })
  await journal.close()
})

t.test('a segment that cannot be synced, or that somebody else made, breaks the journal', async t => {
  const unsynced = await reopen(t.testdir())
  armFailpoints('fsync=EIO@1')
  await t.rejects(unsynced.journal.append(numbered(1, 1)), { code: 'JOURNAL_BROKEN' })
  armFailpoints('')

  const folder = t.testdir()
  const { journal } = await reopen(folder)
  const rival = await reopen(folder)
  await rival.journal.append(numbered(1, 1))
  await t.rejects(journal.append(numbered(2, 2)), { code: 'JOURNAL_BROKEN', details: { reason: /another process/ } })
  await rival.journal.close()
  t.same((await replayed(folder)).events, numbered(1, 1))
})

t.test('a journal stops when a later epoch is seen', async t => {
  const folder = t.testdir()
  const told: string[] = []
  const lost = failure('HOME_OWNERSHIP_LOST', { home: 'h', epoch: 1, found: 2 })
  const { journal } = await reopen(folder, {
    checkEpoch: () => Promise.reject(lost),
    onBroken: error => told.push(error.code),
  })
  await t.rejects(journal.append(numbered(1, 1)), { code: 'HOME_OWNERSHIP_LOST' })
  await t.rejects(journal.append(numbered(1, 1)), { code: 'HOME_OWNERSHIP_LOST' })
  t.same(told, ['HOME_OWNERSHIP_LOST'])

  const later = await reopen(folder, { epoch: 2 })
  await later.journal.append(numbered(1, 1))
  await later.journal.close()
  await t.rejects(replayed(folder, { epoch: 1 }), { code: 'HOME_OWNERSHIP_LOST', details: { epoch: 1, found: 2 } })
})

t.test('append refuses what is too long or no JSON, and goes on', async t => {
  const { journal } = await reopen(t.testdir())
  await t.rejects(journal.append([{ long: 'x'.repeat(recordSizeBytesMax) }]), { code: 'FILE_TOO_LARGE' })
  await t.rejects(journal.append([{ big: 1n }]), TypeError)
  t.equal(await journal.append(numbered(1, 1)), 2)
  await journal.close()
})

t.test('read gives durable records from anywhere, bounded', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder, { segmentSizeBytes: 400 })
  for (let number = 1; number <= 30; number++) await journal.append(numbered(number, number))
  const all = await collect(journal.read(0, 1000))
  t.same(
    all.map(({ event }) => event),
    numbered(1, 30),
  )
  for (const { sequence } of all) {
    t.same(await collect(journal.read(sequence, 3)), all.filter(each => each.sequence >= sequence).slice(0, 3))
  }
  t.same(await collect(journal.read(journal.sequence + 1, 10)), [])
  t.same(await collect(journal.read(1, 0)), [])

  armFailpoints('fsync=delay:60@1')
  const appending = journal.append(numbered(31, 31))
  const before = journal.sequence
  while (filesOf(folder)[segmentsOf(folder).at(-1) ?? '']?.includes('"number":31') !== true)
    await new Promise(resolve => setImmediate(resolve))
  t.equal((await collect(journal.read(before, 10))).length, 1, 'what is not durable yet is not read')
  await appending
  await journal.close()

  const second = join(folder, segmentsOf(folder)[1] ?? '')
  writeFileSync(second, 'rubbish')
  await t.rejects(collect(journal.read(1, 1000)), { code: 'JOURNAL_CORRUPT' })
})

t.test('whatever a killed writer had acknowledged is replayed', async t => {
  const folder = t.testdir()
  let written = 0
  for (const acknowledgedAtLeast of [1, 40, 200]) {
    const writer = spawn(process.execPath, [child, folder, String(written)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    writer.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.split('\n').length > acknowledgedAtLeast) writer.kill('SIGKILL')
    })
    await once(writer, 'close')
    const acknowledged = output.split('\n').slice(0, -1).map(Number)
    t.ok(acknowledged.length >= acknowledgedAtLeast)
    const { events } = await replayed(folder)
    const numbers = (events as { number: number }[]).map(event => event.number)
    t.same(new Set(numbers).size, numbers.length, 'nothing twice')
    t.same(
      acknowledged.filter(number => !numbers.includes(number)),
      [],
    )
    written = Math.max(...numbers) + 1
  }
})

t.test('a long journal is replayed fast', async t => {
  const folder = t.testdir()
  const { journal } = await reopen(folder)
  const event = { kind: 'attempt-submitted', at: 1_700_000_000_000, run: 'r'.repeat(30), slot: 1, hash: 'f'.repeat(64) }
  for (let batch = 0; batch < 20; batch++) await journal.append(new Array(10_000).fill(event))
  await journal.close()
  let count = 0
  const startedAt = performance.now()
  await replayed(folder, { onRecord: () => count++ })
  t.equal(count, 200_000)
  const replayMs = performance.now() - startedAt
  t.comment(`${Math.round(replayMs)} ms`)
  // The aim is one second; the bound is for a machine that does much else.
  t.ok(replayMs < 5000)
})

async function collect(records: AsyncIterable<JournalRecord>): Promise<JournalRecord[]> {
  const all: JournalRecord[] = []
  for await (const record of records) all.push(record)
  return all
}
