import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { foundry, foundryJson } from './foundry.js'
import { tinyTemplates } from '../tiny-templates.js'

t.setTimeout(120_000)
const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const at = ['--server', server.url]
const kit = (id: string) => JSON.stringify({ dot_id: id, version: '1.0.0' })
const words = ['render', 'a.json', '--templates', 'tiny', '--count', '5', ...at]
const files = { 'foundry.yaml': '', 'a.json': kit('a'), templates: tinyTemplates }

interface Rendered {
  runs: { run: string; state: string; waitsFor?: string; folder: string; rendered: number }[]
}

t.test('a preview ends well and says what to type, as often as it is asked for', async t => {
  const call = { cwd: t.testdir(files) }
  const first = await foundryJson<Rendered>([...words, '--preview', '2', '--priority', 'rush'], call)
  t.match(first, { code: 0, answer: { runs: [{ state: 'held', waitsFor: 'approval', rendered: 3 }] } })
  const { run = '', folder = '' } = first.answer.runs[0] ?? {}
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as object
  t.match(manifest, { state: 'held', images: { length: 3 }, counts: { done: 3, held: 2 } }, 'the manifest tells it')

  const rendersBefore = server.ledger.length
  const again = await foundry(words, call)
  t.match(again, {
    code: 0,
    out: new RegExp(
      `… ${run}: 3 of 5 rendered, 2 held\n[^]*foundry runs approve ${run} renders the other 2 pictures\n[^]*foundry runs cancel ${run}`,
    ),
  })
  t.equal(server.ledger.length, rendersBefore)
  t.match(await foundry([...words, '--preview', '4'], call), { code: 0, err: /--preview is for new runs/ })
  t.match(await foundry(['runs'], call), { out: /NOTES +FROM\n.* held +3\/5 .* rush, preview of 1 in 2 +a\.json/ })
  const shown = await foundry(['runs', 'show', 'a', '--state', 'held'], call)
  t.match(shown.out, /rush, preview of 1 in 2[^]*runs approve[^]*0002 +held +Waits for approval after the preview\n/)

  t.match(await foundry(['runs', 'approve', 'a'], call), { code: 0, out: /Go on with "foundry render"/ })
  t.match(await foundryJson<Rendered>(words, call), { code: 0, answer: { runs: [{ state: 'done', rendered: 2 }] } })
  t.match(await foundry(['runs', 'approve', 'a'], call), { code: 2, err: /is done: it cannot be approved/ })
})

t.test('what waits for a human needs no server', async t => {
  const config = (url: string) => JSON.stringify({ servers: [{ name: 'one', url, options: { renderer: 'draft' } }] })
  const home = t.testdir({ ...files, 'foundry.yaml': config(server.url) })
  const render = ['render', 'a.json', '--templates', 'tiny', '--count', '5', '--preview', '2']
  t.match(await foundry(render, { cwd: home }), { code: 0, out: /3 of 5/ })
  writeFileSync(join(home, 'foundry.yaml'), config('http://127.0.0.1:9'))
  t.match(await foundry(render, { cwd: home }), { code: 0, out: /3 of 5[^]*runs approve/ })
  await foundry(['runs', 'approve', 'a'], { cwd: home })
  t.match(await foundry(render, { cwd: home }), { code: 3 }, 'the rest does')
})

t.test('a preview whose pictures fail is no success', async t => {
  const call = { cwd: t.testdir({ ...files, 'foundry.yaml': 'attemptsMax: 1' }) }
  server.setFaults({ failNext: 1 })
  t.match(await foundry([...words, '--preview', '2'], call), { code: 1, out: /✘ .* 1 failed, 2 held/ })
})

t.test('a preview can be cancelled', async t => {
  const call = { cwd: t.testdir(files) }
  await foundry([...words, '--preview', '2'], call)
  t.match(await foundry(['runs', 'cancel', 'a'], call), { code: 0, out: /a-[0-9a-f]{10} is cancelled/ })
  t.match(await foundryJson(['runs', 'show', 'a'], call), { answer: { counts: { done: 3, cancelled: 2, held: 0 } } })
})

t.test('a paused run is not rendered until it is resumed', async t => {
  const call = { cwd: t.testdir(files) }
  await foundry([...words, '--preview', '2'], call)
  await foundry(['runs', 'approve', 'a'], call)
  t.match(await foundry(['runs', 'pause', 'a'], call), { code: 0, out: /a-[0-9a-f]{10} is paused\n/ })
  t.match(await foundry(['runs'], call), { out: / paused +3\/5/ })
  const paused = await foundry(words, call)
  t.match(paused, { code: 1, out: /✘ .*2 waiting[^]*to go on {2}foundry runs resume a-/ })
  t.match(await foundryJson(words, call), { code: 1, answer: { runs: [{ state: 'paused', waitsFor: 'resume' }] } })
  t.match(await foundry(['runs', 'resume', 'a'], call), { code: 0, out: /is interrupted\nGo on with/ })
  t.match(await foundry(words, call), { code: 0, out: /✔ .*5 of 5/ })
})

t.test('a persona or a slot alone is paused, cancelled and tried again', async t => {
  const home = t.testdir({
    ...files,
    'b.json': kit('b'),
    'o.json': JSON.stringify({ personas: ['a.json', 'b.json'], templates: ['tiny'], count: 2, name: 'o' }),
  })
  const call = { cwd: home }
  await foundry(['render', 'o.json', '--preview', '9', ...at], call)
  t.match(await foundry(['runs', 'pause', 'o', '--persona', 'b'], call), { code: 0, out: /^2 pictures of b paused\n/ })
  t.match(await foundry(['runs', 'cancel', 'o', '--slot', 'a/tiny-0002'], call), {
    out: /^1 picture of a\/tiny-0002 cancelled\n/,
  })
  t.match(await foundry(['runs'], call), { out: / held +1\/4 .* 2 pictures paused, preview of 1 in 9/ })
  await foundry(['runs', 'approve', 'o'], call)
  t.match(await foundry(['render', 'o.json', ...at], call), { code: 1, out: /1 of 4.*2 held[^]*runs resume o-/ })
  const retried = { out: /^1 picture of a\/tiny-0002 to be tried again\n/ }
  t.match(await foundry(['runs', 'retry', 'o', '--slot', 'a/tiny-0002'], call), retried)
  t.match(await foundry(['runs', 'resume', 'o', '--persona', 'b'], call), { out: /^2 pictures of b resumed\n/ })
  t.match(await foundry(['render', 'o.json', ...at], call), { code: 0, out: /4 of 4/ })
  for (const act of ['pause', 'resume', 'cancel', 'retry']) {
    const both = ['runs', act, 'o', '--persona', 'a', '--slot', 'a/tiny-0001']
    t.match(await foundry(both, call), { code: 2, err: /--persona.*--slot/ }, act)
  }
  t.match(await foundry(['runs', 'pause', 'o', '--persona', 'c'], call), { code: 2, err: /no persona "c"/ })
})

t.test('priority is told where it is unusual, and changed by name or by rendering again', async t => {
  const call = { cwd: t.testdir(files) }
  await foundry([...words, '--preview', '9'], call)
  t.notMatch((await foundry(['runs'], call)).out, /rush|weight/)
  t.match(await foundry(['runs', 'priority', 'a', 'batch', '--weight', '0.5'], call), {
    code: 0,
    out: /a-[0-9a-f]{10} has priority batch, weight 0.5\n/,
  })
  t.match(await foundry(['runs'], call), { out: / batch, weight 0\.5, preview of 1 in 9 / })
  t.match(await foundry([...words, '--priority', 'rush', '--weight', '1'], call), {
    err: /a-[0-9a-f]{10} was known already: it now has priority rush, weight 1\n/,
  })
  t.match(await foundry(['runs', 'priority', 'a', '--weight', '2'], call), { out: /has priority rush, weight 2/ })
  for (const wrong of [['urgent'], ['--weight', '0'], ['--weight', '101'], []])
    t.match(await foundry(['runs', 'priority', 'a', ...wrong], call), { code: 2 }, wrong.join(' '))
  for (const wrong of [
    ['--priority', 'urgent'],
    ['--weight', 'none'],
    ['--preview', '1'],
  ])
    t.match(await foundry([...words, ...wrong], call), { code: 2, err: /Allowed|allowed/i }, wrong.join(' '))

  const audit = await foundry(['audit'], call)
  t.match(audit.out, /^AT +BY +ACT +ON +DETAILS\n\S+ +command line +changed +a-\S+ +priority rush, weight 2\n/)
  t.match(audit.out, / accepted +a-\S+ +key a\.json, .*slots 5, preview 9\n/)
  t.match(await foundry(['audit', '--limit', '1', '--run', 'runs/a'], call), {
    out: /changed.*\n… 3 earlier: --limit 4/,
  })
  t.match(await foundryJson(['audit', '--run', 'a'], call), { answer: { total: 4, acts: [{ act: 'changed' }] } })
  t.match(await foundry(['audit', '--run', 'nobody'], call), { code: 2, err: /No run is named/ })
  t.match(await foundry(['audit'], { cwd: t.testdir({ 'foundry.yaml': '' }) }), { out: /Nobody did anything yet/ })
})
