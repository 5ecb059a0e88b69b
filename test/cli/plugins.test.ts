import t from 'tap'
import { foundry, foundryJson } from './foundry.js'

interface Listed {
  plugins: { name: string; kinds: string[]; version: string; from: string; hooks: object[]; sha256?: string }[]
  leftOut: { name: string; reason: string }[]
  problems: object[]
}

t.test('plugins lists what is loaded, from where, and what is wrong', async t => {
  const cwd = t.testdir({
    'foundry.yaml': '',
    plugins: {
      'styles-noir': { 'style.yaml': '$schema: style/1\nname: noir\n' },
      'gate-own': {
        'package.json': '{"type":"module"}',
        'plugin.yaml': 'name: gate-own\nversion: 2.0.0\nneeds: { styles-none: ^1.0.0 }\n',
        'index.js': '',
      },
      'observer-own': {
        'package.json': '{"type":"module"}',
        'index.js': "export default { kind: 'observer', name: 'own', version: '1.2.0', options: {}, open() {} }",
      },
    },
  })
  const { code, answer } = await foundryJson<Listed>(['plugins', 'list'], { cwd })
  t.equal(code, 1)
  const named = Object.fromEntries(answer.plugins.map(each => [each.name, each]))
  t.match(named, {
    'provider-comfyui': { kinds: ['provider'], from: 'package', hooks: [{ name: 'startDraftServer', kind: 'first' }] },
    'engine-bullmq': { kinds: ['engine'], hooks: [] },
    'styles-noir': { kinds: ['style'], from: 'home', version: '0.0.0' },
    'templates-core': { kinds: ['template'] },
    'observer-own': { kinds: ['observer'], version: '1.2.0', sha256: /^[0-9a-f]{64}$/, hooks: [{ kind: 'all' }] },
  })
  t.notOk(named['gate-own'])
  t.match(answer.leftOut, [{ name: 'gate-own', reason: /is not there/ }])
  const shown = await foundry(['plugins'], { cwd })
  t.match(shown.out, /^observer-own \.+ +observer +1\.2\.0 +[0-9a-f]{12} +home +\d+ ms +told \(all\)$/m)
  t.match(shown.out, /left out gate-own \(home\): A plugin that it needs is not there/)
  t.match(shown.err, /plugins\/gate-own: needs\.styles-none: A plugin that it needs is not there \(found styles-none\)/)
})

t.test('plugins refuses what it has no command for', async t => {
  const typo = await foundry(['plugins', 'tset', 'plugins/own'], { cwd: t.testdir({ 'foundry.yaml': '' }) })
  t.match(typo, { code: 2, out: '', err: /unknown command 'tset'/ })
})

t.test('plugins of a home where all is well end with 0', async t => {
  t.equal((await foundry(['plugins'], { cwd: t.testdir({ 'foundry.yaml': '' }) })).code, 0)
})
