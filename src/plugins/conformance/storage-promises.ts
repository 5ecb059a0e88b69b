import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { Storage } from '../contract.js'

/** A storage as the promises need it. Each opens a fresh one, which is empty. */
export interface StorageSubject {
  storage: Storage
  /** A second one of the same options, as another machine has it; left out, what needs it is skipped. The subject closes it. */
  reopen?(): Promise<Storage>
  close(): Promise<void>
}

/** One promise. Rejects with an assertion where it is broken; answers why it cannot be asked. */
type StoragePromise = (at: StorageSubject) => Promise<string | void>

const hash = '0123456789abcdef'.repeat(4)
const picture = `${hash}-0b5c66e7-4598-51e7-8d46-7f0791ac801b`
const longest = `${hash}-${'a'.repeat(100)}`
const sizeBytesMax = 64 * 1024 * 1024
/** Of an ordinary clock elsewhere. */
const clockMsMax = 10 * 60_000

/** Everything that a storage promises, by its name. */
export const storagePromises: Readonly<Record<string, StoragePromise>> = {
  'gives back what was put, byte by byte': async ({ storage }) => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, at) => at))
    const large = randomBytes(5_000_000)
    await storage.put(picture, all)
    await storage.put(longest, large)
    assert.ok((await storage.get(picture, sizeBytesMax))?.equals(all))
    assert.ok((await storage.get(longest, sizeBytesMax))?.equals(large))
  },
  'has nothing under a name that nobody put': async ({ storage }) => {
    assert.equal(await storage.get(picture, sizeBytesMax), undefined)
    assert.deepEqual(await storage.list(), [])
    await storage.remove(picture)
  },
  'gives nothing of what is larger than asked for': async ({ storage }) => {
    await storage.put(picture, Buffer.alloc(1000, 7))
    assert.equal(await storage.get(picture, 999), undefined)
    assert.equal((await storage.get(picture, 1000))?.length, 1000)
  },
  'lists every name once, with when it was put': async ({ storage }) => {
    const begin = Date.now()
    await storage.put(picture, Buffer.from('one'))
    await storage.put(picture, Buffer.from('one'))
    await storage.put(longest, Buffer.from('other'))
    const listed = await storage.list()
    assert.deepEqual(listed.map(({ name }) => name).sort(), [picture, longest].sort())
    for (const { putAt } of listed) assert.ok(Math.abs(putAt - begin) < clockMsMax, `${putAt} is no time of now`)
  },
  'forgets what is removed, and that alone': async ({ storage }) => {
    await storage.put(picture, Buffer.from('one'))
    await storage.put(longest, Buffer.from('one'))
    await storage.remove(picture)
    await storage.remove(picture)
    assert.equal(await storage.get(picture, sizeBytesMax), undefined)
    assert.equal(String(await storage.get(longest, sizeBytesMax)), 'one')
    assert.deepEqual(
      (await storage.list()).map(({ name }) => name),
      [longest],
    )
  },
  'keeps 50 that are put at once': async ({ storage }) => {
    const names = Array.from({ length: 50 }, (_, at) => `${hash}-${at}`)
    await Promise.all(names.map(name => storage.put(name, Buffer.from(name))))
    const read = await Promise.all(names.map(name => storage.get(name, sizeBytesMax)))
    assert.deepEqual(read.map(String), names)
    assert.equal((await storage.list()).length, names.length)
  },
  'shows another machine what was put, and what was removed': async ({ storage, reopen }) => {
    if (!reopen) return 'conformance.js has no reopen'
    const other = await reopen()
    await storage.put(picture, Buffer.from('one'))
    assert.equal(String(await other.get(picture, sizeBytesMax)), 'one')
    await other.remove(picture)
    assert.equal(await storage.get(picture, sizeBytesMax), undefined)
    return undefined
  },
  'keeps nothing of bytes that are used again': async ({ storage }) => {
    const bytes = Buffer.from('one')
    await storage.put(picture, bytes)
    bytes.fill(0)
    assert.equal(String(await storage.get(picture, sizeBytesMax)), 'one')
  },
}
