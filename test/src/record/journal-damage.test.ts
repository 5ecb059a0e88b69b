import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repairJournal } from '../../../src/record/journal-repair.js'
import { filesOf, numbered, reopen, replayed, segmentsOf, type Opened } from './journal-helpers.js'

const seed = 20261121
const flips = 1000
const recordCount = 12

t.test('a journal cut anywhere in its last three records starts, and says what it dropped', async t => {
  const folder = t.testdir()
  const { files, last } = await writeJournal(folder)
  const whole = Buffer.from(files[last] ?? '', 'latin1')
  const ends = [...frameStarts(whole), whole.length].slice(1)
  for (let cut = ends.at(-4) ?? 0; cut <= whole.length; cut++) {
    restore(folder, files)
    writeFileSync(join(folder, last), whole.subarray(0, cut))
    const keptEnds = ends.filter(end => end <= cut)
    const kept = numbered(1, recordCount - ends.length + keptEnds.length)
    const { journal, events } = await reopen(folder)
    const facts = { events, droppedBytes: journal.droppedBytes }
    t.same(facts, { events: kept, droppedBytes: cut - (keptEnds.at(-1) ?? 0) }, `cut at ${cut}`)
    // Every start syncs, so only some of them go on.
    if (cut % 16 === 0) await journal.append(numbered(99, 99))
    await journal.close()
    if (cut % 16 === 0) t.same((await replayed(folder)).events, [...kept, ...numbered(99, 99)])
  }
})

t.test('a last segment that a crash left without a whole header is removed', async t => {
  const folder = t.testdir()
  const { files, last } = await writeJournal(folder)
  const whole = Buffer.from(files[last] ?? '', 'latin1')
  const nextSequence = Number.parseInt(last, 10) + frameStarts(whole).length
  const name = `${String(nextSequence).padStart(16, '0')}.journal`
  const header = whole.subarray(0, frameStarts(whole)[1]).toString('latin1')
  for (const content of ['', 'garbage', '\0'.repeat(40), header.slice(0, 60), header.slice(0, -1)]) {
    restore(folder, { ...files, [name]: content })
    const opened = await replayed(folder)
    t.equal(opened.journal.droppedBytes, content.length)
    t.same(opened.events, numbered(1, recordCount))
    t.same(filesOf(folder), files)
  }
})

t.test(`${flips} flipped bits (seed ${seed}) never pass unnoticed`, async t => {
  const folder = t.testdir()
  const { files, last } = await writeJournal(folder)
  const random = generator(seed)
  const segments = segmentsOf(folder)
  const outcomes = { dropped: 0, refused: 0 }
  for (let flip = 0; flip < flips; flip++) {
    const name = segments[random(segments.length)] ?? ''
    const bytes = Buffer.from(files[name] ?? '', 'latin1')
    const [at, bit] = [random(bytes.length), random(8)]
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
    writeFileSync(join(folder, name), bytes)
    const title = `bit ${bit} of byte ${at} of ${name}`
    const opened = await attempt(() => replayed(folder))
    const isLastRecord = name === last && at >= (frameStarts(Buffer.from(files[last] ?? '', 'latin1')).at(-1) ?? 0)
    if ('code' in opened) {
      outcomes.refused++
      if (opened.code !== 'JOURNAL_CORRUPT' || isLastRecord) t.fail(`${title}: ${opened.code}`)
      if (!readFileSync(join(folder, name)).equals(bytes)) t.fail(`${title}: changed on disk`)
    } else {
      outcomes.dropped++
      if (!isLastRecord || opened.journal.droppedBytes === 0) t.fail(`${title}: accepted`)
      if (JSON.stringify(opened.events) !== JSON.stringify(numbered(1, recordCount - 1)))
        t.fail(`${title}: other events`)
    }
    writeFileSync(join(folder, name), Buffer.from(files[name] ?? '', 'latin1'))
  }
  t.comment(JSON.stringify(outcomes))
  t.ok(outcomes.dropped > 0 && outcomes.refused > outcomes.dropped)
  t.same((await replayed(folder)).events, numbered(1, recordCount), 'and the original is whole')
})

const rearranged: Record<string, (folder: string, segments: string[]) => void> = {
  'whose first segment is missing': (folder, [first]) => rmSync(join(folder, first ?? '')),
  'whose middle segment is missing': (folder, [, second]) => rmSync(join(folder, second ?? '')),
  'whose last segment is missing': (folder, segments) => rmSync(join(folder, segments.at(-1) ?? '')),
  'whose segments are swapped': (folder, [first, second]) => swap(folder, first ?? '', second ?? ''),
  'with a segment twice': (folder, segments) =>
    copyFileSync(join(folder, segments.at(-1) ?? ''), join(folder, '0000000000000099.journal')),
  'with a segment over another': (folder, [first, second]) =>
    copyFileSync(join(folder, first ?? ''), join(folder, second ?? '')),
  'whose middle segment lost its last record': (folder, [, second]) => {
    const bytes = readFileSync(join(folder, second ?? ''))
    writeFileSync(join(folder, second ?? ''), bytes.subarray(0, frameStarts(bytes).at(-1)))
  },
  'with a record twice': (folder, [first]) => {
    const bytes = readFileSync(join(folder, first ?? ''))
    const start = frameStarts(bytes).at(-1) ?? 0
    writeFileSync(join(folder, first ?? ''), Buffer.concat([bytes, bytes.subarray(start)]))
  },
  'whose middle segment is empty': (folder, [, second]) => writeFileSync(join(folder, second ?? ''), ''),
  'with a segment of another journal': (folder, [, second]) => {
    copyFileSync(join(folder, '..', 'other', second ?? ''), join(folder, second ?? ''))
  },
}
for (const [title, rearrange] of Object.entries(rearranged))
  t.test(`a journal ${title} is refused, unchanged, and can be repaired`, async t => {
    const root = t.testdir({ journal: {}, other: {} })
    const folder = join(root, 'journal')
    await writeJournal(folder)
    await writeJournal(join(root, 'other'), 'of another')
    rearrange(folder, segmentsOf(folder))
    const before = filesOf(folder)
    await t.rejects(replayed(folder), { code: 'JOURNAL_CORRUPT' })
    t.same(filesOf(folder), before)

    const repair = await repairJournal(folder)
    t.type(repair.reason, 'string')
    const { journal, events } = await reopen(folder)
    t.equal(events.length, repair.recordsKept)
    t.same(events, numbered(1, repair.recordsKept))
    await journal.append(numbered(repair.recordsKept + 1, repair.recordsKept + 1))
    await journal.close()
    t.same((await replayed(folder)).events, numbered(1, repair.recordsKept + 1))
  })

t.test('repair sets aside everything from the damage on, and deletes nothing', async t => {
  const folder = t.testdir()
  const { files, last } = await writeJournal(folder)
  const [first = '', second = ''] = segmentsOf(folder)
  const bytes = Buffer.from(files[second] ?? '', 'latin1')
  const starts = frameStarts(bytes)
  const damagedAt = starts[2] ?? 0
  bytes[damagedAt + 30] = 0
  writeFileSync(join(folder, second), bytes)

  const repair = await repairJournal(folder)
  // Four of the first segment, whose header is a frame too, and one of the second.
  const kept = frameStarts(Buffer.from(files[first] ?? '', 'latin1')).length
  t.match(repair, {
    recordsKept: kept,
    files: [`${second}.damaged-1`, `${last}.damaged-1`],
    reason: 'the checksum differs',
  })
  const after = filesOf(folder)
  t.equal((after[second] ?? '') + (after[`${second}.damaged-1`] ?? ''), bytes.toString('latin1'))
  t.equal(after[`${last}.damaged-1`], files[last])
  t.equal(repair.bytesSetAside, bytes.length - damagedAt + (files[last] ?? '').length)
  t.same((await replayed(folder)).events, numbered(1, kept))

  t.same(await repairJournal(folder), { recordsKept: kept, bytesSetAside: 0, files: [] }, 'and again changes nothing')
})

t.test('repair numbers what it sets aside', async t => {
  const folder = t.testdir()
  await writeJournal(folder)
  for (const number of [1, 2]) {
    const [first = ''] = segmentsOf(folder)
    writeFileSync(join(folder, first), 'rubbish')
    t.match(await repairJournal(folder), { recordsKept: 0 })
    t.ok(`${first}.damaged-${number}` in filesOf(folder))
    const { journal } = await reopen(folder)
    await journal.append(numbered(1, 1))
    await journal.close()
  }
})

/** Three segments with twelve events in all. */
async function writeJournal(folder: string, flavour = ''): Promise<{ files: Record<string, string>; last: string }> {
  for (const [from, to] of [
    [1, 4],
    [5, 8],
    [9, recordCount],
  ] as const) {
    const { journal } = await reopen(folder)
    await journal.append(numbered(from, to).map(event => (flavour === '' ? event : { ...event, flavour })))
    await journal.close()
  }
  return { files: filesOf(folder), last: segmentsOf(folder).at(-1) ?? '' }
}

function restore(folder: string, files: Record<string, string>): void {
  for (const name of Object.keys(filesOf(folder))) rmSync(join(folder, name))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, 'latin1')
}

/** Every frame is one line. */
function frameStarts(bytes: Buffer): number[] {
  const starts = [0]
  for (let at = 0; at < bytes.length - 1; at++) if (bytes[at] === 0x0a) starts.push(at + 1)
  return starts
}

function swap(folder: string, one: string, other: string): void {
  renameSync(join(folder, one), join(folder, 'aside'))
  renameSync(join(folder, other), join(folder, one))
  renameSync(join(folder, 'aside'), join(folder, other))
}

async function attempt(act: () => Promise<Opened>): Promise<Opened | { code: string }> {
  return act().catch((error: { code: string }) => ({ code: error.code }))
}

/** A small repeatable generator (mulberry32) of whole numbers below a bound. */
function generator(state: number): (below: number) => number {
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
