import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { packageRoot } from '../../src/config/package-root.js'

/** Pages are compared with what they speak of, both ways. */
const pages = [
  'README.md',
  'src/README.md',
  'src/config/README.md',
  'plugins/README.md',
  'manifests/README.md',
  'talents/README.md',
  'workflows/README.md',
  'runs/README.md',
  'test/README.md',
]
const read = (path: string) => readFile(join(packageRoot, path), 'utf8')

for (const page of pages) {
  t.test(`${page} links only to what exists`, async t => {
    for (const [, target = ''] of (await read(page)).matchAll(/\]\(([^)#]+)\)/g)) {
      if (!/^https?:/.test(target)) t.ok(existsSync(join(packageRoot, dirname(page), target)), target)
    }
  })
  t.test(`${page} names only files that exist`, async t => {
    for (const [, name = ''] of (await read(page)).matchAll(
      /`((?:src|test|plugins|files|record|farm|intake|operations|plan|schema|api|cli|library)\/[\w./-]+\.ts)`/g,
    )) {
      const places = [join(packageRoot, name), join(packageRoot, 'src', name)]
      t.ok(
        places.some(place => existsSync(place)),
        name,
      )
    }
  })
}

t.test('the architecture page lists every folder of src, and no other', async t => {
  const listed = new Set(
    [...(await read('src/README.md')).matchAll(/^\| ((?:`[a-z.]+\/?`\s*)+)\|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([a-z.]+)\/?`/g)].map(match => match[1]),
    ),
  )
  const present = (await readdir(join(packageRoot, 'src'))).filter(name => name !== 'README.md')
  t.strictSame([...listed].sort(), present.sort())
})

t.test('the map of the folders in README.md lists every folder of the top level', async t => {
  const listed = [...(await read('README.md')).matchAll(/^\| \[`([a-z]+)\/`\]/gm)].map(match => match[1])
  const entries = await readdir(packageRoot, { withFileTypes: true })
  const present = entries
    .filter(entry => entry.isDirectory() && !/^(\.|dist|node_modules|coverage)/.test(entry.name))
    .map(entry => entry.name)
  t.strictSame(listed.sort(), present.sort())
})

t.test('no source file is much longer than one idea needs', async t => {
  for (const path of await sources(join(packageRoot, 'src'))) {
    const lines = (await readFile(path, 'utf8')).split('\n').length
    t.ok(lines <= 450, `${relative(packageRoot, path)} has ${lines} lines`)
  }
})

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name))
}
