import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'

const durable = new URL('../../../src/files/durable.js', import.meta.url).href

/** What durable functions answer in a thread of its own, where calls are made at once. */
async function inThread(script: string): Promise<unknown> {
  const thread = new Worker(
    `import(${JSON.stringify(durable)}).then(async files => {
      const { parentPort } = require('node:worker_threads')
      parentPort.postMessage(await (async () => { ${script} })().catch(error => ({ code: error.code, ...error.details })))
    })`,
    { eval: true },
  )
  const [answer] = (await once(thread, 'message')) as [unknown]
  await thread.terminate()
  return answer
}

t.test('a thread of its own writes, links and replaces as the event loop does', async t => {
  const folder = t.testdir({ staged: 'picture', other: 'drawing' })
  const at = (name: string) => JSON.stringify(join(folder, name))
  t.same(await inThread(`await files.makeFolder(${at('a/b')}); return files.makeFolder(${at('a/b')})`), undefined)
  t.equal(await inThread(`return files.linkFirst(${at('staged')}, ${at('a/b/final')})`), 'linked')
  t.notOk(existsSync(join(folder, 'staged')))
  t.equal(await inThread(`return files.linkFirst(${at('other')}, ${at('a/b/final')})`), 'different')
  await inThread(`await files.replaceFile(${at('other')}, 'x'.repeat(300000))`)
  t.equal(readFileSync(join(folder, 'other'), 'utf8').length, 300_000)
  t.equal(readFileSync(join(folder, 'a/b/final'), 'utf8'), 'picture')
})

t.test('a thread of its own tells what the system refuses', async t => {
  const folder = t.testdir({ file: '' })
  mkdirSync(join(folder, 'sub'))
  const at = (name: string) => JSON.stringify(join(folder, name))
  const fails = (reason: string) => ({ code: 'FILE_WRITE_FAILED', reason })
  t.match(await inThread(`await files.replaceFile(${at('none/file')}, 'x')`), fails('ENOENT'))
  t.match(await inThread(`await files.makeFolder(${at('file/sub')})`), fails('ENOTDIR'))
  t.match(await inThread(`await files.removeFile(${at('sub')})`), { code: 'FILE_WRITE_FAILED' })
  t.same(await inThread(`await files.removeFile(${at('none')})`), undefined)
})
