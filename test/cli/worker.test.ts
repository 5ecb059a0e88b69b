import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { DraftServerOptions } from '../../plugins/provider-comfyui/draft-server/options.js'
import { eventually } from '../daemon/start-daemon.js'
import { freePort, needsRedis, RedisServer } from '../plugins/engine-bullmq/redis-server.js'
import { sha256 } from '../../src/files/hash.js'
import { paintPicture } from '../paint-picture.js'
import { openBucket, writeBucketPlugin } from './bucket.js'
import { foundry as foundryHere, packageFolder } from './foundry.js'
import { checkHome, filesUnder } from '../recovery/check-home.js'
import { isFinished } from '../recovery/kill-daemon.js'
import { makeHome, writeOrder } from '../recovery/make-home.js'
import { type Command, foundry, rendersOf, startDraftHere, until } from '../recovery/processes.js'

t.setTimeout(180_000)

t.test('foundry worker refuses what cannot work', async t => {
  const cases: Record<string, { args: string[]; says: RegExp }> = {
    'an owner that is no address': { args: ['--owner', 'studio', '--draft'], says: /not the address of a daemon/ },
    'a name that is none': { args: ['--owner', 'http://127.0.0.1:1', '--draft', '--name', 'a/b'], says: /is no name/ },
    'a token in plain sight': {
      args: ['--owner', 'http://127.0.0.1:1', '--draft', '--token', 'abc'],
      says: /\$\{NAME\}/,
    },
    'a variable that is not set': {
      args: ['--owner', 'http://127.0.0.1:1', '--draft', '--token', '${NOT_SET_HERE}'],
      says: /NOT_SET_HERE is not set/,
    },
  }
  const [home, storage] = [t.testdir(), t.testdir()]
  for (const [title, { args, says }] of Object.entries(cases))
    t.match(await foundryHere(['worker', '--storage', storage, ...args], { cwd: home }), { code: 2, err: says }, title)
  const nowhere = await foundryHere(['worker', '--owner', 'http://127.0.0.1:1', '--draft'], { cwd: home })
  t.match(nowhere, { code: 2, err: /where the worker shall put its pictures[^]*--storage/ })
})

t.test('a home without an engine has nothing for a worker', async t => {
  const { home, port, worker } = await prepare(t, { config: {}, server: true })
  const daemon = await startOwner(t, home, port)
  t.equal(await worker('w1').ended, 2)
  daemon.child.kill('SIGTERM')
  t.equal(await daemon.ended, 0)
})

t.test('a worker is let in by its token, its storage and its name', { ...needsRedis }, async t => {
  const redis = await RedisServer.start(t)
  const token = 'a-token-that-nobody-guesses'
  const { home, port, worker } = await prepare(t, { config: { engine: engineAt(redis), api: { token } } })
  await startOwner(t, home, port)
  const [given, env] = [['--token', '${OWNER_TOKEN}'], { OWNER_TOKEN: token }]

  t.equal(await worker('w1').ended, 2, 'a token is asked for')
  const refused = worker('w1', [...given, '--storage', join(t.testdir(), 'elsewhere')], env)
  t.equal(await refused.ended, 2, 'one that sees another folder is told so')
  t.match(refused.stderr(), /let "storage" of foundry.yaml and --storage of the worker be the same folder/)

  const first = worker('w1', given, env)
  await first.says('worker ready')
  t.notMatch(first.stderr(), token, 'the token is given by the name of its variable')
  const second = worker('w1', given, env)
  await second.says('choose another name with --name')
  second.child.kill('SIGTERM')
  t.equal(await second.ended, 0, 'of two of one name the second waits for the first to be gone')
})

t.test('foundry render answers workers while it lasts; servers and status name them', { ...needsRedis }, async t => {
  const redis = await RedisServer.start(t)
  const { home, order, draft, worker, ledgerFile } = await prepare(t, { config: { engine: engineAt(redis) }, slots: 8 })
  // It waits until there is an owner.
  const early = worker('w1')
  await early.says('waiting for the owner')
  const render = foundry(['render', order, '--home', home, '--json'])
  t.teardown(() => render.kill())
  await until('a picture', () => filesUnder(join(home, 'runs')).some(each => each.endsWith('.png')))
  await draft.setFaults({ jobMs: 2000 })
  const servers = await foundryHere(['servers', '--json'], { cwd: home })
  t.equal(servers.code, 0)
  const [found] = (JSON.parse(servers.out) as { servers: { name: string; renderer: string; state: string }[] }).servers
  t.match(found, { name: 'w1/server-1', renderer: 'draft', state: 'ready' })
  await draft.setFaults({ jobMs: 30 })
  t.equal(await render.ended, 0, render.stderr())
  const facts = await checkHome(home, { renders: rendersOf(ledgerFile) })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, 8)
  t.ok([...facts.traces.values()].every(({ result }) => result.server.name === 'w1/server-1'))
})

t.test('pictures of workers may come through a plugin instead of a folder', { ...needsRedis }, async t => {
  const redis = await RedisServer.start(t)
  const key = 'a-key-that-nobody-guesses'
  const bucket = await openBucket(t, key)
  const storage = { name: 'bucket', options: { url: bucket.url, key: '${BUCKET_KEY}' } }
  const { home, own, port, draft, ledgerFile } = await prepare(t, { config: { engine: engineAt(redis), storage } })
  for (const each of [home, own]) writeBucketPlugin(each)
  writeFileSync(join(own, 'foundry.yaml'), JSON.stringify({ storage }))
  const env = { BUCKET_KEY: key }
  const owner = await startOwner(t, home, port, env)
  const there = ['--owner', `http://127.0.0.1:${port}`, '--home', own, '--server', draft.url, '--name', 'w1']
  const worker = foundry(['worker', ...there], env)
  t.teardown(() => worker.kill())
  await worker.says('worker ready')
  writeOrder(home, 'order', 6)
  await until('the end', () => isFinished(home))
  for (const command of [worker, owner]) {
    command.child.kill('SIGTERM')
    t.equal(await command.ended, 0)
    t.notMatch(command.stderr(), key)
  }
  const { problems, done } = await checkHome(home, { renders: rendersOf(ledgerFile) })
  t.strictSame(problems, [])
  t.equal(done, 6)
  t.equal(bucket.held.size, 0, 'nothing is left in it')
  t.strictSame([...bucket.refused].sort(), ['GET picture', 'GET proof', 'PUT picture', 'PUT proof'])
  t.notOk(existsSync(join(home, '.foundry', 'shared')))
})

t.test('a storage that nobody knows, and options that are wrong, end the start', async t => {
  const engine = { name: 'bullmq', options: { url: 'redis://127.0.0.1:1' } }
  const { home } = await prepare(t, { config: { engine, storage: { name: 'bucket' } } })
  t.match(await foundryHere(['daemon'], { cwd: home }), { code: 2, err: /storage\.name[^]*none is installed/ })
  writeBucketPlugin(home)
  t.match(await foundryHere(['daemon'], { cwd: home }), { code: 2, err: /storage\.options[^]*url/ })
})

t.test(
  'a worker that is stopped gives back what it has; what is cancelled ends on workers, too',
  { ...needsRedis },
  async t => {
    const redis = await RedisServer.start(t)
    const config = { engine: engineAt(redis) }
    const { home, port, worker, draft, ledgerFile } = await prepare(t, { config, jobMs: 30_000, drainSeconds: 0.2 })
    const owner = await startOwner(t, home, port)
    const first = worker('w1')
    await first.says('worker ready')
    writeOrder(home, 'order', 4)
    await until('a render', () => rendersOf(ledgerFile).length > 0)
    first.child.kill('SIGTERM')
    t.equal(await first.ended, 0)
    await draft.setFaults({ jobMs: 30 })
    await worker('w2').says('worker ready')
    await until('the end', () => isFinished(home))

    const before = rendersOf(ledgerFile).length
    await draft.setFaults({ jobMs: 30_000 })
    writeOrder(home, 'later', 30, 2)
    await until('a render of the other run', () => rendersOf(ledgerFile).length > before)
    const later = readdirSync(join(home, 'runs')).find(name => name.startsWith('later')) ?? ''
    const ask = { cwd: home }
    t.match(await foundryHere(['why', later, 'pip/tiny-0030', '--json'], ask), {
      code: 0,
      out: /of its run come before it/,
    })
    t.match(await foundryHere(['runs', 'cancel', later], ask), { code: 0 })
    await until('the end', () => isFinished(home))
    t.ok(rendersOf(ledgerFile).length - before < 6, 'what waited is not rendered')

    owner.child.kill('SIGTERM')
    t.equal(await owner.ended, 0)
    const { problems, done, journal } = await checkHome(home)
    t.strictSame(problems, [])
    t.equal(done, 4)
    const ended = journal.flatMap(event => (event.kind === 'attempt-ended' && event.run !== later ? [event] : []))
    t.ok(ended.length > 0)
    t.ok(ended.every(({ server, outcome }) => server === 'w1/server-1' && outcome === 'interrupted'))
  },
)

t.test('a worker renders after reference pictures, which it reads from the storage', { ...needsRedis }, async t => {
  const redis = await RedisServer.start(t)
  const { home, port, worker, ledgerFile } = await prepare(t, { config: { engine: engineAt(redis) } })
  const picture = await paintPicture(64, 64)
  mkdirSync(join(home, 'workflows'))
  cpSync(join(packageFolder, 'test/fixtures/workflows/image-to-image.json'), join(home, 'workflows', 'edit.json'))
  writeFileSync(join(home, 'face.png'), picture)
  await startOwner(t, home, port)
  await worker('w1').says('worker ready')
  const words = ['render', 'manifests/examples/pip.yaml', '--templates', 'tiny', '--reference', 'face.png']
  t.match(await foundryHere(words, { cwd: home }), { code: 0 })
  const facts = await checkHome(home, { renders: rendersOf(ledgerFile) })
  t.strictSame(facts.problems, [])
  const [trace] = [...facts.traces.values()]
  t.match(trace, {
    request: { workflow: 'edit', references: [{ sha256: sha256(picture) }] },
    result: { server: { name: 'w1/server-1' } },
  })
})

t.test('what no server of any worker can render fails, with the reason', { ...needsRedis }, async t => {
  const redis = await RedisServer.start(t)
  const { home, port, worker } = await prepare(t, { config: { engine: engineAt(redis) }, models: { checkpoints: {} } })
  const owner = await startOwner(t, home, port)
  await worker('w1').says('worker ready')
  writeOrder(home, 'order', 20)
  await eventually('its end', async () => {
    const shown = await foundryHere(['runs', 'list', '--json'], { cwd: home })
    const { runs } = JSON.parse(shown.out) as { runs: { state: string; counts: { failed: number } }[] }
    return runs[0]?.state === 'failed' && runs[0].counts.failed === 20 ? true : undefined
  })
  owner.child.kill('SIGTERM')
  t.equal(await owner.ended, 0)
})

function engineAt({ url }: RedisServer) {
  return { name: 'bullmq', options: { url } }
}

interface Wanted {
  config: Record<string, unknown>
  slots?: number
  jobMs?: number
  /** The owner has a server of its own in its configuration. */
  server?: boolean
  drainSeconds?: number
  models?: DraftServerOptions['models']
}

/** A home, a draft server, and how workers are started. */
async function prepare(t: Test, { config, slots = 0, jobMs = 30, server, drainSeconds, models = 'any' }: Wanted) {
  const folder = t.testdir()
  const home = join(folder, 'home')
  const ledgerFile = join(folder, 'ledger.jsonl')
  const draft = await startDraftHere(ledgerFile, { models, faults: { jobMs, prepared: true } })
  t.teardown(() => draft.kill())
  const port = await freePort()
  const api = { port, ...(config['api'] as object | undefined) }
  const servers = server ? [{ name: 'gpu', url: draft.url }] : []
  const order = makeHome(home, { slots, servers, config: { storage: join(folder, 'shared'), ...config, api } })
  const own = join(folder, 'worker')
  mkdirSync(own)
  if (drainSeconds !== undefined) makeHome(own, { slots: 0, servers: [], config: { drainSeconds } })
  const worker = (name: string, args: readonly string[] = [], env: Record<string, string> = {}) => {
    const there = ['--owner', `http://127.0.0.1:${port}`, '--storage', join(folder, 'shared'), '--server', draft.url]
    const command = foundry(['worker', ...there, '--name', name, '--home', own, ...args], env)
    t.teardown(() => command.kill())
    return command
  }
  return { home, own, order, draft, ledgerFile, port, worker }
}

async function startOwner(t: Test, home: string, port: number, env: Record<string, string> = {}): Promise<Command> {
  const daemon = foundry(['daemon', '--home', home, '--port', String(port)], env)
  t.teardown(() => daemon.kill())
  await daemon.says('daemon ready')
  return daemon
}
