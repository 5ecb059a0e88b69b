import { execFileSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hasErrors } from '../../../src/errors.js'
import { readSafetensorsHeader } from '../../../src/library/safetensors.js'
import { makeLora, seededRandom, withHeader, writeSafetensors, type MadeTensor } from '../../make-weights.js'

const vector = Buffer.from(
  '38000000000000007b2261223a7b226474797065223a22463332222c227368617065223a5b325d2c' +
    '22646174615f6f666673657473223a5b302c385d7d7d20200000803f000000c0',
  'hex',
)
const data = vector.subarray(64)
const a = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
const tensor = (fields: string) => withHeader(`{"a":{${fields}}}`, data)

const accepted: Record<string, { file: Uint8Array; warns?: string; tensors?: number }> = {
  'the vector': { file: vector },
  'no padding': { file: withHeader(`{${a}}`, data) },
  'no tensors at all': { file: withHeader('{}', Buffer.alloc(0)), tensors: 0 },
  'a leading space': { file: withHeader(` {${a}}`, data), warns: 'SAFETENSORS_HEADER_PADDED' },
  'padding by line ends': { file: withHeader(`{${a}}\n\n\n`, data) },
  'an extra field': { file: tensor('"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1') },
  'metadata null': { file: withHeader(`{"__metadata__":null,${a}}`, data) },
  'metadata empty': { file: withHeader(`{"__metadata__":{},${a}}`, data) },
  'a scalar': { file: tensor('"dtype":"F64","shape":[],"data_offsets":[0,8]') },
  'a dimension of zero': {
    file: withHeader(`{${a},"z":{"dtype":"F32","shape":[0,4],"data_offsets":[8,8]}}`, data),
    tensors: 2,
  },
  'tensors out of order': {
    file: withHeader(
      '{"y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      data,
    ),
    tensors: 2,
  },
  'a tensor called __proto__': { file: withHeader(`{${a.replace('"a"', '"__proto__"')}}`, data) },
  'a name twice for the same bytes': { file: withHeader(`{${a},${a}}`, data), warns: 'SAFETENSORS_KEY_DUPLICATE' },
  'a metadata key twice': {
    file: withHeader(`{"__metadata__":{"k":"1","k":"2"},${a}}`, data),
    warns: 'SAFETENSORS_KEY_DUPLICATE',
  },
  'brackets, quotes and numbers inside of names': {
    file: withHeader(`{${a.replace('"a"', '"{[,\\"-1.5e3\\\\"')}}`, data),
  },
  'a pair of surrogates': { file: withHeader(`{${a.replace('"a"', '"\\ud83d\\ude00"')}}`, data) },
}

for (const [title, { file, warns, tensors = 1 }] of Object.entries(accepted))
  t.test(`readSafetensorsHeader accepts ${title}`, async t => {
    const { header, problems } = await read(t, file)
    t.same(
      problems.map(problem => problem.code),
      warns ? [warns] : [],
    )
    t.notOk(hasErrors(problems))
    t.equal(header?.tensors.size, tensors)
    t.equal(8 + (header?.headerBytes ?? 0) + (header?.dataBytes ?? 0), file.length)
  })

const shape = (text: string, dtype = 'F32') => tensor(`"dtype":"${dtype}","shape":${text},"data_offsets":[0,8]`)

const rejected: Record<string, { file: Uint8Array; code: string }> = {
  'an empty file': { file: Buffer.alloc(0), code: 'SAFETENSORS_TOO_SMALL' },
  '7 bytes': { file: vector.subarray(0, 7), code: 'SAFETENSORS_TOO_SMALL' },
  'no header': { file: withHeader('', data), code: 'SAFETENSORS_HEADER_INVALID' },
  'a header longer than the file': { file: withHeader('{}', data, 1000n), code: 'SAFETENSORS_TRUNCATED' },
  'a header of 100,000,001 bytes': { file: withHeader('{}', data, 100_000_001n), code: 'SAFETENSORS_HEADER_TOO_LARGE' },
  'a length that rounds to one that fits': {
    file: withHeader('{}', data, 2n ** 64n - 1n),
    code: 'SAFETENSORS_HEADER_TOO_LARGE',
  },
  'a byte order mark': { file: withHeader(`\ufeff{${a}}`, data), code: 'SAFETENSORS_HEADER_INVALID' },
  'invalid UTF-8': {
    file: withHeader(Buffer.from(`{${a.replace('"a"', '"\xff"')}}`, 'latin1'), data),
    code: 'SAFETENSORS_HEADER_INVALID',
  },
  'half of a surrogate pair': {
    file: withHeader(`{${a.replace('"a"', '"\\ud83d"')}}`, data),
    code: 'SAFETENSORS_HEADER_INVALID',
  },
  'an array': { file: withHeader('[]', Buffer.alloc(0)), code: 'SAFETENSORS_HEADER_INVALID' },
  'junk after the JSON': { file: withHeader(`{${a}}x`, data), code: 'SAFETENSORS_HEADER_INVALID' },
  'zeros after the JSON': { file: withHeader(`{${a}}\0\0`, data), code: 'SAFETENSORS_HEADER_INVALID' },
  'half of the JSON': { file: withHeader(`{${a}`, data), code: 'SAFETENSORS_HEADER_INVALID' },
  'deep nesting': { file: withHeader('['.repeat(100_000), data), code: 'SAFETENSORS_HEADER_INVALID' },
  'one byte less': { file: vector.subarray(0, -1), code: 'SAFETENSORS_LAYOUT_INVALID' },
  'one byte more': { file: Buffer.concat([vector, Buffer.alloc(1)]), code: 'SAFETENSORS_LAYOUT_INVALID' },
  'a gap at the start': {
    file: tensor('"dtype":"F32","shape":[1],"data_offsets":[4,8]'),
    code: 'SAFETENSORS_LAYOUT_INVALID',
  },
  'a gap in the middle': { file: twoTensors([0, 2], [4, 8]), code: 'SAFETENSORS_LAYOUT_INVALID' },
  'an overlap': { file: twoTensors([0, 6], [4, 8]), code: 'SAFETENSORS_LAYOUT_INVALID' },
  'a shape of another size': { file: shape('[3]'), code: 'SAFETENSORS_TENSOR_INVALID' },
  'a negative dimension': { file: shape('[-2]'), code: 'SAFETENSORS_HEADER_INVALID' },
  'a fractional dimension': { file: shape('[2.5]'), code: 'SAFETENSORS_HEADER_INVALID' },
  'a whole dimension written as a fraction': { file: shape('[2.0]'), code: 'SAFETENSORS_HEADER_INVALID' },
  'a whole dimension written with an exponent': { file: shape('[2e0]'), code: 'SAFETENSORS_HEADER_INVALID' },
  'an overflow of the product': { file: shape('[4294967296,4294967296,0]'), code: 'SAFETENSORS_TENSOR_INVALID' },
  'a dimension beyond what numbers hold': { file: shape('[18446744073709551617]'), code: 'SAFETENSORS_TENSOR_INVALID' },
  'a shape that is no list': { file: shape('2'), code: 'SAFETENSORS_TENSOR_INVALID' },
  'an unknown dtype': { file: shape('[2]', 'F31'), code: 'SAFETENSORS_TENSOR_INVALID' },
  'a lower-case dtype': { file: shape('[2]', 'f32'), code: 'SAFETENSORS_TENSOR_INVALID' },
  'a dtype that objects inherit': { file: shape('[2]', 'constructor'), code: 'SAFETENSORS_TENSOR_INVALID' },
  '3 × F4': { file: shape('[3]', 'F4'), code: 'SAFETENSORS_TENSOR_INVALID' },
  'offsets that end before they begin': {
    file: tensor('"dtype":"F32","shape":[2],"data_offsets":[8,0]'),
    code: 'SAFETENSORS_TENSOR_INVALID',
  },
  'three offsets': {
    file: tensor('"dtype":"F32","shape":[2],"data_offsets":[0,8,8]'),
    code: 'SAFETENSORS_TENSOR_INVALID',
  },
  'a tensor that is a number': { file: withHeader('{"a":1}', data), code: 'SAFETENSORS_TENSOR_INVALID' },
  'a tensor that is null': { file: withHeader('{"a":null}', data), code: 'SAFETENSORS_TENSOR_INVALID' },
  'numeric metadata': { file: withHeader(`{"__metadata__":{"k":1},${a}}`, data), code: 'SAFETENSORS_METADATA_INVALID' },
  'metadata that is a list': {
    file: withHeader(`{"__metadata__":[],${a}}`, data),
    code: 'SAFETENSORS_METADATA_INVALID',
  },
  'two metadata': {
    file: withHeader(`{"__metadata__":{},"__metadata__":{},${a}}`, data),
    code: 'SAFETENSORS_KEY_DUPLICATE',
  },
  'a name twice for different tensors': {
    file: withHeader(`{${a.replace('F32', 'I32')},${a}}`, data),
    code: 'SAFETENSORS_KEY_DUPLICATE',
  },
  'a name twice, once escaped': {
    file: withHeader(`{${a.replace('F32', 'I32').replace('"a"', '"\\u0061"')},${a}}`, data),
    code: 'SAFETENSORS_KEY_DUPLICATE',
  },
  'a field twice': {
    file: tensor('"dtype":"F32","shape":[3],"shape":[2],"data_offsets":[0,8]'),
    code: 'SAFETENSORS_KEY_DUPLICATE',
  },
}

for (const [title, { file, code }] of Object.entries(rejected))
  t.test(`readSafetensorsHeader rejects ${title}`, async t => {
    const { header, problems } = await read(t, file)
    t.notOk(header)
    t.same(
      problems.map(problem => problem.code),
      [code],
    )
    t.match(problems[0], { severity: 'error', file: /weights\.safetensors$/ })
  })

t.test('readSafetensorsHeader says what the placeholder of a kit is', async t => {
  const { problems } = await read(t, Buffer.from('# Mock weights file\n'))
  t.equal(problems[0]?.message, 'not a safetensors file (header length 8583978964581425187 exceeds the limit)')
})

t.test('readSafetensorsHeader gives names, shapes and metadata as they are', async t => {
  const tensors = new Map<string, MadeTensor>([
    ['z', { dtype: 'F16', shape: [1], bytes: Buffer.alloc(2) }],
    ['b', { dtype: 'F32', shape: [1], bytes: Buffer.alloc(4) }],
    ['a', { dtype: 'F32', shape: [1], bytes: Buffer.alloc(4) }],
    ['i', { dtype: 'I64', shape: [1], bytes: Buffer.alloc(8) }],
    ['u', { dtype: 'U8', shape: [1], bytes: Buffer.alloc(1) }],
  ])
  const { header } = await read(t, writeSafetensors(tensors, { __proto__x: '1', note: 'é' }))
  t.same([...(header?.tensors.keys() ?? [])], ['i', 'a', 'b', 'z', 'u'])
  t.same(header?.tensors.get('b'), { dtype: 'F32', shape: [1], begin: 12, end: 16 })
  t.same({ ...header?.metadata }, { __proto__x: '1', note: 'é' })
  t.equal(Object.getPrototypeOf(header?.metadata), null)
  t.equal((header?.headerBytes ?? 1) % 8, 0)
})

t.test('readSafetensorsHeader names at most twenty tensors', async t => {
  const many = Array.from({ length: 500 }, (_, at) => `"t${at}":{}`).join(',')
  t.equal((await read(t, withHeader(`{${many}}`, data))).problems.length, 20)
})

t.test('readSafetensorsHeader keeps its limit, and never more than the hard one', async t => {
  const padded = withHeader(`{${a}}${' '.repeat(2000)}`, data)
  const path = join(t.testdir({}), 'weights.safetensors')
  writeFileSync(path, padded)
  t.match(await readSafetensorsHeader(path, { headerBytesMax: 1000 }), {
    problems: [{ code: 'SAFETENSORS_HEADER_TOO_LARGE', allowed: 'up to 1000' }],
  })
  t.ok((await readSafetensorsHeader(path, { headerBytesMax: 3000 })).header)
  writeFileSync(path, withHeader('{}', data, 100_000_001n))
  t.match(await readSafetensorsHeader(path, { headerBytesMax: Infinity }), {
    problems: [{ allowed: 'up to 100000000' }],
  })
})

t.test('readSafetensorsHeader reads regular files only, through links too', async t => {
  const folder = t.testdir({ 'weights.safetensors': vector, sub: {} })
  symlinkSync(join(folder, 'weights.safetensors'), join(folder, 'link'))
  t.ok((await readSafetensorsHeader(join(folder, 'link'))).header)
  t.match(await readSafetensorsHeader(join(folder, 'sub')), { problems: [{ code: 'FILE_NOT_REGULAR' }] })
  t.match(await readSafetensorsHeader(join(folder, 'none'), { file: 'kit/none' }), {
    problems: [{ code: 'FILE_UNREADABLE', file: 'kit/none' }],
  })
  if (process.platform === 'win32') return
  execFileSync('mkfifo', [join(folder, 'pipe')])
  t.match(await readSafetensorsHeader(join(folder, 'pipe')), { problems: [{ code: 'FILE_NOT_REGULAR' }] })
})

t.test('readSafetensorsHeader accepts no changed file that the format forbids', async t => {
  const seed = 20260117
  t.comment(`seed ${seed}`)
  const random = seededRandom(seed)
  const seeds = [vector, makeLora({ family: 'sd15', rank: 1, seed, textEncoder: true, metadata: { note: 'x' } })]
  const path = join(t.testdir({}), 'weights.safetensors')
  let refused = 0
  for (let round = 0; round < 400; round++) {
    const file = mutate(seeds[round % seeds.length] ?? vector, random)
    writeFileSync(path, file)
    const { header, problems } = await readSafetensorsHeader(path)
    if (header && !isAllowed(file)) t.fail(`round ${round} is accepted: ${file.toString('latin1').slice(0, 300)}`)
    if (!header && !hasErrors(problems)) t.fail(`round ${round} is refused without a word`)
    if (!header) refused++
  }
  t.ok(refused > 200, `${refused} of 400 are refused`)
  t.ok(refused < 400, 'some changes do no harm')
})

async function read(t: Test, file: Uint8Array) {
  const path = join(t.testdir({}), 'weights.safetensors')
  writeFileSync(path, file)
  return readSafetensorsHeader(path)
}

function twoTensors(first: [number, number], second: [number, number]): Buffer {
  const bytes = ([begin, end]: [number, number]) =>
    `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`
  return withHeader(`{"x":${bytes(first)},"y":${bytes(second)}}`, data)
}

/** Half of the changes hit the header, where they do more. */
function mutate(file: Buffer, random: () => number): Buffer {
  const headerEnd = 8 + Number(file.readBigUInt64LE())
  const pick = (end: number) => Math.floor(random() * end)
  const at = random() < 0.8 ? pick(headerEnd) : pick(file.length)
  const copy = Buffer.from(file)
  switch (pick(6)) {
    case 0:
      copy[at] = pick(256)
      return copy
    case 1:
      copy[at] = (copy[at] ?? 0) ^ (1 << pick(8))
      return copy
    case 2:
      return copy.subarray(0, at)
    case 3:
      return Buffer.concat([copy.subarray(0, at), Buffer.from([pick(256)]), copy.subarray(at)])
    case 4:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + pick(4))])
    default:
      return replaceDigit(copy, { headerEnd, pick })
  }
}

/** Another number in the header, which stays JSON. */
function replaceDigit(file: Buffer, { headerEnd, pick }: { headerEnd: number; pick: (end: number) => number }): Buffer {
  const digits = [...file.subarray(8, headerEnd).entries()].filter(([, byte]) => byte >= 48 && byte <= 57)
  const [at] = digits[pick(digits.length)] ?? [0]
  file[8 + at] = 48 + pick(10)
  return file
}

/** The rules of the format once more, as plainly as they can be put, for files whose header is JSON. */
function isAllowed(file: Buffer): boolean {
  const length = Number(file.readBigUInt64LE())
  const header = JSON.parse(file.subarray(8, 8 + length).toString('utf8')) as Record<string, never>
  const { __metadata__: metadata, ...tensors } = header
  if (metadata && !Object.values(metadata).every(value => typeof value === 'string')) return false
  const sizes: Record<string, bigint> = {
    F16: 2n,
    F32: 4n,
    F64: 8n,
    U8: 1n,
    BF16: 2n,
    I16: 2n,
    I32: 4n,
    U16: 2n,
    U32: 4n,
  }
  let next = 0
  const ranges = Object.values<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(tensors)
  for (const { dtype, shape, data_offsets: offsets } of ranges.sort(
    (x, y) => x.data_offsets[0] - y.data_offsets[0] || x.data_offsets[1] - y.data_offsets[1],
  )) {
    const size = shape.reduce((product, each) => product * BigInt(each), sizes[dtype] ?? -1n)
    if (offsets[0] !== next || size !== BigInt(offsets[1] - offsets[0])) return false
    next = offsets[1]
  }
  return 8 + length + next === file.length
}
