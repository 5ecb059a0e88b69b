import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { runChecks, storageChecks, type StorageSubject } from '../../../../src/plugins/conformance/conformance.js'
import { offerContract } from '../../../../src/plugins/contract-hooks.js'
import type { Storage } from '../../../../src/plugins/contract.js'
import { makeSkeleton } from '../../../../src/plugins/make-skeleton.js'

/** The storage that `foundry plugins init` writes keeps every promise; broken in one way, it is caught by the check of that promise. */
const folder = join(t.testdir(), 'storage-foo')
await makeSkeleton('storage-foo', folder)
offerContract()
const { default: open } = (await import(pathToFileURL(join(folder, 'conformance.js')).href)) as {
  default: () => Promise<StorageSubject>
}

const broken: Record<string, { caughtBy: string; by: (whole: Storage) => Partial<Storage> }> = {
  'keeps text instead of bytes': {
    caughtBy: 'gives back what was put, byte by byte',
    by: whole => ({ put: (name, bytes) => whole.put(name, Buffer.from(bytes.toString())) }),
  },
  'gives empty bytes for what is not there': {
    caughtBy: 'has nothing under a name that nobody put',
    by: whole => ({ get: async (name, max) => (await whole.get(name, max)) ?? Buffer.alloc(0) }),
  },
  'cuts off what is too large': {
    caughtBy: 'gives nothing of what is larger than asked for',
    by: whole => ({ get: async (name, max) => (await whole.get(name, Infinity))?.subarray(0, max) }),
  },
  'tells times in seconds': {
    caughtBy: 'lists every name once, with when it was put',
    by: whole => ({
      list: async () => (await whole.list()).map(({ name, putAt }) => ({ name, putAt: putAt / 1000 })),
    }),
  },
  'removes what begins alike': {
    caughtBy: 'forgets what is removed, and that alone',
    by: whole => ({
      remove: async name => {
        for (const each of await whole.list())
          if (each.name.startsWith(name.slice(0, 64))) await whole.remove(each.name)
      },
    }),
  },
  'keeps the bytes themselves': {
    caughtBy: 'keeps nothing of bytes that are used again',
    by: whole => {
      const held = new Map<string, Buffer>()
      return {
        put: (name, bytes) => {
          held.set(name, bytes)
          return whole.put(name, bytes)
        },
        get: async (name, max) => (await whole.get(name, max)) && held.get(name),
      }
    },
  },
}

async function failedOf(by: (whole: Storage) => Partial<Storage>): Promise<string[]> {
  const checks = storageChecks(async () => {
    const subject = await open()
    const { storage } = subject
    return { ...subject, storage: { ...storage, ...by(storage) } }
  })
  const failed: string[] = []
  for await (const { name, state } of runChecks(checks)) if (state !== 'pass') failed.push(name)
  return failed
}

t.test('the whole one passes', async t => t.strictSame(await failedOf(() => ({})), []))

for (const [name, { caughtBy, by }] of Object.entries(broken))
  t.test(`a storage that ${name} is caught`, async t => t.ok((await failedOf(by)).includes(caughtBy)))
