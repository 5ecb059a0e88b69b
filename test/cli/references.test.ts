import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { sha256 } from '../../src/files/hash.js'
import type { PlannedRun } from '../../src/operations/plan.js'
import { paintPicture } from '../paint-picture.js'
import { tinyTemplates } from '../tiny-templates.js'
import { foundry, foundryJson, packageFolder } from './foundry.js'

t.setTimeout(120_000)
const server = await startDraftServer()
t.teardown(() => server.close())
const at = ['--server', server.url]
const face = await paintPicture(64, 96)
const back = await paintPicture(96, 64, 2)
const hash = sha256(face)
const edit = readFileSync(join(packageFolder, 'test/fixtures/workflows/image-to-image.json'), 'utf8')
const kit = { dot_id: 'mara', version: '1.0.0', description: 'a ranger' }
const tiny = ['--templates', 'tiny']

interface Rendered {
  runs: { run: string; folder: string; counts: Record<string, number> }[]
}

function makeHome(t: Test, references: readonly string[] = ['refs/secret-name.png']): { cwd: string } {
  const cwd = t.testdir({
    'foundry.yaml': '',
    manifests: {
      'mara.json': JSON.stringify({ ...kit, references }),
      'plain.json': JSON.stringify(kit),
      refs: { 'secret-name.png': face, 'back.png': back },
    },
    workflows: { 'edit.json': edit },
    templates: tinyTemplates,
  })
  return { cwd }
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(each => each.isFile())
    .map(each => join(each.parentPath, each.name))
}

t.test(
  'a persona is rendered after the picture of its kit, and the picture is kept and traced by its content',
  async t => {
    const home = makeHome(t)
    const words = ['manifests/mara.json', ...tiny, '--count', '2', ...at]
    const plan = await foundryJson<{ runs: PlannedRun[] }>(['plan', ...words], home)
    t.match(plan.answer.runs[0]?.plan, [
      {
        workflow: 'edit',
        references: [{ sha256: hash, sizeBytes: face.length, format: 'png', width: 64, height: 96 }],
      },
    ])
    t.match((await foundry(['plan', ...words], home)).out, /edit · 2 × 64×96 · after 1 reference picture/)

    const { code, answer } = await foundryJson<Rendered>(['render', ...words], home)
    t.equal(code, 0)
    const { run = '', folder = '' } = answer.runs[0] ?? {}
    t.ok(server.files.get('input', 'foundry', `${hash}.png`), 'the server knows it by its content alone')
    const images = filesOf(join(folder, 'images'))
    const image = images.find(each => each.endsWith('.png')) ?? ''
    const trace = JSON.parse(readFileSync(image.replace(/png$/, 'trace.json'), 'utf8')) as { request: object }
    t.match(trace.request, { workflow: 'edit', references: [{ sha256: hash, sizeBytes: face.length }] })
    for (const file of [...filesOf(folder), ...filesOf(join(home.cwd, '.foundry'))])
      t.notOk(readFileSync(file).includes('secret-name'), `${file} tells no name`)
    const kept = join(home.cwd, '.foundry', 'references', hash)
    t.ok(readFileSync(kept).equals(face))

    t.equal((await foundry(['verify', run], home)).code, 0)
    const again = await foundryJson<object>(['reproduce', image, ...at], home)
    t.match(again.answer, { sameGraph: true, samePixels: true })
    writeFileSync(kept, back)
    t.match((await foundryJson(['verify', run], home)).answer, { differences: [{ what: `reference:${hash}` }] })
    const damaged = await foundry(['reproduce', image, ...at], home)
    t.equal(damaged.code, 1)
    t.match(damaged.err, /The reference picture [0-9a-f]{12}… is gone/)
    t.match((await foundryJson<Rendered>(['render', ...words], home)).answer.runs, [{ run, counts: { done: 2 } }])
    t.ok(readFileSync(kept).equals(face), 'whoever drops it again mends it')

    const reused = await foundryJson<Rendered>(['render', ...words.with(4, '3')], home)
    t.match(reused.answer.runs, [{ counts: { done: 3, reused: 2 } }])
    writeFileSync(join(home.cwd, 'manifests/refs/secret-name.png'), back)
    const other = await foundryJson<Rendered>(['render', ...words], home)
    t.not(other.answer.runs[0]?.run, run, 'another picture is another version')
    t.match(other.answer.runs, [{ counts: { done: 2, reused: 0 } }])
  },
)

t.test('the command line goes before the order, the order before the kits', async t => {
  const home = makeHome(t)
  const order = { personas: ['mara.json'], references: ['refs/back.png'], templates: ['tiny'] }
  writeFileSync(join(home.cwd, 'manifests/order.json'), JSON.stringify(order))
  const planned = async (words: readonly string[]) => {
    const { answer } = await foundryJson<{ runs: PlannedRun[] }>(
      ['plan', 'manifests/order.json', ...words, ...at],
      home,
    )
    return answer.runs[0]?.plan[0]?.references?.map(each => each.sha256)
  }
  t.strictSame(await planned([]), [sha256(back)])
  t.strictSame(await planned(['--reference', 'manifests/refs/secret-name.png']), [hash])
})

t.test('pictures that nothing takes are refused, with what takes how many', async t => {
  const home = makeHome(t, ['refs/secret-name.png', 'refs/back.png'])
  const cases: [words: string[], says: RegExp][] = [
    [
      ['mara.json', ...tiny],
      /sd15-text does not take these.*edit \(1 picture, sd15\).*replicate-flux-2-pro \(up to 8/s,
    ],
    [['mara.json', ...tiny, '--workflow', 'edit'], /edit takes fewer reference pictures.*1 or fewer/s],
    [['mara.json', ...tiny, '--workflow', 'sd15-text'], /sd15-text takes no reference pictures/],
    [['plain.json', ...tiny, '--reference', 'gone.png'], /gone\.png.*is not there/],
    [['plain.json', ...tiny, '--reference', 'foundry.yaml'], /foundry\.yaml.*no picture that can be a reference/],
  ]
  for (const [[drop = '', ...words], says] of cases) {
    const { code, err } = await foundry(['render', `manifests/${drop}`, ...words, ...at], home)
    t.equal(code, 2)
    t.match(err, says)
  }
  writeFileSync(join(home.cwd, 'workflows', 'edit-too.json'), edit)
  const one = ['render', 'manifests/plain.json', ...tiny, '--reference', 'manifests/refs/back.png', ...at]
  t.match((await foundry(one, home)).err, /several others do.*--workflow/s)
  t.notOk(
    filesOf(home.cwd).some(file => file.includes(join('.foundry', 'references'))),
    'what is refused is not kept',
  )
  t.match(
    (await foundry(['workflows', 'list'], home)).out,
    /replicate-flux-2-pro.*\n +--reference FILE +up to 8 pictures/,
  )
})
