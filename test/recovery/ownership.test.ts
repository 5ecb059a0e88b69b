import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { checkHome, filesUnder } from './check-home.js'
import { isFinished } from './kill-daemon.js'
import { makeHome } from './make-home.js'
import { foundry, rendersOf, startDaemon, startDraftHere, until } from './processes.js'

// Starting Node takes a part of these bounds, and more of it on a busy machine.
const refusalMsMax = 1000
const takeOverMsMax = 2000
const startMsAllowed = 20_000
/** What is far quicker than this was not waited for. */
const drainSeconds = 30

const folder = t.testdir()
const draft = await startDraftHere(join(folder, 'ledger.jsonl'), { faults: { prepared: true, jobMs: 30 } })
t.teardown(() => draft.kill())
t.jobs = 2

const pictures = (home: string) => filesUnder(join(home, 'runs')).filter(each => each.endsWith('.png')).length

t.test(
  'a second daemon refuses and names the first, also while that is frozen; after its death one takes over, whoever has its number',
  async t => {
    const home = join(folder, 'two')
    makeHome(home, { slots: 30, serverUrl: draft.url })
    const first = await startDaemon(home)
    t.teardown(() => first.kill())
    for (const state of ['at work', 'frozen']) {
      if (state === 'frozen') first.child.kill('SIGSTOP')
      const begin = performance.now()
      const second = foundry(['daemon', '--home', home, '--port', '0'])
      t.equal(await second.ended, 2, `refused while the first is ${state}`)
      const tookMs = performance.now() - begin
      t.match(second.stderr(), `process ${first.child.pid}`, 'the first is named')
      t.ok(tookMs < refusalMsMax + startMsAllowed, `after ${Math.round(tookMs)} ms`)
      t.comment(`refused after ${Math.round(tookMs)} ms, Node's start included`)
    }
    await first.kill()
    // The number of a dead process is given to another one some day.
    const record = join(home, '.foundry', 'owner.json')
    const dead = JSON.parse(readFileSync(record, 'utf8')) as object
    writeFileSync(record, JSON.stringify({ ...dead, pid: process.pid }))
    const begin = performance.now()
    const heir = await startDaemon(home)
    t.teardown(() => heir.kill())
    const tookMs = performance.now() - begin
    t.ok(tookMs < takeOverMsMax + startMsAllowed, `took over after ${Math.round(tookMs)} ms`)
    t.comment(`took over after ${Math.round(tookMs)} ms`)
    await until('the end', () => isFinished(home))
    heir.child.kill('SIGTERM')
    t.equal(await heir.ended, 0)
    const facts = await checkHome(home)
    t.strictSame(facts.problems, [])
    t.match(facts, { done: 30, owners: 2 })
  },
)

t.test('a daemon whose epoch has passed stops writing at once', async t => {
  const home = join(folder, 'epoch')
  makeHome(home, { slots: 400, serverUrl: draft.url, config: { drainSeconds } })
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  await until('some pictures', () => pictures(home) > 5)
  const epoch = join(home, '.foundry', 'epoch')
  const later = Number(readFileSync(epoch, 'utf8')) + 1
  writeFileSync(epoch, `${later}\n`)
  writeFileSync(join(home, '.foundry', 'owner.json'), JSON.stringify({ epoch: later, pid: 1 }))
  const begin = performance.now()
  t.equal(await daemon.ended, 70, 'ends with a failure')
  t.ok(performance.now() - begin < drainSeconds * 1000, 'without draining')
  t.match(daemon.stderr(), /HOME_OWNERSHIP_LOST|epoch/)
  t.equal(
    JSON.parse(readFileSync(join(home, '.foundry', 'owner.json'), 'utf8')).epoch,
    later,
    'the later owner stays told',
  )
  const left = pictures(home)
  await sleep(200)
  t.equal(pictures(home), left, 'nothing is written any more')
})

t.test('SIGTERM lets a daemon end what is on the servers, within its bound', async t => {
  const home = join(folder, 'drain')
  makeHome(home, { slots: 200, serverUrl: draft.url, config: { drainSeconds } })
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  await until('some pictures', () => pictures(home) > 5)
  const begin = performance.now()
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
  const tookMs = performance.now() - begin
  t.ok(tookMs < drainSeconds * 1000, `${Math.round(tookMs)} ms, not the whole bound`)
  const { problems, journal } = await checkHome(home)
  t.notOk(
    problems.some(each => /staging|lease/.test(each)),
    'nothing is left under way',
  )
  t.ok(journal.length > 0)
})

t.test('SIGTERM does not wait longer for a server that hangs', async t => {
  const hung = await startDraftHere(join(folder, 'hung.jsonl'), { faults: { prepared: true, jobMs: 600_000 } })
  t.teardown(() => hung.kill())
  const home = join(folder, 'hung')
  makeHome(home, { slots: 5, serverUrl: hung.url, config: { drainSeconds: 1 } })
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  await until('a job on the server', () => rendersOf(hung.ledgerFile).length > 0)
  const begin = performance.now()
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
  const tookMs = performance.now() - begin
  t.ok(tookMs > 900 && tookMs < 15_000, `ended after ${Math.round(tookMs)} ms`)
})

t.test('an interrupted or timed out render says so by its exit code, and the same command goes on', async t => {
  const home = join(folder, 'render')
  const own = await startDraftHere(join(folder, 'render.jsonl'), { faults: { prepared: true, jobMs: 30 } })
  t.teardown(() => own.kill())
  const order = makeHome(home, { slots: 80, serverUrl: own.url })
  const render = (...options: string[]) => foundry(['render', order, '--home', home, ...options])
  const interrupted = render()
  await until('some pictures', () => pictures(home) > 3)
  interrupted.child.kill('SIGINT')
  t.equal(await interrupted.ended, 130)
  const between = pictures(home)
  t.ok(between < 80, `${between} pictures by then`)
  const timedOut = render('--timeout', '1')
  t.equal(await timedOut.ended, 124)
  const last = render()
  t.equal(await last.ended, 0, last.stderr())
  const facts = await checkHome(home, { renders: rendersOf(own.ledgerFile) })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 80)
  // A lease that was written when the end came, and never sent, is an attempt and no render.
  t.equal(facts.renders, 80, 'nothing was rendered twice')
})
