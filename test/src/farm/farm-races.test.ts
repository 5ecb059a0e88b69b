import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { comfyFailure } from '../../../plugins/provider-comfyui/errors.js'
import { sha256 } from '../../../src/files/hash.js'
import { type Connection, RenderFailure } from '../../../src/plugins/contract.js'
import { ended, openFarm, picture } from './open-farm.js'

t.jobs = 4
const folder = t.testdir()

async function until(isTrue: () => boolean, limitMs = 30_000): Promise<boolean> {
  const giveUpAt = performance.now() + limitMs
  while (!isTrue() && performance.now() < giveUpAt) await sleep(2)
  return isTrue()
}

t.test('runs of a renderer that came later are looked at while others wait', async t => {
  let isThere = false
  const probeOf = (usual: Connection) => async (signal: AbortSignal) => {
    if (!isThere) throw new RenderFailure('unreachable', 'not yet')
    return { ...(await usual.probe(signal)), renderer: 'comfyui' }
  }
  const { farm, ...open } = await openFarm(t, {
    folder: join(folder, 'renderers'),
    seed: 1,
    jobMs: 40,
    servers: { slow: { depth: 1 }, late: { with: usual => ({ probe: probeOf(usual) }) } },
  })
  await farm.start()
  const drafts = await open.accept('drafts', 400)
  const real = await open.accept('real', 2, { renderer: 'comfyui' })
  await until(() => drafts.counts.done > 0)
  isThere = true
  await until(() => real.finished !== undefined || drafts.finished !== undefined)
  t.ok(real.finished, 'they need not wait for the end of the others')
  t.notOk(drafts.finished)
})

t.test('of two pictures of a slot that come at once, one counts and the other is kept', async t => {
  const place = join(folder, 'twice')
  const { attempts, desk, farm, ledger, accept } = await openFarm(t, { folder: place, seed: 1 })
  await farm.look()
  const run = await accept('one', 1)
  const traces: string[] = []
  ledger.listen(event => {
    if (event.kind === 'slot-done') traces.push(event.traceSha256)
  })
  const leaseOn = async (server: string) => {
    const [group] = await desk.groups(new Set(['draft']))
    const job = group && (await desk.take(group, () => true))
    const attempt = job && (await attempts.lease(job, server))
    if (!attempt) throw new RangeError('nothing to lease')
    return { job, attempt, server }
  }
  const late = await leaseOn('away')
  await attempts.failed(late.job, late.attempt, late.server, new RenderFailure('unreachable', 'gone'))
  const newer = await leaseOn('there')
  await Promise.all(
    [late, newer].map(({ job, attempt, server: name }) =>
      attempts.commit(job, attempt, picture, { server: { name }, submittedSha256: undefined, timings: {} }),
    ),
  )
  t.equal(traces.length, 1)
  t.equal(ledger.state.orphans, 1)
  const [{ file = '' } = {}] = run.done.values()
  const trace = readFileSync(join(place, 'runs', 'one', file.replace('.png', '.trace.json')))
  t.equal(sha256(trace), traces[0], 'the trace is that of the one that counts')
})

t.test('servers that cannot be asked about jobs are not asked without a pause', async t => {
  let asked = 0
  const refusing = {
    with: () => ({
      check: async () => {
        asked++
        throw new RenderFailure('refused', 'answered /object_info with 500')
      },
    }),
  }
  const { farm, ...open } = await openFarm(t, {
    folder: join(folder, 'refusing'),
    seed: 1,
    servers: { one: refusing, two: refusing, three: refusing },
  })
  await farm.start()
  await open.accept('one', 3)
  await until(() => asked > 0)
  await sleep(2000)
  t.ok(asked > 0 && asked < 30, `asked ${asked} times in two seconds`)
})

t.test('a server that answers and takes no job does not keep it for ever', async t => {
  let sent = 0
  const { farm, ...open } = await openFarm(t, {
    folder: join(folder, 'takes-none'),
    seed: 1,
    servers: {
      wall: {
        depth: 1,
        with: () => ({
          submit: async () => {
            sent++
            throw new RenderFailure('unreachable', 'reset before it was sent')
          },
        }),
      },
      gpu: { depth: 1 },
    },
  })
  await farm.start()
  const run = await open.accept('one', 12)
  await ended(run)
  t.equal(run.counts.done, 12)
  t.ok(sent < 60, `sent ${sent} times`)
})

t.test(
  'a failure of the server as a whole while a job is sent ends the attempt, and its place is free again',
  async t => {
    let sent = 0
    const foreign = comfyFailure('SERVER_FOREIGN', { server: 'gpu', found: 'a login page' })
    const { farm, ...open } = await openFarm(t, {
      folder: join(folder, 'foreign'),
      seed: 1,
      servers: {
        gpu: {
          depth: 1,
          with: usual => ({
            submit: (...asked) => (++sent === 1 ? Promise.reject(foreign) : usual.submit(...asked)),
          }),
        },
      },
    })
    await farm.start()
    const run = await open.accept('one', 2)
    t.ok(await until(() => run.finished !== undefined), JSON.stringify(run.counts))
    t.equal(run.counts.done, 2)
  },
)

t.test('what a server is about to be sent while it is removed is rendered by others', async t => {
  let check: () => void = () => undefined
  let isChecking = false
  const { farm, ...open } = await openFarm(t, {
    folder: join(folder, 'removed'),
    seed: 1,
    servers: {
      gone: {
        with: () => ({
          check: () =>
            new Promise(resolve => {
              isChecking = true
              check = () => resolve([])
            }),
        }),
      },
    },
  })
  await farm.start()
  const run = await open.accept('one', 1)
  await until(() => isChecking)
  const removed = farm.remove('gone', 0)
  await sleep(20)
  check()
  await removed
  t.notOk(farm.has('gone'))
  t.equal(run.leases.size, 0, 'nobody is waited for')
  t.equal(run.counts.waiting, 1)
})

t.test('a farm can be stopped while somebody waits for a drained server', async t => {
  const { farm, fake, ...open } = await openFarm(t, {
    folder: join(folder, 'drained'),
    seed: 1,
    jobMs: 60_000,
  })
  await farm.start()
  const run = await open.accept('one', 1)
  await until(() => run.leases.size > 0 && fake.wrongs.length === 0 && farm.status()[0]?.jobs.length === 1)
  farm.setMode('gpu', 'draining')
  const left = farm.drained('gpu', 60_000)
  await sleep(50)
  const begin = performance.now()
  await farm.stop(0)
  t.ok(performance.now() - begin < 20_000, 'it does not wait for the drain')
  await left
})

t.test('a job that is cancelled while it is being sent is taken from the server again', async t => {
  const cancelled: string[] = []
  let isSending = false
  let send: () => void = () => undefined
  const { farm, ledger, desk, fake, ...open } = await openFarm(t, {
    folder: join(folder, 'sending'),
    seed: 1,
    jobMs: 500,
    servers: {
      gpu: {
        with: usual => ({
          submit: async (...asked) => {
            isSending = true
            await new Promise<void>(resolve => (send = resolve))
            return usual.submit(...asked)
          },
          cancel: (attempt, signal) => {
            cancelled.push(attempt.promptId)
            return usual.cancel(attempt, signal).then(outcome => (outcome === 'unknown' ? 'gone' : outcome))
          },
        }),
      },
    },
  })
  await farm.start()
  const run = await open.accept('one', 1)
  await until(() => isSending)
  await ledger.append({ kind: 'run-cancelled', at: Date.now(), run: 'one', by: 'test' })
  await farm.cancel(() => true)
  send()
  await desk.review('one')
  await ended(run)
  t.match(run.counts, { cancelled: 1, done: 0 })
  t.equal(cancelled.length, 2)
  t.equal(fake.renders, 0)
})

t.test('what a server says of its clock never tells how long a job took', async t => {
  const stamps = [-86_400_000, 86_400_000, NaN, 1e308]
  let at = 0
  const { farm, ...open } = await openFarm(t, {
    folder: join(folder, 'clock'),
    seed: 1,
    servers: {
      gpu: {
        with: usual => ({
          async *follow(attempt, signal) {
            for await (const event of usual.follow(attempt, signal))
              yield event.kind === 'finished' ? { ...event, timings: { renderMs: stamps[at++ % 4] ?? 0 } } : event
          },
        }),
      },
    },
  })
  await farm.start()
  const run = await open.accept('one', 8)
  await ended(run)
  t.equal(run.counts.done, 8)
  t.strictSame(farm.status()[0]?.speeds, {})
})

t.test('a place that a limit kept free is used as soon as the limit allows it', async t => {
  const { farm, ...open } = await openFarm(t, {
    folder: join(folder, 'limited'),
    seed: 1,
    jobMs: 30,
    limits: { sd15: 1 },
    servers: { one: { depth: 1 }, two: { depth: 1 } },
  })
  await farm.start()
  const run = await open.accept('one', 9)
  const begin = performance.now()
  for (let done = 0; done < 8; done++) {
    await until(() => farm.status().some(({ jobs }) => jobs.length > 0))
    // Whoever has the job takes no other after it.
    for (const { name, jobs } of farm.status()) farm.setMode(name, jobs.length > 0 ? 'paused' : 'active')
    await until(() => run.counts.done > done)
  }
  const tookMs = performance.now() - begin
  // Where it is only looked at again after a second, eight seconds.
  t.ok(tookMs < 6000, `eight times handed over in ${Math.round(tookMs)} ms`)
})

t.test('runs that no server takes keep no other run from being rendered', async t => {
  const { farm, ...open } = await openFarm(t, { folder: join(folder, 'labels'), seed: 1 })
  for (let at = 0; at < 70; at++) await open.accept(`night-${at}`, 1, { labels: ['night'] })
  await farm.start()
  const run = await open.accept('plain', 2)
  t.ok(await until(() => run.finished !== undefined), JSON.stringify(run.counts))
})

t.test('a run whose folder has something in the way holds its own slots, and no other run', async t => {
  const home = join(folder, 'in-the-way')
  mkdirSync(join(home, 'runs', 'one'), { recursive: true })
  writeFileSync(join(home, 'runs', 'one', 'images'), 'a file where a folder belongs')
  const { farm, ...open } = await openFarm(t, { folder: home, seed: 1 })
  await farm.start()
  const one = await open.accept('one', 12)
  const two = await open.accept('two', 5)
  t.ok(await until(() => two.finished !== undefined && one.counts.held === 12), JSON.stringify(one.counts))
  t.equal(two.counts.done, 5)
  t.match([...one.reasons.values()], Array(12).fill(/something lies in the way/))
})
