import { open } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { safetensorsPieces, type TensorToWrite } from '../../../src/library/safetensors-write.js'
import { type MadeTensor, writeSafetensors } from '../../make-weights.js'

async function write(t: Test, tensors: readonly TensorToWrite[], { bytes = Buffer.alloc(0), metadata = {} } = {}) {
  const file = join(t.testdir({ source: bytes }), 'source')
  const source = await open(file)
  const pieces: Buffer[] = []
  try {
    for await (const piece of safetensorsPieces(tensors, { metadata, source, file })) pieces.push(Buffer.from(piece))
  } finally {
    await source.close()
  }
  return pieces
}

const made = (dtype: string, sizeBytes: number): MadeTensor => ({
  dtype,
  shape: [1],
  bytes: Buffer.alloc(sizeBytes, 1),
})
const tensors: Readonly<Record<string, MadeTensor>> = {
  z: made('F16', 2),
  b: made('F32', 4),
  a: made('F32', 4),
  i: made('I64', 8),
  u: made('U8', 1),
}
const toWrite = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => ({
  name,
  dtype,
  shape,
  content: bytes,
}))

t.test('safetensorsPieces orders and pads as the reference library does', async t => {
  const whole = Buffer.concat(await write(t, toWrite))
  const length = Number(whole.readBigUInt64LE())
  t.equal(length % 8, 0)
  const header = JSON.parse(whole.subarray(8, 8 + length).toString()) as object
  t.same(Object.keys(header), ['i', 'a', 'b', 'z', 'u'])
})

t.test('safetensorsPieces gives the bytes of the other writer here', async t => {
  const metadata = { z: 'é', a: '1' }
  const whole = Buffer.concat(await write(t, toWrite, { metadata }))
  t.ok(whole.equals(writeSafetensors(new Map(Object.entries(tensors)), metadata)))
})

t.test('safetensorsPieces keeps names that objects would lose or move', async t => {
  const names = ['__proto__', '10', 'a"b']
  const whole = Buffer.concat(
    await write(
      t,
      names.map(name => ({ name, dtype: 'U8', shape: [1], content: Buffer.from([7]) })),
    ),
  )
  const text = whole.subarray(8, 8 + Number(whole.readBigUInt64LE())).toString()
  t.match(text, /^\{"10":\{.*"__proto__":\{.*"a\\"b":\{/)
})

t.test('safetensorsPieces streams, and never holds more than a MiB', async t => {
  const bytes = Buffer.alloc(5 * 2 ** 20 + 3, 'x')
  const content = { begin: 1, end: bytes.length }
  const pieces = await write(t, [{ name: 'a', dtype: 'U8', shape: [bytes.length - 1], content }], { bytes })
  t.ok(pieces.every(piece => piece.length <= 2 ** 20))
  t.ok(Buffer.concat(pieces.slice(1)).equals(bytes.subarray(1)))
})

t.test('safetensorsPieces fails where the source ends too early', async t => {
  const content = { begin: 0, end: 10 }
  const writing = write(t, [{ name: 'a', dtype: 'U8', shape: [10], content }], { bytes: Buffer.alloc(5) })
  await t.rejects(writing, { code: 'FILE_CHANGED_WHILE_READ' })
})
