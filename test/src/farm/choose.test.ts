import t from 'tap'
import {
  attemptsEndedMax,
  chooseNextStep,
  isCharged,
  retryDelayMs,
  retryDelayMsMax,
  serversFailedMax,
} from '../../../src/farm/choose-next-step.js'
import { identifyModels } from '../../../src/farm/identify-models.js'
import type { Probe, RenderCause } from '../../../src/plugins/contract.js'

/** Cause, whether it uses up an attempt of the job, what follows while attempts are left, and what after the last. */
const causes: [RenderCause, boolean, string, string][] = [
  ['out-of-memory', true, 'again', 'fail'],
  ['node-error', true, 'again', 'fail'],
  ['no-output', true, 'again', 'fail'],
  ['bad-output', true, 'again', 'fail'],
  ['too-fast', true, 'again', 'fail'],
  ['crashed', false, 'again', 'again'],
  ['silent', false, 'again', 'again'],
  ['withdrawn', false, 'again', 'again'],
  ['refused', true, 'again', 'fail'],
  ['interrupted', false, 'again', 'again'],
  ['lost', false, 'again', 'again'],
  ['unreachable', false, 'ask', 'ask'],
  ['unknown-outcome', false, 'ask', 'ask'],
  ['in-doubt', false, 'hold', 'hold'],
  ['locked-out', false, 'again', 'again'],
  ['moderated', true, 'fail', 'fail'],
  ['missing-model', true, 'fail', 'fail'],
  ['missing-node', true, 'fail', 'fail'],
  ['invalid-graph', true, 'fail', 'fail'],
]
t.test('chooseNextStep knows every cause', async t => {
  for (const [cause, charged, early, late] of causes) {
    t.equal(isCharged(cause), charged, `${cause} is ${charged ? '' : 'not '}charged`)
    t.equal(chooseNextStep(cause, { charged: 3, ended: 3, servers: 1 }, 4), early, `${cause} with attempts left`)
    t.equal(chooseNextStep(cause, { charged: 4, ended: 4, servers: 1 }, 4), late, `${cause} after the last`)
  }
})

t.test('chooseNextStep suspects a job that keeps taking servers down', async t => {
  const servers = 0
  t.equal(chooseNextStep('lost', { charged: 0, ended: attemptsEndedMax - 1, servers }, 4), 'again')
  t.equal(chooseNextStep('lost', { charged: 0, ended: attemptsEndedMax, servers }, 4), 'fail')
})

t.test('chooseNextStep fails a job that fails or crashes different servers', async t => {
  for (const cause of ['crashed', 'silent', 'node-error'] as const) {
    t.equal(chooseNextStep(cause, { charged: 0, ended: 2, servers: serversFailedMax - 1 }, 4), 'again')
    t.equal(chooseNextStep(cause, { charged: 0, ended: 3, servers: serversFailedMax }, 4), 'fail')
  }
  const neighbour = { charged: 0, ended: 4, servers: serversFailedMax }
  t.equal(chooseNextStep('lost', neighbour, 4), 'again', 'one that waited there is innocent')
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
