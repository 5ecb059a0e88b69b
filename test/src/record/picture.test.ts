import { createHash } from 'node:crypto'
import sharp from 'sharp'
import t from 'tap'
import { sha256 } from '../../../src/files/hash.js'
import { picturePixelsMax, readPicture } from '../../../src/record/picture.js'

const [width, height] = [96, 64]
const pixels = Buffer.from(Array.from({ length: width * height * 3 }, (_, index) => (index * 7 + (index >> 5)) % 251))
const raw = { raw: { width, height, channels: 3 as const } }
const plain = (background: string) =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer()

function expectedHash(): string {
  const hash = createHash('sha256')
  for (let at = 0; at < pixels.length; at += 3)
    hash.update(Buffer.concat([pixels.subarray(at, at + 3), Buffer.from([255])]))
  return createHash('sha256')
    .update(`${width}x${height}:${hash.digest('hex')}`)
    .digest('hex')
}

t.test('readPicture gives size, pixel hash and thumbnail', async t => {
  const png = await sharp(pixels, raw).png().toBuffer()
  const facts = await readPicture(png, { width, height, thumbnailSide: 32 })
  t.match(facts, { width, height, pixelSha256: expectedHash() })
  const thumbnail = await sharp(facts.thumbnail).metadata()
  t.match(thumbnail, { format: 'jpeg', width: 32, height: 21 })
})

t.test('readPicture makes no thumbnail unasked and never enlarges', async t => {
  const png = await sharp(pixels, raw).png().toBuffer()
  t.equal((await readPicture(png)).thumbnail, undefined)
  t.equal((await readPicture(png, { thumbnailSide: 0 })).thumbnail, undefined)
  t.match(await sharp((await readPicture(png, { thumbnailSide: 320 })).thumbnail).metadata(), { width, height })
})

t.test('readPicture hashes pixels, not files', async t => {
  const files = [
    await sharp(pixels, raw).png({ compressionLevel: 0 }).toBuffer(),
    await sharp(pixels, raw).png({ compressionLevel: 9, adaptiveFiltering: true }).toBuffer(),
    await sharp(pixels, raw).ensureAlpha().png().toBuffer(),
    await sharp(pixels, raw).webp({ lossless: true }).toBuffer(),
  ]
  for (const file of files) t.equal((await readPicture(file)).pixelSha256, expectedHash())
  const changed = Buffer.from(pixels)
  changed[500] = (changed[500] ?? 0) ^ 1
  t.not((await readPicture(await sharp(changed, raw).png().toBuffer())).pixelSha256, expectedHash())
})

t.test('readPicture reads jpeg and 16-bit png', async t => {
  t.match(await readPicture(await sharp(pixels, raw).jpeg().toBuffer()), { width, height })
  const deep = await sharp(pixels, raw).toColourspace('rgb16').png().toBuffer()
  t.match(await readPicture(deep), { pixelSha256: expectedHash() })
})

t.test('readPicture refuses what is not the wanted picture', async t => {
  const png = await sharp(pixels, raw).png({ compressionLevel: 0 }).toBuffer()
  const webp = await sharp(pixels, raw).webp().toBuffer()
  const jpeg = await sharp(pixels, raw).jpeg().toBuffer()
  const broken = Buffer.from(png)
  broken.fill(0x55, 200, 400)
  const cases: Record<string, { bytes: Buffer; reason: RegExp; wish?: { width?: number; height?: number } }> = {
    nothing: { bytes: Buffer.alloc(0), reason: /empty/ },
    text: { bytes: Buffer.from('<html>502 Bad Gateway</html>'), reason: /not a picture/ },
    'a drawing': {
      bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      reason: /none of/,
    },
    'a gif': { bytes: await sharp(pixels, raw).gif().toBuffer(), reason: /none of/ },
    'half a png': { bytes: png.subarray(0, png.length >> 1), reason: /decoded/ },
    'a png without its end': { bytes: png.subarray(0, png.length - 300), reason: /decoded/ },
    'a png head': { bytes: png.subarray(0, 60), reason: /decoded|not a picture/ },
    'half a webp': { bytes: webp.subarray(0, webp.length >> 1), reason: /decoded|not a picture/ },
    'half a jpeg': { bytes: jpeg.subarray(0, jpeg.length >> 1), reason: /decoded/ },
    'flipped bytes': { bytes: broken, reason: /decoded/ },
    black: { bytes: await plain('#000000'), reason: /black/ },
    'nearly black': { bytes: await plain('#030204'), reason: /black/ },
    flat: { bytes: await plain('#7a7b7c'), reason: /same colour/ },
    white: { bytes: await plain('#ffffff'), reason: /same colour/ },
    'a wrong width': { bytes: png, wish: { width: 95, height }, reason: /96×64 pixels instead of 95×64/ },
    'a wrong height': { bytes: png, wish: { height: 65 }, reason: /instead of 96×65/ },
  }
  for (const [title, { bytes, wish, reason }] of Object.entries(cases)) {
    await t.rejects(readPicture(bytes, wish), { code: 'OUTPUT_INVALID', details: { reason } }, title)
  }
})

t.test('readPicture refuses a decompression bomb by its header', async t => {
  const png = await sharp(pixels, raw).png().toBuffer()
  const bomb = Buffer.from(png)
  bomb.writeUInt32BE(60_000, 16)
  bomb.writeUInt32BE(60_000, 20)
  t.ok(60_000 ** 2 > picturePixelsMax)
  await t.rejects(readPicture(bomb), { code: 'OUTPUT_INVALID' })
})

t.test('readPicture keeps a dark picture with something in it', async t => {
  const dark = Buffer.alloc(width * height * 3)
  dark.fill(90, dark.length - 3)
  t.match(await readPicture(await sharp(dark, raw).png().toBuffer()), { width, height })
})

for (const [what, channels, width, height] of [
  ['colours, not a multiple of four pixels', 3, 7, 5],
  ['colours and alpha', 4, 6, 4],
  ['grey', 1, 5, 3],
  ['grey and alpha', 2, 5, 3],
] as const)
  t.test(`readPicture hashes ${what} as red, green, blue and alpha`, async t => {
    const raw = Buffer.from(Array.from({ length: width * height * channels }, (_, at) => (at * 37) % 256))
    const bytes = await sharp(raw, { raw: { width, height, channels } }).png().toBuffer()
    const rgba = await sharp(bytes).toColourspace('srgb').ensureAlpha().raw().toBuffer()
    t.equal(rgba.length, width * height * 4)
    const { pixelSha256 } = await readPicture(bytes)
    t.equal(pixelSha256, sha256(`${width}x${height}:${sha256(rgba)}`))
  })
