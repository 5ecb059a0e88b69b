import sharp from 'sharp'
import t from 'tap'
import { readPicture } from '../../../src/record/picture.js'
import { openPictures } from '../../../src/record/pictures.js'

const noise = await sharp({
  create: {
    width: 64,
    height: 48,
    channels: 3,
    background: '#808080',
    noise: { type: 'gaussian', mean: 128, sigma: 40 },
  },
})
  .png()
  .toBuffer()

t.test('pictures are read in the thread as they are here, and its errors keep their codes', async t => {
  const pictures = openPictures()
  t.teardown(() => pictures.close())
  t.equal(await pictures.do('pixelSha256', noise), (await readPicture(noise)).pixelSha256)
  await t.rejects(pictures.do('pixelSha256', Buffer.from('no picture')), {
    name: 'FoundryError',
    code: 'OUTPUT_INVALID',
    details: { reason: 'its bytes are not a picture' },
  })
  t.equal(await pictures.do('thumbnail', { kept: '/nowhere', image: undefined }), undefined)
})

t.test('what a closed thread was doing is rejected, and the next task starts another', async t => {
  const pictures = openPictures()
  t.teardown(() => pictures.close())
  const begun = pictures.do('pixelSha256', noise)
  const rejected = t.rejects(begun, { code: 'PICTURES_FAILED' })
  await pictures.close()
  await rejected
  t.match(await pictures.do('pixelSha256', noise), /^[0-9a-f]{64}$/)
})
