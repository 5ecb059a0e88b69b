import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { readPngText } from '../../src/record/png-text.js'
import { tinyTemplates } from '../tiny-templates.js'
import { foundry, foundryJson } from './foundry.js'

const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const at = ['--server', server.url]
const words = ['render', 'a.json', '--templates', 'tiny', ...at]
const kit = JSON.stringify({ dot_id: 'a', version: '1.0.0', description: 'a keeper of Hidden Bay, smoking a pipe' })

/** A home with one code plugin, whose `open` gives what stands there. */
const homeWith = (name: string, kind: string, opened: string, more: Record<string, string> = {}) => ({
  'foundry.yaml': '',
  'a.json': kit,
  templates: tinyTemplates,
  plugins: {
    [name]: {
      'package.json': '{"type":"module"}',
      'index.js': `export default { kind: '${kind}', name: '${name}', version: '1.0.0', options: {}, open: () => (${opened}) }`,
      ...more,
    },
  },
})
interface Rendered {
  runs: { run: string; state: string; folder: string; counts: Record<string, number> }[]
}

t.test('what a gate refuses is never sent, and the reason stands with the slot', async t => {
  const opened = `{ beforeDispatch: ({ positive }) => positive.some(({ text }) => text.includes('smoking'))
    ? { verdict: 'refuse', reason: 'no smoking' } : { verdict: 'pass' } }`
  const call = { cwd: t.testdir(homeWith('gate-own', 'gate', opened)) }
  const before = server.ledger.length
  const planned = await foundry(['plan', ...words.slice(1)], call)
  t.match(planned, { code: 1, out: /gates +1 picture: Gate gate-own refuses it: no smoking/ })
  const { code, answer } = await foundryJson<Rendered>(words, call)
  t.match({ code, answer }, { code: 1, answer: { runs: [{ state: 'failed', counts: { failed: 1 } }] } })
  t.equal(server.ledger.length, before, 'nothing was sent')
  t.match((await foundry(['runs', 'show', 'a'], call)).out, /Gate gate-own refuses it: no smoking/)
})

t.test('what a gate redacts is redacted in what is sent, in the trace and in the picture', async t => {
  const opened = `{ beforeDispatch: () => ({ verdict: 'redact', words: [{ from: 'Hidden Bay', to: 'a bay' }], reason: 'places' }) }`
  const call = { cwd: t.testdir(homeWith('gate-own', 'gate', opened)) }
  const planned = await foundryJson(['plan', ...words.slice(1)], call)
  t.match(planned, { code: 0, answer: { runs: [{ gates: { refused: [], redacted: 1 } }] } })
  const { code, answer } = await foundryJson<Rendered>(words, call)
  t.equal(code, 0)
  const images = join(answer.runs[0]?.folder ?? '', 'images', 'a')
  const [png = '', trace = ''] = (await readdir(images)).sort()
  const traced = readFileSync(join(images, trace), 'utf8')
  t.match(traced, /a keeper of a bay/)
  t.match(traced, /"gate-own@1\.0\.0\+sha256\.[0-9a-f]{64}"/, 'the code that did it stands in the trace')
  const chunks = readPngText(readFileSync(join(images, png)))
  t.match(JSON.stringify(chunks), /a keeper of a bay/)
  t.notMatch(traced + JSON.stringify(chunks), /Hidden Bay/)
  t.match(await foundry(words, call), { code: 0, out: /1 of 1 already rendered/ }, 'the same again is the same')
})

t.test('a picture that a gate holds is kept beside for a human, with the reason', async t => {
  const opened = `{ beforeCommit: ({ bytes, server }) => ({ verdict: 'hold', reason: 'look at ' + bytes.length + ' bytes' }) }`
  const call = { cwd: t.testdir(homeWith('gate-own', 'gate', opened)) }
  const { answer } = await foundryJson<Rendered>(words, call)
  t.match(answer, { runs: [{ state: 'held', counts: { held: 1 } }] })
  t.match((await foundry(['runs', 'show', 'a'], call)).out, /Gate gate-own: look at \d+ bytes/)
  t.equal((await readdir(join(call.cwd, '.foundry', 'orphans'))).length, 1)
})

t.test('a picture that a gate refuses is kept beside and tried again', async t => {
  const opened = `{ beforeCommit: ({ attempt }) => attempt === 1 ? { verdict: 'refuse', reason: 'once' } : { verdict: 'pass' } }`
  const call = { cwd: t.testdir(homeWith('gate-own', 'gate', opened)) }
  const { code, answer } = await foundryJson<Rendered>(words, call)
  t.match({ code, answer }, { code: 0, answer: { runs: [{ state: 'done' }] } })
  const images = join(answer.runs[0]?.folder ?? '', 'images', 'a')
  const trace = (await readdir(images)).find(name => name.endsWith('.json')) ?? ''
  const { result } = JSON.parse(readFileSync(join(images, trace), 'utf8')) as { result: object }
  t.match(result, { attempts: [{ outcome: 'bad-output' }, { outcome: 'done' }] })
})

t.test('a gate that cannot be loaded closes the way until it is mended', async t => {
  const files = homeWith('gate-own', 'gate', '{')
  const call = { cwd: t.testdir(files) }
  const before = server.ledger.length
  t.match(await foundryJson<Rendered>(words, call), { code: 1, answer: { runs: [{ state: 'failed' }] } })
  t.equal(server.ledger.length, before)
  t.match(
    (await foundry(['runs', 'show', 'a'], call)).out,
    /gate-own failed in its hook beforeDispatch: it is left out/,
  )
})

const isolated = (name: string) => ({ 'plugin.yaml': `name: ${name}\nversion: 1.0.0\nisolated: true\n` })

t.test('an isolated gate that crashes is named and fails its slot alone; other runs are rendered', async t => {
  const opened = `{ beforeDispatch({ subject }) { if (subject === 'b') process.abort(); return { verdict: 'pass' } },
    beforeCommit: ({ bytes }) => ({ verdict: bytes.length > 100 ? 'pass' : 'hold', reason: 'small' }) }`
  const b = JSON.stringify({ dot_id: 'b', version: '1.0.0', description: 'a keeper' })
  const cwd = t.testdir({ ...homeWith('gate-own', 'gate', opened, isolated('gate-own')), 'b.json': b })
  const { code, answer } = await foundryJson<Rendered>([...words, 'b.json'], { cwd })
  t.equal(code, 1)
  t.strictSame(
    answer.runs.map(({ state }) => state),
    ['done', 'failed'],
  )
  const shown = await foundry(['runs', 'show', 'b'], { cwd })
  t.match(shown.out, /gate-own failed in its hook beforeDispatch: its process ended by itself, with SIGABRT/)
  const listed = await foundry(['plugins'], { cwd })
  t.match(listed.out, /^gate-own \.+ +gate .* ms, isolated +beforeDispatch \(chain\), beforeCommit \(chain\)$/m)
})

t.test('an isolated observer that crashes with each event harms nothing', async t => {
  const opened = '{ told() { process.abort() } }'
  const cwd = t.testdir(homeWith('observer-own', 'observer', opened, isolated('observer-own')))
  t.match(await foundryJson<Rendered>(words, { cwd }), { code: 0, answer: { runs: [{ state: 'done' }] } })
})

t.test('a provider that asks for isolation is refused, and told why', async t => {
  const cwd = t.testdir(homeWith('provider-own', 'provider', '1', isolated('provider-own')))
  const { code, err } = await foundry(['plugins'], { cwd })
  t.equal(code, 1)
  t.match(err, /plugins\/provider-own: isolated: Only a gate or an observer can be isolated/)
})

t.test('an observer is told what happens, and one that fails harms nothing', async t => {
  const opened = `{ told(event) { (globalThis.toldHere ??= []).push(event); throw new RangeError('broken') } }`
  const call = { cwd: t.testdir(homeWith('observer-own', 'observer', opened)) }
  t.match(await foundryJson<Rendered>(words, call), { code: 0, answer: { runs: [{ state: 'done' }] } })
  const { toldHere = [] } = globalThis as { toldHere?: { kind: string }[] }
  const kinds = toldHere.map(({ kind }) => kind)
  for (const kind of ['run-accepted', 'attempt-leased', 'slot-done', 'run-finished']) t.ok(kinds.includes(kind), kind)
  t.notMatch(JSON.stringify(toldHere), call.cwd, 'without paths of this machine')
})

t.test(
  'a drop with words that its persona forbids, or a talent that may not be used so, is refused before anything is sent',
  async t => {
    const own = {
      dot_id: 'a',
      version: '1.0.0',
      description: 'a keeper smoking a pipe',
      boundaries: { words: ['smoking'] },
    }
    const cwd = t.testdir({ 'foundry.yaml': '', 'a.json': JSON.stringify(own), templates: tinyTemplates })
    const before = server.ledger.length
    const refused = await foundry(words, { cwd })
    t.match(refused, {
      code: 2,
      err: /"smoking" stands in persona\.description, and boundaries\.words of a forbids it/,
    })
    t.equal(server.ledger.length, before)
  },
)

t.test('an order or --use commercial holds a run to the licences of its talents, whatever its home says', async t => {
  const order = (use?: string) =>
    JSON.stringify({ $schema: 'render-order/1', personas: ['manifests/aurora.yaml'], use })
  const home = join(t.testdir({}), 'home')
  const call = { cwd: home }
  await foundry(['init', home], { cwd: '/' })
  const file = join(home, 'talents', 'avatar', 'avatar.style.mecha', 'talent.json')
  const talent = JSON.parse(readFileSync(file, 'utf8')) as { metadata?: object }
  writeFileSync(file, JSON.stringify({ ...talent, metadata: { ...talent.metadata, license: 'CC-BY-NC-4.0' } }))
  for (const [name, use] of [['free'], ['sold', 'commercial'], ['less', 'personal']])
    writeFileSync(join(home, `${name}.json`), order(use))
  const plan = (name: string, ...more: string[]) => foundry(['plan', `${name}.json`, ...at, ...more], call)
  const refused = { code: 2, err: /licence of avatar\.style\.mecha \("CC-BY-NC-4\.0"\) forbids commercial use/ }
  t.match(await plan('free'), { code: 0 })
  t.match(await plan('free', '--use', 'commercial'), refused)
  t.match(await plan('sold'), refused)
  t.match(await plan('free', '--use', 'personal'), { code: 2, err: /commercial/ })
  t.match(await plan('less'), { code: 2, err: /less\.json:1:\d+: use: [^]*personal/ }, 'nothing asks for less')
  appendFileSync(join(home, 'foundry.yaml'), '\nuse: commercial\n')
  t.match(await plan('free'), refused)

  writeFileSync(file, JSON.stringify({ ...talent, metadata: { ...talent.metadata, license: 'CC0-1.0' } }))
  const { code, answer } = await foundryJson<Rendered>(
    ['render', 'sold.json', '--templates', 'hero-portrait', ...at],
    call,
  )
  t.equal(code, 0)
  const run = JSON.parse(readFileSync(join(answer.runs[0]?.folder ?? '', 'run.json'), 'utf8')) as { plan: object }
  t.match(run.plan, { use: 'commercial' })
})
