import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { isDropName, readDrop } from '../../../src/library/drop.js'
import { makeMalformedDrops } from './malformed-drops.js'

const kit = 'dot_id: aurora\nversion: 1.0.0\n'

t.test('readDrop tells kinds apart by content', async t => {
  const folder = t.testdir({
    'kit.yaml': `${kit}...\n`,
    'kit.json': '\uFEFF{"dot_id": "aurora",\r\n"version": "1.0.0", "extra": {"kept": true}}',
    'order.yml': 'personas: [kit.yaml, sub\\other.json]\nset: {mecha: [0, 1]}\n',
    sub: { 'other.json': '{"dot_id": "borealis", "version": "2.0.0"}' },
    'list.json': '[{"call_id": "c1", "speaker": "S00", "persona_path": "a\\\\b.md", "extra": 1}]',
    'hint.yaml': '$schema: ../schemas/persona-kit/1.json\ndot_id: a\nversion: 1.0.0\n',
  })
  t.match(await readDrop(join(folder, 'kit.yaml')), {
    drop: { kind: 'persona-kit', kit: { dot_id: 'aurora' }, folder },
    problems: [],
    sha256: /^[0-9a-f]{64}$/,
    files: [{ isClosed: true }],
  })
  t.match(await readDrop(join(folder, 'kit.json')), {
    drop: { kit: { extra: { kept: true } } },
    problems: [],
    files: [{ isClosed: true }],
  })
  const order = await readDrop(join(folder, 'order.yml'))
  t.strictSame(order.problems, [])
  t.match(order.files, [
    { path: join(folder, 'order.yml'), isClosed: false },
    { path: join(folder, 'kit.yaml'), isClosed: true },
    { path: join(folder, 'sub', 'other.json'), isClosed: true },
  ])
  t.match(order.drop, {
    kind: 'render-order',
    order: { set: { mecha: [0, 1] } },
    kits: [
      { path: 'kit.yaml', kit: { dot_id: 'aurora' }, sha256: /^[0-9a-f]{64}$/ },
      { path: 'sub/other.json', kit: { dot_id: 'borealis' } },
    ],
  })
  t.match(await readDrop(join(folder, 'list.json')), { drop: { kind: 'persona-manifest', manifest: [{ extra: 1 }] } })
  t.match(await readDrop(join(folder, 'hint.yaml')), { drop: { kind: 'persona-kit' } })
})

t.test('readDrop reads what ships in manifests/', async t => {
  const manifests = join(packageRoot(), 'manifests')
  const files = [
    'aurora.yaml',
    'orders/aurora-sweep.yaml',
    'calls/run-20260114-101500/characters/persona_manifest.json',
  ]
  for (const file of files)
    for (const root of [undefined, manifests]) {
      const { drop, problems, files } = await readDrop(join(manifests, file), root === undefined ? {} : { root })
      t.strictSame(problems, [], file)
      t.ok(drop, file)
      t.ok(
        files.every(each => each.isClosed),
        file,
      )
    }
})

function packageRoot(folder = dirname(fileURLToPath(import.meta.url))): string {
  return existsSync(join(folder, 'package.json')) ? folder : packageRoot(dirname(folder))
}

t.test('readDrop warns of fields that were meant for known ones, in kits and in kits of orders', async t => {
  const misspelled = `${kit}descripton: a ranger\nslider: {mecha: 1}\nplan: 7\nname: A\nnames: [A]\ntone:\n  warmht: 0.5\n  colour: 1\n`
  const folder = t.testdir({ 'a.yaml': misspelled, 'o.yaml': 'personas: [a.yaml]\n' })
  for (const name of ['a.yaml', 'o.yaml']) {
    const { drop, problems } = await readDrop(join(folder, name), { root: folder })
    t.ok(drop, 'is rendered all the same')
    t.strictSame(
      problems.map(
        p => `${p.severity} ${p.file}:${p.line}:${p.column} ${p.path} ${/did you mean .*/.exec(p.message)?.[0]}`,
      ),
      [
        'warning a.yaml:3:1 descripton did you mean "description"?',
        'warning a.yaml:4:1 slider did you mean "sliders"?',
        'warning a.yaml:9:3 tone.warmht did you mean "warmth"?',
      ],
      name,
    )
  }
})

t.test('readDrop reads a file of another ending by how its text begins', async t => {
  const folder = t.testdir({
    'a.txt': `# by hand\n${kit}`,
    'b.txt': ' {"dot_id": "b", "version": "1.0.0"}',
    c: kit,
    'd.json': kit,
  })
  for (const name of ['a.txt', 'b.txt', 'c'])
    t.match(await readDrop(join(folder, name)), { drop: { kind: 'persona-kit' }, problems: [] }, name)
  t.notOk((await readDrop(join(folder, 'd.json'))).drop, 'an ending that says what it is is believed')
})

const advice = {
  'an entry of a persona manifest': ['{"call_id": "a", "speaker": "S00"}', /stands inside a list/],
  'a kit with another style of names': ['{"dotId": "a", "version": "1.0.0"}', /did you mean "dot_id"/],
  'an order with a typing error': ['{"persona": ["a.yaml"]}', /did you mean "personas"/],
  'a kit without its id': ['{"version": "1.0.0", "sliders": {}}', /needs dot_id/],
  'an order without personas': ['{"templates": ["a"], "seeds": [1]}', /needs personas/],
  'a workflow': ['{"nodes": [], "links": []}', /workflows\//],
} as const
for (const [title, [text, message]] of Object.entries(advice))
  t.test(`readDrop gives advice about ${title}`, async t => {
    const folder = t.testdir({ 'a.json': text })
    const { drop, problems } = await readDrop(join(folder, 'a.json'))
    t.equal(drop, undefined)
    t.match(problems, [{ code: 'DROP_KIND_UNKNOWN', message, allowed: /persona kit/, line: 1, column: 1 }])
  })

t.test('readDrop tells what is wrong with the kits of an order, each at its place', async t => {
  const root = t.testdir({
    'outside.yaml': kit,
    manifests: {
      'order.yaml':
        'personas:\n  - good.yaml\n  - bad.yaml\n  - gone.yaml\n  - ../outside.yaml\n  - good.yaml\n  - twin.yaml\n  - folder\n  - link.yaml\n',
      'good.yaml': kit,
      'bad.yaml': 'dot_id: bad\nversion: one\n',
      'twin.yaml': kit,
      folder: {},
    },
  })
  symlinkSync('../outside.yaml', join(root, 'manifests', 'link.yaml'))
  const { drop, problems } = await readDrop(join(root, 'manifests', 'order.yaml'), { root: join(root, 'manifests') })
  t.equal(drop, undefined)
  t.strictSame(
    problems.map(p => `${p.file}:${p.line} ${p.path} ${p.severity} ${p.code}`),
    [
      'bad.yaml:2 version error DOCUMENT_PATTERN',
      'order.yaml:4 personas[2] error FILE_UNREADABLE',
      'order.yaml:5 personas[3] error PATH_ESCAPES',
      'order.yaml:6 personas[4] warning DROP_PERSONA_DUPLICATE',
      'order.yaml:7 personas[5] error DROP_PERSONA_DUPLICATE',
      'order.yaml:8 personas[6] error FILE_NOT_REGULAR',
      'order.yaml:9 personas[7] error PATH_ESCAPES',
    ],
  )
})

t.test('readDrop bounds the kits of an order together', async t => {
  const folder = t.testdir({})
  const names = Array.from({ length: 70 }, (_, index) => `k${index}.json`)
  for (const [index, name] of names.entries())
    writeFileSync(
      join(folder, name),
      JSON.stringify({ dot_id: `k${index}`, version: '1.0.0', notes: 'x'.repeat(2 ** 20 - 100) }),
    )
  writeFileSync(join(folder, 'order.json'), JSON.stringify({ personas: names }))
  const { drop, problems } = await readDrop(join(folder, 'order.json'))
  t.equal(drop, undefined)
  t.match(problems, [{ code: 'DROP_TOO_LARGE', path: 'personas[64]' }])
})

t.test('readDrop lets an order name kits of the manifests folder around it', async t => {
  const folder = t.testdir({
    manifests: { 'kit.yaml': kit, orders: { 'a.yaml': 'personas: [../kit.yaml]' } },
    'b.yaml': 'personas: [../kit.yaml]',
  })
  t.ok((await readDrop(join(folder, 'manifests', 'orders', 'a.yaml'))).drop)
  t.match((await readDrop(join(folder, 'b.yaml'))).problems, [{ code: 'PATH_ESCAPES' }])
})

t.test('readDrop waits for nothing and follows no link out of its root', async t => {
  const folder = t.testdir({ 'outside.yaml': kit, root: { folder: {} } })
  const root = join(folder, 'root')
  execFileSync('mkfifo', [join(root, 'pipe.yaml')])
  symlinkSync('../outside.yaml', join(root, 'link.yaml'))
  symlinkSync('nowhere.yaml', join(root, 'dangling.yaml'))
  mkdirSync(join(root, 'dir.yaml'))
  const cases = {
    'pipe.yaml': 'FILE_NOT_REGULAR',
    'link.yaml': 'PATH_ESCAPES',
    'dangling.yaml': 'PATH_ESCAPES',
    'dir.yaml': 'FILE_NOT_REGULAR',
    'gone.yaml': 'FILE_UNREADABLE',
  }
  for (const [name, code] of Object.entries(cases)) {
    const { drop, problems, sha256 } = await readDrop(join(root, name), { root })
    t.equal(drop, undefined)
    t.equal(sha256, '')
    t.match(problems, [{ code, file: name }], name)
  }
})

t.test('readDrop keeps the values of a persona manifest to itself', async t => {
  const secret = 'Jane Doe'
  const texts = [
    JSON.stringify([{ call_id: secret, speaker: 'S00', persona_path: 7, source_audio_paths: [secret] }]),
    `[{"call_id": "${secret}", }`,
    `[{"call_id": ${secret}`,
  ]
  for (const text of texts) {
    const folder = t.testdir({ 'persona_manifest.json': text })
    const { problems } = await readDrop(join(folder, 'persona_manifest.json'))
    t.ok(problems.length > 0)
    t.notMatch(JSON.stringify(problems), /Jane|Doe/)
  }
})

t.test('readDrop repeats no personal data of a kit, and tells the rest', async t => {
  const broken = 'dot_id: jo@example.com\nversion: one\nfinish: [jo@example.com]\nsliders: { jo@example.com: 7 }\n'
  const folder = t.testdir({
    'kit.yaml': broken,
    'half.yaml': 'dot_id: a\nversion: jo@example.com: 4111 1111 1111 1111\n',
    'order.yaml': 'personas: [kit.yaml]\n',
  })
  for (const file of ['kit.yaml', 'order.yaml', 'half.yaml']) {
    const { problems } = await readDrop(join(folder, file))
    t.ok(problems.length > 0)
    t.notMatch(JSON.stringify(problems), /jo@|4111/, file)
  }
  const { problems } = await readDrop(join(folder, 'kit.yaml'))
  t.match(
    problems.map(({ path, found }) => `${path} ${found}`),
    ['dot_id "[email]"', 'version "one"', 'finish a list of 1 item', /^sliders.*email.* 7$/],
  )
})

const seed = 20260114
t.test(`readDrop answers 2,000 malformed drops as expected (seed ${seed})`, async t => {
  const folder = t.testdir({})
  let answered = 0
  for (const { name, bytes, expected } of makeMalformedDrops(2000, seed)) {
    const path = join(folder, 'drop' + name.slice(name.lastIndexOf('.')))
    writeFileSync(path, bytes)
    const { drop, problems } = await readDrop(path, { root: folder })
    const isTold = problems.some(
      p => p.code === expected.code && (expected.path === undefined || p.path === expected.path),
    )
    if (drop || !isTold) t.fail(name, { expected, found: problems.slice(0, 5), text: bytes.toString('utf8', 0, 300) })
    else answered++
  }
  t.equal(answered, 2000)
})

const dropNames = ['aurora.yaml', 'aurora.yml', 'PERSONA.JSON', 'persona_manifest.json', 'a.b.json', 'x-tmp.json']
const otherNames = [
  '.hidden.json',
  '~$a.json',
  '#a.json#',
  'a.json~',
  'a.json.tmp',
  'a.tmp.json',
  'a.json.part',
  'a.part.yaml',
  'a.yaml.crdownload',
  'a.problems.json',
  'a.yaml.problems.json',
  'a.yaml.ready',
  'a.ready.json',
  'a.template.yaml',
  'sd15.binding.yaml',
  'style.yaml',
  'foundry.yaml',
  'image_manifest.json',
  'manifest.json',
  'run.json',
  'report.json',
  'x.png.trace.json',
  'talent.json',
  'README.md',
  'yaml',
  '',
]
for (const name of dropNames) t.test(`isDropName takes ${name}`, async t => t.equal(isDropName(name), true))
for (const name of otherNames) t.test(`isDropName leaves ${name}`, async t => t.equal(isDropName(name), false))
