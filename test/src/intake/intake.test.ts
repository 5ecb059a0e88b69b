import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { failure, FoundryError, hasErrors } from '../../../src/errors.js'
import { Intake, type IntakeOptions } from '../../../src/intake/intake.js'
import { watchedRoots } from '../../../src/intake/watched-roots.js'
import { homePaths } from '../../../src/config/home-paths.js'
import { readSources, type Sources } from '../../../src/library/sources.js'
import { type Ledger, openLedger } from '../../../src/record/ledger.js'
import { eventually } from '../../daemon/start-daemon.js'

const quietMs = 300
const kit = (id: string, words = 'plain') => `dot_id: ${id}\nversion: 1.0.0\ndescription: ${words}\n`
const jsonKit = (id: string) => JSON.stringify({ dot_id: id, version: '1.0.0' })

interface Watched {
  home: string
  manifests: string
  intake: Intake
  ledger: Ledger
  /** What was accepted, in order. */
  accepted: Sources[]
  runsOf(path: string): string[]
  answerOf(path: string): { problems: { code: string; path?: string }[] } | undefined
  stop(): Promise<void>
}

async function watchHome(
  t: Test,
  {
    home = t.testdir({ manifests: {} }),
    callFolders = [] as string[],
    ...options
  }: Partial<IntakeOptions> & {
    home?: string
    callFolders?: string[]
  } = {},
): Promise<Watched> {
  const paths = homePaths(home)
  const ledger = await openLedger(paths.journal, { epoch: 1 })
  const accepted: Sources[] = []
  const intake = new Intake({
    roots: watchedRoots({ paths, callFolders }),
    ledger,
    log: pino({ level: 'silent' }),
    rescanMs: 100,
    quietMs,
    problemsFolder: paths.problems,
    disk: { folder: home, freeBytesMin: 0 },
    renderer: () => 'draft',
    read: (path, root) => readSources(path, { root, callRoots: callFolders, privacy: 'redact' }),
    accept: async sources => {
      if (!sources.drop || hasErrors(sources.problems))
        throw failure('DROP_INVALID', { drop: 'a drop', problems: sources.problems })
      accepted.push(sources)
      return `run-${accepted.length}`
    },
    ...options,
  })
  let stopping: Promise<void> | undefined
  const stop = () => (stopping ??= intake.stop().then(() => ledger.close()))
  t.teardown(stop)
  await intake.start()
  return {
    home,
    manifests: paths.manifests,
    intake,
    ledger,
    accepted,
    runsOf: path => accepted.filter(each => each.path === path).map(each => each.version),
    answerOf: path =>
      existsSync(`${path}.problems.json`)
        ? (JSON.parse(readFileSync(`${path}.problems.json`, 'utf8')) as never)
        : undefined,
    stop,
  }
}

const taken = ({ runsOf }: Watched, path: string, versions = 1) =>
  eventually(`version ${versions} of ${path}`, () => (runsOf(path).length >= versions ? true : undefined))
const answered = ({ answerOf }: Watched, path: string) => eventually(`an answer to ${path}`, () => answerOf(path))
const withdrawn = ({ answerOf }: Watched, path: string) =>
  eventually(`no answer to ${path}`, () => (answerOf(path) ? undefined : true))
/** Two whole scans from now. */
const scans = async ({ intake }: Watched) => {
  for (let count = 0; count < 2; count++) await intake.rescan()
  await eventually('nothing in hand', () => (intake.status().waiting === 0 ? true : undefined))
}

t.test('Intake takes what is whole: by rename, by its closing line, by its companion, by being quiet', async t => {
  const watched = await watchHome(t)
  const path = (name: string) => join(watched.manifests, name)
  writeFileSync(path('.new.json'), jsonKit('renamed'))
  renameSync(path('.new.json'), path('renamed.json'))
  writeFileSync(path('closed.yaml'), `${kit('closed')}...\n`)
  writeFileSync(path('ready.yaml'), kit('ready'))
  writeFileSync(path('ready.yaml.ready'), '')
  const begin = performance.now()
  writeFileSync(path('quiet.yaml'), kit('quiet'))
  for (const name of ['renamed.json', 'closed.yaml', 'ready.yaml']) await taken(watched, path(name))
  await taken(watched, path('quiet.yaml'))
  t.ok(performance.now() - begin >= quietMs, 'YAML without an end waits for quiet')
  await scans(watched)
  t.equal(watched.accepted.length, 4, 'each once')
  t.strictSame(
    readdirSync(watched.manifests).sort(),
    ['closed.yaml', 'quiet.yaml', 'ready.yaml', 'ready.yaml.ready', 'renamed.json'],
    'and nothing was moved, changed or left beside them',
  )
})

t.test('Intake does not believe a companion that is older than the drop', async t => {
  const watched = await watchHome(t, { quietMs: 1500 })
  const path = join(watched.manifests, 'a.yaml')
  writeFileSync(`${path}.ready`, '')
  utimesSync(`${path}.ready`, 1, 1)
  writeFileSync(path, kit('a'))
  await scans(watched)
  t.equal(watched.accepted.length, 0)
  writeFileSync(`${path}.ready`, 'now')
  await taken(watched, path)
})

t.test('Intake never reads half of what a writer pauses in, whoever names it', async t => {
  const watched = await watchHome(t)
  const path = (name: string) => join(watched.manifests, name)
  const whole = [kit('half', 'first words'), 'sliders:\n  mecha: 1\n']
  const json = jsonKit('json')
  // What an order names is no drop itself where folders are ignored: only the order speaks for it.
  mkdirSync(path('examples'))
  writeFileSync(path('half.yaml'), whole[0] ?? '')
  writeFileSync(path('json.json'), json.slice(0, 20))
  writeFileSync(path('examples/named.yaml'), kit('named', 'half of the'))
  writeFileSync(path('order.json'), JSON.stringify({ personas: ['examples/named.yaml'] }))
  for (let pause = 0; pause < 6; pause++) {
    await sleep(quietMs / 2)
    appendFileSync(path('half.yaml'), `# ${pause}\n`)
    appendFileSync(path('examples/named.yaml'), `# ${pause}\n`)
    t.equal(watched.accepted.length, 0, 'nothing is accepted while somebody writes')
  }
  appendFileSync(path('half.yaml'), whole[1] ?? '')
  appendFileSync(path('json.json'), json.slice(20))
  appendFileSync(path('examples/named.yaml'), 'sliders:\n  animal: 1\n...\n')
  for (const name of ['half.yaml', 'json.json', 'order.json']) await taken(watched, path(name))
  const drop = (name: string) => watched.accepted.find(each => each.path === path(name))?.drop
  t.match(drop('half.yaml'), { kit: { sliders: { mecha: 1 } } })
  t.match(drop('order.json'), { kits: [{ kit: { sliders: { animal: 1 } } }] })
  t.equal(watched.accepted.length, 3)
})

t.test('Intake answers what is wrong beside it, and takes the answer back once it is mended or gone', async t => {
  const watched = await watchHome(t)
  const path = (name: string) => join(watched.manifests, name)
  writeFileSync(path('bad.json'), '{"dot_id": "a"}')
  writeFileSync(path('gone.json'), '{"dot_id": "a"}')
  writeFileSync(path('order.json'), JSON.stringify({ personas: ['later.yaml'] }))
  writeFileSync(path('others.problems.json'), '{"mine": true}')
  t.match(await answered(watched, path('bad.json')), { problems: [{ code: 'DOCUMENT_REQUIRED', path: 'version' }] })
  t.match(await answered(watched, path('order.json')), { problems: [{ code: 'FILE_UNREADABLE', path: 'personas[0]' }] })
  await answered(watched, path('gone.json'))
  const first = readFileSync(path('bad.json.problems.json'), 'utf8')
  await scans(watched)
  t.equal(readFileSync(path('bad.json.problems.json'), 'utf8'), first, 'an answer that says the same stays')
  t.match(
    [...watched.ledger.state.drops.values()].map(({ code }) => code),
    ['DOCUMENT_REQUIRED', 'FILE_UNREADABLE', 'DOCUMENT_REQUIRED'].sort(),
  )

  writeFileSync(path('bad.json'), jsonKit('mended'))
  rmSync(path('gone.json'))
  writeFileSync(path('later.yaml'), `${kit('later')}...\n`)
  await taken(watched, path('bad.json'))
  await taken(watched, path('order.json'))
  for (const name of ['bad.json', 'gone.json', 'order.json']) await withdrawn(watched, path(name))
  await eventually('the drop that went forgotten', () =>
    watched.ledger.state.drops.has(path('gone.json')) ? undefined : true,
  )
  t.ok(existsSync(path('others.problems.json')), "a file of others stays, whatever it's called")
})

t.test('Intake looks again when a drop, or a file that it names, is another version, and only then', async t => {
  const watched = await watchHome(t)
  const path = (name: string) => join(watched.manifests, name)
  writeFileSync(path('a.yaml'), `${kit('a')}...\n`)
  writeFileSync(path('order.json'), JSON.stringify({ personas: ['a.yaml'] }))
  await taken(watched, path('a.yaml'))
  await taken(watched, path('order.json'))
  utimesSync(path('a.yaml'), new Date(), new Date())
  await scans(watched)
  t.equal(watched.accepted.length, 2, 'another time is no other version')
  writeFileSync(path('a.yaml'), `${kit('a', 'changed')}...\n`)
  await taken(watched, path('a.yaml'), 2)
  await taken(watched, path('order.json'), 2)
  renameSync(path('a.yaml'), path('b.yaml'))
  await taken(watched, path('b.yaml'))
  rmSync(path('order.json'))
  mkdirSync(path('order.json'))
  writeFileSync(path('order.json/inside.json'), jsonKit('inside'))
  await taken(watched, path('order.json/inside.json'))
  t.equal(watched.accepted.length, 6)
})

t.test(
  'Intake starts again where it was: what is accepted stays so, what changed or went meanwhile is seen',
  async t => {
    const first = await watchHome(t)
    const { home, manifests } = first
    const path = (name: string) => join(manifests, name)
    writeFileSync(path('same.json'), jsonKit('same'))
    writeFileSync(path('changes.json'), jsonKit('changes'))
    writeFileSync(path('bad.json'), '[]')
    writeFileSync(path('bad-gone.json'), '[]')
    await taken(first, path('same.json'))
    await taken(first, path('changes.json'))
    await answered(first, path('bad.json'))
    await answered(first, path('bad-gone.json'))
    await first.stop()
    writeFileSync(path('changes.json'), jsonKit('changed'))
    rmSync(path('bad-gone.json'))

    const second = await watchHome(t, { home })
    await taken(second, path('changes.json'))
    await withdrawn(second, path('bad-gone.json'))
    await scans(second)
    t.equal(second.accepted.length, 1)
    t.ok(second.answerOf(path('bad.json')))
    t.notOk(second.ledger.state.drops.has(path('bad-gone.json')))
    await second.stop()

    const third = await watchHome(t, { home, renderer: () => 'comfyui' })
    await taken(third, path('same.json'))
    await taken(third, path('changes.json'))
    t.pass('after drafts, a real server is asked for everything')
  },
)

t.test(
  'Intake never waits on a pipe and follows no link out of its root',
  { skip: process.platform === 'win32' },
  async t => {
    const home = t.testdir({
      manifests: { 'inside.json': jsonKit('inside') },
      'outside.json': jsonKit('outside'),
      folder: { 'deep.json': jsonKit('deep') },
    })
    const path = (name: string) => join(home, 'manifests', name)
    execFileSync('mkfifo', [path('pipe.json'), path('answer.json.problems.json')])
    symlinkSync(join(home, 'outside.json'), path('link-out.json'))
    symlinkSync(path('inside.json'), path('link-in.json'))
    symlinkSync(join(home, 'nowhere.json'), path('link-nowhere.json'))
    symlinkSync(join(home, 'folder'), path('link-folder'))
    const watched = await watchHome(t, { home })
    t.match(await answered(watched, path('pipe.json')), { problems: [{ code: 'FILE_NOT_REGULAR' }] })
    t.match(await answered(watched, path('link-out.json')), { problems: [{ code: 'PATH_ESCAPES' }] })
    await taken(watched, path('inside.json'))
    await taken(watched, path('link-in.json'))
    await scans(watched)
    t.equal(watched.accepted.length, 2)
    t.equal(watched.answerOf(path('link-nowhere.json')), undefined, 'a link that leads nowhere is no drop')
  },
)

t.test('Intake keeps an answer at home where it cannot stand beside the drop', async t => {
  const watched = await watchHome(t)
  const path = join(watched.manifests, 'bad.json')
  const problems = join(watched.home, '.foundry', 'problems')
  mkdirSync(`${path}.problems.json`)
  writeFileSync(path, '[]')
  const isAnswer = (name: string) => /^[0-9a-f]{16}-bad\.json\.problems\.json$/.test(name)
  await eventually(
    'an answer at home',
    () => (existsSync(problems) && readdirSync(problems).find(isAnswer)) || undefined,
  )
  writeFileSync(path, jsonKit('mended'))
  await taken(watched, path)
  await eventually('no answer at home', () => (readdirSync(problems).length === 0 ? true : undefined))
})

t.test('Intake takes persona manifests of call folders with their texts, each from its innermost root', async t => {
  const home = t.testdir({ manifests: {} })
  const calls = join(home, 'manifests', 'calls')
  const watched = await watchHome(t, { home, callFolders: [calls, join(home, 'manifests')] })
  await scans(watched)
  const run = join(calls, 'run-20260114-101500')
  const text = join(run, 'characters', 'c1', 'persona.md')
  mkdirSync(join(run, 'characters', 'c1'), { recursive: true })
  writeFileSync(text, 'half of the')
  const manifest = join(run, 'characters', 'persona_manifest.json')
  writeFileSync(manifest, JSON.stringify([{ call_id: 'c1', speaker: 'S00', persona_path: 'characters/c1/persona.md' }]))
  writeFileSync(join(calls, 'kit.json'), jsonKit('kit'))
  await scans(watched)
  t.equal(watched.accepted.length, 0, 'a text that was just written may be half of one')
  writeFileSync(text, 'half of the words, and the rest')
  await taken(watched, manifest)
  t.match(watched.accepted[0]?.calls?.personas, [{ text: { text: /and the rest/ } }])
  await eventually('its drop', () => watched.ledger.state.drops.get(manifest))
  t.equal(watched.ledger.state.drops.get(manifest)?.root, calls)
  await scans(watched)
  t.strictSame(watched.runsOf(join(calls, 'kit.json')), [], 'in call folders nothing else is a drop')
  writeFileSync(text, 'other words')
  await taken(watched, manifest, 2)
})

t.test('Intake watches a root from when it is there, and takes a folder that arrives whole', async t => {
  const home = t.testdir({ manifests: {}, 'prepared.tmp': { sub: { 'a.json': jsonKit('a'), 'b.yaml': '[]' } } })
  const later = join(home, 'later')
  const watched = await watchHome(t, { home, callFolders: [later] })
  t.equal(watched.intake.status().unreadable, 1)
  renameSync(join(home, 'prepared.tmp'), join(home, 'manifests', 'prepared'))
  await taken(watched, join(home, 'manifests', 'prepared', 'sub', 'a.json'))
  await answered(watched, join(home, 'manifests', 'prepared', 'sub', 'b.yaml'))
  mkdirSync(join(later, 'characters'), { recursive: true })
  writeFileSync(join(later, 'characters', 'persona_manifest.json'), '[]')
  await answered(watched, join(later, 'characters', 'persona_manifest.json'))
  t.equal(watched.intake.status().unreadable, 0)
})

t.test('Intake pauses while the disk is nearly full, and goes on by itself', async t => {
  const disk = { folder: '', freeBytesMin: Number.MAX_SAFE_INTEGER }
  const home = t.testdir({ manifests: { 'a.json': jsonKit('a') } })
  disk.folder = home
  const watched = await watchHome(t, { home, disk })
  await watched.intake.rescan()
  t.match(watched.intake.status(), { waiting: 1, paused: { reason: 'disk', freeBytesMin: disk.freeBytesMin } })
  t.equal(watched.accepted.length, 0)
  disk.freeBytesMin = 0
  await taken(watched, join(home, 'manifests', 'a.json'))
  t.equal(watched.intake.status().paused, undefined)
})

t.test('Intake puts off what fails for a reason outside of the drop, and refuses nothing for it', async t => {
  let isFull = true
  const watched = await watchHome(t, {
    accept: async () => {
      if (!isFull) return 'run-1'
      isFull = false
      throw new FoundryError('FILE_WRITE_FAILED', 'no space')
    },
  })
  const path = join(watched.manifests, 'a.json')
  writeFileSync(path, jsonKit('a'))
  const drops = () => watched.ledger.state.drops
  await eventually('the drop', () => (drops().get(path)?.run === 'run-1' ? true : undefined))
  t.equal(watched.answerOf(path), undefined)
})
