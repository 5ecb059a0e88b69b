import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import plugin from '../../../plugins/engine-bullmq/index.js'
import { readSettings } from '../../../plugins/engine-bullmq/options.js'
import { validateValue } from '../../../src/files/validate.js'
import { wholeJobs } from '../../../src/plugins/conformance/engine-jobs.js'
import { openBullmq } from './open-bullmq.js'
import { freePort, needsRedis, RedisServer } from './redis-server.js'

const secret = 'p4ss/w:rd@'
const written = encodeURIComponent(secret)

t.test('engine-bullmq refuses a Redis that evicts, and says what to set', needsRedis, async t => {
  const redis = await RedisServer.start(t, ['--maxmemory-policy', 'allkeys-lru'])
  await t.rejects(openBullmq({ url: redis.url }), {
    code: 'BULLMQ_EVICTS',
    details: { policy: 'allkeys-lru' },
    message: /set "maxmemory-policy noeviction"/,
  })
})

t.test('engine-bullmq warns of a Redis without an append-only file, and of no other', needsRedis, async t => {
  const careless = await RedisServer.start(t, ['--appendonly', 'no'])
  const one = await openBullmq({ url: careless.url })
  t.equal(one.logged.filter(line => line.includes('appendonly yes')).length, 1)
  await one.engine.close()
  const careful = await RedisServer.start(t)
  const other = await openBullmq({ url: careful.url })
  t.notMatch(other.logged.join(''), /appendonly/)
  await other.engine.close()
})

t.test('engine-bullmq shows its password to Redis alone', needsRedis, async t => {
  const redis = await RedisServer.start(t, ['--requirepass', secret])
  const address = `127.0.0.1:${redis.port}`
  const right = [{ url: `redis://:${written}@${address}` }, { url: redis.url, password: secret }]
  for (const options of right) {
    const { engine, logged } = await openBullmq({ ...options, timeoutSeconds: 1 })
    await engine.offer('a', wholeJobs(1))
    t.equal((await engine.counts()).get('a'), 1)
    await engine.drain()
    await redis.kill()
    const away = await engine.counts().catch(error => error)
    t.equal(away.code, 'BULLMQ_AWAY')
    await redis.start()
    await engine.close()
    hides(logged.join('') + inspect(away, { depth: 9 }))
  }
  const wrong = [redis.url, `redis://:${written}x@${address}`, `redis://user:${written}@${address}`]
  for (const url of wrong) {
    const begin = performance.now()
    const failure = await openBullmq({ url }).catch(error => error)
    t.equal(failure.code, 'BULLMQ_UNREACHABLE')
    t.match(failure.message, /NOAUTH|WRONGPASS/)
    t.ok(performance.now() - begin < 5000, 'waiting would not help')
    hides(failure.message + inspect(failure, { depth: 9 }))
  }

  function hides(said: string) {
    t.notOk(said.includes(secret) || said.includes(written), said)
  }
})

t.test('engine-bullmq says why Redis cannot be reached', async t => {
  await t.rejects(openBullmq({ url: 'redis://127.0.0.1:1', timeoutSeconds: 0.5 }), {
    code: 'BULLMQ_UNREACHABLE',
    message: /127\.0\.0\.1:1\/0.*ECONNREFUSED/,
  })
})

t.test('engine-bullmq speaks TLS, to whom it knows alone', { skip: needsRedis.skip || !hasOpenssl() }, async t => {
  const folder = t.testdir({})
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', [...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
  const port = await freePort()
  const tls = ['--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no']
  await RedisServer.start(t, tls)
  const url = `rediss://127.0.0.1:${port}`
  const { engine } = await openBullmq({ url, ca: cert })
  await engine.offer('a', wholeJobs(1))
  t.equal((await engine.claim('a'))?.job.id, 'j0')
  await engine.close()
  await t.rejects(openBullmq({ url }), { code: 'BULLMQ_UNREACHABLE', message: /certificate/ })
  await t.rejects(openBullmq({ url, ca: join(folder, 'none.pem') }), { code: 'BULLMQ_CA_UNREADABLE' })
})

t.test('readSettings takes an address apart, and hides its secrets', async t => {
  const own = await readSettings({ url: `rediss://me:${written}@redis.example:7000/3` }, 'studio home')
  t.equal(own.address, 'redis.example:7000/3')
  t.match(own.redis, { host: 'redis.example', port: 7000, db: 3, username: 'me', password: secret, tls: {} })
  t.equal(own.prefix, 'foundry:studio%20home')
  const plain = await readSettings({}, 'home')
  t.equal(plain.address, '127.0.0.1:6379/0')
  t.equal(plain.redis.tls, undefined)
  t.equal(plain.limitMs, 10_000)
  const v6 = await readSettings({ url: 'redis://[::1]:7001' }, 'home')
  t.equal(v6.redis.host, '::1')
  t.equal((await readSettings({ url: 'redis://:a@h', password: 'b' }, 'home')).redis.password, 'b')
  for (const url of [`http://:${written}@h`, `:${written}@h:1`, `redis://:${written}@h/x`, 'redis://:%zz@h', '']) {
    const failure = await readSettings({ url }, 'home').catch(error => error)
    t.equal(failure.code, 'BULLMQ_URL_INVALID', url)
    t.notMatch(inspect(failure, { depth: 9 }), /p4ss/)
  }
})

t.test('the options of engine-bullmq are checked by their schema', async t => {
  t.strictSame(validateValue(plugin.options, {}).value, { url: 'redis://127.0.0.1:6379', timeoutSeconds: 10 })
  const wrong = [{ url: 1 }, { prefix: 'a b' }, { prefix: '' }, { timeoutSeconds: 0 }, { hots: 'x' }]
  for (const options of wrong) t.equal(validateValue(plugin.options, options).problems.length, 1, inspect(options))
})

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
