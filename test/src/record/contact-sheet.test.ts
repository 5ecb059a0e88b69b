import sharp from 'sharp'
import t from 'tap'
import { type ContactItem, contactTilesMax, renderContactSheet } from '../../../src/record/contact-sheet.js'

const red = await sharp({ create: { width: 40, height: 60, channels: 3, background: '#e01010' } })
  .webp()
  .toBuffer()

function item(index: number, part: Partial<ContactItem> = {}): ContactItem {
  return { thumbnail: async () => red, caption: `slot ${index}`, detail: `seed ${index}`, state: 'done', ...part }
}

const items = (count: number) => Array.from({ length: count }, (_, index) => item(index))

async function read(bytes: Buffer) {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  let reds = 0
  for (let at = 0; at < data.length; at += 3) if ((data[at] ?? 0) > 180 && (data[at + 1] ?? 0) < 60) reds++
  return { ...info, reds }
}

for (const count of [0, 1, 7, 1000]) {
  t.test(`renderContactSheet shows ${count} items`, async t => {
    const bytes = await renderContactSheet({ title: 'Run', subtitle: 'draft', items: items(count), count })
    t.equal((await sharp(bytes).metadata()).format, 'webp')
    const { width, height, reds } = await read(bytes)
    t.ok(width < 16_384 && height < 16_384, `${width} × ${height}`)
    const shown = Math.min(count, contactTilesMax)
    const tile = shown > 150 ? 150 : 240
    // A 2:3 picture fills the height of its 3:4 box.
    const each = ((tile * 4) / 3 / 1.5) * ((tile * 4) / 3)
    t.ok(Math.abs(reds - shown * each) <= shown * each * 0.05 + 1, `${reds} red pixels for ${shown} pictures`)
  })
}

t.test('renderContactSheet asks for a bounded, even sample of thumbnails, one row at a time', async t => {
  const count = 5000
  const asked: number[] = []
  let [open, openMax] = [0, 0]
  async function* stream() {
    for (let index = 0; index < count; index++) {
      yield item(index, {
        thumbnail: async () => {
          asked.push(index)
          openMax = Math.max(openMax, ++open)
          await new Promise(resolve => setImmediate(resolve))
          open--
          return undefined
        },
      })
    }
  }
  await renderContactSheet({ title: 'Run', items: stream(), count })
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
  const { reds } = await read(await renderContactSheet({ title: '<title>', items: odd, count: odd.length }))
  t.ok(reds > 0)
})

t.test('renderContactSheet lives with a count that is not the number of items', async t => {
  for (const count of [2, 9]) await t.resolves(renderContactSheet({ title: 'Run', items: items(5), count }))
})

t.test('renderContactSheet gives the same bytes again, and others for another state', async t => {
  const render = (state: ContactItem['state']) =>
    renderContactSheet({ title: 'Run', items: [item(1), item(2, { state })], count: 2 })
  t.same(await render('failed'), await render('failed'))
  t.notSame(await render('failed'), await render('held'))
})
