import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { packageRoot } from '../../src/config/package-root.js'
import { tinyTemplates } from '../tiny-templates.js'
import { foundry, foundryJson } from './foundry.js'

interface Tested {
  passed: number
  failed: number
  checks: { name: string; state: string; reason?: string }[]
}
const names = ['provider-foo', 'engine-foo', 'storage-foo', 'gate-foo', 'observer-foo', 'style-foo']
const cwd = t.testdir({
  'foundry.yaml': 'servers: []\n',
  'a.json': JSON.stringify({ dot_id: 'a', version: '1.0.0', description: 'a keeper' }),
  templates: tinyTemplates,
  plugins: { 'gate-full': { 'mine.txt': 'mine' } },
})

t.test('init writes plugins that pass their tests', async t => {
  for (const name of names) {
    t.equal((await foundry(['plugins', 'init', name], { cwd })).code, 0, name)
    const { code, answer } = await foundryJson<Tested>(['plugins', 'test', join('plugins', name)], { cwd })
    t.match({ code, answer }, { code: 0, answer: { failed: 0 } }, name)
    t.ok(answer.passed >= 3)
  }
  const listed = await foundryJson<{ plugins: { name: string; from: string }[] }>(['plugins'], { cwd })
  t.equal(listed.code, 0)
  const own = listed.answer.plugins.filter(({ from }) => from === 'home').map(({ name }) => name)
  t.strictSame(own.sort(), [
    'engine-foo',
    'gate-foo',
    'gate-full',
    'observer-foo',
    'provider-foo',
    'storage-foo',
    'style-foo',
  ])
})

t.test('init writes plugins whose types are right', async t => {
  const dist = join(packageRoot, 'dist', 'src', 'plugins')
  const paths = {
    'persona-foundry/plugin': [join(dist, 'contract.d.ts')],
    'persona-foundry/conformance': [join(dist, 'conformance', 'conformance.d.ts')],
  }
  const options = { allowJs: true, checkJs: true, noEmit: true, strict: true, skipLibCheck: true, paths }
  const types = { typeRoots: [join(packageRoot, 'node_modules', '@types')], types: ['node'] }
  const compilerOptions = { ...options, ...types, module: 'nodenext', target: 'es2023' }
  await writeFile(join(cwd, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['plugins/*-foo/*.js'] }))
  const compiler = join(packageRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  const ran = promisify(execFile)(process.execPath, [compiler, '-p', cwd]).catch((error: { stdout: string }) => error)
  t.equal((await ran).stdout, '')
})

t.test('the provider that init writes renders', async t => {
  const file = join(cwd, 'plugins', 'provider-foo', 'server.js')
  const { startServer } = (await import(pathToFileURL(file).href)) as {
    startServer: () => Promise<{ url: string; stop(): Promise<void> }>
  }
  const server = await startServer()
  t.teardown(() => server.stop())
  await writeFile(join(cwd, 'foundry.yaml'), `servers: [{ name: one, provider: foo, url: '${server.url}' }]\n`)
  const { code, answer } = await foundryJson<{ runs: { state: string }[] }>(
    ['render', 'a.json', '--templates', 'tiny'],
    { cwd },
  )
  t.match({ code, answer }, { code: 0, answer: { runs: [{ state: 'done', counts: { done: 1 } }] } })
})

t.test('init overwrites nothing, and says which names it takes', async t => {
  t.match(await foundry(['plugins', 'init', 'gate-full'], { cwd }), {
    code: 2,
    err: /is not empty: choose another name/,
  })
  t.equal(await readFile(join(cwd, 'plugins', 'gate-full', 'mine.txt'), 'utf8'), 'mine')
  for (const name of ['foo', 'gate-', 'engines-', 'gate-../x', 'gate-Foo'])
    t.match(
      await foundry(['plugins', 'init', name], { cwd }),
      { code: 2, err: /write provider-NAME, engine-NAME, storage-NAME, gate-NAME/ },
      name,
    )
  const outside = t.testdir({})
  t.match(await foundry(['plugins', 'init', 'gate-foo'], { cwd: outside }), { code: 2, err: /is not a foundry home/ })
  t.equal((await foundry(['plugins', 'init', 'gate-foo', '--to', 'mine'], { cwd: outside })).code, 0)
})

t.test('test names what is wrong with a plugin, and ends with 1', async t => {
  const gate = {
    'package.json': '{"type":"module"}',
    'index.js': "export default { kind: 'gate', name: 'a', version: '1.0.0', options: {}, open: () => ({}) }",
  }
  const dir = t.testdir({
    wrong: { 'plugin.yaml': 'name: wrong\n' },
    old: {
      'plugin.yaml': 'name: old\nversion: 1.0.0\nneeds: { foundry: ^9.0.0, other: "*" }\n',
      'style.yaml': 'nonsense: 1\n',
    },
    bare: {
      'package.json': '{"type":"module"}',
      'index.js': "export default { kind: 'provider', name: 'bare', version: '1.0.0', options: {}, open() {} }",
    },
    still: {
      'package.json': '{"type":"module"}',
      'index.js': "export default { kind: 'engine', name: 'still', version: '1.0.0', options: {}, open() {} }",
    },
    halfway: { ...gate, 'conformance.js': 'export default {' },
    misspelt: { ...gate, 'conformance.js': "export default { words: [{ text: 'a', verdict: 'deny' }] }" },
    moody: {
      'package.json': '{"type":"module"}',
      'index.js': `let calls = 0
        export default { kind: 'gate', name: 'moody', version: '1.0.0', options: {},
          open: () => ({ beforeDispatch: () => ++calls % 2 ? { verdict: 'pass' } : { verdict: 'refuse', reason: 'mood' } }) }`,
    },
  })
  const failedOf = async (name: string) => {
    const { code, answer } = await foundryJson<Tested>(['plugins', 'test', name], { cwd: dir })
    t.equal(code, 1, name)
    return answer.checks.filter(({ state }) => state === 'fail').map(({ name: check }) => check)
  }
  t.strictSame(await failedOf('wrong'), ['what it says of itself is as the schema says'])
  t.strictSame(await failedOf('old'), [
    'this foundry is one that it needs',
    'its styles and templates are as their schemas say',
  ])
  t.strictSame(await failedOf('bare'), ['conformance.js opens a server to test with'])
  t.strictSame(await failedOf('still'), ['conformance.js opens an engine to test with'])
  t.strictSame(await failedOf('moody'), ['the same facts have the same verdict'])
  const sample = 'conformance.js can be loaded'
  t.strictSame(await failedOf('halfway'), [sample])
  t.strictSame(await failedOf('misspelt'), ['conformance.js says what it is tried with'])
  t.match(await foundry(['plugins', 'test', 'misspelt'], { cwd: dir }), {
    out: /words\[0\]\.verdict.*allowed: .*refuse/,
  })
  const shown = await foundry(['plugins', 'test', 'old'], { cwd: dir })
  t.match(shown.out, /^fail this foundry is one that it needs\n .*found foundry 0\.1\.0; allowed: \^9\.0\.0/m)
  t.equal((await foundry(['plugins', 'test', 'absent'], { cwd: dir })).code, 2)
})
