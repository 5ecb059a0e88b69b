import { join } from 'node:path'
import t from 'tap'
import { packageOutput, packageRoot } from '../../../src/config/package-root.js'
import { loadPlugins } from '../../../src/plugins/load-plugins.js'

const codeOf = (kind: string) => `export default { kind: '${kind}', name: 'own', version: '1', options: {}, open() {} }`

t.test('loadPlugins knows the shipped provider and the shipped engine', async t => {
  const compiled = { root: packageRoot, output: packageOutput }
  const { plugins, problems } = await loadPlugins([join(packageRoot, 'plugins')], compiled)
  t.strictSame(problems, [])
  const named = (name: string) => plugins.find(plugin => plugin.name === name)
  t.equal(named('provider-comfyui')?.provider?.name, 'comfyui')
  t.equal(named('provider-comfyui')?.engine, undefined)
  t.equal(named('engine-bullmq')?.engine?.name, 'bullmq')
  t.equal(named('engine-bullmq')?.provider, undefined)
  t.equal(named('styles-anime')?.engine, undefined)
})

t.test('loadPlugins tells code that is nothing it knows, and goes on', async t => {
  const home = t.testdir({
    'engine-own': { 'index.js': codeOf('engine') },
    'provider-own': { 'index.js': codeOf('provider') },
    foreign: { 'index.js': codeOf('hook') },
    unopened: { 'index.js': "export default { kind: 'engine', name: 'own' }" },
    broken: { 'index.js': 'nonsense (' },
    'package.json': '{"type":"module"}',
  })
  const { plugins, problems } = await loadPlugins([home], { root: packageRoot, output: packageOutput })
  const kinds = plugins.map(({ name, provider, engine }) => [name, provider?.kind ?? engine?.kind])
  t.strictSame(Object.fromEntries(kinds), {
    'engine-own': 'engine',
    'provider-own': 'provider',
    foreign: undefined,
    unopened: undefined,
    broken: undefined,
  })
  t.strictSame(problems.map(({ file, code }) => `${file} ${code}`).sort(), [
    'plugins/broken PLUGIN_BROKEN',
    'plugins/foreign PLUGIN_BROKEN',
    'plugins/unopened PLUGIN_BROKEN',
  ])
  t.match(problems.find(({ file }) => file === 'plugins/foreign')?.message, /neither a provider nor an engine/)
})
