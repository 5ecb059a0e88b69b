import t from 'tap'
import { explainSlot, type SlotCase, type WaitCase } from '../../../src/farm/explain-slot.js'
import type { ServerStand } from '../../../src/farm/outlook.js'

const stand = (server: string, more: Partial<ServerStand> = {}): ServerStand => ({
  server,
  isTaking: true,
  isHot: true,
  depth: 2,
  runs: ['r', 'r'],
  ...more,
})
const waiting = (more: Partial<WaitCase> = {}): SlotCase => ({
  state: 'waiting',
  run: 'r',
  renderer: 'comfyui',
  priority: 'default',
  weight: 1,
  isPaused: false,
  isWorking: true,
  isWanted: true,
  isTaken: false,
  ahead: 3,
  places: 1,
  modelSet: 'm1',
  servers: [stand('gpu1'), stand('gpu2')],
  others: [],
  ...more,
})
const other = (run: string, more: object = {}) => ({
  run,
  band: 1,
  weight: 1,
  waiting: 5,
  modelSet: 'm1',
  places: 4,
  ...more,
})
const running: SlotCase = { state: 'running', server: 'gpu1', attempt: 2, isStopping: false, isWorking: true }
const job = { server: 'gpu1', attempt: 2 }

const cases: Record<string, [slot: SlotCase, cause: string, why: RegExp]> = {
  'where it was rendered': [
    { state: 'done', file: 'images/a.png', attempt: 2, server: 'gpu1' },
    'done',
    /^It was rendered on gpu1 at attempt 2: images\/a\.png$/,
  ],
  'what was taken over': [
    { state: 'done', file: 'images/a.png', attempt: 0 },
    'done',
    /taken over from an earlier run/,
  ],
  'what is being rendered': [
    { ...running, job: { ...job, sinceMs: 12_300, usualMs: 8000, value: 5, max: 20 } },
    'running',
    /^gpu1 renders it since 12 s \(attempt 2, step 5 of 20\); it usually takes 8 s there$/,
  ],
  'what waits on a server': [
    { ...running, job },
    'queued',
    /^It waits on gpu1 behind the job before it \(attempt 2\)$/,
  ],
  'what is being fetched': [running, 'fetching', /^gpu1 has ended it/],
  'what is being stopped': [{ ...running, isStopping: true, job }, 'stopping', /is being stopped on gpu1/],
  'what was interrupted': [{ ...running, isWorking: false }, 'interrupted', /^It was interrupted on gpu1/],
  'what failed': [
    { state: 'failed', reason: 'it broke', attempts: 3, servers: ['gpu1', 'gpu2'] },
    'failed',
    /^It failed at attempt 3 on gpu1, gpu2: it broke$/,
  ],
  'what never could be tried': [
    { state: 'failed', reason: 'no such model', attempts: 0, servers: [] },
    'failed',
    /^It failed before any attempt: no such model$/,
  ],
  'who cancelled it': [
    { state: 'cancelled', by: 'ann', at: '2026-01-01T00:00:00.000Z' },
    'cancelled',
    /^It was cancelled by ann at 2026-01-01T00:00:00\.000Z$/,
  ],
  'what was cancelled by nobody knows whom': [{ state: 'cancelled' }, 'cancelled', /^It was cancelled$/],
  'what has nothing to render': [{ state: 'skipped', reason: 'no transcript' }, 'skipped', /no transcript$/],
  'what waits for approval': [
    { state: 'held', run: 'r', reason: 'Waits for approval after the preview', isPreview: true },
    'approval',
    /after the preview: "foundry runs approve r" renders it$/,
  ],
  'what is paused by itself': [
    { state: 'held', run: 'r', reason: 'Paused by ann', isPreview: false, resume: 'foundry runs resume r' },
    'paused',
    /^Paused by ann: "foundry runs resume r"/,
  ],
  'what a human must decide': [
    { state: 'held', run: 'r', reason: 'Another picture lies there', isPreview: false },
    'decision',
    /^A human must decide: Another picture lies there$/,
  ],
  'a paused run': [
    waiting({ isPaused: true, pausedBy: 'ann' }),
    'paused',
    /^Its run is paused by ann: "foundry runs resume r"/,
  ],
  'that nobody works': [waiting({ isWorking: false }), 'nobody', /^Nobody works on this home/],
  'that others are worked on': [waiting({ isWanted: false }), 'nobody', /asked for other runs only/],
  'when it is tried again': [
    waiting({ isTaken: true, rest: { ms: 8000, server: 'gpu1', message: 'out of memory' } }),
    'retry',
    /^It is tried again in 8 s, after this on gpu1: out of memory$/,
  ],
  'a job in the making': [waiting({ isTaken: true }), 'soon', /A job is being made/],
  'that there is no server': [waiting({ servers: [] }), 'no-server', /^No server of its renderer \(comfyui\)/],
  'every server that is kept from it, bounded': [
    waiting({
      servers: [
        stand('gpu1', { unfit: `no node pack ${'x'.repeat(500)}` }),
        stand('gpu2', { isTaking: false, avoided: 'It was paused' }),
        ...Array.from({ length: 6 }, (_, at) => stand(`gpu${at + 3}`, { isTaking: false })),
      ],
    }),
    'avoided',
    /^Every server that could render it is kept from it\. gpu1: no node pack x{187}…; gpu2: It was paused; .*; and 3 more$/,
  ],
  'a run that is not looked at': [
    { ...waiting(), ahead: undefined } as unknown as SlotCase,
    'runs-ahead',
    /not looked at yet/,
  ],
  'a bound on jobs in flight': [waiting({ inFlightMax: 2, places: 2 }), 'in-flight', /2 of 2 jobs in flight/],
  'a named limit': [
    waiting({
      servers: ['gpu1', 'gpu2'].map(each =>
        stand(each, { limit: { name: 'flux', most: 2, underWay: 2, isOfServer: false } }),
      ),
    }),
    'limit',
    /^The limit "flux" has 2 of 2 jobs under way$/,
  ],
  'a limit that one server alone has': [
    waiting({
      servers: [stand('gpu1', { limit: { name: 'flux', most: 1, underWay: 1, isOfServer: true } }), stand('gpu2')],
    }),
    'places',
    /Every place is taken/,
  ],
  'runs of higher priority': [
    waiting({ others: [other('hurry', { band: 0, waiting: 12 })] }),
    'priority',
    /^12 pictures of higher priority come first \(hurry\); r is default$/,
  ],
  'fair share': [
    waiting({ places: 4, others: [other('x', { places: 1, weight: 2 })] }),
    'fair-share',
    /^Fair share: its run has 4 places for weight 1, and x with 1 place for weight 2 comes next$/,
  ],
  'other models': [
    waiting({ servers: [stand('gpu1', { isHot: false })], others: [other('x', { modelSet: 'm2', waiting: 7 })] }),
    'models',
    /^No server has its models loaded: 7 pictures that need other models are rendered there first/,
  ],
  'that every place is taken': [
    waiting({ servers: [stand('gpu1')] }),
    'places',
    /^Every place is taken \(gpu1 has 2 of 2\); 3 pictures of its run come before it$/,
  ],
  'its turn': [
    waiting({ servers: [stand('gpu1', { runs: [] })], ahead: 1 }),
    'turn',
    /^1 picture of its run comes before it$/,
  ],
  'that it is next': [waiting({ servers: [stand('gpu1', { runs: [] })], ahead: 0 }), 'soon', /^It is next/],
}
for (const [title, [slot, cause, why]] of Object.entries(cases))
  t.test(`explainSlot tells ${title}`, async t => t.match(explainSlot(slot), { cause, why }))
