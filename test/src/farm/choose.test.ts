import t from 'tap'
import { chooseLane } from '../../../src/farm/choose-lane.js'
import {
  attemptsEndedMax,
  chooseNextStep,
  isCharged,
  retryDelayMs,
  retryDelayMsMax,
} from '../../../src/farm/choose-next-step.js'
import { identifyModels } from '../../../src/farm/identify-models.js'
import type { Probe, RenderCause } from '../../../src/plugins/contract.js'

const lanes = {
  'takes the hot lane while it has jobs': { waiting: { 'r/a': 3, 'r/b': 1 }, hot: 'r/b', lane: 'r/b' },
  'leaves a hot lane that is empty': { waiting: { 'r/a': 1, 'r/b': 0 }, hot: 'r/b', lane: 'r/a' },
  'leaves a hot lane that is gone': { waiting: { 'r/a': 1 }, hot: 'r/b', lane: 'r/a' },
  'takes the first lane when nothing is hot': {
    waiting: { 'r/a': 0, 'r/b': 2, 'r/c': 9 },
    hot: undefined,
    lane: 'r/b',
  },
  'leaves lanes of another renderer': { waiting: { 'draft/a': 3, 'r/a': 1 }, hot: undefined, lane: 'r/a' },
  'leaves a hot lane of another renderer': { waiting: { 'draft/a': 3 }, hot: 'draft/a', lane: undefined },
  'takes nothing where nothing waits': { waiting: { 'r/a': 0 }, hot: 'r/a', lane: undefined },
  'takes nothing without lanes': { waiting: {}, hot: undefined, lane: undefined },
}
for (const [title, { waiting, hot, lane }] of Object.entries(lanes))
  t.test(`chooseLane ${title}`, async t =>
    t.equal(chooseLane(new Map(Object.entries(waiting)), { hot, renderer: 'r' }), lane),
  )

/** Cause, whether it uses up an attempt of the job, what follows while attempts are left, and what after the last. */
const causes: [RenderCause, boolean, string, string][] = [
  ['out-of-memory', true, 'again', 'fail'],
  ['node-error', true, 'again', 'fail'],
  ['no-output', true, 'again', 'fail'],
  ['refused', true, 'again', 'fail'],
  ['interrupted', false, 'again', 'again'],
  ['lost', false, 'again', 'again'],
  ['unreachable', false, 'ask', 'ask'],
  ['unknown-outcome', false, 'ask', 'ask'],
  ['missing-model', true, 'fail', 'fail'],
  ['missing-node', true, 'fail', 'fail'],
  ['invalid-graph', true, 'fail', 'fail'],
]
t.test('chooseNextStep knows every cause', async t => {
  for (const [cause, charged, early, late] of causes) {
    t.equal(isCharged(cause), charged, `${cause} is ${charged ? '' : 'not '}charged`)
    t.equal(chooseNextStep(cause, { charged: 3, ended: 3 }, 4), early, `${cause} with attempts left`)
    t.equal(chooseNextStep(cause, { charged: 4, ended: 4 }, 4), late, `${cause} after the last`)
  }
})

t.test('chooseNextStep suspects a job that keeps taking servers down', async t => {
  t.equal(chooseNextStep('lost', { charged: 0, ended: attemptsEndedMax - 1 }, 4), 'again')
  t.equal(chooseNextStep('lost', { charged: 0, ended: attemptsEndedMax }, 4), 'fail')
  t.equal(chooseNextStep('unreachable', { charged: 0, ended: attemptsEndedMax }, 4), 'ask', 'asking costs nothing')
})

const delays: [number, number, number][] = [
  [0, 1, 0],
  [0, 2, 200],
  [0, 3, 400],
  [1, 1, 200],
  [2, 2, 400],
  [1, 4, 800],
  [9, 9, retryDelayMsMax],
]
for (const [charged, ended, ms] of delays)
  t.test(`retryDelayMs is ${ms} after ${ended} attempts, ${charged} charged`, async t =>
    t.equal(retryDelayMs({ charged, ended }), ms),
  )

t.test('identifyModels says how sure it is', async t => {
  const probe: Probe = {
    renderer: 'comfyui',
    models: {},
    modelSizes: { checkpoints: { 'sd\\base.safetensors': 42 } },
    queueRemaining: 0,
    tookMs: 1,
  }
  const proven = { 'flux.safetensors': 'f'.repeat(64), 'vae/a.pt': 'a'.repeat(64) }
  const cases = [
    ['checkpoints', 'sd/base.safetensors', 'name:sd/base.safetensors+size:42', false],
    ['checkpoints', 'other.safetensors', 'name:other.safetensors', false],
    ['vae', 'base.safetensors', 'name:base.safetensors', false],
    ['unet', 'deep/flux.safetensors', `sha256:${'f'.repeat(64)}`, true],
    ['vae', 'vae/a.pt', `sha256:${'a'.repeat(64)}`, true],
  ] as const
  for (const [folder, name, identity, isProven] of cases)
    t.strictSame(
      identifyModels([{ folder, name }], probe, proven),
      [{ folder, name, identity, proven: isProven }],
      `${folder}/${name}`,
    )
})
