import t from 'tap'
import { deflateSync } from 'node:zlib'
import { pngSize, readPngText, withoutPngText, withoutPngWords, withPngText } from '../../../src/record/png-text.js'

const whole =
  '89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55000000097445587470726f6d7074007b7dc89486fb' +
  '0000000a4944415478da6368000000820081da45083b0000000049454e44ae426082'
const promptChunk = '000000097445587470726f6d7074007b7dc89486fb'
const picture = Buffer.from(whole, 'hex')
const bare = Buffer.from(whole.replace(promptChunk, ''), 'hex')

t.test('readPngText reads the published vector', async t => {
  t.strictSame(readPngText(picture), [{ keyword: 'prompt', text: '{}' }])
  t.strictSame(pngSize(picture), { width: 1, height: 1 })
})

const chunks = {
  prompt: { keyword: 'prompt', text: '{}', hex: promptChunk },
  'a Latin text': { keyword: 'parameters', text: 'cat', hex: '0000000e74455874706172616d657465727300636174018610fe' },
}
for (const [title, { hex, ...text }] of Object.entries(chunks)) {
  t.test(`withPngText writes ${title} as the vector says, after the header`, async t => {
    const made = withPngText(bare, [text])
    t.equal(made.subarray(33, 33 + hex.length / 2).toString('hex'), hex)
    t.strictSame(readPngText(made), [text])
    t.ok(withoutPngText(made, [text.keyword]).equals(bare), 'taking it out gives the first bytes back')
  })
}

t.test('an uncompressed iTXt vector is read, and other scripts survive', async t => {
  const chunk = Buffer.from('0000001169545874706172616d65746572730000000000c3a9e9243452', 'hex')
  const made = Buffer.concat([bare.subarray(0, 33), chunk, bare.subarray(33)])
  t.strictSame(readPngText(made), [{ keyword: 'parameters', text: 'é' }])
  const texts = [
    { keyword: 'one', text: '日本語 “x”' },
    { keyword: 'two', text: 'Grüße' },
  ]
  t.strictSame(readPngText(withPngText(bare, texts)), texts)
})

t.test('withoutPngText takes only the named texts and leaves the rest in order', async t => {
  const made = withPngText(picture, [
    { keyword: 'foundry', text: '1' },
    { keyword: 'workflow', text: '2' },
  ])
  t.strictSame(
    readPngText(withoutPngText(made, ['prompt', 'workflow'])).map(x => x.keyword),
    ['foundry'],
  )
})

t.test('withoutPngWords takes all words out, also of a picture that is cut off', async t => {
  const made = withPngText(picture, [
    { keyword: 'parameters', text: 'private' },
    { keyword: 'Beschreibung', text: 'privé — private' },
  ])
  const exif = Buffer.from('00000007655849667072697661746500000000', 'hex')
  const full = Buffer.concat([made.subarray(0, 33), exif, made.subarray(33)])
  t.strictSame(withoutPngWords(full), bare)
  for (let end = 0; end < full.length; end++)
    t.notMatch(withoutPngWords(full.subarray(0, end)).toString('latin1'), /priv/)
  t.equal(withoutPngWords(Buffer.from('RIFF private WEBP')).length, 0, 'of what is no PNG nothing is left')
})

const packed = (text: Buffer) => {
  const plain = withPngText(bare, [{ keyword: 'k', text: `\x01${deflateSync(text).toString('latin1')}` }])
  // The same chunk under another type and with the method byte 0 needs its checksum anew, so build it by hand.
  const length = plain.readUInt32BE(33)
  const chunk = Buffer.from(plain.subarray(33, 33 + 12 + length))
  chunk.write('zTXt', 4, 'latin1')
  return { plain, chunk }
}

const refused: Record<string, { bytes: Buffer; reason: RegExp }> = {
  'nothing at all': { bytes: Buffer.alloc(0), reason: /not a PNG/ },
  'a JPEG': { bytes: Buffer.from('ffd8ffe0', 'hex'), reason: /not a PNG/ },
  'a cut file': { bytes: picture.subarray(0, 50), reason: /ends inside a chunk/ },
  'a file without its end': { bytes: picture.subarray(0, picture.length - 12), reason: /end is missing/ },
  'a length beyond the file': {
    bytes: Buffer.concat([bare.subarray(0, 33), Buffer.from('ffffffff74455874', 'hex'), bare.subarray(33)]),
    reason: /ends inside a chunk/,
  },
  'a flipped bit in a text': {
    bytes: Buffer.from(whole.replace('7b7dc89486fb', '7b7cc89486fb'), 'hex'),
    reason: /checksum of its tEXt/,
  },
  'a packed text with a wrong checksum': {
    bytes: Buffer.concat([bare.subarray(0, 33), packed(Buffer.from('x')).chunk, bare.subarray(33)]),
    reason: /checksum of its zTXt/,
  },
}
for (const [title, { bytes, reason }] of Object.entries(refused)) {
  t.test(`readPngText refuses ${title}`, async t => {
    t.throws(() => readPngText(bytes), { code: 'OUTPUT_INVALID', message: reason })
  })
}

t.test('readPngText keeps its bounds', async t => {
  const many = withPngText(
    bare,
    Array.from({ length: 5 }, () => ({ keyword: 'k', text: 'v' })),
  )
  t.throws(() => readPngText(many, { textBytesMax: 10, textsMax: 4 }), { code: 'OUTPUT_INVALID' })
  const long = withPngText(bare, [{ keyword: 'k', text: 'x'.repeat(11) }])
  t.throws(() => readPngText(long, { textBytesMax: 10, textsMax: 4 }), { message: /more than 10 bytes/ })
  t.throws(() => withPngText(bare, [{ keyword: 'x'.repeat(80), text: '' }]), { code: 'OUTPUT_INVALID' })
})
