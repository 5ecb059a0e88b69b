import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readCallFolder } from '../../../src/library/persona-manifest.js'

const entry = (call: string, speaker: string, path: string) => ({
  call_id: call,
  channel: 'left-vocals',
  speaker,
  persona_path: path,
})
const segments = (channel: string, text: string) => ({ [channel]: { [`${channel}_segments.txt`]: text } })

type Files = NonNullable<Parameters<typeof t.testdir>[0]>

function callFolder(test: Pick<typeof t, 'testdir'>, speakers: Files = {}) {
  const persona = (words: string) => ({ 'persona.md': words })
  const root = test.testdir({
    'outside.md': 'outside words',
    shared: { 'persona.md': 'shared words' },
    run: {
      speakers,
      'top.md': 'top words',
      characters: {
        'persona_manifest.json': '[]',
        'near.md': 'near words',
        c1: { 'left-vocals': { S00: persona('# Zero\nfirst words'), S01: persona('second words') } },
      },
    },
  })
  const runFolder = join(root, 'run')
  const read = (manifest: ReturnType<typeof entry>[], roots: string[] = []) =>
    readCallFolder(join(runFolder, 'characters', 'persona_manifest.json'), manifest, { roots })
  return { root, runFolder, read }
}

t.test('readCallFolder finds persona.md wherever its path leads inside', async t => {
  const { root, runFolder, read } = callFolder(t)
  const tail = 'characters/c1/left-vocals/S00/persona.md'
  const paths: Record<string, string> = {
    'an absolute path': join(runFolder, tail),
    'a path relative to the manifest': 'near.md',
    'a path below the manifest': 'c1/left-vocals/S00/persona.md',
    'a path relative to the run': 'top.md',
    'a path below the run': tail,
    'a path relative to where the pipeline ran': `outputs/run-20260114-101500/${tail}`,
    'a path of another machine': `/data/run/${tail}`,
    'a Windows path': `C:\\data\\run\\${tail.replaceAll('/', '\\')}`,
    'a relative Windows path': tail.replaceAll('/', '\\'),
    'a path of a configured root': join(root, 'shared', 'persona.md'),
  }
  for (const [title, path] of Object.entries(paths)) {
    const { personas, problems } = await read([entry('c1', 'S00', path)], [join(root, 'shared')])
    t.match(
      personas,
      [{ call: 'c1', speaker: 'S00', channel: 'left-vocals', text: { text: /words$/, sha256: /^[0-9a-f]{64}$/ } }],
      title,
    )
    t.notMatch(problems, [{ code: /^PERSONA/ }], title)
  }
})

t.test('readCallFolder skips entries whose text cannot be had, and goes on with the rest', async t => {
  const { root, runFolder, read } = callFolder(t)
  symlinkSync('../../outside.md', join(runFolder, 'characters', 'link.md'))
  execFileSync('mkfifo', [join(runFolder, 'characters', 'pipe.md')])
  const paths: Record<string, string> = {
    'gone.md': 'PERSONA_TEXT_MISSING',
    'a\0.md': 'PERSONA_TEXT_MISSING',
    [join(root, 'outside.md')]: 'PERSONA_PATH_ESCAPES',
    '../../outside.md': 'PERSONA_PATH_ESCAPES',
    'D:\\secret.md': 'PERSONA_PATH_ESCAPES',
    'link.md': 'PERSONA_PATH_ESCAPES',
    'pipe.md': 'CALL_TEXT_UNREADABLE',
    c1: 'CALL_TEXT_UNREADABLE',
  }
  const manifest = Object.keys(paths).map((path, index) => entry('c1', `S${index}`, path))
  const { personas, problems } = await read([...manifest, entry('c1', 'S99', 'near.md')])
  t.strictSame(
    personas.filter(({ text }) => text).map(({ speaker }) => speaker),
    ['S99'],
  )
  t.match(personas[0], { speaker: 'S0', skipped: 'the text is not there' })
  t.equal(personas.filter(({ skipped }) => skipped !== undefined).length, manifest.length)
  const told = problems.filter(p => p.path !== undefined)
  t.strictSame(
    told.map(p => `${p.path} ${p.severity} ${p.code}`),
    Object.values(paths).map((code, index) => `[${index}].persona_path warning ${code}`),
  )
  t.match(told[0]?.message, /call c1, speaker S0/)
  t.notMatch(JSON.stringify(problems), /secret|outside\.md|link\.md|run\//)
})

t.test('readCallFolder has an error when no persona is left', async t => {
  const { read } = callFolder(t)
  const { problems } = await read([entry('c1', 'S00', 'gone.md')])
  t.match(
    problems.filter(p => p.severity === 'error'),
    [{ code: 'PERSONA_NONE' }],
  )
})

t.test('readCallFolder takes the first of two entries, and refuses names that run together', async t => {
  const { read } = callFolder(t)
  const { personas, problems } = await read([
    entry('c1', 'S00', 'near.md'),
    entry('c1', 'S00', 'top.md'),
    entry('a_b', 'c', 'near.md'),
    entry('a', 'b_c', 'near.md'),
  ])
  t.strictSame(
    personas.map(({ call, text }) => [call, text?.text]),
    [
      ['c1', 'near words'],
      ['a_b', 'near words'],
    ],
  )
  t.match(
    problems.filter(p => p.path !== undefined),
    [
      { code: 'PERSONA_DUPLICATE', severity: 'warning', path: '[1].persona_path' },
      { code: 'PERSONA_NAME_AMBIGUOUS', severity: 'error', path: '[3].persona_path' },
    ],
  )
})

t.test('readCallFolder takes the words of a backdrop from the preferred channel that has them', async t => {
  const { read } = callFolder(t, {
    both: { ...segments('right-vocals', 'right words, mail a@b.de'), ...segments('left-vocals', 'left words') },
    left: segments('left-vocals', 'left words'),
    empty: segments('right-vocals', ' \n'),
    long: segments('right-vocals', 'über alles '.repeat(100_000)),
    utf16: { 'right-vocals': { 'right-vocals_segments.txt': Buffer.from('\uFEFFwide words', 'utf16le') } },
    none: {},
  })
  const calls = ['both', 'left', 'empty', 'long', 'utf16', 'none']
  const { backdrops, problems } = await read(
    [...calls, 'both'].map((call, index) => entry(call, `S${index}`, 'near.md')),
  )
  t.match(backdrops, [
    { call: 'both', text: { text: 'right words, mail [email]' } },
    { call: 'left', text: { text: 'left words' } },
    { call: 'empty', skipped: 'the transcript holds no words: no backdrop' },
    { call: 'long', text: { text: /^(über alles ){36}über$/ } },
    { call: 'utf16', text: { text: 'wide words' } },
    { call: 'none', skipped: 'no transcript: no backdrop' },
  ])
  t.equal(backdrops.length, calls.length)
  t.strictSame(
    problems.map(p => `${p.file} ${p.severity} ${p.code}`),
    ['speakers/empty warning TRANSCRIPT_EMPTY', 'speakers/none warning TRANSCRIPT_MISSING'],
  )
})

t.test('readCallFolder reads 2,000 entries in the order of the manifest', async t => {
  const { read } = callFolder(t)
  const manifest = Array.from({ length: 2000 }, (_, index) => entry('c1', `S${index}`, 'near.md'))
  const { personas } = await read(manifest)
  t.strictSame(
    personas.map(({ speaker }) => speaker),
    manifest.map(({ speaker }) => speaker),
  )
})
