import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  copyDurable,
  isTemporary,
  linkFirst,
  linkOrCopy,
  makeFolder,
  removeFile,
  replaceFile,
  syncFolder,
  writeAll,
  writeFirst,
} from '../../../src/files/durable.js'
import { failure } from '../../../src/errors.js'
import { armFailpoints } from '../../../src/files/failpoint.js'

t.afterEach(() => armFailpoints(''))

t.test('replaceFile writes a new file or the whole of an old one', async t => {
  const folder = t.testdir({ old: 'a longer text than the new one' })
  await replaceFile(join(folder, 'old'), 'new')
  await replaceFile(join(folder, 'secret'), Buffer.from('new too'), { mode: 0o600 })
  t.equal(readFileSync(join(folder, 'old'), 'utf8'), 'new')
  t.equal(readFileSync(join(folder, 'secret'), 'utf8'), 'new too')
  t.equal(statSync(join(folder, 'secret')).mode & 0o777, 0o600)
  t.same(readdirSync(folder).sort(), ['old', 'secret'])
})

const faults: Record<string, string> = {
  'the disk is full': 'write=ENOSPC',
  'the disk fills in the middle': 'write=short@1,write=ENOSPC@2',
  'the file cannot be synced': 'fsync=EIO@1',
}
for (const [title, spec] of Object.entries(faults))
  t.test(`replaceFile keeps the old file when ${title}`, async t => {
    const folder = t.testdir({ file: 'old' })
    armFailpoints(spec)
    const reason = spec.includes('EIO') ? 'EIO' : 'ENOSPC'
    await t.rejects(replaceFile(join(folder, 'file'), 'new bytes'), { code: 'FILE_WRITE_FAILED', details: { reason } })
    t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'old')
    t.same(readdirSync(folder), ['file'])
  })

t.test('replaceFile says so when the folder cannot be synced or is missing', async t => {
  const folder = t.testdir()
  armFailpoints('fsync=EIO@2')
  await t.rejects(replaceFile(join(folder, 'file'), 'new'), { code: 'FILE_WRITE_FAILED', details: { reason: 'EIO' } })
  await t.rejects(replaceFile(join(folder, 'none', 'file'), 'new'), {
    code: 'FILE_WRITE_FAILED',
    details: { reason: 'ENOENT' },
  })
})

t.test('writeAll goes on after a short write, at a position or not', async t => {
  const folder = t.testdir({ file: '0123456789' })
  armFailpoints('write=short@1,write=short@2,write=short@3')
  const handle = await open(join(folder, 'file'), 'r+')
  t.teardown(() => handle.close())
  await writeAll(handle, 'abcdef', 2)
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), '01abcdef89')
  armFailpoints('write=short@1')
  await writeAll(handle, Buffer.from('xyz'))
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'xyzbcdef89')
})

t.test('makeFolder ends where a file system takes no folders', { skip: process.platform !== 'linux' }, async t => {
  await t.rejects(makeFolder('/proc/nothing/deeper'), { code: 'FILE_WRITE_FAILED', details: { reason: 'ENOENT' } })
})

t.test('makeFolder makes what is missing and syncs each folder that received a name', async t => {
  const folder = t.testdir({ file: '' })
  await makeFolder(join(folder, 'a/b/c'))
  t.ok(statSync(join(folder, 'a/b/c')).isDirectory())
  await makeFolder(join(folder, 'a/b/c'))
  armFailpoints('fsync=EIO@2')
  await t.rejects(makeFolder(join(folder, 'x/y')), { code: 'FILE_WRITE_FAILED' }, 'two names in two folders: two syncs')
  armFailpoints('fsync=EIO@2')
  await makeFolder(join(folder, 'a/b/d'))
  armFailpoints('fsync=EIO@1')
  await makeFolder(join(folder, 'a/b/d'))
  await t.rejects(makeFolder(join(folder, 'file')), { code: 'FILE_WRITE_FAILED', details: { reason: 'EEXIST' } })
})

const linking: Record<string, { target?: string; link?: string; outcome: string; left: Record<string, string> }> = {
  'gives the name that is free': { outcome: 'linked', left: { target: 'picture' } },
  'keeps equal bytes that were first': { target: 'picture', outcome: 'same', left: { target: 'picture' } },
  'keeps other bytes that were first': {
    target: 'drawing',
    outcome: 'different',
    left: { staged: 'picture', target: 'drawing' },
  },
  'keeps longer bytes that were first': {
    target: 'pictures',
    outcome: 'different',
    left: { staged: 'picture', target: 'pictures' },
  },
  'copies across filesystems': { link: 'link=EXDEV@1', outcome: 'linked', left: { target: 'picture' } },
  'compares across filesystems': {
    link: 'link=EXDEV@1',
    target: 'drawing',
    outcome: 'different',
    left: { staged: 'picture', target: 'drawing' },
  },
  'renames where links are missing': { link: 'link=EPERM', outcome: 'linked', left: { target: 'picture' } },
  'does both': { link: 'link=EXDEV@1,link=ENOTSUP@2', outcome: 'linked', left: { target: 'picture' } },
  'never overwrites where links are missing': {
    link: 'link=EPERM',
    target: 'drawing',
    outcome: 'different',
    left: { staged: 'picture', target: 'drawing' },
  },
  'takes over a claim that a crash left': {
    target: '',
    link: 'link=EPERM',
    outcome: 'linked',
    left: { target: 'picture' },
  },
}
for (const [title, { target, link, outcome, left }] of Object.entries(linking))
  t.test(`linkFirst ${title}`, async t => {
    const folder = t.testdir({ staged: 'picture', ...(target !== undefined && { target }) })
    armFailpoints(link ?? '')
    t.equal(await linkFirst(join(folder, 'staged'), join(folder, 'target')), outcome)
    t.same(contents(folder), left)
  })

t.test('linkFirst finishes what a crash between link and unlink has left', async t => {
  const folder = t.testdir({ staged: 'picture', target: t.fixture('link', 'staged') })
  t.equal(statSync(join(folder, 'staged')).nlink, 2)
  t.equal(await linkFirst(join(folder, 'staged'), join(folder, 'target')), 'same')
  t.same(contents(folder), { target: 'picture' })
})

t.test('linkFirst leaves the staged file when it fails', async t => {
  const folder = t.testdir({ staged: 'picture' })
  armFailpoints('link=EIO')
  await t.rejects(linkFirst(join(folder, 'staged'), join(folder, 'target')), { code: 'FILE_WRITE_FAILED' })
  armFailpoints('link=EXDEV@1,fsync=EIO@1')
  await t.rejects(linkFirst(join(folder, 'staged'), join(folder, 'target')), {
    code: 'FILE_WRITE_FAILED',
    details: { reason: 'EIO' },
  })
  t.same(contents(folder), { staged: 'picture' })
})

t.test('one sync of a folder serves all who asked before it began, and none who asked later', async t => {
  const folder = t.testdir()
  const reached = new Int32Array(new SharedArrayBuffer(64 * Int32Array.BYTES_PER_ELEMENT))
  armFailpoints('fsync=delay:30', reached)
  const syncs = () => reached.reduce((sum, each) => sum + each, 0)
  const before = [syncFolder(folder), syncFolder(folder)]
  while (syncs() === 0) await new Promise(setImmediate)
  const later = [syncFolder(folder), syncFolder(folder), syncFolder(folder)]
  await Promise.all(before)
  t.equal(syncs(), 1)
  await Promise.all(later)
  t.equal(syncs(), 2)
  armFailpoints('fsync=EIO@1')
  const failed = await Promise.allSettled([syncFolder(folder), syncFolder(folder)])
  t.match(failed, [{ status: 'rejected' }, { status: 'rejected' }])
  await syncFolder(folder)
})

t.test('copyDurable copies once and never overwrites', async t => {
  const folder = t.testdir({ from: 'picture', other: 'drawing' })
  chmodSync(join(folder, 'from'), 0o444)
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  t.equal(await copyDurable(from, to), 'linked')
  t.equal(await copyDurable(from, to), 'same')
  t.equal(await copyDurable(from, join(folder, 'other')), 'different')
  t.not(statSync(from).ino, statSync(to).ino)
  await t.rejects(copyDurable(join(folder, 'none'), to), { code: 'FILE_WRITE_FAILED', details: { reason: 'ENOENT' } })
  armFailpoints('fsync=EIO@1')
  await t.rejects(copyDurable(from, join(folder, 'third')), { code: 'FILE_WRITE_FAILED', details: { reason: 'EIO' } })
  t.same(contents(folder), { from: 'picture', other: 'drawing', to: 'picture' })
})

t.test('linkOrCopy gives a second name, else a copy, and never overwrites', async t => {
  const folder = t.testdir({ from: 'bytes', other: 'mine' })
  const path = (name: string) => join(folder, name)
  t.equal(await linkOrCopy(path('from'), path('linked')), 'linked')
  t.equal(statSync(path('linked')).ino, statSync(path('from')).ino)
  armFailpoints('link=EXDEV@1')
  t.equal(await linkOrCopy(path('from'), path('copied')), 'copied')
  t.not(statSync(path('copied')).ino, statSync(path('from')).ino)
  t.equal(await linkOrCopy(path('from'), path('copied')), 'same')
  t.equal(await linkOrCopy(path('from'), path('other')), 'different')
  t.equal(readFileSync(path('other'), 'utf8'), 'mine')
  await t.rejects(linkOrCopy(path('from'), path('none/x')), { code: 'FILE_WRITE_FAILED' })
  t.same(readdirSync(folder).sort(), ['copied', 'from', 'linked', 'other'])
})

t.test('replaceFile and writeFirst write pieces, and nothing where the pieces fail', async t => {
  const folder = t.testdir({ old: 'old' })
  const path = (name: string) => join(folder, name)
  async function* pieces(...texts: string[]) {
    for (const text of texts) {
      if (text === 'fail') throw failure('FILE_CHANGED_WHILE_READ', { file: 'source' })
      yield Buffer.from(text)
    }
  }
  await t.rejects(replaceFile(path('old'), pieces('a', 'fail')), { code: 'FILE_CHANGED_WHILE_READ' })
  await t.rejects(writeFirst(path('new'), pieces('a', 'fail')), { code: 'FILE_CHANGED_WHILE_READ' })
  t.equal(readFileSync(path('old'), 'utf8'), 'old')
  t.equal(await writeFirst(path('new'), pieces('a', 'b')), 'linked')
  t.equal(await writeFirst(path('new'), 'ab'), 'same')
  t.equal(await writeFirst(path('new'), 'other'), 'different')
  t.equal(readFileSync(path('new'), 'utf8'), 'ab')
  await replaceFile(path('old'), pieces('x', 'y'))
  t.equal(readFileSync(path('old'), 'utf8'), 'xy')
  t.same(readdirSync(folder).sort(), ['new', 'old'])
})

t.test('removeFile removes a file, there or not', async t => {
  const folder = t.testdir({ file: '' })
  mkdirSync(join(folder, 'sub'))
  await removeFile(join(folder, 'file'))
  await removeFile(join(folder, 'file'))
  t.notOk(existsSync(join(folder, 'file')))
  await t.rejects(removeFile(join(folder, 'sub')), { code: 'FILE_WRITE_FAILED' })
})

t.test('a crash leaves only names that are known to be temporary', async t => {
  const folder = t.testdir()
  const written: string[] = []
  armFailpoints('fsync=delay:50')
  const replacing = replaceFile(join(folder, 'file'), 'new')
  while (written.length === 0) {
    written.push(...readdirSync(folder))
    await new Promise(setImmediate)
  }
  await replacing
  t.ok(written.every(isTemporary), written.join(' '))
  t.notOk(isTemporary('file'))
})

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map(name => [name, readFileSync(join(folder, name), 'utf8')]))
}
