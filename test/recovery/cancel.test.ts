import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkHome } from './check-home.js'
import { makeHome } from './make-home.js'
import { foundry, rendersOf, startDaemon, startDraft, until } from './processes.js'

const folder = t.testdir()

async function open(t: { teardown(end: () => Promise<void>): void }, name: string) {
  const draft = await startDraft(join(folder, `${name}.jsonl`), { faults: { prepared: true, jobMs: 60_000 } })
  t.teardown(() => draft.kill())
  const home = join(folder, name)
  const order = makeHome(home, { slots: 4, serverUrl: draft.url })
  return {
    draft,
    home,
    order,
    hasBegun: () => until('a job', () => rendersOf(draft.ledgerFile).length > 0),
    run: () => readdirSync(join(home, 'runs'))[0] ?? '',
    async ask(...args: string[]) {
      const command = foundry([...args, '--home', home])
      const code = await command.ended
      return { code, out: command.stdout(), err: command.stderr() }
    },
  }
}

t.test('a run whose server is gone is cancelled without it, and removed', async t => {
  const { draft, home, run, ask, hasBegun } = await open(t, 'gone')
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  await hasBegun()
  await draft.kill()
  const id = run()
  t.match(await ask('runs', 'cancel', id), { code: 0, out: `${id} is cancelled` })
  t.match(await ask('runs', 'show', id), { out: /is cancelled: 0 of 4 done/ })
  t.match(await ask('runs', 'rm', id), { code: 0 })
  t.notOk(existsSync(join(home, 'runs', id)))
})

t.test('what is given up is rendered anew when asked for, once the server is back', async t => {
  const { draft, home, run, ask, hasBegun } = await open(t, 'back')
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill())
  await hasBegun()
  await draft.kill()
  t.equal((await ask('runs', 'cancel', run())).code, 0)
  await draft.start()
  await draft.setFaults({ jobMs: 0 })
  t.match(await ask('runs', 'retry', run()), { code: 0 })
  await until('the end', () => existsSync(join(home, 'runs', run(), 'images', 'pip', 'tiny-0004.png')))
  daemon.child.kill('SIGTERM')
  await daemon.ended
  const facts = await checkHome(home)
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 4)
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
    t.match(await ask('runs', 'rm', id), { code: 2, err: /it cannot be removed before it has ended/ })
    t.match(await ask('runs', 'cancel', id), { code: 0, out: `${id} is cancelled` })
    if (isServerThere)
      await until('its end there', () => rendersOf(draft.ledgerFile).every(each => each.outcome !== 'running'))
    t.match(await ask('runs', 'rm', id), { code: 0 })
  })
}
