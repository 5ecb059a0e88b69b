import t from 'tap'
import { RemoteWorkers, workerOf } from '../../../src/farm/remote-workers.js'
import type { Alive } from '../../../src/schema/work.js'

const probe = { renderer: 'draft', models: {}, modelSizes: {}, queueRemaining: 0, tookMs: 1 }
const server = {
  name: 'gpu',
  provider: 'comfyui',
  state: 'ready',
  mode: 'active',
  renderer: 'draft',
  labels: [],
  depth: 2,
  jobs: [],
  rendered: 0,
  failed: 0,
} satisfies Alive['servers'][number]
const said = (change: Partial<Alive> = {}): Alive => ({
  worker: 'w1',
  epoch: 'one',
  servers: [server],
  attempts: [],
  ...change,
})

t.test('a worker that says hello is known by its epoch, and its servers by both names', async t => {
  const workers = new RemoteWorkers()
  t.notOk(workers.alive(said()), 'nobody knows it yet')
  workers.hello(said({ servers: [{ ...server, probe }] }))
  t.ok(workers.alive(said()))
  t.notOk(workers.alive(said({ epoch: 'two' })), 'another process')
  t.strictSame(
    workers.probes().map(({ renderer }) => renderer),
    ['draft'],
    'the probe is told once',
  )
  t.equal(workers.statuses()[0]?.name, 'w1/gpu')
  t.equal(workerOf('w1/gpu'), 'w1')
  t.equal(workerOf('gpu'), undefined)
})

t.test('a name belongs to one process at a time', async t => {
  const workers = new RemoteWorkers()
  workers.hello(said())
  t.throws(() => workers.hello(said({ epoch: 'two' })), { code: 'WORKER_EXISTS' })
  workers.hello(said())
  workers.forget('w1')
  workers.hello(said({ epoch: 'two' }))
  t.ok(workers.isKnown('w1', 'two'))
})

t.test('only servers that take jobs count', async t => {
  const workers = new RemoteWorkers()
  const servers = [
    server,
    { ...server, name: 'away', state: 'unreachable' as const },
    { ...server, name: 'off', mode: 'paused' as const },
  ]
  workers.hello(said({ servers }))
  t.strictSame(
    workers.ready('draft').map(({ name }) => name),
    ['w1/gpu'],
  )
  t.strictSame(workers.ready('comfyui'), [])
  t.strictSame(workers.silent(), [])
})
