import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { armFailpoints } from '../../../src/files/failpoint.js'
import { sha256 } from '../../../src/files/hash.js'
import { validateValue } from '../../../src/files/validate.js'
import {
  compositePixelsMax,
  compositeSideMax,
  type CompositeWish,
  layOutComposite,
} from '../../../src/record/draw-composite.js'
import { makeComposite } from '../../../src/record/make-composite.js'
import { type CompositeTrace, compositeTraceSchema } from '../../../src/schema/composite-trace.js'

const colours = { red: '#e01010', green: '#10c010', blue: '#1010e0' } as const
const pictures = Object.fromEntries(
  await Promise.all(
    Object.entries(colours).map(async ([name, background]) => {
      const bytes = await sharp({ create: { width: 40, height: 60, channels: 3, background } })
        .png()
        .toBuffer()
      return [name, bytes] as const
    }),
  ),
)

/** A run folder with three pictures, of which a fourth has failed. */
function prepare(t: Test, changes: Partial<CompositeWish['about']> = {}): CompositeWish {
  const folder = t.testdir({ images: {} })
  const cells = Object.entries(pictures).map(([slot, bytes]) => {
    const file = `images/${slot}.png`
    writeFileSync(join(folder, file), bytes)
    return { slot, state: 'done' as const, file, sha256: sha256(bytes) }
  })
  const about: CompositeWish['about'] = {
    foundry: '1.0.0',
    run: 'r',
    subject: 'pip',
    template: 'tiny',
    renderer: 'comfyui',
    layout: {
      over: 'views',
      columns: 2,
      tile: 64,
      gap: 10,
      background: '#000000',
      labels: ['a', 'b', 'c', 'd'].map(caption => ({ caption, detail: '' })),
    },
    cells: [...cells, { slot: 'gone', state: 'failed' }],
    ...changes,
  }
  return { folder, file: 'composites/pip/tiny.png', detail: '', size: { width: 40, height: 60 }, about }
}

async function pixelsOf(wish: CompositeWish) {
  const { data, info } = await sharp(join(wish.folder, wish.file))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const at = (x: number, y: number) =>
    data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3).toString('hex')
  return { at, width: info.width, height: info.height }
}

const traceOf = (wish: CompositeWish) =>
  JSON.parse(readFileSync(join(wish.folder, 'composites/pip/tiny.trace.json'), 'utf8')) as CompositeTrace

t.test('makeComposite puts pictures in rows, and leaves the place of a failed one empty', async t => {
  const wish = prepare(t)
  const made = await makeComposite(wish)
  const bytes = readFileSync(join(wish.folder, made.file))
  t.equal(made.sha256, sha256(bytes))
  t.equal(made.traceSha256, sha256(readFileSync(join(wish.folder, made.trace))))
  const { at, width, height } = await pixelsOf(wish)
  // Two of 40 × 60 (at least 48 wide, so that a caption has room) with gaps of 10, captions of 25.
  t.strictSame([width, height], [2 * 48 + 3 * 10, 10 + 2 * (60 + 25 + 10)])
  t.equal(at(34, 40), 'e01010')
  t.equal(at(92, 40), '10c010')
  t.equal(at(34, 135), '1010e0')
  t.not(at(92, 112), '000000', 'a panel')
  t.notOk(['e01010', '10c010', '1010e0'].includes(at(92, 135)))
  const trace = traceOf(wish)
  t.strictSame(validateValue(compositeTraceSchema, trace).problems, [])
  t.strictSame(trace.cells, wish.about.cells)
  t.match(trace, { foundry: '1.0.0', result: { file: made.file, fileSha256: made.sha256, width, height } })
})

t.test('makeComposite gives the same bytes for the same pictures, and writes nothing twice', async t => {
  const wish = prepare(t)
  const made = await makeComposite(wish)
  const stamp = () => statSync(join(wish.folder, made.file), { bigint: true })
  const before = stamp()
  t.strictSame(await makeComposite(wish), made)
  t.equal(stamp().ino, before.ino, 'what is there already is taken over')
  rmSync(join(wish.folder, 'composites'), { recursive: true })
  t.strictSame(await makeComposite(wish), made)
})

t.test('makeComposite makes it anew when a picture is another one', async t => {
  const wish = prepare(t)
  const made = await makeComposite(wish)
  const [, ...rest] = wish.about.cells
  const bytes = pictures['blue'] ?? Buffer.alloc(0)
  writeFileSync(join(wish.folder, 'images/red.png'), bytes)
  const cells = [{ slot: 'red', state: 'done' as const, file: 'images/red.png', sha256: sha256(bytes) }, ...rest]
  const again = { ...wish, about: { ...wish.about, cells } }
  t.not((await makeComposite(again)).sha256, made.sha256)
  t.equal((await pixelsOf(wish)).at(34, 40), '1010e0')
})

t.test('makeComposite shows no picture that is not as it was recorded', async t => {
  const wish = prepare(t)
  writeFileSync(join(wish.folder, 'images/red.png'), pictures['blue'] ?? '')
  rmSync(join(wish.folder, 'images/green.png'))
  await makeComposite(wish)
  const { at } = await pixelsOf(wish)
  t.notOk([at(34, 40), at(92, 40)].some(each => ['e01010', '10c010', '1010e0'].includes(each)))
})

const leftovers: Record<string, (folder: string, whole: { picture: Buffer; trace: string }) => void> = {
  'a picture without its trace': (folder, { picture }) => writeFileSync(join(folder, 'tiny.png'), picture),
  'a trace without its picture': (folder, { trace }) => writeFileSync(join(folder, 'tiny.trace.json'), trace),
  'a picture cut off': (folder, { picture, trace }) => {
    writeFileSync(join(folder, 'tiny.png'), picture.subarray(0, 100))
    writeFileSync(join(folder, 'tiny.trace.json'), trace)
  },
  'a trace cut off': (folder, { picture, trace }) => {
    writeFileSync(join(folder, 'tiny.png'), picture)
    writeFileSync(join(folder, 'tiny.trace.json'), trace.slice(0, 100))
  },
}
for (const [title, leave] of Object.entries(leftovers))
  t.test(`makeComposite makes it whole again after a crash that left ${title}`, async t => {
    const wish = prepare(t)
    const made = await makeComposite(wish)
    const folder = join(wish.folder, 'composites/pip')
    const whole = { picture: readFileSync(join(folder, 'tiny.png')), trace: JSON.stringify(traceOf(wish)) }
    rmSync(folder, { recursive: true })
    mkdirSync(folder)
    leave(folder, whole)
    t.strictSame(await makeComposite(wish), made)
    t.equal(sha256(readFileSync(join(folder, 'tiny.png'))), made.sha256)
    t.equal(sha256(readFileSync(join(folder, 'tiny.trace.json'))), made.traceSha256)
  })

for (const spec of ['write=ENOSPC@1', 'fsync=EIO@3', 'write=ENOSPC@2'])
  t.test(`makeComposite leaves the old one or the new one whole when the disk fails: ${spec}`, async t => {
    const wish = prepare(t)
    const made = await makeComposite(wish)
    const older = sha256(readFileSync(join(wish.folder, made.file)))
    const changed = { ...wish, about: { ...wish.about, cells: wish.about.cells.slice(0, 3) } }
    armFailpoints(spec)
    await t.rejects(makeComposite(changed), { code: 'FILE_WRITE_FAILED' })
    armFailpoints('')
    const names = readdirSync(join(wish.folder, 'composites/pip')).sort()
    t.strictSame(names, ['tiny.png', 'tiny.trace.json'], 'nothing half')
    const left = sha256(readFileSync(join(wish.folder, made.file)))
    const final = await makeComposite(changed)
    t.ok([older, final.sha256].includes(left))
    t.equal(sha256(readFileSync(join(wish.folder, made.file))), final.sha256)
  })

t.test('a very large composite is made smaller, and no smaller than it must be', async t => {
  const labels = Array.from({ length: 400 }, () => ({ caption: 'x', detail: 'y' }))
  const layout = { over: 'variations', columns: 20, tile: 1024, gap: 0, background: '#ffffff', labels } as const
  const { width, height } = layOutComposite({ ...layout, labels }, 400, { width: 1024, height: 1024 })
  t.ok(width * height <= compositePixelsMax && Math.max(width, height) <= compositeSideMax, `${width} × ${height}`)
  t.ok(width * height > compositePixelsMax * 0.7)
})

t.test('on a light ground words are dark', async t => {
  const light = prepare(t)
  const layout = { ...light.about.layout, background: '#ffffff', heading: { title: '███████', detail: '' } }
  const wish = { ...light, about: { ...light.about, layout } }
  await makeComposite(wish)
  const { data } = await sharp(join(wish.folder, wish.file)).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  t.equal(data.subarray(0, 3).toString('hex'), 'ffffff')
  t.ok(data.includes(Buffer.from('17181a', 'hex')), 'ink of the heading')
})
