import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashJson, sha256, sha256File } from '../../../src/files/hash.js'

const hashOfNothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

t.test('sha256 takes bytes and the UTF-8 of strings', async t => {
  t.equal(sha256(''), hashOfNothing)
  t.equal(sha256('é'), sha256(Uint8Array.of(0xc3, 0xa9)))
})

t.test('hashJson does not depend on the order of members', async t => {
  t.equal(hashJson({ a: 1, b: [2] }), hashJson({ b: [2], a: 1 }))
  t.equal(hashJson({ a: 1 }), sha256('{"a":1}'))
})

t.test('sha256File streams files of any size', async t => {
  const folder = mkdtempSync(join(t.testdir(), 'hash-'))
  for (const sizeBytes of [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000]) {
    const bytes = Buffer.alloc(sizeBytes, index(sizeBytes))
    const file = join(folder, String(sizeBytes))
    writeFileSync(file, bytes)
    t.same(await sha256File(file), { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes })
  }
})

t.test('sha256File refuses what is too large, missing or no file', async t => {
  const folder = t.testdir({ file: 'four' })
  await t.rejects(sha256File(join(folder, 'file'), { sizeBytesMax: 3 }), { code: 'FILE_TOO_LARGE' })
  t.equal((await sha256File(join(folder, 'file'), { sizeBytesMax: 4 })).sizeBytes, 4)
  await t.rejects(sha256File(join(folder, 'none')), { code: 'FILE_UNREADABLE', details: { reason: 'ENOENT' } })
  await t.rejects(sha256File(folder), { code: 'FILE_NOT_REGULAR' })
})

function index(sizeBytes: number): Buffer {
  return Buffer.from([sizeBytes % 251, 7, 13])
}
