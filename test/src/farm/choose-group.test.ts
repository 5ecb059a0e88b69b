import t from 'tap'
import { chooseGroup, type FarmView, type Group, type Loaded, type ServerView } from '../../../src/farm/choose-group.js'

const now = 10_000_000
const minute = 60_000

function group(lane: string, rest: Partial<Group> = {}): Group {
  const defaults = { run: 'run', band: 0, weight: 1, modelSet: lane, loras: [], work: 'work', waiting: 100, since: now }
  return { lane, ...defaults, ...rest }
}

function server(name: string, loaded?: Partial<Loaded>, rest: Partial<ServerView> = {}): ServerView {
  return {
    name,
    loaded: loaded && { modelSet: 'other', loras: [], ...loaded },
    active: 0,
    busyMs: 0,
    jobMs: () => 20_000,
    swapMs: 30_000,
    patchMs: 2000,
    takes: () => true,
    ...rest,
  }
}

function farm(servers: readonly ServerView[], places: Record<string, number> = {}): FarmView {
  return {
    now,
    servers,
    placesOf: run => places[run] ?? 0,
    serversWith({ modelSet, loras }) {
      const models = servers.filter(({ loaded }) => loaded?.modelSet === modelSet)
      return { models: models.length, loras: models.filter(each => each.loaded?.loras.join() === loras.join()).length }
    },
  }
}

interface Case {
  groups: Group[]
  server: ServerView
  others?: ServerView[]
  places?: Record<string, number>
  lane: string | undefined
}

const hot = server('s', { modelSet: 'hot' })
const behind = server('s', { modelSet: 'hot' }, { active: 1, busyMs: 10_000 })
const painted = server('s', { modelSet: 'hot', loras: ['a', 'b'] })
const aged = { since: now - 15 * minute - 1 }

const cases: Record<string, Case> = {
  'takes nothing where nothing is': { groups: [], server: hot, lane: undefined },
  'takes nothing where nothing waits': { groups: [group('hot', { waiting: 0 })], server: hot, lane: undefined },
  'takes only what the server takes': {
    groups: [group('hot'), group('cold')],
    server: { ...hot, takes: ({ lane }) => lane === 'cold' },
    lane: 'cold',
  },
  'serves a lower band first, whatever is loaded': {
    groups: [group('hot', { band: 1 }), group('cold')],
    server: hot,
    lane: 'cold',
  },
  'serves a higher band where the lower one has nothing for it': {
    groups: [group('hot', { band: 1 }), group('cold')],
    server: { ...hot, takes: ({ lane }) => lane === 'hot' },
    lane: 'hot',
  },
  'stays with the loaded models': { groups: [group('cold'), group('hot')], server: hot, lane: 'hot' },
  'stays with the loaded LoRAs': {
    groups: [group('1', { modelSet: 'hot', loras: ['a'] }), group('2', { modelSet: 'hot', loras: ['a', 'b'] })],
    server: painted,
    lane: '2',
  },
  'takes the LoRAs that have most in common': {
    groups: [
      group('none', { modelSet: 'hot' }),
      group('one', { modelSet: 'hot', loras: ['a', 'c'] }),
      group('more', { modelSet: 'hot', loras: ['a', 'b', 'c'] }),
    ],
    server: painted,
    lane: 'more',
  },
  'of LoRAs alike takes those with more waiting': {
    groups: [
      group('few', { modelSet: 'hot', loras: ['c'], waiting: 5 }),
      group('many', { modelSet: 'hot', loras: ['d'], waiting: 50 }),
    ],
    server: painted,
    lane: 'many',
  },
  'of LoRAs alike takes those that fewer servers have': {
    groups: [group('there', { modelSet: 'hot', loras: ['c'] }), group('nowhere', { modelSet: 'hot', loras: ['d'] })],
    server: painted,
    others: [server('o', { modelSet: 'hot', loras: ['c'] })],
    lane: 'nowhere',
  },
  'gives a place to the run that has fewer': {
    groups: [group('1', { run: 'rich' }), group('2', { run: 'poor' })],
    server: server('s'),
    places: { rich: 4, poor: 1 },
    lane: '2',
  },
  'gives twice the places to twice the weight': {
    groups: [group('1', { run: 'light' }), group('2', { run: 'heavy', weight: 2 })],
    server: server('s'),
    places: { light: 3, heavy: 5 },
    lane: '2',
  },
  'leaves the loaded models for a run that is far behind': {
    groups: [group('hot', { run: 'rich' }), group('cold', { run: 'poor' })],
    server: hot,
    places: { rich: 3, poor: 0 },
    lane: 'cold',
  },
  'stays with the loaded models where the run is ahead by one place': {
    groups: [group('hot', { run: 'rich' }), group('cold', { run: 'poor' })],
    server: hot,
    places: { rich: 1, poor: 0 },
    lane: 'hot',
  },
  'stays with the loaded LoRAs where the run is ahead by one place': {
    groups: [
      group('same', { run: 'rich', modelSet: 'hot', loras: ['a', 'b'] }),
      group('other', { run: 'poor', modelSet: 'hot', loras: ['c'] }),
    ],
    server: painted,
    places: { rich: 1, poor: 0 },
    lane: 'same',
  },
  'takes the run that is due where both need other LoRAs': {
    groups: [
      group('rich', { run: 'rich', modelSet: 'hot', loras: ['a'] }),
      group('poor', { run: 'poor', modelSet: 'hot', loras: ['c'] }),
    ],
    server: painted,
    places: { rich: 1, poor: 0 },
    lane: 'poor',
  },
  'loads the models with the most work for those that have them': {
    groups: [group('served', { waiting: 120 }), group('unserved', { waiting: 80 })],
    server: server('s'),
    others: [server('o', { modelSet: 'served' })],
    lane: 'unserved',
  },
  'loads what waits longer where all else is equal': {
    groups: [group('young'), group('old', { since: now - 5 * minute })],
    server: server('s'),
    lane: 'old',
  },
  'adds up what all groups of a model set wait for': {
    groups: [
      group('alone', { waiting: 60 }),
      group('one', { modelSet: 'two', waiting: 40, run: 'run' }),
      group('two', { modelSet: 'two', waiting: 41, loras: ['a'] }),
    ],
    server: server('s'),
    lane: 'one',
  },
  'loads no models that enough servers have': {
    // 120 s of work are one server's: the other set has less, and gets the next.
    groups: [group('chased', { waiting: 5, since: now - 10 * minute }), group('left', { waiting: 20 })],
    server: server('s'),
    others: [server('o', { modelSet: 'chased' })],
    lane: 'left',
  },
  'loads models that enough servers have where nothing else waits': {
    groups: [group('chased', { waiting: 40 })],
    server: server('s'),
    others: Array.from({ length: 4 }, (_, at) => server(`o${at}`, { modelSet: 'chased' })),
    lane: 'chased',
  },
  'swaps for models that have waited too long': {
    groups: [group('hot'), group('cold', aged)],
    server: hot,
    others: [server('o', { modelSet: 'hot' })],
    lane: 'cold',
  },
  'does not swap for models that may still wait': {
    groups: [group('hot'), group('cold', { since: now - 15 * minute })],
    server: hot,
    lane: 'hot',
  },
  'lets models wait longer where loading takes long': {
    groups: [group('hot'), group('cold', aged)],
    server: { ...hot, swapMs: minute },
    others: [server('o', { modelSet: 'hot' })],
    lane: 'hot',
  },
  'lets models wait longer where many take turns on one server': {
    groups: [group('hot'), ...['1', '2', '3'].map(lane => group(lane, aged))],
    server: hot,
    lane: 'hot',
  },
  'swaps for one of many that have waited too long': {
    groups: [group('hot'), ...['1', '2', '3'].map(lane => group(lane, { since: now - 41 * minute }))],
    server: hot,
    lane: '1',
  },
  'patches for LoRAs that have waited too long': {
    groups: [
      group('same', { modelSet: 'hot', loras: ['a', 'b'] }),
      group('aged', { modelSet: 'hot', loras: ['c'], since: now - 81_000 }),
    ],
    server: painted,
    lane: 'aged',
  },
  'lets LoRAs wait longer where many take turns': {
    groups: ['a', 'b', 'c', 'd'].map(lora =>
      group(lora, { modelSet: 'hot', loras: [lora], since: now - (lora === 'd' ? 81_000 : 0) }),
    ),
    server: server('s', { modelSet: 'hot', loras: ['a'] }),
    lane: 'a',
  },
  'of LoRAs and models that have waited too long takes what is further beyond': {
    groups: [group('models', { since: now - 16 * minute }), group('hot', { since: now - 17 * minute })],
    server: hot,
    lane: 'hot',
  },
  'of models and LoRAs that have waited too long takes what is further beyond': {
    groups: [group('models', { since: now - 40 * minute }), group('hot', { since: now - 2 * minute })],
    server: hot,
    lane: 'models',
  },
  'adds behind a job only what needs the same models': { groups: [group('cold')], server: behind, lane: undefined },
  'adds behind a job what needs the same models': {
    groups: [group('cold'), group('hot')],
    server: behind,
    lane: 'hot',
  },
  'adds behind a job also for a run that is ahead by one place': {
    groups: [group('hot', { run: 'rich' }), group('cold', { run: 'poor' })],
    server: behind,
    places: { rich: 1, poor: 0 },
    lane: 'hot',
  },
  'adds nothing behind a job while a run is far behind': {
    groups: [group('hot', { run: 'rich' }), group('cold', { run: 'poor' })],
    server: behind,
    places: { rich: 4, poor: 0 },
    lane: undefined,
  },
  'adds nothing behind a job while other models have waited too long': {
    groups: [group('hot'), group('cold', aged)],
    server: behind,
    others: [server('o', { modelSet: 'hot' })],
    lane: undefined,
  },
  'adds behind a job what has waited too long for the same models': {
    groups: [group('hot', { loras: ['a'] }), group('aged', { modelSet: 'hot', since: now - 10 * minute })],
    server: behind,
    lane: 'aged',
  },
  'leaves the last job to a server that has it done sooner': {
    groups: [group('hot', { waiting: 1 })],
    server: server('slow', { modelSet: 'hot' }, { jobMs: () => 80_000 }),
    others: [server('fast', { modelSet: 'hot' }, { active: 1, busyMs: 15_000 })],
    lane: undefined,
  },
  'takes the last job where the other is not sooner': {
    groups: [group('hot', { waiting: 1 })],
    server: server('slow', { modelSet: 'hot' }, { jobMs: () => 80_000 }),
    others: [server('fast', { modelSet: 'hot' }, { active: 2, busyMs: 70_000 })],
    lane: 'hot',
  },
  'of two servers that are as fast neither waits for the other': {
    groups: [group('hot', { waiting: 1 })],
    server: hot,
    others: [server('o', { modelSet: 'hot' })],
    lane: 'hot',
  },
  'does not leave the last job to a server that does not take it': {
    groups: [group('hot', { waiting: 1 })],
    server: server('slow', { modelSet: 'hot' }, { jobMs: () => 80_000 }),
    others: [server('fast', { modelSet: 'hot' }, { takes: () => false })],
    lane: 'hot',
  },
  'does not leave the last job to a server whose speed nobody knows': {
    groups: [group('hot', { waiting: 1 })],
    server: server('slow', { modelSet: 'hot' }, { jobMs: () => 80_000 }),
    others: [server('new', { modelSet: 'hot' }, { jobMs: () => undefined })],
    lane: 'hot',
  },
  'leaves nothing to others while its own speed is unknown': {
    groups: [group('hot', { waiting: 1 })],
    server: server('new', { modelSet: 'hot' }, { jobMs: () => undefined }),
    others: [server('o', { modelSet: 'hot' })],
    lane: 'hot',
  },
  'does not wait any longer for others that did not come': {
    groups: [group('hot', { waiting: 1, ...aged })],
    server: server('slow', { modelSet: 'hot' }, { jobMs: () => 80_000 }),
    others: [server('fast', { modelSet: 'hot' })],
    lane: 'hot',
  },
  'works at any speed while the end is far': {
    groups: [group('hot', { waiting: 17 })],
    server: server('slow', { modelSet: 'hot' }, { jobMs: () => 80_000_000 }),
    others: [server('fast', { modelSet: 'hot' })],
    lane: 'hot',
  },
  'does not swap at the end for what another has loaded': {
    groups: [group('cold', { waiting: 2 })],
    server: server('s'),
    others: [server('o', { modelSet: 'cold' })],
    lane: undefined,
  },
  'swaps at the end where the other has enough to do': {
    groups: [group('cold', { waiting: 2 }), group('more', { waiting: 10 })],
    server: server('s', undefined, { takes: ({ lane }) => lane === 'cold' }),
    others: [server('o', { modelSet: 'more' })],
    lane: 'cold',
  },
  'leaves all to others that do all of it sooner, whatever they have loaded': {
    groups: [group('cold', { waiting: 1 })],
    server: server('slow', undefined, { jobMs: () => 200_000 }),
    others: [server('o', { modelSet: 'other' })],
    lane: undefined,
  },
  'looks at what comes next where the first is done sooner elsewhere': {
    groups: [group('1', { modelSet: 'first', waiting: 2 }), group('2', { modelSet: 'second', waiting: 1 })],
    server: server('s'),
    others: [server('o', { modelSet: 'first' })],
    lane: '2',
  },
}
for (const [title, { groups, server, others = [], places, lane }] of Object.entries(cases))
  t.test(`chooseGroup ${title}`, async t =>
    t.equal(chooseGroup(groups, server, farm([server, ...others], places))?.lane, lane),
  )
