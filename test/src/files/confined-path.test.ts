import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { confine, confineReal, toPosix } from '../../../src/files/confined-path.js'

const root = resolve('/home/of/things')
const inside: Record<string, string> = {
  'a.json': 'a.json',
  'a/b/../c': 'a/c',
  './a//b/': 'a/b',
  'a\\b\\c.png': 'a/b/c.png',
  '..a/b..': '..a/b..',
  '...': '...',
  '.': '',
  'a/..': '',
}
for (const [path, place] of Object.entries(inside))
  t.test(`confine follows ${path}`, async t => t.equal(confine(root, path), resolve(root, place)))

const outside = [
  '..',
  '../x',
  'a/../../x',
  'a\\..\\..\\x',
  '/etc/passwd',
  '\\\\host\\share',
  'C:\\x',
  'c:x',
  'a\0b',
  `../things-too/x`,
]
for (const path of outside)
  t.test(`confine refuses ${JSON.stringify(path)}`, async t => {
    t.throws(() => confine(root, path), { code: 'PATH_ESCAPES', details: { path, root } })
  })

t.test('confineReal resolves links and refuses those that lead outside', async t => {
  const folder = realpathSync(t.testdir({ home: { real: { 'file.txt': 'x' } }, elsewhere: { 'secret.txt': 'y' } }))
  const home = join(folder, 'home')
  const links: Record<string, string> = {
    within: 'real',
    without: '../elsewhere',
    secret: '../elsewhere/secret.txt',
    dangling: '../elsewhere/none',
    loop: 'loop',
  }
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(home, name))
  mkdirSync(join(home, 'sub'))
  symlinkSync('../..', join(home, 'sub', 'up'))

  t.equal(await confineReal(home, 'within/file.txt'), join(home, 'real/file.txt'))
  t.equal(await confineReal(home, 'within/new/deep.txt'), join(home, 'real/new/deep.txt'))
  t.equal(await confineReal(home, 'real/file.txt/below'), join(home, 'real/file.txt/below'))
  t.equal(await confineReal(home, '.'), home)
  for (const path of [
    'without/secret.txt',
    'without/new.txt',
    'secret',
    'dangling',
    'dangling/new',
    'sub/up/elsewhere',
  ])
    await t.rejects(confineReal(home, path), { code: 'PATH_ESCAPES' }, path)
  await t.rejects(confineReal(home, 'loop'), { code: 'FILE_UNREADABLE', details: { reason: 'ELOOP' } })
  await t.rejects(confineReal(join(folder, 'none'), 'x'), { code: 'FILE_UNREADABLE' })

  symlinkSync('home', join(folder, 'alias'))
  t.equal(
    await confineReal(join(folder, 'alias'), 'real/file.txt'),
    join(home, 'real/file.txt'),
    'the root may be a link',
  )
})

t.test('toPosix knows the separators of both systems', async t => t.equal(toPosix('a\\b/c'), 'a/b/c'))
