import t from 'tap'
import type { Drop } from '../../../src/library/drop.js'
import { freshId, nameRun } from '../../../src/operations/name-run.js'
import type { RunPlan } from '../../../src/schema/run.js'

const plan: RunPlan = { renderer: 'draft', orderSeed: 0, series: [], workflows: {}, inputs: [] }
const kit: Drop = { kind: 'persona-kit', kit: { dot_id: 'Café_1', version: '1.0.0' }, folder: '' }
const order = (name?: string): Drop => ({
  kind: 'render-order',
  order: { personas: ['a'], ...(name !== undefined && { name }) },
  kits: [],
  folder: '',
})
const calls: Drop = { kind: 'persona-manifest', manifest: [], folder: '' }

t.test('a run is named after what was dropped, and its key never tells where on the machine it lies', async t => {
  const cases: [drop: Drop, path: string, callFolder: string | undefined, key: string, slug: RegExp][] = [
    [kit, '/home/jane/studio/manifests/jo.yaml', undefined, 'manifests/jo.yaml', /^cafe-1-[0-9a-f]{10}$/],
    [kit, '/home/jane/elsewhere/jo.yaml', undefined, 'jo.yaml', /^cafe-1-/],
    [order('Night shift'), '/home/jane/studio/o.yaml', undefined, 'o.yaml', /^night-shift-/],
    [order(), '/tmp/jane/My Orders.yaml', undefined, 'My Orders.yaml', /^my-orders-/],
    [
      calls,
      '/x/jane/run-1/characters/persona_manifest.json',
      '/x/jane/run-1',
      'run-1/characters/persona_manifest.json',
      /^run-1-/,
    ],
    [calls, '/x/jane/persona_manifest.json', '/y/run-2', 'persona_manifest.json', /^run-2-/],
  ]
  for (const [drop, path, callFolder, key, slug] of cases) {
    const named = nameRun({ drop, path, callFolder, plan, root: '/home/jane/studio' })
    t.equal(named.key, key, path)
    t.match(named.run, slug, path)
    t.notOk(`${named.key}${named.run}`.includes('jane'), path)
  }
})

t.test('the same drop is the same run; another plan, key or call folder is another', async t => {
  const name = (changes: Partial<Parameters<typeof nameRun>[0]> = {}) =>
    nameRun({ drop: calls, path: '/a/m.json', callFolder: '/a', plan, root: '/h', ...changes }).run
  t.equal(name(), name())
  t.not(name(), name({ plan: { ...plan, orderSeed: 1 } }))
  t.not(name(), name({ callFolder: '/b/a' }))
  t.not(name(), name({ path: '/a/n.json' }))
})

t.test('a fresh run takes the first free number', async t => {
  const known = new Map([
    ['a', 0],
    ['a-2', 0],
  ])
  t.equal(freshId('b', known), 'b')
  t.equal(freshId('a', known), 'a-3')
})
