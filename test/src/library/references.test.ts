import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import t from 'tap'
import { sha256 } from '../../../src/files/hash.js'
import { readSources } from '../../../src/library/sources.js'
import { paintPicture } from '../../paint-picture.js'

const png = await paintPicture(96, 64)
const jpeg = await sharp(png).jpeg().toBuffer()
const webp = await sharp(png).webp().toBuffer()
const kit = { dot_id: 'aurora', version: '1.0.0' }
const options = { callRoots: [], privacy: 'off' } as const

t.test('the pictures that kits, orders and people name are read by their content', async t => {
  const folder = t.testdir({
    'kit.json': JSON.stringify({ ...kit, references: ['refs/face.png', 'refs\\side.jpg'] }),
    'order.json': JSON.stringify({ personas: ['kit.json'], references: ['refs/back.webp'] }),
    refs: { 'face.png': png, 'side.jpg': jpeg, 'back.webp': webp },
  })
  const face = { sha256: sha256(png), sizeBytes: png.length, format: 'png', width: 96, height: 64 }
  const side = { sha256: sha256(jpeg), format: 'jpeg', width: 96, height: 64 }
  const back = { sha256: sha256(webp), format: 'webp', width: 96, height: 64 }
  const own = await readSources(join(folder, 'kit.json'), options)
  t.strictSame(own.problems, [])
  t.match(own.drop, { references: [face, side] })
  t.match(own.files, [{}, { path: join(folder, 'refs', 'face.png'), isClosed: true }, { isClosed: true }])
  const order = await readSources(join(folder, 'order.json'), options)
  t.match(order.drop, { references: [back], kits: [{ references: [face, side] }] })
  t.equal(order.files.length, 5, 'a drop is whole when all of these are')

  const asked = await readSources(join(folder, 'kit.json'), {
    ...options,
    references: [join(folder, 'refs/back.webp')],
  })
  t.match(asked.asked, [back])
  writeFileSync(join(folder, 'refs', 'face.png'), await paintPicture(64, 64))
  t.not((await readSources(join(folder, 'kit.json'), options)).version, own.version, 'another picture, another version')
})

t.test('each picture that cannot be a reference is told, all at once', async t => {
  const whole = t.testdir({ outside: { 'secret.png': png }, home: { 'text.png': 'no picture', 'cut.png': png } })
  const folder = join(whole, 'home')
  truncateSync(join(folder, 'cut.png'), png.length >> 1)
  writeFileSync(join(folder, 'cut.jpg'), jpeg.subarray(0, jpeg.length - 40))
  writeFileSync(join(folder, 'bomb.png'), pngOf(30_000, 30_000))
  writeFileSync(join(folder, 'still.svg'), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
  writeFileSync(join(folder, 'big.png'), Buffer.concat([png, Buffer.alloc(21 * 1024 * 1024)]))
  symlinkSync(join(whole, 'outside', 'secret.png'), join(folder, 'link.png'))
  mkdirSync(join(folder, 'folder.png'))
  const cases: [name: string, problem: object][] = [
    ['text.png', { code: 'REFERENCE_UNFIT', message: /no picture/, allowed: 'png, jpeg, webp' }],
    ['cut.png', { code: 'REFERENCE_UNFIT', message: /cut off/ }],
    ['cut.jpg', { code: 'REFERENCE_UNFIT', message: /cut off/ }],
    ['bomb.png', { code: 'REFERENCE_UNFIT', message: /too many pixels/, allowed: /8192/ }],
    ['still.svg', { code: 'REFERENCE_UNFIT', allowed: 'png, jpeg, webp' }],
    ['big.png', { code: 'FILE_TOO_LARGE', allowed: /20971520/ }],
    ['link.png', { code: 'PATH_ESCAPES' }],
    ['../outside/secret.png', { code: 'PATH_ESCAPES' }],
    [join(whole, 'outside', 'secret.png'), { code: 'PATH_ESCAPES' }],
    ['C:\\secret.png', { code: 'PATH_ESCAPES' }],
    ['gone.png', { code: 'FILE_UNREADABLE', message: 'is not there' }],
    ['folder.png', { code: 'FILE_NOT_REGULAR' }],
  ]
  for (const part of [cases.slice(0, 6), cases.slice(6)]) {
    const names = part.map(([name]) => name)
    writeFileSync(join(folder, 'kit.json'), JSON.stringify({ ...kit, references: names }))
    const { problems, files } = await readSources(join(folder, 'kit.json'), { ...options, root: folder })
    t.match(
      problems,
      part.map(([, problem], at) => ({ ...problem, file: 'kit.json', line: 1, path: `references[${at}]` })),
    )
    t.equal(problems.length, part.length)
    t.notOk(
      files.some(({ path }) => path.includes('secret')),
      'nothing outside is followed',
    )
    t.notOk(
      files.slice(1).some(each => each.isClosed),
      'what is cut off may still be written',
    )
  }
  const nine = Array.from({ length: 9 }, () => 'text.png')
  writeFileSync(join(folder, 'kit.json'), JSON.stringify({ ...kit, references: nine }))
  const { problems } = await readSources(join(folder, 'kit.json'), { ...options, root: folder })
  t.match(problems, [{ path: 'references', allowed: /8/ }])
})

/** A header of that size, and nothing that could be decoded behind it. */
function pngOf(width: number, height: number): Buffer {
  const bytes = Buffer.from(png)
  bytes.writeUInt32BE(width, 16)
  bytes.writeUInt32BE(height, 20)
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29)
  return bytes
}
