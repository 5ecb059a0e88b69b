import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { armFailpoints } from '../../../src/files/failpoint.js'
import { checkEpoch, findOwner, ownHome, type OwnerRecord } from '../../../src/files/own-home.js'

const child = fileURLToPath(new URL('own-home-child.js', import.meta.url))

t.afterEach(() => armFailpoints(''))

t.test('ownHome gives a home to one owner at a time, each with a higher epoch', async t => {
  const home = t.testdir()
  const first = await ownHome(home)
  t.equal(first.epoch, 1)
  await first.announce({ apiUrl: 'http://127.0.0.1:8765', version: '1.2.3' })
  await first.announce({ version: '1.2.4' })

  const startedAt = performance.now()
  const owner = new RegExp(`process ${process.pid} since 20.* \\(http://127\\.0\\.0\\.1:8765\\)`)
  await t.rejects(ownHome(home), { code: 'HOME_OWNED', details: { home, owner } })
  t.ok(performance.now() - startedAt < 1000)
  symlinkSync(home, join(home, 'alias'))
  await t.rejects(ownHome(join(home, 'alias')), { code: 'HOME_OWNED' }, 'by whatever path')

  await Promise.all([first.release(), first.release()])
  const second = await ownHome(home)
  t.teardown(() => second.release())
  t.equal(second.epoch, 2)
  t.not(second.token, first.token)
})

t.test('the record of an owner is for its own user, and cannot be announced away', async t => {
  const home = t.testdir()
  const ownership = await ownHome(home)
  t.teardown(() => ownership.release())
  await ownership.announce({ token: 'other', epoch: 77, version: '1' })
  const file = join(home, '.foundry', 'owner.json')
  t.equal(statSync(file).mode & 0o777, 0o600)
  const { token, epoch, pid, version } = JSON.parse(readFileSync(file, 'utf8')) as OwnerRecord
  t.same({ token, epoch, pid, version }, { token: ownership.token, epoch: 1, pid: process.pid, version: '1' })
  t.match(token, /^[\w-]{43}$/)
})

t.test('a killed owner is replaced at once, whatever it left behind', async t => {
  const home = t.testdir()
  const owner = await startOwner(t, home)
  t.match(await findOwner(home), { pid: owner.pid, epoch: 1 })
  const startedAt = performance.now()
  await t.rejects(ownHome(home), { code: 'HOME_OWNED', details: { owner: new RegExp(`process ${owner.pid} `) } })
  t.ok(performance.now() - startedAt < 1000)

  owner.kill('SIGKILL')
  await once(owner, 'exit')
  t.equal(await findOwner(home), undefined)
  const heir = await ownHome(home)
  t.teardown(() => heir.release())
  t.equal(heir.epoch, 2)
})

t.test('a paused owner keeps its home', async t => {
  const home = t.testdir()
  const owner = await startOwner(t, home)
  owner.kill('SIGSTOP')
  await t.rejects(ownHome(home), { code: 'HOME_OWNED' })
  t.equal((await findOwner(home))?.pid, owner.pid)
})

t.test('findOwner leads to the control socket', async t => {
  const home = t.testdir()
  t.equal(await findOwner(home), undefined)
  const ownership = await ownHome(home)
  const web = createServer((asked, answer) => answer.end(`hello ${asked.headers.authorization}`))
  ownership.server.on('connection', socket => web.emit('connection', socket))

  const owner = await findOwner(home)
  const dispatcher = new Agent({ connect: { socketPath: owner?.socketPath ?? '' } })
  t.teardown(() => dispatcher.close())
  const { body } = await request('http://foundry/', { dispatcher, headers: { authorization: owner?.token ?? '' } })
  t.equal(await body.text(), `hello ${ownership.token}`)

  await ownership.release()
  t.equal(await findOwner(home), undefined, 'release ends kept-alive connections too')
})

t.test('a connection that nobody serves is closed', async t => {
  const home = t.testdir()
  const ownership = await ownHome(home)
  t.teardown(() => ownership.release())
  const socket = connect(ownership.socketPath)
  socket.on('error', () => {})
  await once(socket, 'close')
})

t.test('checkEpoch notices a later owner', async t => {
  const home = t.testdir()
  const ownership = await ownHome(home)
  t.teardown(() => ownership.release())
  await checkEpoch(home, 1)
  writeFileSync(join(home, '.foundry', 'epoch'), '5\n')
  await t.rejects(checkEpoch(home, 1), { code: 'HOME_OWNERSHIP_LOST', details: { home, epoch: 1, found: 5 } })
})

t.test('ownHome refuses what is no home', async t => {
  const folder = t.testdir({ file: '', broken: { '.foundry': { epoch: 'many' } } })
  await t.rejects(ownHome(join(folder, 'none')), { code: 'HOME_MISSING' })
  await t.rejects(ownHome(join(folder, 'file')), { code: 'HOME_MISSING' })
  await t.rejects(ownHome(join(folder, 'broken')), { code: 'FILE_UNREADABLE' })
  writeFileSync(join(folder, 'broken', '.foundry', 'epoch'), '41')
  const ownership = await ownHome(join(folder, 'broken'))
  t.equal(ownership.epoch, 42, 'a start that failed let go of the lock')
  await ownership.release()
})

t.test('an owner that cannot note its epoch is no owner', async t => {
  const home = t.testdir({ '.foundry': {} })
  armFailpoints('write=ENOSPC@1')
  await t.rejects(ownHome(home), { code: 'FILE_WRITE_FAILED' })
  const ownership = await ownHome(home)
  t.teardown(() => ownership.release())
  t.equal(ownership.epoch, 1)
})

t.test('an owner that has not introduced itself is found out, but not named', async t => {
  const home = t.testdir()
  const ownership = await ownHome(home)
  t.teardown(() => ownership.release())
  const file = join(home, '.foundry', 'owner.json')
  renameSync(file, `${file}.away`)
  const startedAt = performance.now()
  await t.rejects(ownHome(home), { code: 'HOME_OWNED', details: { owner: /not introduced itself/ } })
  t.ok(performance.now() - startedAt < 1000)
})

async function startOwner(t: Test, home: string): Promise<ChildProcess> {
  const owner = fork(child, [home], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  t.teardown(() => owner.kill('SIGKILL'))
  await once(owner.stdout ?? owner, 'data')
  return owner
}
