import t from 'tap'
import { server } from '../../../src/config/server-entry.js'
import { wantedServers } from '../../../src/operations/wanted-servers.js'
import type { KnownServer } from '../../../src/record/known-servers.js'

const entry = (name: string, url = `http://${name}`) => server({ name, url })
const known = new Map<string, KnownServer>([
  ['gpu1', { mode: 'paused' }],
  ['gpu2', { entry: entry('gpu2'), mode: 'draining' }],
])
const usual = { servers: [entry('comfyui')], hasOwnServers: false, areServersAsked: false }
const own = { servers: [entry('gpu1'), entry('gpu3')], hasOwnServers: true, areServersAsked: false }

const cases: Record<string, [Parameters<typeof wantedServers>, string[]]> = {
  'of the configuration, with their modes, and those that were added': [
    [own, known],
    ['gpu1 paused', 'gpu3 active', 'gpu2 draining added'],
  ],
  'that were added, instead of the usual address': [[usual, known], ['gpu2 draining added']],
  'at the usual address, where nothing is named': [[usual, new Map()], ['comfyui active']],
  'at the usual address also when it is paused': [
    [usual, new Map([['comfyui', { mode: 'paused' }]])],
    ['comfyui paused'],
  ],
  'that the command line names, and no other': [
    [{ ...own, areServersAsked: true }, known],
    ['gpu1 active', 'gpu3 active'],
  ],
  'of the configuration where one of that name was added before': [
    [{ ...own, servers: [entry('gpu2', 'http://other')] }, known],
    ['gpu2 draining'],
  ],
}
for (const [title, [words, expected]] of Object.entries(cases)) {
  t.test(`a foundry starts with the servers ${title}`, async t => {
    const found = wantedServers(...words)
    t.strictSame(
      found.map(({ entry, mode, isAdded }) => `${entry.name} ${mode}${isAdded ? ' added' : ''}`),
      expected,
    )
    for (const { entry, isAdded } of found) t.equal(known.get(entry.name)?.entry === entry, isAdded)
  })
}
