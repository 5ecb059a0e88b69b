import t from 'tap'
import { decodeBinary, decodeText } from '../../../plugins/provider-comfyui/frames.js'

const texts: Record<string, [string, unknown]> = {
  'a message': ['{"type": "executing", "data": {"node": null}}', { type: 'executing', data: { node: null } }],
  'a message without data': ['{"type": "ping"}', { type: 'ping', data: {} }],
  progress_state: ['{"type": "progress_state", "data": {"prompt_id": "x"}}', undefined],
  'what is no JSON': ['hello', undefined],
  'what is no message': ['[1]', undefined],
}
for (const [title, [text, message]] of Object.entries(texts)) {
  t.test(`decodeText gives what is said by ${title}`, async t => t.same(decodeText(Buffer.from(text)), message))
}

const words = (...numbers: number[]): Buffer =>
  Buffer.concat(numbers.map(number => Buffer.from([number >>> 24, number >>> 16, number >>> 8, number])))

const described = (about: string): Buffer => Buffer.concat([words(4, about.length), Buffer.from(`${about}p`)])

const binaries: Record<string, [Buffer, unknown]> = {
  'a JPEG': [Buffer.concat([words(1, 1), Buffer.from('p')]), { mime: 'image/jpeg', bytes: Buffer.from('p') }],
  'a PNG': [Buffer.concat([words(1, 2), Buffer.from('p')]), { mime: 'image/png', bytes: Buffer.from('p') }],
  'a described picture': [
    described('{"image_type": "image/png", "prompt_id": "x"}'),
    { mime: 'image/png', bytes: Buffer.from('p'), promptId: 'x' },
  ],
  'a picture with a broken description': [described('{"image_type":'), undefined],
  'a text': [Buffer.concat([words(3, 1), Buffer.from('1text')]), undefined],
  'an unknown type': [words(77, 1), undefined],
  'a frame cut short': [Buffer.from([0, 0]), undefined],
  'a description longer than its frame': [words(4, 1000), undefined],
}
for (const [title, [frame, preview]] of Object.entries(binaries)) {
  t.test(`decodeBinary takes ${title} for what it is`, async t => t.same(decodeBinary(frame), preview))
}
