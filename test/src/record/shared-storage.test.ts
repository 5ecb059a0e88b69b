import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { folderStorage } from '../../../src/record/folder-storage.js'
import { SharedStorage } from '../../../src/record/shared-storage.js'

const label = '0b5c66e7-4598-51e7-8d46-7f0791ac801b'
const bytes = Buffer.from('a picture')

t.test('what one side puts the other side reads, finds by its label, and removes', async t => {
  const folder = join(t.testdir(), 'shared')
  const stored = await new SharedStorage(folderStorage(folder)).put(bytes, label)
  const other = new SharedStorage(folderStorage(folder))
  t.strictSame(await other.read(stored), bytes)
  t.strictSame(await other.find(label), { name: stored.name, sha256: stored.sha256 })
  await other.remove(stored.name)
  t.strictSame(readdirSync(folder), [])
  t.equal(await other.find(label), undefined)
})

t.test('the same bytes of two attempts lie there twice', async t => {
  const storage = new SharedStorage(folderStorage(t.testdir()))
  const [one, other] = [await storage.put(bytes, 'one'), await storage.put(bytes, 'other')]
  await storage.remove(one.name)
  t.strictSame(await storage.read(other), bytes)
})

t.test('bytes that were changed, are missing or lie elsewhere are not read', async t => {
  const folder = t.testdir()
  const storage = new SharedStorage(folderStorage(folder))
  const stored = await storage.put(bytes, label)
  writeFileSync(join(folder, stored.name), 'another!!')
  const missing = { name: `${stored.sha256}-none` }
  const outside = { name: `../${stored.name}` }
  await Promise.all(
    [{}, missing, outside].map(change =>
      t.rejects(storage.read({ ...stored, ...change }), { code: 'STORAGE_MISSING' }),
    ),
  )
})

t.test('only what nobody came for in a day is swept', async t => {
  const folder = t.testdir()
  const storage = new SharedStorage(folderStorage(folder))
  const [old, young] = [await storage.put(bytes, 'old'), await storage.put(bytes, 'young')]
  const before = Date.now() / 1000 - 25 * 3600
  utimesSync(join(folder, old.name), before, before)
  t.equal(await storage.sweep(), 1)
  t.strictSame(readdirSync(folder), [young.name])
})
