import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findLostSlots, setAside } from '../../../src/record/lost-slots.js'
import { applyEvent, emptyState } from '../../../src/record/state.js'
import { acceptedRun } from './sample-run.js'

const slots = 5
const state = emptyState()
applyEvent(state, acceptedRun({ slots }))
for (let slot = 0; slot < slots; slot++) {
  const file = `images/p/${slot}.png`
  const facts = { sha256: 'h', traceSha256: 't', renderHash: `${slot}`, sizeBytes: 4, attempt: 1 }
  applyEvent(state, { kind: 'slot-done', at: 1, run: 'r', slot, file, ...facts })
}
const run = state.runs.get('r')
if (!run) throw new Error('no run')

t.test('a slot is lost when its picture is gone or cut, or its trace is gone or empty', async t => {
  const folder = t.testdir({
    images: {
      p: {
        '0.png': 'four',
        '0.trace.json': '{}',
        '1.trace.json': '{}',
        '2.png': 'cut',
        '2.trace.json': '{}',
        '3.png': 'four',
        '4.png': 'four',
        '4.trace.json': '',
      },
    },
  })
  t.strictSame(await findLostSlots(folder, run), [
    { ordinal: 1, file: 'images/p/1.png', reason: 'images/p/1.png is missing', rest: undefined },
    { ordinal: 2, file: 'images/p/2.png', reason: 'images/p/2.png has 3 bytes, not 4', rest: 'images/p/2.png' },
    { ordinal: 3, file: 'images/p/3.trace.json', reason: 'images/p/3.trace.json is missing', rest: 'images/p/3.png' },
    { ordinal: 4, file: 'images/p/4.trace.json', reason: 'images/p/4.trace.json is missing', rest: 'images/p/4.png' },
  ])
  t.equal((await findLostSlots(join(folder, 'gone'), run)).length, slots, 'a deleted folder has lost everything')
})

t.test('a disk that does not answer has lost nothing', async t => {
  const folder = t.testdir({ images: { p: t.fixture('symlink', 'p') } })
  await t.rejects(findLostSlots(folder, run), { code: 'FILE_UNREADABLE', message: /ELOOP/ })
})

t.test('what is left of a picture is moved, not copied or overwritten', async t => {
  const folder = t.testdir({ 'a.png': 'left' })
  const orphans = join(folder, 'orphans')
  const kept = await setAside(join(folder, 'a.png'), orphans, 'r-0')
  t.match(kept, /^r-0-.*\.png$/)
  t.strictSame(readdirSync(orphans), [kept])
  t.equal(readFileSync(join(orphans, kept), 'utf8'), 'left')
  t.notOk(existsSync(join(folder, 'a.png')))
})
