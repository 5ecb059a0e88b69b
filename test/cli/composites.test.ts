import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import type { CompositeTrace } from '../../src/schema/composite-trace.js'
import type { RunManifest } from '../../src/schema/run-manifest.js'
import { foundry, foundryJson } from './foundry.js'

t.setTimeout(120_000)
const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const at = ['--server', server.url]

const views = ['front', 'back', 'left']
const template = {
  $schema: 'template/1',
  id: 'turn',
  title: 'Turnaround',
  subject: 'persona',
  views: views.map(id => ({ id, title: `From the ${id}` })),
  sizes: { sd15: { width: 64, height: 96 } },
  composite: { columns: 2, gap: 8, background: '#ffffff' },
}
const files = {
  'foundry.yaml': 'attemptsMax: 1\n',
  'a.json': JSON.stringify({ dot_id: 'a', version: '1.0.0' }),
  templates: { 'turn.template.yaml': JSON.stringify(template) },
}
const words = ['render', 'a.json', '--templates', 'turn', ...at]

interface Rendered {
  runs: { run: string; state: string; folder: string; composites?: string[] }[]
}
const readJson = <Value>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as Value

t.test('a template of one’s own gives a composite with a trace, named in the run manifest and verified', async t => {
  const call = { cwd: t.testdir(files) }
  const { code, answer } = await foundryJson<Rendered>(words, call)
  t.equal(code, 0)
  const [{ run = '', folder = '', composites = [] } = {}] = answer.runs
  t.strictSame(composites, [join(folder, 'composites/a/turn.png')])
  const manifest = readJson<RunManifest>(join(folder, 'manifest.json'))
  t.match(manifest.composites, [{ subject: 'a', template: 'turn', file: 'composites/a/turn.png' }])
  const trace = readJson<CompositeTrace>(join(folder, 'composites/a/turn.trace.json'))
  t.match(trace, {
    run,
    subject: 'a',
    template: 'turn',
    renderer: 'draft',
    layout: { columns: 2, background: '#ffffff' },
  })
  t.strictSame(
    trace.cells.map(({ file, sha256 }) => [file, sha256]),
    manifest.images.map(({ file, sha256 }) => [file, sha256]),
  )
  t.strictSame(
    trace.layout.labels.map(({ caption }) => caption),
    views.map(view => `From the ${view}`),
  )
  t.match(await foundry(['verify', run], call), { code: 0, out: /3 images with their traces/ })
  for (const file of ['turn.png', 'turn.trace.json'].map(name => join(folder, 'composites/a', name))) {
    const bytes = readFileSync(file)
    const changed = Buffer.from(bytes)
    const middle = changed.length >> 1
    changed[middle] = (changed[middle] ?? 0) ^ 1
    writeFileSync(file, changed)
    t.match(await foundry(['verify', run], call), { code: 1, out: /✘ composites\/a\/turn/ })
    writeFileSync(file, bytes)
  }
  rmSync(join(folder, 'composites/a/turn.png'))
  t.match(await foundry(['verify', run], call), { code: 1, out: /✘ composites\/a\/turn\.png: .*found missing/ })
})

t.test('a failed slot leaves its place empty, and a retry makes the composite anew', async t => {
  const call = { cwd: t.testdir(files) }
  server.setFaults({ failNext: 1 })
  const first = await foundryJson<Rendered>(words, call)
  t.equal(first.code, 1)
  const [{ run = '', folder = '', composites = [] } = {}] = first.answer.runs
  const [file = ''] = composites
  const traceFile = file.replace('.png', '.trace.json')
  const states = () => readJson<CompositeTrace>(traceFile).cells.map(({ state }) => state)
  t.strictSame(states().sort(), ['done', 'done', 'failed'])
  const before = readFileSync(file)
  t.match(await foundry(['verify', run], call), { code: 0 })

  t.match(await foundryJson<Rendered>(words, call), { code: 0, answer: { runs: [{ run, state: 'done' }] } })
  t.strictSame(states(), ['done', 'done', 'done'])
  const after = readFileSync(file)
  t.notSame(after, before)
  t.match(await foundry(['verify', run], call), { code: 0 })

  // A picture that was deleted is rendered again, to the same bytes or others: the composite is that of what lies there.
  rmSync(join(folder, 'images/a/turn-back-0001.png'))
  t.match(await foundry(words, call), { code: 0 })
  t.match(await foundry(['verify', run], call), { code: 0 })
})

t.test('a mistake in a composite is told with its line, and the usual templates stay as they are', async t => {
  const faulty = { ...template, composite: { columns: 0, colour: 'red' } }
  const text = JSON.stringify(faulty, null, 2)
  const line = 1 + text.split('\n').findIndex(each => each.includes('"columns"'))
  const call = { cwd: t.testdir({ ...files, templates: { 'turn.template.yaml': text } }) }
  const { err, code } = await foundry(words, call)
  t.equal(code, 2)
  t.match(err, new RegExp(`turn\\.template\\.yaml:${line}:\\d+: composite\\.columns`))
  t.match(err, /composite\.colour/)
  const usual = await foundryJson<{ runs: { plan: { template: string; composites?: number }[] }[] }>(
    ['plan', 'a.json', ...at],
    call,
  )
  t.strictSame(
    usual.answer.runs[0]?.plan.map(({ template, composites }) => [template, composites]),
    [
      ['hero-portrait', undefined],
      ['full-body', undefined],
    ],
  )
})

t.test('mix --sheet renders a sweep with one seed, on one labelled picture', async t => {
  const home = join(t.testdir({}), 'home')
  await foundry(['init', home], { cwd: '/' })
  const call = { cwd: home }
  const sheet = ['mix', 'aurora', '--sheet', 'mecha', 'animal', '--steps', '3', '--set', 'mecha=0.5', ...at]
  t.match(await foundry(sheet, call), { code: 2, err: /--set and --sheet both name mecha/ })
  const words = sheet.filter(word => !['--set', 'mecha=0.5'].includes(word))
  const { code, answer } = await foundryJson<Rendered>(words, call)
  t.equal(code, 0)
  const [{ folder = '', composites = [] } = {}] = answer.runs
  const trace = readJson<CompositeTrace>(join(folder, 'composites/aurora/hero-portrait-sheet.trace.json'))
  t.strictSame(composites, [join(folder, 'composites/aurora/hero-portrait-sheet.png')])
  t.equal(trace.cells.length, 9)
  t.equal(trace.layout.columns, 3)
  t.match(trace.layout.labels[0], { caption: 'animal 0 · mecha 0', detail: 'LoRA abstract 0.75, mecha 0.75' })
  t.match(trace.layout.labels[1], { caption: 'animal 0 · mecha 0.5', detail: 'LoRA abstract 0.8' })
  const seeds = trace.cells.map(({ file = '' }) => {
    const beside = join(folder, file.replace('.png', '.trace.json'))
    return readJson<{ request: { seed: number } }>(beside).request.seed
  })
  t.equal(new Set(seeds).size, 1, 'only the sliders differ')
  const { width = 0, height = 0 } = await sharp(composites[0]).metadata()
  t.ok(width > 600 && height > width, `${width} × ${height}`)
})

const refused: Record<string, [words: string[], err: RegExp]> = {
  'three sliders': [['--sheet', 'a', 'b', 'c'], /--sheet has 3 sliders/],
  'a slider twice': [['--sheet', 'mecha', 'mecha'], /names mecha twice/],
  'one step': [['--sheet', 'mecha', '--steps', '1'], /from 2 to 20/],
  'a view': [['--sheet', 'mecha', '--view', 'front'], /a sheet is made of each view/],
  'an unknown slider': [['--sheet', 'mech', ...at], /did you mean "mecha"\?/],
  'steps without a sheet': [['--steps', '3'], /--steps is for a sheet/],
}
const home = join(t.testdir({}), 'home')
await foundry(['init', home], { cwd: '/' })
for (const [title, [words, err]] of Object.entries(refused))
  t.test(`mix refuses a sheet of ${title}`, async t =>
    t.match(await foundry(['mix', 'aurora', ...words], { cwd: home }), { code: 2, err }),
  )

t.test('a sheet of nothing is refused', async t =>
  t.match(await foundry(['render', 'manifests/aurora.yaml', '--sheet', ...at], { cwd: home }), {
    code: 2,
    err: /nothing is swept/,
  }),
)
