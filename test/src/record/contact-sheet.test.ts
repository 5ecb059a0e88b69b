import sharp from 'sharp'
import t, { type Test } from 'tap'
import { contactTilesMax, isSampled } from '../../../src/record/contact-sampling.js'
import { type ContactItem, renderContactSheet } from '../../../src/record/contact-sheet.js'
import type { SlotState } from '../../../src/schema/run.js'

const red = await sharp({ create: { width: 40, height: 60, channels: 3, background: '#e01010' } })
  .webp()
  .toBuffer()

function item(index: number, part: Partial<ContactItem> = {}): ContactItem {
  return { thumbnail: async () => red, caption: `slot ${index}`, detail: `seed ${index}`, state: 'done', ...part }
}

/** The sheet of some items, of which only a sample may be shown. */
function sheetOf(all: readonly ContactItem[]) {
  const tally = new Map<SlotState, number>()
  for (const { state } of all) tally.set(state, (tally.get(state) ?? 0) + 1)
  return { title: '<Run>', subtitle: 'draft', items: all.filter((_, index) => isSampled(index, all.length)), tally }
}

const items = (count: number) => Array.from({ length: count }, (_, index) => item(index))

async function read(bytes: Buffer) {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  let reds = 0
  for (let at = 0; at < data.length; at += 3) if ((data[at] ?? 0) > 180 && (data[at + 1] ?? 0) < 60) reds++
  return { ...info, reds }
}

for (const count of [0, 1, 7]) {
  t.test(`renderContactSheet shows ${count} items`, async t => {
    const bytes = await renderContactSheet(sheetOf(items(count)))
    t.equal((await sharp(bytes).metadata()).format, 'webp')
    await checkShown(t, bytes, count)
  })
}

async function checkShown(t: Test, bytes: Buffer, shown: number): Promise<void> {
  const { width, height, reds } = await read(bytes)
  t.ok(width < 16_384 && height < 16_384, `${width} × ${height}`)
  const tile = shown > 150 ? 150 : 240
  // A 2:3 picture fills the height of its 3:4 box.
  const each = ((tile * 4) / 3 / 1.5) * ((tile * 4) / 3)
  t.ok(Math.abs(reds - shown * each) <= shown * each * 0.05 + 1, `${reds} red pixels for ${shown} pictures`)
}

t.test('a sheet shows a bounded, even sample, one row at a time', async t => {
  const asked: number[] = []
  let [open, openMax] = [0, 0]
  const many = Array.from({ length: 5000 }, (_, index) =>
    item(index, {
      thumbnail: async () => {
        asked.push(index)
        openMax = Math.max(openMax, ++open)
        await new Promise(resolve => setImmediate(resolve))
        open--
        return red
      },
    }),
  )
  await checkShown(t, await renderContactSheet(sheetOf(many)), contactTilesMax)
  t.equal(asked.length, contactTilesMax)
  const steps = asked.slice(1).map((index, at) => index - (asked[at] ?? 0))
  t.ok(
    steps.every(step => step === 12 || step === 13),
    `steps ${Math.min(...steps)} to ${Math.max(...steps)}`,
  )
  t.ok(openMax <= 40, `${openMax} at once`)
})

t.test('renderContactSheet lives with missing, broken and failing thumbnails', async t => {
  const odd: ContactItem[] = [
    item(0, { state: 'failed', thumbnail: async () => undefined }),
    item(1, { thumbnail: async () => Buffer.from('no picture') }),
    item(2, { thumbnail: () => Promise.reject(new TypeError('gone')) }),
    ...(['held', 'skipped', 'cancelled', 'running', 'waiting'] as const).map((state, index) =>
      item(3 + index, { state }),
    ),
    item(8, { caption: '<b>&amp;\u0000\ud800 漢字'.repeat(400), detail: '' }),
  ]
  const { reds } = await read(await renderContactSheet(sheetOf(odd)))
  t.ok(reds > 0)
})

t.test('renderContactSheet gives the same bytes again, and others for another state', async t => {
  const render = (state: ContactItem['state']) => renderContactSheet(sheetOf([item(1), item(2, { state })]))
  t.same(await render('failed'), await render('failed'))
  t.notSame(await render('failed'), await render('held'))
})
