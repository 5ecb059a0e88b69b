import { mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openIndex } from '../../../src/library/talent-index.js'
import { readTalents } from '../../../src/library/talents.js'
import { makeLora } from '../../make-weights.js'

const first = makeLora({ family: 'sd15', rank: 4, seed: 1 })
const second = makeLora({ family: 'sd15', rank: 4, seed: 2 })
const longAgo = new Date('2025-01-01T00:00:00Z')

/** A home with a weights file that has been quiet for long. */
function makeHome(t: Test) {
  const home = t.testdir({ 'weights.safetensors': first, '.foundry': {} })
  const weights = join(home, 'weights.safetensors')
  utimesSync(weights, longAgo, longAgo)
  return { home, weights, file: join(home, '.foundry', 'index.json') }
}

/** Changes the bytes and nothing by which the index could see it: whoever finds the new bytes has read them. */
function changeInSecret(weights: string): void {
  writeFileSync(weights, second)
  utimesSync(weights, longAgo, longAgo)
}

t.test('TalentIndex remembers a hash while the file looks the same, also when opened again', async t => {
  const { weights, file } = makeHome(t)
  const index = await openIndex(file)
  const hash = await index.hashOf(weights)
  t.equal(hash.sizeBytes, first.length)
  changeInSecret(weights)
  t.same(await index.hashOf(weights), hash, 'not read again')
  await index.save()
  const again = await openIndex(file)
  t.same(await again.hashOf(weights), hash, 'nor after a restart')
  utimesSync(weights, longAgo, new Date('2025-02-02T00:00:00Z'))
  t.not((await again.hashOf(weights)).sha256, hash.sha256, 'read again with another time')
})

t.test('TalentIndex does not trust the time of a file that was written just now', async t => {
  const { weights, file } = makeHome(t)
  const index = await openIndex(file)
  const now = new Date()
  utimesSync(weights, now, now)
  const hash = await index.hashOf(weights)
  writeFileSync(weights, second)
  utimesSync(weights, now, now)
  t.not((await index.hashOf(weights)).sha256, hash.sha256)
})

t.test('TalentIndex stays good when the home moves', async t => {
  const root = t.testdir({ one: { 'weights.safetensors': first, '.foundry': {} } })
  const inHome = (name: string) => ({
    weights: join(root, name, 'weights.safetensors'),
    file: join(root, name, '.foundry', 'index.json'),
  })
  const { weights, file } = inHome('one')
  utimesSync(weights, longAgo, longAgo)
  const index = await openIndex(file)
  const hash = await index.hashOf(weights)
  await index.save()
  t.notOk(readFileSync(file, 'utf8').includes(root), 'no absolute path')
  changeInSecret(weights)
  renameSync(join(root, 'one'), join(root, 'two'))
  t.same(await (await openIndex(inHome('two').file)).hashOf(inHome('two').weights), hash)
})

const damages: Record<string, (file: string) => void> = {
  lost: () => undefined,
  empty: file => writeFileSync(file, ''),
  'half written': file => writeFileSync(file, '{"version":1,"talents":[],"files":[{"pa'),
  'of another version': file => writeFileSync(file, '{"version":2,"talents":[],"files":[]}'),
  'of another shape': file => writeFileSync(file, '[]'),
  'a folder': file => mkdirSync(file),
}

for (const [title, damage] of Object.entries(damages))
  t.test(`openIndex begins anew with an index that is ${title}`, async t => {
    const { weights, file } = makeHome(t)
    damage(file)
    const index = await openIndex(file)
    t.same(index.talents, [])
    t.equal((await index.hashOf(weights)).sizeBytes, first.length)
    if (title === 'a folder') return t.rejects(index.save(), { code: 'FILE_WRITE_FAILED' })
    await index.save()
    t.match(JSON.parse(readFileSync(file, 'utf8')), { version: 1, files: [{ path: '../weights.safetensors' }] })
  })

t.test('openIndex does not believe a hash that is none', async t => {
  const { weights, file } = makeHome(t)
  const index = await openIndex(file)
  const hash = await index.hashOf(weights)
  await index.save()
  writeFileSync(file, readFileSync(file, 'utf8').replace(hash.sha256, hash.sha256.slice(1)))
  t.same(await (await openIndex(file)).hashOf(weights), hash)
})

t.test('TalentIndex keeps the kits that were listed, and writes only what changed', async t => {
  const { weights, file } = makeHome(t)
  const index = await openIndex(file)
  const entry = { id: 'avatar.style.x', path: 'x', valid: false, usable: false, problems: [] }
  index.setTalents([entry])
  await index.hashOf(weights)
  await index.save()
  const { ino } = statSync(file)
  const again = await openIndex(file)
  t.same(again.talents, [entry])
  await again.hashOf(weights)
  again.setTalents([{ ...entry }])
  await again.save()
  t.equal(statSync(file).ino, ino, 'not replaced')
})

t.test('readTalents asks the index for hashes', async t => {
  const asked: string[] = []
  const root = t.testdir({ 'avatar.style.x': { 'weights.safetensors': first } })
  await readTalents([root], {
    index: {
      async hashOf(path) {
        asked.push(path)
        return { sha256: 'a'.repeat(64), sizeBytes: 1 }
      },
    },
  })
  t.same(asked, [join(root, 'avatar.style.x', 'weights.safetensors')])
})
