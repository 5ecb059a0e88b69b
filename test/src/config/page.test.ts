import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../../src/config/config.js'
import { packageRoot } from '../../../src/config/package-root.js'
import { chooseGroup, type FarmView, type Group, type ServerView } from '../../../src/farm/choose-group.js'
import { configFileSchema, serverSchema } from '../../../src/schema/config.js'
import { foundry } from '../../cli/foundry.js'

const page = await readFile(join(packageRoot, 'src', 'config', 'README.md'), 'utf8')
const environment = { GPU2_TOKEN: 'secret' }

/** Names in the first column of the table under a line. */
function fieldsAfter(line: string): string[] {
  const table = page.slice(page.indexOf(`\n${line}\n`) + line.length + 2).trimStart()
  const rows = (table.split('\n\n')[0] ?? '').split('\n').slice(2)
  return rows.flatMap(row => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(match => match[1] ?? ''))
}

t.test('the page of foundry.yaml names every field, and no other', async t => {
  const fields = Object.keys(configFileSchema.properties).filter(name => name !== '$schema')
  t.strictSame(fieldsAfter('## The fields').sort(), fields.sort())
  t.strictSame(fieldsAfter('Of a server:').sort(), Object.keys(serverSchema.properties).sort())
})

t.test('every example of foundry.yaml is one', async t => {
  const blocks = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(match => match[1] ?? '')
  t.ok(blocks.length >= 4)
  for (const block of blocks) {
    const home = t.testdir({ 'foundry.yaml': block })
    t.ok((await loadConfig({ home }, environment, '1')).servers.length > 0, block)
  }
})

t.test('what "foundry init" proposes is a configuration, once it is uncommented', async t => {
  const dir = t.testdir({})
  await foundry(['init', 'home', '--empty'], { cwd: dir })
  const text = await readFile(join(dir, 'home', 'foundry.yaml'), 'utf8')
  const [, ...proposed] = text.split('\n').map(line => line.replace(/^# ?/, ''))
  const home = t.testdir({ 'foundry.yaml': proposed.join('\n') })
  t.match(await loadConfig({ home }, environment, '1'), {
    limits: { flux: 2 },
    family: 'sd15',
    servers: [{ name: 'gpu1' }, { token: 'secret' }, { depth: 1, labels: ['24gb'], limits: { sdxl: 1 } }],
  })
})

t.test('places are shared as the example of the page says', async t => {
  const rows = [...page.matchAll(/^\| (\d) +\| ([AB]) +\| (\d) +\| (\d) +\| ([\d.]+) +\| ([\d.]+) +\|$/gm)]
  t.equal(rows.length, 6)
  const group = (run: string, weight: number): Group => ({
    lane: run,
    run,
    band: 1,
    weight,
    modelSet: 'same',
    loras: [],
    work: 'work',
    waiting: 100,
    since: 0,
  })
  const groups = [group('A', 1), group('B', 2)]
  const places = new Map([
    ['A', 0],
    ['B', 0],
  ])
  const servers = Array.from({ length: 6 }, (_, at): ServerView => ({
    name: `gpu${at}`,
    loaded: undefined,
    active: 0,
    busyMs: 0,
    jobMs: () => undefined,
    swapMs: 0,
    patchMs: 0,
    takes: () => true,
  }))
  const farm = {
    now: 1,
    placesOf: (run: string) => places.get(run) ?? 0,
    serversWith: () => ({ models: 0, loras: 0 }),
    servers,
  } as FarmView
  const give = (server: ServerView) => {
    const run = chooseGroup(groups, server, farm)?.run ?? ''
    places.set(run, (places.get(run) ?? 0) + 1)
    return run
  }
  for (const [at, [, , run, a, b, shareA, shareB]] of rows.entries()) {
    const server = servers[at]
    if (!server) continue
    t.equal(give(server), run, `place ${at + 1}`)
    t.strictSame([places.get('A'), places.get('B')], [Number(a), Number(b)])
    t.strictSame([Number(a) / 1, Number(b) / 2], [Number(shareA), Number(shareB)])
  }
  places.set('A', 1)
  t.equal(give(servers[0] as ServerView), 'A', 'the place that a picture of A leaves')
})
