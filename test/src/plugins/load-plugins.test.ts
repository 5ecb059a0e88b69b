import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { nameForTrace } from '../../../src/plugins/load-plugins.js'
import { rememberCode } from '../../../src/plugins/remembered-code.js'
import { loadHome } from './plugin-home.js'

const codeOf = (kind: string, more = '') =>
  `export default { kind: '${kind}', name: 'own', version: '1.0.0', options: {}, open() {} }${more}`
const type = { 'package.json': '{"type":"module"}' }
const manifest = (name: string, needs: Record<string, string> = {}, version = '1.0.0') => ({
  'plugin.yaml': JSON.stringify({ name, version, needs }),
})

t.test('loadPlugins knows the shipped plugins, at the version of the package', async t => {
  const { plugins, problems, leftOut } = await loadHome(t.testdir())
  t.strictSame(problems, [])
  t.strictSame(leftOut, [])
  const named = (name: string) => plugins.find(plugin => plugin.name === name)
  t.equal(named('provider-comfyui')?.provider?.name, 'comfyui')
  t.equal(named('provider-comfyui')?.engine, undefined)
  t.equal(named('engine-bullmq')?.engine?.name, 'bullmq')
  t.equal(named('engine-bullmq')?.provider, undefined)
  t.equal(named('styles-anime')?.sha256, undefined)
  t.match(named('provider-comfyui'), { from: 'package', version: '0.1.0', sha256: /^[0-9a-f]{64}$/ })
})

t.test('loadPlugins tells code that is nothing it knows, and goes on', async t => {
  const home = t.testdir({
    plugins: {
      'engine-own': { 'index.js': codeOf('engine') },
      'provider-own': { 'index.js': codeOf('provider') },
      'gate-own': { 'index.js': codeOf('gate') },
      'observer-own': { 'index.js': codeOf('observer') },
      foreign: { 'index.js': codeOf('hook') },
      unopened: { 'index.js': "export default { kind: 'engine', name: 'own' }" },
      broken: { 'index.js': 'nonsense (' },
      ...type,
    },
  })
  const { plugins, problems, leftOut } = await loadHome(home)
  const kinds = plugins
    .filter(({ from }) => from === 'home')
    .map(({ name, provider, engine, gate, observer }) => [name, (provider ?? engine ?? gate ?? observer)?.kind])
  t.strictSame(Object.fromEntries(kinds), {
    'engine-own': 'engine',
    'provider-own': 'provider',
    'gate-own': 'gate',
    'observer-own': 'observer',
    foreign: undefined,
    unopened: undefined,
    broken: undefined,
  })
  t.strictSame(problems.map(({ file, code }) => `${file} ${code}`).sort(), [
    'plugins/broken PLUGIN_BROKEN',
    'plugins/foreign PLUGIN_BROKEN',
    'plugins/unopened PLUGIN_BROKEN',
  ])
  t.strictSame(leftOut.map(({ name }) => name).sort(), ['broken', 'foreign', 'unopened'])
  t.match(problems.find(({ file }) => file === 'plugins/foreign')?.message, /neither a provider/)
})

t.test('loadPlugins finds packages that say they are plugins, and folders that are configured', async t => {
  const dir = t.testdir({
    shared: { 'styles-shared': { 'style.yaml': '' } },
    home: {
      'foundry.yaml': 'pluginFolders: [../shared, ../absent]',
      'package.json': JSON.stringify({ dependencies: { '@me/gate-mine': '1', 'left-pad': '1', '../../evil': '1' } }),
      node_modules: {
        '@me': {
          'gate-mine': {
            'package.json': JSON.stringify({
              name: '@me/gate-mine',
              version: '2.1.0',
              type: 'module',
              main: 'lib/gate.js',
              keywords: ['foundry-plugin'],
              foundry: { needs: { foundry: '^0.1.0' } },
            }),
            lib: { 'gate.js': codeOf('gate').replace('1.0.0', '2.1.0') },
          },
        },
        'left-pad': { 'package.json': '{"name":"left-pad","version":"1.0.0"}' },
        'not-asked-for': { 'package.json': '{"name":"x","version":"1.0.0","keywords":["foundry-plugin"]}' },
      },
    },
  })
  const { plugins, problems } = await loadHome(join(dir, 'home'))
  const others = plugins.filter(({ from }) => from !== 'package')
  t.strictSame(
    others.map(({ name, from, version, gate }) => [name, from, version, gate?.kind]),
    [
      ['styles-shared', 'pluginFolders', '0.0.0', undefined],
      ['gate-mine', 'node_modules', '2.1.0', 'gate'],
    ],
  )
  t.match(problems, [{ code: 'PLUGIN_FOLDER_MISSING', path: 'pluginFolders' }])
})

t.test('loadPlugins blames a plugin for its own mistakes alone, and two of one name beside each other', async t => {
  const dir = t.testdir({
    one: { house: { 'index.js': codeOf('gate'), ...manifest('gate-one') }, ...type },
    two: { house: { 'plugin.yaml': 'name: a b\n' } },
    home: {
      'foundry.yaml': 'pluginFolders: [../one, ../two]',
      plugins: {
        'noir-a': { 'style.yaml': '$schema: style/1\nname: noir\n', ...manifest('styles-noir') },
        'noir-b': { 'style.yaml': '$schema: style/1\nname: dark\n', ...manifest('styles-noir') },
        constructor: { 'index.js': codeOf('observer') },
        ...type,
      },
    },
  })
  const { plugins, leftOut, problems } = await loadHome(join(dir, 'home'))
  t.ok(plugins.find(({ name }) => name === 'gate-one')?.gate)
  t.ok(plugins.find(({ name }) => name === 'constructor')?.observer)
  t.strictSame(
    problems.map(({ file, code }) => `${file} ${code}`),
    [
      '../two/house/plugin.yaml DOCUMENT_REQUIRED',
      '../two/house/plugin.yaml DOCUMENT_PATTERN',
      'plugins/noir-b PLUGIN_NAME_TWICE',
    ],
  )
  t.match(plugins.find(({ name }) => name === 'styles-noir')?.folder, /noir-a$/)
  t.match(leftOut, [{ name: 'house' }, { name: 'styles-noir', reason: /plugins\/noir-a has the same name/ }])
})

t.test('loadPlugins tells where code goes wrong', async t => {
  const home = t.testdir({
    plugins: {
      half: { 'index.js': '\n\nexport default {\n' },
      thrown: { 'index.js': "import './lib/words.js'\n", lib: { 'words.js': '\nabsent()\n' } },
      ...type,
    },
  })
  const { problems } = await loadHome(home)
  t.match(problems, [
    { code: 'PLUGIN_BROKEN', file: /^plugins\/half/, message: /"node --check" shows where/ },
    { code: 'PLUGIN_BROKEN', file: 'plugins/thrown/lib/words.js', line: 2, message: /absent is not defined/ },
  ])
})

t.test('the hash of code is that of what runs, also behind links', async t => {
  const dir = t.testdir({
    real: { 'gate.js': codeOf('gate'), lib: { 'words.js': 'export const words = 1' } },
    home: {
      plugins: {
        'gate-own': {
          'index.js': t.fixture('symlink', '../../../real/gate.js'),
          lib: t.fixture('symlink', '../../../real/lib'),
          self: t.fixture('symlink', '.'),
        },
        ...type,
      },
    },
  })
  const hash = async () => (await loadHome(join(dir, 'home'))).plugins.find(({ name }) => name === 'gate-own')?.sha256
  const before = await hash()
  t.equal(await hash(), before)
  await writeFile(join(dir, 'real', 'lib', 'words.js'), 'export const words = 2')
  const after = await hash()
  t.not(after, before)
  await writeFile(join(dir, 'real', 'gate.js'), `${codeOf('gate')} // changed`)
  t.not(await hash(), after)
})

t.test('loadPlugins refuses a main that leads out of its folder', async t => {
  const home = t.testdir({
    plugins: {
      sly: { 'package.json': '{"name":"sly","version":"1.0.0","main":"../other.js","foundry":{}}' },
      'other.js': codeOf('gate'),
    },
  })
  const { problems } = await loadHome(home)
  t.match(problems, [{ file: 'plugins/sly', code: 'PLUGIN_BROKEN', message: /leads outside/ }])
})

t.test('loadPlugins names every mistake of a plugin.yaml with its line', async t => {
  const home = t.testdir({ plugins: { wrong: { 'plugin.yaml': 'name: a b\nversion: "1"\nneed: {}\n' } } })
  const { plugins, problems } = await loadHome(home)
  t.notOk(plugins.some(({ name }) => name === 'wrong'))
  t.strictSame(
    problems.map(({ file, line, path }) => [file, line, path]),
    [
      ['plugins/wrong/plugin.yaml', 1, 'name'],
      ['plugins/wrong/plugin.yaml', 2, 'version'],
      ['plugins/wrong/plugin.yaml', 3, 'need'],
    ],
  )
})

t.test('loadPlugins resolves needs before any code runs', async t => {
  const mark = (name: string) => `; globalThis.ranPlugins = [...(globalThis.ranPlugins ?? []), '${name}']`
  const home = t.testdir({
    plugins: {
      a: { 'index.js': codeOf('gate', mark('a')), ...manifest('a', { b: '^1.0.0', 'styles-anime': '*' }), ...type },
      b: { 'index.js': codeOf('gate', mark('b')), ...manifest('b'), ...type },
      c: { 'index.js': codeOf('gate', mark('c')), ...manifest('c', { a: '^2.0.0' }), ...type },
    },
  })
  const { plugins, problems } = await loadHome(home)
  t.strictSame((globalThis as { ranPlugins?: string[] }).ranPlugins, ['b', 'a'])
  t.notOk(plugins.some(({ name }) => name === 'c'))
  t.match(problems, [{ file: 'plugins/c', code: 'PLUGIN_NEED_UNFIT', found: 'a 1.0.0', allowed: '^2.0.0' }])
})

t.test('loadPlugins holds options to their schema, and repeats no value of them', async t => {
  const options = `{ type: 'object', additionalProperties: false, required: ['token'], properties: { token: { type: 'string', maxLength: 3 } } }`
  const home = t.testdir({
    'foundry.yaml': 'plugins: { gate-own: { token: secret, more: 1 }, gate-none: {} }',
    plugins: { 'gate-own': { 'index.js': codeOf('gate').replace('options: {}', `options: ${options}`), ...type } },
  })
  const { problems } = await loadHome(home)
  t.strictSame(problems.map(({ path, severity }) => `${severity} ${path}`).sort(), [
    'error plugins.gate-own.more',
    'error plugins.gate-own.token',
    'warning plugins.gate-none',
  ])
  t.notMatch(JSON.stringify(problems), /secret/)
})

t.test('strictPlugins refuses code that changed without its version, and takes it with a new one', async t => {
  const home = t.testdir({
    'foundry.yaml': 'strictPlugins: true',
    '.foundry': {},
    plugins: { 'gate-own': { 'index.js': codeOf('gate'), ...manifest('gate-own'), ...type } },
  })
  const folder = join(home, 'plugins', 'gate-own')
  const memory = join(home, '.foundry', 'plugins.json')
  const first = await loadHome(home)
  await rememberCode(memory, first.plugins)
  t.strictSame((await loadHome(home)).problems, [])
  await writeFile(join(folder, 'index.js'), `${codeOf('gate')} // changed`)
  const changed = await loadHome(home)
  t.match(changed.problems, [{ code: 'PLUGIN_CHANGED', file: 'plugins/gate-own', allowed: /new version/ }])
  t.notOk(changed.plugins.some(({ name }) => name === 'gate-own'))
  t.match(changed.leftOut, [{ name: 'gate-own' }])
  await rememberCode(memory, changed.plugins)
  t.match(
    await readFile(memory, 'utf8'),
    first.plugins.find(({ name }) => name === 'gate-own')?.sha256,
    'not forgotten',
  )
  await writeFile(join(folder, 'index.js'), `${codeOf('gate').replace('1.0.0', '1.0.1')} // changed`)
  await writeFile(join(folder, 'plugin.yaml'), 'name: gate-own\nversion: 1.0.1\n')
  // Node keeps the module that this process has loaded before, which says its old version: code runs once in a real process.
  t.notMatch((await loadHome(home)).problems, [{ code: 'PLUGIN_CHANGED' }])
})

t.test('nameForTrace tells the code of a plugin apart', t => {
  const sha256 = 'a'.repeat(64)
  t.equal(nameForTrace({ name: 'x', version: '1.0.0' }), 'x@1.0.0')
  t.equal(nameForTrace({ name: 'x', version: '1.0.0', sha256 }), `x@1.0.0+sha256.${sha256}`)
  t.equal(nameForTrace({ name: 'x', version: '1.0.0+7', sha256 }), `x@1.0.0+7.sha256.${sha256}`)
  t.end()
})
