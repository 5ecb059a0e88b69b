import t from 'tap'
import type { ForecastServer, WaitingGroup } from '../../../src/farm/forecast-shapes.js'
import { forecast } from '../../../src/farm/forecast.js'
import type { Rate, Rates } from '../../../src/farm/speeds.js'

function group(lane: string, waiting: number, more: Partial<WaitingGroup> = {}): WaitingGroup {
  return {
    lane,
    run: lane.split('/')[0] ?? lane,
    renderer: 'draft',
    band: 2,
    weight: 1,
    modelSet: 'm1',
    loras: [],
    work: 'sd15/a',
    tags: [],
    labels: [],
    models: [],
    waiting,
    since: 0,
    ...more,
  }
}

function gpu(name: string, more: Partial<ForecastServer> = {}): ForecastServer {
  return {
    name,
    renderer: 'draft',
    loaded: undefined,
    busyMs: 0,
    running: [],
    limits: {},
    whyUnfit: () => undefined,
    ...more,
  }
}

const often = (ms: number, spreadMs = 0): Rate => ({ ms, spreadMs, count: 50 })
const rates = (server: string, ms: number, more: Partial<Rates> = {}): Rates => ({
  server,
  works: { 'sd15/a': often(ms), 'sd15/b': often(ms) },
  models: often(0),
  loras: often(0),
  ...more,
})

const cases: Record<string, { of: Parameters<typeof forecast>[0]; is: object[] }> = {
  'shares by speed, not by count': {
    of: {
      groups: [group('r/0', 120)],
      servers: [gpu('slow'), gpu('fast')],
      rates: [rates('slow', 2000), rates('fast', 1000)],
      limits: {},
    },
    is: [
      {
        run: 'r',
        slots: 120,
        shares: [
          { server: 'slow', slots: 40 },
          { server: 'fast', slots: 80 },
        ],
        switches: { models: 2, loras: 0 },
        unfit: [],
        unmeasured: { works: [], loading: false },
      },
    ],
  },
  'counts switches of models and of LoRAs alone': {
    of: {
      groups: [
        group('r/0', 3, { loras: ['x@0.5'] }),
        group('r/1', 3, { loras: ['x@0.7'] }),
        group('r/2', 3, { modelSet: 'm2', work: 'sd15/b' }),
      ],
      servers: [gpu('one', { loaded: { modelSet: 'm1', loras: ['x@0.5'] } })],
      rates: [rates('one', 1000, { models: often(10_000), loras: often(500) })],
      limits: {},
    },
    // 9 jobs, one swap, one patch.
    is: [
      {
        switches: { models: 1, loras: 1 },
        endsIn: { lowS: 17, highS: 22 },
        shares: [{ server: 'one', slots: 9, workS: 19.5 }],
      },
    ],
  },
  'tells what no server can render, and shares the rest': {
    of: {
      groups: [group('r/0', 4), group('r/1', 6, { loras: ['rare@1'] })],
      servers: [gpu('one', { whyUnfit: each => (each.loras.length > 0 ? 'it has no rare' : undefined) })],
      rates: [rates('one', 1000)],
      limits: {},
    },
    is: [
      {
        slots: 10,
        shares: [{ server: 'one', slots: 4 }],
        unfit: [{ slots: 6, loras: ['rare@1'], servers: [{ server: 'one', reason: 'it has no rare' }] }],
      },
    ],
  },
  'leaves what one lacks to the others': {
    of: {
      groups: [group('r/0', 10)],
      servers: [gpu('one', { whyUnfit: () => 'no' }), gpu('two')],
      rates: [rates('one', 1000), rates('two', 1000)],
      limits: {},
    },
    is: [{ shares: [{ server: 'two', slots: 10 }], unfit: [] }],
  },
  'invents no number for a work that was never measured': {
    of: {
      groups: [group('r/0', 4, { work: 'flux/new' })],
      servers: [gpu('one')],
      rates: [rates('one', 1000)],
      limits: {},
    },
    is: [{ endsIn: undefined, shares: [{ server: 'one', slots: 4 }], unmeasured: { works: ['flux/new'] } }],
  },
  'says when loading was never timed': {
    of: {
      groups: [group('r/0', 4)],
      servers: [gpu('one')],
      rates: [{ server: 'one', works: { 'sd15/a': often(1000) } }],
      limits: {},
    },
    is: [{ endsIn: { lowS: 3.6, highS: 4.5 }, unmeasured: { works: [], loading: true } }],
  },
  'takes the speed of the others for a server that was not measured, with more doubt': {
    of: {
      groups: [group('r/0', 10)],
      servers: [gpu('new'), gpu('old', { whyUnfit: () => 'no' })],
      rates: [rates('old', 1000)],
      limits: {},
    },
    is: [{ endsIn: { lowS: 2, highS: 19 } }],
  },
  'does not take the speed of another renderer': {
    of: {
      groups: [group('r/0', 10, { renderer: 'comfyui' })],
      servers: [gpu('real', { renderer: 'comfyui' }), gpu('draft')],
      rates: [rates('draft', 10)],
      limits: {},
    },
    is: [{ endsIn: undefined, unmeasured: { works: ['sd15/a'] } }],
  },
  'counts what is on the servers, and who is served first': {
    of: {
      groups: [group('later/0', 10), group('rush/0', 10, { band: 0 })],
      servers: [gpu('one', { busyMs: 5000, running: [{ run: 'before', work: 'sd15/a' }] })],
      rates: [rates('one', 1000)],
      limits: {},
    },
    is: [
      { run: 'later', endsIn: { lowS: 22, highS: 28 } },
      { run: 'rush', endsIn: { lowS: 12, highS: 18 } },
      { run: 'before', slots: 0, endsIn: { lowS: 5, highS: 5 } },
    ],
  },
  'keeps named limits': {
    of: {
      groups: [group('r/0', 20, { tags: ['flux'] })],
      servers: [gpu('one'), gpu('two')],
      rates: [rates('one', 1000), rates('two', 1000)],
      limits: { flux: 1 },
    },
    is: [{ endsIn: { lowS: 17, highS: 23 } }],
  },
  'is without a range where no server takes jobs': {
    of: { groups: [group('r/0', 20)], servers: [], rates: [], limits: {} },
    is: [{ shares: [], endsIn: undefined, unfit: [{ slots: 20, servers: [] }] }],
  },
  'is empty where nothing waits': { of: { groups: [], servers: [gpu('one')], rates: [], limits: {} }, is: [] },
}
for (const [title, { of, is }] of Object.entries(cases)) {
  t.test(`forecast ${title}`, async t => {
    const runs = forecast(of)
    t.equal(runs.length, is.length)
    for (const [at, wanted] of is.entries()) {
      const { endsIn, ...rest } = wanted as { endsIn?: { lowS: number; highS: number } }
      t.match(runs[at], rest)
      if (!('endsIn' in wanted)) continue
      const found = runs[at]?.endsIn
      t.equal(found === undefined, endsIn === undefined, JSON.stringify(found))
      if (!found || !endsIn) continue
      t.ok(found.lowS >= endsIn.lowS && found.highS <= endsIn.highS, JSON.stringify(found))
      t.ok(found.lowS <= found.highS)
    }
  })
}

t.test('forecast is wider where measurements differ more, or are few', async t => {
  const widthOf = (rate: Rate) => {
    const own = { server: 'one', works: { 'sd15/a': rate }, models: often(0) }
    const [run] = forecast({ groups: [group('r/0', 20)], servers: [gpu('one')], rates: [own], limits: {} })
    return (run?.endsIn?.highS ?? NaN) - (run?.endsIn?.lowS ?? NaN)
  }
  const [regular, irregular, single] = [often(1000), often(1000, 300), { ms: 1000, spreadMs: 0, count: 1 }].map(widthOf)
  t.ok((regular ?? NaN) < (irregular ?? NaN))
  t.ok((regular ?? NaN) < (single ?? NaN))
})

t.test('forecast costs by groups, and not by slots', async t => {
  const servers = [gpu('one'), gpu('two'), gpu('three'), gpu('four')]
  const four = servers.map(({ name }) => rates(name, 1000))
  const [million] = forecast({ groups: [group('r/0', 1_000_000)], servers, rates: four, limits: {} })
  t.equal(
    million?.shares.reduce((sum, each) => sum + each.slots, 0),
    1_000_000,
  )
  t.match(million?.endsIn, { lowS: Number, highS: Number })

  const many = Array.from({ length: 5000 }, (_, at) =>
    group(`r/${at}`, 200, { loras: [`x@${at}`], modelSet: `m${at % 3}` }),
  )
  const [run] = forecast({ groups: many, servers, rates: four, limits: {} })
  t.equal(
    run?.shares.reduce((sum, each) => sum + each.slots, 0),
    1_000_000,
  )
  t.ok((run?.switches.models ?? 0) <= 3 * servers.length, 'those that need the same are rendered one after the other')
})

t.test('forecast changes nothing of what waits', async t => {
  const groups = [group('r/0', 5)]
  forecast({ groups, servers: [gpu('one')], rates: [rates('one', 1)], limits: {} })
  t.match(groups, [{ waiting: 5, since: 0 }])
})
