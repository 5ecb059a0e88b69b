import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { foundry as foundryHere } from '../cli/foundry.js'
import type { ExpectedAct } from './check-acts.js'
import { checkHome, filesUnder } from './check-home.js'
import { isFinished } from './kill-daemon.js'
import { makeHome, writeOrder } from './make-home.js'
import { foundry, rendersOf, startDaemon, startDraftHere, until } from './processes.js'
import { apiUrlOf } from './told-counts.js'

const folder = t.testdir()
t.jobs = 2

async function draftOf(t: { teardown(end: () => Promise<void>): void }, name: string, faults: object) {
  const draft = await startDraftHere(join(folder, `${name}.jsonl`), { faults: { prepared: true, ...faults } })
  t.teardown(() => draft.kill())
  const home = join(folder, name)
  return {
    draft,
    home,
    /** In this process: what comes after a crash begins from the files alone. */
    async run(...args: string[]) {
      const { code, out, err } = await foundryHere(args, { cwd: home })
      return { code, said: out + err, stdout: out }
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

t.test('whatever operators do to runs and servers happens, and is in the audit, also after a kill', async t => {
  const { draft, home } = await draftOf(t, 'acts', { jobMs: 60 })
  makeHome(home, { slots: 40, serverUrl: draft.url })
  let daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  const pictures = () => filesUnder(join(home, 'runs')).filter(each => each.endsWith('.png')).length
  await until('a picture', () => pictures() > 0)
  const [id = ''] = readdirSync(join(home, 'runs'))
  const acts: ExpectedAct[] = [{ kind: 'run-accepted', run: id }]
  const act = async (kind: ExpectedAct['kind'], path: string, body: object = {}) => {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const answer = await fetch(`${apiUrlOf(home)}/${path}`, request)
    t.ok(answer.ok, `${path}: ${await answer.text()}`)
    acts.push({ kind, ...(kind.startsWith('run') ? { run: id } : { server: 'gpu' }) })
  }
  await act('run-changed', `runs/${id}/priority`, { weight: 90 })
  await act('run-paused', `runs/${id}/pause`)
  for (const mode of ['drain', 'resume']) {
    await act('server-mode', `servers/gpu/${mode}`)
    await daemon.kill()
    daemon = await startDaemon(home)
  }
  await act('server-forgiven', 'servers/gpu/forgive')
  await act('run-resumed', `runs/${id}/resume`)

  await until('pictures', () => pictures() > 5)
  // However long it takes to be heard, something is left to cancel.
  await draft.setFaults({ jobMs: 30_000 })
  await act('run-cancelled', `runs/${id}/cancel`)
  await draft.setFaults({ jobMs: 10 })
  await until('its end', () => isFinished(home))
  const report = join(home, 'runs', id, 'report.json')
  const { state, counts } = JSON.parse(readFileSync(report, 'utf8'))
  t.equal(state, 'cancelled')
  t.ok(counts.done > 5 && counts.cancelled > 0, JSON.stringify(counts))
  rmSync(report)
  await act('run-retried', `runs/${id}/retry`)
  await until('the end of the rest', () => isFinished(home))

  const { total } = (await (await fetch(`${apiUrlOf(home)}/audit`)).json()) as { total: number }
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
  // Each kill and the cancelling may cost what was on the server.
  const facts = await checkHome(home, { renders: rendersOf(draft.ledgerFile), extraRenders: 6, acts })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 40)
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
  t.match(crashed.stderr(), /lacks or has changed files of 4 pictures .*: made again/)
  const end = await run('render', order)
  t.equal(end.code, 0, end.said)
  t.match(end.said, /6 of 6 rendered/)
  t.equal((await run('runs', 'retry', id)).code, 2, 'nothing is left to try again')

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

  // And its whole folder, while no server is there.
  const runFile = readFileSync(join(home, 'runs', id, 'run.json'), 'utf8')
  rmSync(join(home, 'runs', id), { recursive: true })
  await draft.kill()
  const alone = await run('render', order)
  t.equal(alone.code, 3, 'no server')
  t.match(alone.said, /lacks or has changed files of 6 pictures/)
  await draft.start()
  const anew = await run('render', order)
  t.equal(anew.code, 0, anew.said)
  t.equal(readFileSync(join(home, 'runs', id, 'run.json'), 'utf8'), runFile)
  const whole = await checkHome(home)
  t.strictSame(whole.problems, [])
  t.equal(whole.done, 6)
})

t.test('a run whose run.json is damaged fails alone', async t => {
  const { draft, home } = await draftOf(t, 'damaged', { jobMs: 10 })
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
  t.match(await (await fetch(`${apiUrlOf(home)}/runs`)).text(), /"failed": ?4/)
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
})
