import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { packageRoot } from '../../src/config/package-root.js'
import { tinyTemplates } from '../tiny-templates.js'
import { foundry, foundryJson } from '../cli/foundry.js'

/** Every example of plugins/README.md is put where the page says, and used. */
const page = await readFile(join(packageRoot, 'plugins', 'README.md'), 'utf8')
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(match => match[1] ?? '')
const blockWith = (language: string, words: string) => {
  const found = blocks(language).filter(block => block.includes(words))
  t.equal(found.length, 1, `one example has ${words}`)
  return found[0] ?? ''
}
const type = { 'package.json': '{"type":"module"}' }
const kit = JSON.stringify({ dot_id: 'a', version: '1.0.0', description: 'a keeper with a cigarette' })

t.test('every example that is YAML can be read', t => {
  for (const block of blocks('yaml')) t.doesNotThrow(() => void parse(block))
  t.end()
})

t.test('the examples of a gate, of its facts and of its options work together', async t => {
  const cwd = t.testdir({
    'foundry.yaml': blockWith('yaml', 'banned:'),
    'a.json': kit,
    templates: tinyTemplates,
    plugins: {
      'gate-house': {
        'index.js': blockWith('js', "kind: 'gate'").replace("version: '1.0.0'", "version: '1.2.0'"),
        'plugin.yaml': blockWith('yaml', 'needs:'),
        ...type,
      },
      'observer-count': { 'index.js': blockWith('js', "kind: 'observer'"), ...type },
    },
  })
  const { code, answer } = await foundryJson<{ plugins: object[] }>(['plugins'], { cwd })
  t.equal(code, 0)
  t.match(Object.fromEntries(answer.plugins.map(each => [(each as { name: string }).name, each])), {
    'gate-house': { kinds: ['gate'], version: '1.2.0' },
    'observer-count': { kinds: ['observer'] },
  })
  t.equal((await foundry(['render', 'a.json', '--templates', 'tiny', '--draft'], { cwd })).code, 1)
  t.match((await foundry(['runs', 'show', 'a'], { cwd })).out, /house rules ban "cigarette"/)
})

t.test('every command does what the page says, and a style of its own needs four of them and one file', async t => {
  let cwd = t.testdir()
  for (const command of blocks('sh').flatMap(block => block.trim().split('\n'))) {
    const [first = '', ...words] = command.split(' ')
    if (first === 'cd') {
      cwd = join(cwd, ...words)
      continue
    }
    t.equal(first, 'foundry')
    if (words[0] === 'render')
      await writeFile(join(cwd, 'plugins/style-noir/style.yaml'), blockWith('yaml', 'name: noir'))
    const { code, out, err } = await foundry(words, { cwd })
    t.equal(code, 0, `${command}\n${err}`)
    if (words[0] !== 'render') continue
    const { folder = '' } = (await foundryJson<{ runs: { folder: string }[] }>(['runs'], { cwd })).answer.runs[0] ?? {}
    t.match(out, /contact/)
    t.match(await readFile(join(folder, 'run.json'), 'utf8'), /film noir lighting, hard shadows/)
  }
  const made = blocks('sh').find(block => block.includes('init studio')) ?? ''
  t.ok(made.trim().split('\n').length <= 4)
})
