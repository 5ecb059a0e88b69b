import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parseOptions } from '../../../src/cli/draft-server-command.js'
import { exitCodeOf, exitCodes } from '../../../src/cli/exit-codes.js'
import { findDropFiles } from '../../../src/cli/find-drop-files.js'
import { runOnDone } from '../../../src/cli/on-done.js'
import {
  collect,
  commaList,
  countingNumber,
  days,
  everyNth,
  portNumber,
  seconds,
  share,
  sliderValues,
  wholeNumber,
} from '../../../src/cli/option-values.js'
import { createTerminal } from '../../../src/cli/terminal.js'
import { statusByCode } from '../../../src/api/status-codes.js'
import { errorCodes, failure, FoundryError } from '../../../src/errors.js'

t.test('every failure has an exit code and a status, and none has two names', async t => {
  const codes = new Set<number>(Object.values(exitCodes))
  for (const code of errorCodes) {
    const exitCode = exitCodeOf(new FoundryError(code, 'sentence'))
    t.ok(codes.has(exitCode) && exitCode !== exitCodes.done, `${code} ends with ${exitCode}`)
  }
  t.same(Object.keys(statusByCode).sort(), [...errorCodes].sort())
  t.equal(exitCodeOf(failure('SERVER_NONE', { tried: [] })), 3)
  t.equal(exitCodeOf(failure('TIMED_OUT', { what: 'x', limitMs: 1 })), 124)
  t.equal(exitCodeOf(failure('INTERRUPTED', { what: 'x' })), 130)
  t.equal(exitCodeOf(new FoundryError('SOMEBODY_ELSES', 'x')), 70)
  t.equal(exitCodeOf(new TypeError('bug')), 70)
})

t.test('words behind options', async t => {
  const good: [make: (text: string) => unknown, text: string, value: unknown][] = [
    [commaList, 'a, b,,c', ['a', 'b', 'c']],
    [wholeNumber, '0', 0],
    [wholeNumber, '9007199254740991', 9007199254740991],
    [countingNumber, '3', 3],
    [seconds, '0.5', 0.5],
    [days, '0', 0],
    [share, '0.5', 0.5],
    [share, '100', 100],
    [everyNth, '2', 2],
    [portNumber, '65535', 65535],
    [sliderValues, 'mecha=0,0.25,1', { mecha: [0, 0.25, 1] }],
    [collect, 'a', ['a']],
  ]
  for (const [make, text, value] of good) t.same(make(text), value, `${make.name} ${text}`)
  const bad: [make: (text: string) => unknown, text: string][] = [
    [commaList, ' , '],
    [wholeNumber, '-1'],
    [wholeNumber, '1.5'],
    [wholeNumber, '9007199254740993'],
    [wholeNumber, ''],
    [countingNumber, '0'],
    [seconds, '0'],
    [seconds, 'soon'],
    [days, '-1'],
    [share, '0'],
    [share, '100.5'],
    [everyNth, '1'],
    [everyNth, '2.5'],
    [portNumber, '65536'],
    [sliderValues, 'mecha'],
    [sliderValues, 'mecha=2'],
    [sliderValues, 'mecha=0,,1'],
    [sliderValues, '=1'],
    [sliderValues, 'mecha=0.2=0.9'],
  ]
  for (const [make, text] of bad) t.throws(() => make(text), { message: /Allowed/ }, `${make.name} "${text}"`)
  t.same(sliderValues('b=1', { a: [0] }), { a: [0], b: [1] })
  t.same(collect('b', ['a']), ['a', 'b'])
})

t.test('options of the draft server', async t => {
  t.same(parseOptions(['version=0.3.64', 'faults.jobMs=200', 'faults.black=1', 'lenient=false']), {
    version: '0.3.64',
    faults: { jobMs: 200, black: 1 },
    lenient: false,
  })
  t.throws(() => parseOptions(['jobMs']), { code: 'USAGE_INVALID' })
})

t.test('drops of folders, and a single file whatever its name', async t => {
  const dir = t.testdir({
    'a.yaml': '',
    'b.json': '',
    'notes.txt': '',
    '.hidden.json': '',
    'b.json.problems.json': '',
    deep: { er: { 'c.yml': '' } },
    call: {
      characters: { 'persona_manifest.json': '', 'other.json': '', c: { 'x.md': '' } },
      speakers: { 'x.json': '' },
      comfyui_images: { avatar: { 'image_manifest.json': '' } },
    },
    empty: {},
  })
  const names = (found: string[]) => found.map(each => each.slice(dir.length + 1))
  t.same(names(await findDropFiles([dir])), [
    'a.yaml',
    'b.json',
    'call/characters/persona_manifest.json',
    'deep/er/c.yml',
  ])
  t.same(names(await findDropFiles([join(dir, 'notes.txt')])), ['notes.txt'], 'as it is')
  t.same(names(await findDropFiles([join(dir, 'a.yaml'), join(dir, 'notes.txt'), join(dir, 'a.yaml')])), ['a.yaml'])
  await t.rejects(findDropFiles([join(dir, 'empty')]), { code: 'USAGE_INVALID' })
  await t.rejects(findDropFiles([join(dir, 'gone')]), { code: 'FILE_UNREADABLE', message: /there is no \/.*gone/ })
  await mkdir(join(dir, 'linked'))
  await symlink(join(dir, 'a.yaml'), join(dir, 'linked.yaml'))
  await writeFile(join(dir, 'linked', 'z.json'), '')
  t.same(
    names(await findDropFiles([join(dir, 'linked.yaml')])),
    ['linked.yaml'],
    'a link that the user names is followed',
  )
})

t.test('the hook at the end', async t => {
  const dir = t.testdir({})
  const notes: string[] = []
  const err = { write: (text: string) => void notes.push(text) }
  const terminal = createTerminal({ json: false, colour: false }, { out: err, err })
  const runs = Array.from({ length: 5000 }, (_, at) => ({ run: `run-number-${at}`, manifest: `/m/${at}` }))
  const command = `test "$FOUNDRY_EXIT_CODE" = 1 && printf %s "$FOUNDRY_RUNS" > ${join(dir, 'runs')}`
  await runOnDone(command, { exitCode: 1, runs }, terminal)
  t.same(notes, [], 'thousands of runs do not break the environment')
  await runOnDone('exit 7', { exitCode: 0, runs: [] }, terminal)
  t.match(notes.join(''), /--on-done ended with 7/)
})
