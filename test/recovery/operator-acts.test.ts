import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ExpectedAct } from './check-acts.js'
import { checkHome, filesUnder } from './check-home.js'
import { isFinished } from './kill-daemon.js'
import { makeHome, writeOrder } from './make-home.js'
import { foundry, rendersOf, startDaemon, startDraft, until } from './processes.js'

const folder = t.testdir()
t.jobs = 2

async function draftOf(t: { teardown(end: () => Promise<void>): void }, name: string, faults: object) {
  const draft = await startDraft(join(folder, `${name}.jsonl`), { faults: { prepared: true, ...faults } })
  t.teardown(() => draft.kill())
  const home = join(folder, name)
  return {
    draft,
    home,
    async run(...args: string[]) {
      const command = foundry([...args, '--home', home])
      const code = await command.ended
      return { code, said: command.stdout() + command.stderr(), stdout: command.stdout() }
    },
  }
}

t.test('a picture that finds another under its name is kept and held for a human', async t => {
  const { draft, home, run } = await draftOf(t, 'held', { jobMs: 10 })
  const order = makeHome(home, { slots: 2, serverUrl: draft.url })
  const plan = JSON.parse((await run('render', order, '--dry-run', '--json')).stdout) as { runs: { run: string }[] }
  const id = plan.runs[0]?.run ?? ''
  const place = join(home, 'runs', id, 'images', 'pip')
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'tiny-0001.png'), 'not ours')
  const first = await run('render', order)
  t.equal(first.code, 1, first.said)
  t.match(first.said, /1 held/)
  t.equal(readFileSync(join(place, 'tiny-0001.png'), 'utf8'), 'not ours', 'nothing is overwritten')
  t.equal(readdirSync(join(home, '.foundry', 'orphans')).length, 1, 'nothing is thrown away')
  rmSync(join(place, 'tiny-0001.png'))
  t.equal((await run('runs', 'retry', id)).code, 0)
  t.equal((await run('render', order)).code, 0)
  const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile), extraRenders: 1 })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 2)
})

t.test('a retried picture has all its attempts again', async t => {
  const { draft, home, run } = await draftOf(t, 'retried', { failRate: 1 })
  const order = makeHome(home, { slots: 1, serverUrl: draft.url, config: { attemptsMax: 2 } })
  t.equal((await run('render', order)).code, 1)
  await draft.setFaults({ failRate: 0, failNext: 1 })
  const [id = ''] = readdirSync(join(home, 'runs'))
  t.equal((await run('runs', 'retry', id)).code, 0)
  const end = await run('render', order)
  t.equal(end.code, 0, end.said)
  const facts = await checkHome(home)
  t.strictSame(facts.problems, [])
  t.match(facts, { done: 1, attempts: 4 })
})

t.test('a run that is cancelled ends, keeps what is done, and goes on when retried', async t => {
  const { draft, home, run } = await draftOf(t, 'cancelled', { jobMs: 40 })
  makeHome(home, { slots: 60, serverUrl: draft.url })
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  await until('pictures', () => filesUnder(join(home, 'runs')).filter(each => each.endsWith('.png')).length > 5)
  const [id = ''] = readdirSync(join(home, 'runs'))
  // However long the command takes to start, something is left for it to cancel.
  const paceOf = (jobMs: number) =>
    fetch(`${draft.url}/draft/faults`, { method: 'POST', body: JSON.stringify({ jobMs }) })
  t.ok((await paceOf(30_000)).ok)
  t.equal((await run('runs', 'cancel', id)).code, 0)
  t.ok((await paceOf(10)).ok)
  await until('its end', () => isFinished(home))
  const report = join(home, 'runs', id, 'report.json')
  const { state, counts } = JSON.parse(readFileSync(report, 'utf8'))
  t.equal(state, 'cancelled')
  t.ok(counts.done > 5 && counts.cancelled > 0, JSON.stringify(counts))
  rmSync(report)
  t.equal((await run('runs', 'retry', id)).code, 0)
  await until('the end of the rest', () => isFinished(home))
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
  const acts = (['run-accepted', 'run-cancelled', 'run-retried'] as const).map(kind => ({ kind, run: id }))
  const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile), extraRenders: 2, acts })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 60)
})

t.test('whatever operators do to runs and servers is in the audit, also after a kill', async t => {
  const { draft, home, run } = await draftOf(t, 'audited', { jobMs: 60 })
  makeHome(home, { slots: 40, serverUrl: draft.url })
  let daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  await until('a picture', () => filesUnder(join(home, 'runs')).some(each => each.endsWith('.png')))
  const [id = ''] = readdirSync(join(home, 'runs'))
  const acts: ExpectedAct[] = [{ kind: 'run-accepted', run: id }]
  for (const [kind, ...command] of [
    ['run-changed', 'runs', 'priority', id, 'rush'],
    ['run-paused', 'runs', 'pause', id],
    ['server-mode', 'servers', 'drain', 'gpu'],
    ['server-mode', 'servers', 'resume', 'gpu'],
    ['server-forgiven', 'servers', 'forgive', 'gpu'],
    ['run-resumed', 'runs', 'resume', id],
  ] as const) {
    const { code, said } = await run(...command)
    t.equal(code, 0, `${command.join(' ')}: ${said}`)
    acts.push({ kind, ...(kind.startsWith('run') ? { run: id } : { server: 'gpu' }) })
    if (kind !== 'server-mode') continue
    await daemon.kill()
    daemon = await startDaemon(home)
  }
  await until('its end', () => isFinished(home), 60_000)
  const { total } = JSON.parse((await run('audit', '--json')).stdout) as { total: number }
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
  const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile), extraRenders: 'in flight', acts })
  t.strictSame(facts.problems, [])
  t.equal(total, facts.journal.filter(event => 'by' in event).length)
  const forgotten = [...acts, { kind: 'run-removed' as const }]
  t.match((await checkHome(home, { acts: forgotten })).problems, ['run-removed of the home is not in the audit'])
})

t.test('pictures and traces that were deleted by hand are rendered again, whatever crashes meanwhile', async t => {
  const { draft, home, run } = await draftOf(t, 'deleted', { jobMs: 10 })
  const order = makeHome(home, { slots: 6, serverUrl: draft.url })
  t.equal((await run('render', order)).code, 0)
  const [id = ''] = readdirSync(join(home, 'runs'))
  const place = join(home, 'runs', id, 'images', 'pip')
  rmSync(join(place, 'tiny-0001.png'))
  rmSync(join(place, 'tiny-0002.png'))
  rmSync(join(place, 'tiny-0002.trace.json'))
  rmSync(join(place, 'tiny-0003.trace.json'))
  writeFileSync(join(place, 'tiny-0004.png'), 'edited')
  const dry = await run('render', order, '--dry-run')
  t.match(
    dry.said,
    /6 pictures, done, lacks or has changed files of 4 pictures \(images\/pip\/tiny-0001\.png, .*0003\.trace\.json/,
  )

  const crashed = foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: 'accepted=kill@2' })
  t.equal(await crashed.ended, 'SIGKILL')
  t.match(crashed.stderr(), /lacks or has changed files of 4 pictures .*: they are rendered again/)
  const end = await run('render', order)
  t.equal(end.code, 0, end.said)
  t.match(end.said, /6 of 6 rendered/)
  t.match((await run('render', order)).said, /6 of 6 already rendered/)
  t.equal((await run('runs', 'retry', id)).code, 2, 'nothing is left to try again')
  t.equal((await run('verify', id)).code, 0)

  const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile), extraRenders: 6 })
  t.strictSame(facts.problems, [])
  t.match(facts, { done: 6, failed: 0 })
  const attempts = facts.traces.get(`${id}/pip/tiny-0001`)?.result.attempts
  t.match(attempts, [{ number: 1, server: 'gpu', outcome: 'picture-lost' }], 'the trace says why it was rendered twice')
  t.equal(attempts?.at(-1)?.outcome, 'done')
  const orphans = join(home, '.foundry', 'orphans')
  const kept = readdirSync(orphans).map(each => readFileSync(join(orphans, each), 'utf8'))
  t.equal(kept.length, 2, 'what was left of them is kept')
  t.ok(kept.includes('edited'))
})

t.test('a run whose whole folder was deleted is rendered again', async t => {
  const { draft, home, run } = await draftOf(t, 'gone', { jobMs: 10 })
  const order = makeHome(home, { slots: 3, serverUrl: draft.url })
  t.equal((await run('render', order)).code, 0)
  const [id = ''] = readdirSync(join(home, 'runs'))
  const runFile = readFileSync(join(home, 'runs', id, 'run.json'), 'utf8')
  rmSync(join(home, 'runs', id), { recursive: true })
  await draft.kill()
  const alone = await run('render', order)
  t.equal(alone.code, 3, 'no server')
  t.match(alone.said, /lacks or has changed files of 3 pictures/)
  await draft.start()
  const end = await run('render', order)
  t.equal(end.code, 0, end.said)
  t.equal(readFileSync(join(home, 'runs', id, 'run.json'), 'utf8'), runFile)
  const facts = await checkHome(home)
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 3)
})

t.test('a run whose run.json is damaged fails alone', async t => {
  const { draft, home, run } = await draftOf(t, 'damaged', { jobMs: 10 })
  const order = makeHome(home, { slots: 4, serverUrl: draft.url })
  const crashed = foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: 'accepted=kill@2' })
  t.equal(await crashed.ended, 'SIGKILL')
  const [id = ''] = readdirSync(join(home, 'runs'))
  writeFileSync(join(home, 'runs', id, 'run.json'), '{"half')
  rmSync(order)
  writeOrder(home, 'other', 3, 9)
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  const reports = () => filesUnder(join(home, 'runs')).filter(each => each.endsWith('report.json'))
  await until('the other run', () => reports().length === 1)
  t.match(reports(), [/^other-/])
  t.match((await run('runs', 'list', '--json')).stdout, /"failed": ?4/)
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
})
