import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sha256File } from '../../../src/files/hash.js'
import { readBounded, sameStamp, stampAt } from '../../../src/files/read-bounded.js'

const bounds = { sizeBytesMax: 100 }

t.test('readBounded gives the bytes and the stamp of a file', async t => {
  const folder = t.testdir({ file: 'bytes', empty: '', full: 'x'.repeat(100), more: 'x'.repeat(101) })
  const { bytes, stat } = await readBounded(join(folder, 'file'), bounds)
  t.equal(bytes.toString(), 'bytes')
  t.match(stat, { sizeBytes: 5, mtimeNs: /^\d{19}$/, ino: /^\d+$/, dev: /^\d+$/ })
  t.equal((await readBounded(join(folder, 'empty'), bounds)).bytes.length, 0)
  t.equal((await readBounded(join(folder, 'full'), bounds)).bytes.length, 100)
  await t.rejects(readBounded(join(folder, 'more'), bounds), {
    code: 'FILE_TOO_LARGE',
    details: { sizeBytes: 101, sizeBytesMax: 100 },
  })
})

t.test('readBounded refuses what is no regular file, without waiting', async t => {
  const folder = t.testdir({ sub: {} })
  await t.rejects(readBounded(join(folder, 'none'), bounds), { code: 'FILE_UNREADABLE', details: { reason: 'ENOENT' } })
  await t.rejects(readBounded(join(folder, 'sub'), bounds), { code: 'FILE_NOT_REGULAR' })
  await t.rejects(readBounded('/dev/zero', bounds), { code: 'FILE_NOT_REGULAR' })
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  await t.rejects(readBounded(pipe, bounds), { code: 'FILE_NOT_REGULAR' })
  // In a folder of its own: the path of a socket has at most 107 bytes.
  const socketFolder = mkdtempSync(join(tmpdir(), 'foundry-'))
  t.teardown(() => rmSync(socketFolder, { recursive: true }))
  const socket = join(socketFolder, 'socket')
  const server = createServer()
  await new Promise<void>(listening => server.listen(socket, listening))
  t.teardown(() => server.close())
  await t.rejects(readBounded(socket, bounds), { code: 'FILE_NOT_REGULAR' })
})

t.test('readBounded follows links only where its root allows', async t => {
  const folder = t.testdir({ root: { real: 'inside' }, secret: 'outside' })
  const root = join(folder, 'root')
  symlinkSync('real', join(root, 'within'))
  symlinkSync('../secret', join(root, 'without'))
  t.equal((await readBounded(join(root, 'within'), { ...bounds, root })).bytes.toString(), 'inside')
  await t.rejects(readBounded(join(root, 'without'), { ...bounds, root }), { code: 'PATH_ESCAPES' })
  await t.rejects(readBounded(join(folder, 'secret'), { ...bounds, root }), { code: 'PATH_ESCAPES' })
  t.equal(
    (await readBounded(join(root, 'without'), bounds)).bytes.toString(),
    'outside',
    'without a root the caller vouches',
  )
})

const changes: Record<string, (file: string) => void> = {
  'more bytes': file => appendFileSync(file, 'more'),
  'fewer bytes': file => truncateSync(file, 3),
  'other bytes of the same length': file => writeFileSync(file, 'other'),
  'another file in its place': file => {
    writeFileSync(`${file}.new`, 'bytes')
    renameSync(`${file}.new`, file)
  },
  'no file any more': file => rmSync(file),
}
for (const [title, change] of Object.entries(changes))
  for (const [name, read] of Object.entries<(file: string, limits: typeof bounds) => Promise<unknown>>({
    readBounded,
    sha256File,
  }))
    t.test(`${name} notices ${title} while it reads`, async t => {
      const file = join(t.testdir({ file: 'bytes' }), 'file')
      utimesSync(file, 1, 1)
      await beforeNextRead(t, file, () => change(file))
      await t.rejects(read(file, bounds), { code: 'FILE_CHANGED_WHILE_READ', details: { file } })
    })

/** Does something at the moment when the next file is open and its stat was taken. */
async function beforeNextRead(t: Test, file: string, act: () => void): Promise<void> {
  const handle = await open(file)
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const original = Object.getOwnPropertyDescriptor(prototype, 'read') ?? {}
  const restore = () => Object.defineProperty(prototype, 'read', original)
  t.teardown(restore)
  Object.defineProperty(prototype, 'read', {
    ...original,
    value(this: FileHandle, ...args: unknown[]) {
      act()
      restore()
      return Reflect.apply(this.read, this, args)
    },
  })
}

t.test('sameStamp compares every fact', async t => {
  const stamp = { sizeBytes: 1, mtimeNs: '2', ino: '3', dev: '4' }
  t.ok(sameStamp(stamp, { ...stamp }))
  for (const other of [{ sizeBytes: 2 }, { mtimeNs: '3' }, { ino: '4' }, { dev: '5' }])
    t.notOk(sameStamp(stamp, { ...stamp, ...other }))
  t.notOk(sameStamp(stamp, undefined))
  t.equal(await stampAt(join(t.testdir(), 'none')), undefined)
})
