import t from 'tap'
import { server } from '../../../src/config/server-entry.js'
import { Fitness } from '../../../src/farm/fitness.js'
import type { RunGroup } from '../../../src/farm/run-backlog.js'
import type { ServerEntry } from '../../../src/schema/config.js'

const group = (changes: Partial<RunGroup> = {}): RunGroup => ({
  lane: 'r/0',
  run: 'r',
  band: 1,
  weight: 1,
  modelSet: 'set',
  loras: [],
  work: 'sd15/sd15-text',
  waiting: 1,
  since: 0,
  renderer: 'comfyui',
  models: [],
  tags: [],
  labels: [],
  ...changes,
})
const fitness = (entry: Partial<ServerEntry> = {}) => new Fitness(server({ name: 'gpu1', ...entry }))
const fail = (fit: Fitness, ...jobs: string[]) => jobs.map(job => fit.blame(job, 'CUDA is gone', true))

/** What was done, the sentence, and whether it takes jobs after that. */
const cases: Record<string, [(fit: Fitness) => void, RegExp | undefined, boolean, Partial<ServerEntry>?]> = {
  'one that is well': [() => undefined, undefined, true],
  'one that was paused': [fit => (fit.mode = 'paused'), /^It was paused; .*servers resume/, false],
  'one that is drained': [fit => (fit.mode = 'draining'), /^It is being drained; .*servers resume/, false],
  'one in its quiet hours': [() => undefined, /^These are its quiet hours$/, false, { quietHours: ['00:00-00:00'] }],
  'one that failed two jobs': [fit => fail(fit, 'a', 'b'), undefined, true],
  'one that failed one job often': [fit => fail(fit, 'a', 'a', 'a', 'a'), undefined, true],
  'one that failed several jobs': [fit => fail(fit, 'a', 'b', 'c'), /tried again in 30 s: CUDA is gone$/, false],
  'one that was forgiven': [fit => (fail(fit, 'a', 'b', 'c'), fit.forgive()), undefined, true],
  'one that lacks something': [fit => fit.hold(group(), 'no "a.safetensors"'), /everything: no "a\.safe/, true],
  'one that may be another by now': [fit => (fit.hold(group(), 'no "a"'), fit.forgetLacks()), undefined, true],
  'one whose account has no credit': [
    fit => fit.lockOut('no credit'),
    /^Its account may not render: no credit\. It is tried again in 300 s, .*servers forgive gpu1/,
    false,
  ],
  'one whose account was looked after': [fit => (fit.lockOut('no credit'), fit.forgive()), undefined, true],
  'one whose account pays again': [fit => (fit.lockOut('no credit'), fit.proveWell()), undefined, true],
  'one without memory': [fit => fit.beCareful(), /^It ran out of memory and gets one job at a time$/, true],
}
for (const [title, [act, sentence, isTaking, entry]] of Object.entries(cases)) {
  t.test(`Fitness tells of ${title} why it is avoided`, async t => {
    const fit = fitness(entry)
    act(fit)
    if (sentence) t.match(fit.avoided('ready'), sentence)
    else t.equal(fit.avoided('ready'), undefined)
    t.equal(fit.isTaking(0), isTaking)
    t.match(fit.avoided('unreachable', 'ECONNREFUSED'), /^It is not reachable: ECONNREFUSED$/)
  })
}

t.test('Fitness tells how long a server rests', t => {
  const rests: [(fit: Fitness) => void, number | undefined][] = [
    [() => undefined, undefined],
    [fit => fail(fit, 'a', 'b'), undefined],
    [fit => fail(fit, 'a', 'b', 'c'), 30],
    [fit => fit.lockOut('no credit'), 300],
    [fit => (fail(fit, 'a', 'b', 'c'), fit.lockOut('no credit')), 300],
    [fit => (fail(fit, 'a', 'b', 'c'), fit.forgive()), undefined],
  ]
  for (const [act, seconds] of rests) {
    const fit = fitness()
    act(fit)
    t.equal(fit.restMs && Math.round(fit.restMs / 1000), seconds)
  }
  t.end()
})

t.test('Fitness lets those that fail go on where nobody else is there to work', async t => {
  const fit = fitness()
  for (const job of ['a', 'b', 'c']) t.equal(fit.blame(job, 'broken', false), undefined)
  t.ok(fit.isTaking(0))
})

t.test('Fitness keeps what was not labelled for a server from it', async t => {
  const fit = fitness({ labels: ['big', 'fast'] })
  t.equal(fit.whyUnfit(group()), undefined)
  t.equal(fit.whyUnfit(group({ labels: ['fast', 'big'] })), undefined)
  t.match(fit.whyUnfit(group({ labels: ['big', 'night'] })), /does not have the label night$/)
})

t.test('Fitness keeps only what a lack is about from a server', async t => {
  const fit = fitness()
  t.ok(fit.hold(group({ modelSet: 'flux' }), 'no flux'), 'it is news')
  t.notOk(fit.hold(group({ modelSet: 'flux', loras: ['a@1'] }), 'no flux'), 'once')
  t.equal(fit.whyUnfit(group({ modelSet: 'flux' })), 'no flux')
  t.equal(fit.whyUnfit(group()), undefined)
  fit.forgive()
  t.equal(fit.whyUnfit(group({ modelSet: 'flux' })), undefined)
})

t.test('Fitness gives one job at a time to a server that ran out of memory', async t => {
  const fit = fitness({ depth: 3 })
  t.equal(fit.depth, 3)
  fit.beCareful()
  t.equal(fit.depth, 1)
  fit.forgive()
  t.equal(fit.depth, 3)
})
