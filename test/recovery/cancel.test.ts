import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkHome, filesUnder } from './check-home.js'
import { makeHome, writeOrder } from './make-home.js'
import { foundry, rendersOf, startDaemon, startDraftHere, until } from './processes.js'

const folder = t.testdir()
// They wait most of the time.
t.jobs = 3

async function open(t: { teardown(end: () => Promise<void>): void }, name: string) {
  const draft = await startDraftHere(join(folder, `${name}.jsonl`), { faults: { prepared: true, jobMs: 60_000 } })
  t.teardown(() => draft.kill())
  const home = join(folder, name)
  const order = makeHome(home, { slots: 4, serverUrl: draft.url })
  return {
    draft,
    home,
    order,
    hasBegun: (before = 0) => until('a job', () => rendersOf(draft.ledgerFile).length > before),
    run: (order = 'order') => readdirSync(join(home, 'runs')).find(each => each.startsWith(`${order}-`)) ?? '',
    async ask(...args: string[]) {
      const command = foundry([...args, '--home', home])
      const code = await command.ended
      return { code, out: command.stdout(), err: command.stderr() }
    },
  }
}

t.test('a run whose server is gone is cancelled without it, and removed, or rendered once it is back', async t => {
  const { draft, home, run, ask, hasBegun } = await open(t, 'gone')
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  await hasBegun()
  await draft.kill()
  t.match(await ask('runs', 'cancel', run()), { code: 0, out: `${run()} is cancelled` })
  t.match(await ask('runs', 'show', run()), { out: /is cancelled: 0 of 4 done/ })
  await draft.start()
  await draft.setFaults({ jobMs: 0 })
  t.match(await ask('runs', 'retry', run()), { code: 0 })
  await until('the end', () => existsSync(join(home, 'runs', run(), 'report.json')) && pictures() === 4)

  await draft.setFaults({ jobMs: 60_000 })
  const before = rendersOf(draft.ledgerFile).length
  writeOrder(home, 'second', 2, 9)
  await hasBegun(before)
  await draft.kill()
  const second = run('second')
  t.match(await ask('runs', 'cancel', second), { code: 0, out: `${second} is cancelled` })
  t.match(await ask('runs', 'rm', second), { code: 0 })
  t.notOk(existsSync(join(home, 'runs', second)))

  daemon.child.kill('SIGTERM')
  await daemon.ended
  const facts = await checkHome(home)
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 4)

  function pictures(): number {
    return filesUnder(join(home, 'runs', run())).filter(each => each.endsWith('.png')).length
  }
})

for (const isServerThere of [false, true]) {
  const title = `an interrupted run is cancelled without its owner, ${isServerThere ? 'and stopped on its' : 'and without its'} server`
  t.test(title, async t => {
    const { draft, home, order, run, ask, hasBegun } = await open(t, isServerThere ? 'there' : 'away')
    const command = foundry(['render', order, '--home', home])
    await hasBegun()
    await command.kill()
    if (!isServerThere) await draft.kill()
    const id = run()
    if (isServerThere)
      t.match(await ask('runs', 'rm', id), { code: 2, err: /it cannot be removed before it has ended/ })
    t.match(await ask('runs', 'cancel', id), { code: 0, out: `${id} is cancelled` })
    if (isServerThere)
      await until('its end there', () => rendersOf(draft.ledgerFile).every(each => each.outcome !== 'running'))
    t.match(await ask('runs', 'rm', id), { code: 0 })
  })
}
