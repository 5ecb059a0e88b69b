import t from 'tap'
import { PictureMemory } from '../../../plugins/provider-comfyui/picture-memory.js'

const parts = (...texts: string[]) => texts.map(text => Buffer.from(text))

t.test('memory that was given back holds the next picture, and only its bytes', async t => {
  const memory = new PictureMemory()
  const first = memory.join(parts('the first ', 'picture'), 17)
  t.equal(first.toString(), 'the first picture')
  memory.giveBack(first)
  memory.giveBack(first)
  const second = memory.join(parts('sec', 'ond'), 6)
  t.equal(second.toString(), 'second')
  t.equal(second.buffer, first.buffer)
  t.not(memory.join(parts('third'), 5).buffer, first.buffer, 'given back twice is there once')
})

t.test('what is too small, foreign or one too many is not used again', async t => {
  const memory = new PictureMemory()
  const small = memory.join(parts('small'), 5)
  memory.giveBack(small)
  memory.giveBack(Buffer.from('foreign'))
  const large = memory.join([Buffer.alloc(300_000, 7)], 300_000)
  t.not(large.buffer, small.buffer)
  t.ok(large.every(byte => byte === 7))
  const many = Array.from({ length: 8 }, () => memory.join(parts('one'), 3))
  t.equal(many[0]?.buffer, small.buffer)
  for (const each of many) memory.giveBack(each)
  const again = Array.from({ length: 8 }, () => memory.join(parts('two'), 3).buffer)
  t.equal(again.filter(buffer => many.some(each => each.buffer === buffer)).length, 4)
})
