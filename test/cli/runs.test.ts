import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { foundry, foundryApart, foundryJson } from './foundry.js'
import { tinyTemplates } from '../tiny-templates.js'

t.setTimeout(120_000)
const kit = (id: string) => JSON.stringify({ dot_id: id, version: '1.0.0' })

t.test('what nobody works at does not run, and what is not there is said', async t => {
  const server = await startDraftServer({ faults: { jobMs: 60_000 } })
  t.teardown(() => server.close())
  const home = t.testdir({ 'foundry.yaml': '', templates: tinyTemplates, 'a.json': kit('a'), 'b.json': kit('b') })
  const call = { cwd: home }
  t.match(await foundry(['runs'], call), { code: 0, out: /No runs yet/ })

  const at = ['--templates', 'tiny', '--count', '2', '--server', server.url]
  let kill = () => {}
  const cut = foundryApart(['render', 'a.json', ...at], {
    ...call,
    started: child => (kill = () => child.kill('SIGKILL')),
  })
  while (server.ledger.length === 0) await sleep(25)
  kill()
  await cut

  const status = await foundry(['status'], call)
  t.match(status, { code: 0, out: /Nobody works on[^]*runs {3}1 interrupted\n[^]*Go on with "foundry render"/ })
  t.notMatch(status.out, /running/)
  const { answer } = await foundryJson<Record<string, unknown>>(['status'], call)
  t.match(answer, { daemon: false, runs: { interrupted: 1 } })
  for (const name of ['pid', 'startedAt']) t.notOk(name in answer, `${name} of a process that has ended`)
  t.match(await foundry(['runs'], call), { out: /a-[0-9a-f]{10} +interrupted +0\/2/ })
  const shown = await foundry(['runs', 'show', 'a'], call)
  t.match(shown, { out: /is interrupted: 0 of 2 done[^]*a\/tiny-0001 +interrupted/ })
  t.notMatch(shown.out, /running/)
  const { answer: interrupted } = await foundryJson<{ slots: { state: string }[] }>(['runs', 'show', 'a'], call)
  t.match(interrupted, { state: 'interrupted' })
  t.ok(interrupted.slots.some(({ state }) => state === 'interrupted'))
  t.notOk(interrupted.slots.some(({ state }) => state === 'running'))
  t.match(await foundryJson(['runs'], call), { answer: { runs: [{ state: 'interrupted' }] } })
  const listed = await foundryJson(['runs', 'list', '--state', 'interrupted'], call)
  t.match(listed, { answer: { total: 1, runs: [{ state: 'interrupted' }] } })
  t.match(await foundryJson(['runs', 'list', '--state', 'running'], call), {
    answer: { total: 0, runs: { length: 0 } },
  })
  t.match(await foundry(['runs', 'show', 'a', '--state', 'interrupted'], call), { out: /a\/tiny-0001 +interrupted/ })

  const none = { code: 0, out: 'No run is failed. Runs in all: 1 ("foundry runs list").\n' }
  t.match(await foundry(['runs', 'list', '--state', 'failed'], call), none)
  t.match(await foundryJson(['runs', 'list', '--state', 'failed'], call), { answer: { total: 0, all: 1, runs: [] } })
  t.match(await foundry(['runs', 'list', '--state', 'lost'], call), {
    code: 2,
    err: /'lost'.*waiting, running,.* done/,
  })
  t.match(await foundry(['runs', 'show', 'a', '--state', 'done'], call), { code: 0, out: /No slot of it is done/ })

  const nothing = /! a-[0-9a-f]{10}: nothing to verify: it is interrupted and has no picture/
  t.match(await foundry(['verify', 'a'], call), { code: 1, out: nothing })
  t.match(await foundryJson(['verify', 'a'], call), { code: 1, answer: { images: 0, isEmpty: false, differences: [] } })
})

t.test('verify says which of several runs it took, and names each file once', async t => {
  const server = await startDraftServer()
  t.teardown(() => server.close())
  const home = t.testdir({ 'foundry.yaml': '', templates: tinyTemplates, 'a.json': kit('a') })
  const call = { cwd: home }
  const render = async (seed: string) => {
    const words = ['render', 'a.json', '--templates', 'tiny', '--seed', seed, '--server', server.url]
    const { answer } = await foundryJson<{ runs: { run: string; folder: string }[] }>(words, call)
    return answer.runs[0]?.run ?? ''
  }
  const older = await render('1')
  const newer = await render('2')
  t.match(await foundry(['verify', 'a'], call), {
    code: 0,
    out: new RegExp(`✔ ${newer}: 1 image with its trace and \\d+ inputs are as recorded`),
    err: `"a" is also the beginning of ${older}: this is ${newer}\n`,
  })
  t.equal((await foundry(['verify', older], call)).err, '')

  await writeFile(join(home, 'runs', newer, 'images/a/tiny-0001.trace.json'), '{}')
  const { code, out } = await foundry(['verify', newer], call)
  t.equal(code, 1)
  t.match(out, /^✘ images\/a\/tiny-0001\.trace\.json: recorded [0-9a-f]{12}, found [0-9a-f]{12}\n$/)
  const { answer } = await foundryJson<{ differences: { expected: string }[] }>(['verify', newer], call)
  t.match(answer.differences, [{ expected: /^[0-9a-f]{64}$/ }])
})

t.test('the slots of a sweep are shown with their slider values', async t => {
  const dir = t.testdir({})
  const call = { cwd: join(dir, 'home') }
  await foundry(['init', 'home'], { cwd: dir })
  const words = ['render', 'manifests/aurora.yaml', '--templates', 'hero-portrait', '--draft']
  await foundry([...words, '--set', 'mecha=0.3,0.7'], call)
  const shown = await foundry(['runs', 'show', 'aurora'], call)
  t.match(shown.out, /hero-portrait-v001-0001 +mecha 0\.3 +done[^]*hero-portrait-v002-0001 +mecha 0\.7 +done/)
  t.match(await foundryJson(['runs', 'show', 'aurora'], call), {
    answer: { slots: [{ sliders: { mecha: 0.3 } }, { sliders: { mecha: 0.7 } }] },
  })
  await foundry(words, call)
  const { answer } = await foundryJson<{ slots: object[] }>(['runs', 'show', 'aurora'], call)
  t.ok(answer.slots.every(slot => !('sliders' in slot)))
})

t.test('cancel chooses among the runs that can be cancelled', async t => {
  const home = t.testdir({ 'foundry.yaml': '', templates: tinyTemplates, 'a.json': kit('a') })
  const call = { cwd: home }
  const words = (seed: string) => ['render', 'a.json', '--templates', 'tiny', '--seed', seed]
  for (const seed of ['1', '2']) t.match(await foundry([...words(seed), '--draft'], call), { code: 0 })
  t.match(await foundry(['runs', 'cancel', 'a'], call), { code: 2, err: /Run a-[0-9a-f]{10} is done/ })

  const interrupted = async (seed: string) => {
    // One of its own, since what is left on another keeps it busy.
    const server = await startDraftServer({ faults: { jobMs: 60_000 } })
    t.teardown(() => server.close())
    let kill = () => {}
    const cut = foundryApart([...words(seed), '--server', server.url], {
      ...call,
      started: child => (kill = () => child.kill('SIGKILL')),
    })
    while (server.ledger.length === 0) await sleep(25)
    kill()
    await cut
    const { answer } = await foundryJson<{ runs: { run: string }[] }>(['runs'], call)
    return answer.runs[0]?.run ?? ''
  }
  const third = await interrupted('3')
  t.match(await foundry(['runs', 'cancel', 'a'], call), { code: 0, out: `${third} is cancelled` })
  const open = [await interrupted('4'), await interrupted('5')]
  const unclear = await foundry(['runs', 'cancel', 'a'], call)
  t.match(unclear, { code: 2, err: `Several runs begin with "a": ${open.join(', ')}\n` })
})

t.test('verify is content with a run that has no picture by design', async t => {
  const speaker = { call_id: 'call-1', speaker: 'S00', persona_path: 'characters/p.md' }
  const characters = { 'persona_manifest.json': JSON.stringify([speaker]), 'p.md': 'A quiet gardener.' }
  const call = { cwd: t.testdir({ 'foundry.yaml': '', run: { characters } }) }
  await foundry(['render', 'run/characters', '--templates', 'backdrop', '--draft'], call)
  t.match(await foundry(['verify', 'run'], call), { code: 0, out: /✔ run-.*: it has no picture by design, and its \d/ })
})
