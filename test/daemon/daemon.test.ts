import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Client } from 'undici'
import type { ConfigFlags } from '../../src/config/config.js'
import { findOwner } from '../../src/files/own-home.js'
import { pauseWriting } from './pause-writing.js'
import { eventually, startDaemon, type TestDaemon } from './start-daemon.js'

t.setTimeout(120_000)
const kit = (id: string) => JSON.stringify({ dot_id: id, version: '1.0.0' })

async function start(t: Test, config: object = {}, flags?: ConfigFlags) {
  const daemon = await startDaemon(
    t.testdir({ calls: {} }),
    { templates: ['hero-portrait'], quietSeconds: 0.3, ...config },
    flags && { flags },
  )
  t.teardown(() => daemon.kill('SIGKILL'))
  return daemon
}

t.test('daemon renders what is dropped, lists it, and says so in its log without a word of it', async t => {
  const daemon = await start(t, { callFolders: ['calls'] })
  const words = 'a very secret description'
  const call = join(daemon.home, 'calls', 'run-1')
  mkdirSync(join(call, 'characters', 'c1'), { recursive: true })
  writeFileSync(join(call, 'characters', 'c1', 'persona.md'), words)
  writeFileSync(
    join(call, 'characters', 'persona_manifest.json'),
    JSON.stringify([{ call_id: 'c1', speaker: 'S00', persona_path: 'characters/c1/persona.md' }]),
  )
  writeFileSync(
    join(daemon.manifests, '.jane-doe.json'),
    JSON.stringify({ dot_id: 'jane', version: '1.0.0', description: words }),
  )
  renameSync(join(daemon.manifests, '.jane-doe.json'), join(daemon.manifests, 'jane-doe.json'))
  writeFileSync(join(daemon.manifests, 'john-doe.json'), '[]')
  const runs = await eventually('both runs to be done', async () => {
    const { runs } = await daemon.get<{ runs: { run: string; state: string; key: string }[] }>('/runs')
    return runs.length === 2 && runs.every(({ state }) => state === 'done') ? runs : undefined
  })
  t.strictSame(runs.map(({ key }) => key).sort(), ['jane-doe.json', 'run-1/characters/persona_manifest.json'])
  await eventually('the refusal', () => existsSync(join(daemon.manifests, 'john-doe.json.problems.json')) || undefined)
  t.ok(existsSync(join(call, 'comfyui_images/avatar/image_manifest.json')), 'the call folder has its own layout')
  const { drops } = await daemon.get<{ drops: { state: string; code?: string; sha256: string }[] }>('/drops')
  t.strictSame(drops.map(({ state, code }) => code ?? state).sort(), ['DOCUMENT_LENGTH', 'accepted', 'accepted'])

  // The same through the other doors: nothing is rendered again.
  const response = await fetch(`${daemon.url}/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path: 'manifests/jane-doe.json' }),
  })
  t.match(await response.json(), { isNew: false, state: 'done' })
  t.equal(await daemon.kill(), 0)
  const log = JSON.stringify(daemon.log())
  for (const secret of [words, 'secret', 'jane-doe', 'john-doe', 'run-1/', 'persona.md'])
    t.notOk(log.includes(secret), secret)
  t.ok(daemon.log().some(({ msg }) => msg === 'daemon stopping'))
  const watches = daemon.log().find(({ msg }) => msg === 'daemon watches')
  t.match(watches, { folders: ['manifests'], callFolders: 1 })
  t.equal(daemon.log().at(-1)?.['msg'], 'daemon stopped')
  const refusal = daemon.log().find(({ msg }) => String(msg).startsWith('drop refused'))
  const refused = drops.find(({ state }) => state === 'refused')
  t.equal(refusal?.['drop'], refused?.sha256.slice(0, 12), 'the log tells which drop without its name')
})

t.test('daemon removes what a crash left half-written, in every folder of its own', async t => {
  const half = '.foundry-temporary-0'
  const folders = { journal: { [half]: '' }, problems: { [half]: '' }, orphans: { [half]: '' } }
  const home = t.testdir({ '.foundry': { [half]: '', ...folders } })
  const daemon = await startDaemon(home)
  t.teardown(() => daemon.kill('SIGKILL'))
  for (const folder of ['', ...Object.keys(folders)]) t.notOk(existsSync(join(home, '.foundry', folder, half)), folder)
  if (process.platform === 'linux')
    await t.test('its control socket refuses who does not know its token', t => knock(t, daemon))
})

t.test('daemon never reads half of a drop whose writer pauses, nor of a kit that an order names', async t => {
  t.strictSame(await pauseWriting(t.testdir({}), { pauseMs: 1000, quietSeconds: 3 }), [])
})

// That the first one lets jobs end, and for how long, is shown in recovery/ownership.test.ts.
t.test('a second signal ends at once', async t => {
  const servers = [{ name: 'draft', url: 'draft', options: { jobMs: 60_000 } }]
  const hasty = await start(t, { servers }, {})
  writeFileSync(join(hasty.manifests, 'a.json'), kit('a'))
  await eventually('a running slot', async () => {
    const { runs } = await hasty.get<{ runs: { counts: { running: number } }[] }>('/runs')
    return runs[0]?.counts.running === 1 || undefined
  })
  hasty.child.kill('SIGTERM')
  await eventually(
    'the daemon to be stopping',
    () => hasty.log().some(({ msg }) => msg === 'daemon stopping') || undefined,
  )
  t.match((await fetch(`${hasty.url}/ready`)).status, 503, 'it says that it is no longer ready, and still answers')
  t.equal(await hasty.kill('SIGINT'), 'SIGINT')
})

t.test('daemon refuses to listen beyond loopback without credentials', async t => {
  await t.rejects(start(t, {}, { draft: true, host: '0.0.0.0' }), /without credentials/)
})

t.test('the shipped unit and crontab are what their systems read', async t => {
  const service = new URL('../../../src/cli/service/', import.meta.url)
  const unit = readFileSync(new URL('foundry.service', service), 'utf8')
  t.match(unit, /^ExecStart=.*foundry daemon/m)
  const cron = readFileSync(new URL('foundry.cron', service), 'utf8')
  const entries = cron.split('\n').filter(line => line !== '' && !/^(#|\w+=)/.test(line))
  t.ok(entries.length > 0)
  for (const entry of entries) t.match(entry, /^(\S+\s+){5}.*foundry (render|runs prune|avatars)/)
  const analysed = spawnSync('systemd-analyze', ['verify', '--man=no', new URL('foundry.service', service).pathname], {
    encoding: 'utf8',
  })
  if (analysed.error) return t.comment('systemd-analyze is not here: the unit is not verified')
  const complaints = analysed.stderr
    .split('\n')
    .filter(line => line.includes('foundry.service') && !line.includes('is not executable'))
  t.strictSame(complaints, [])
})

async function knock(t: Test, daemon: TestDaemon): Promise<void> {
  const owner = await findOwner(daemon.home)
  if (!owner) throw new RangeError('nobody owns the home')
  const client = new Client('http://localhost', { socketPath: owner.socketPath })
  t.teardown(() => client.close())
  const ask = async (authorization?: string) => {
    const headers = { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) }
    const { statusCode, body } = await client.request({
      method: 'POST',
      path: '/operations/status',
      headers,
      body: '{}',
    })
    await body.dump()
    return statusCode
  }
  t.equal(await ask(), 401)
  t.equal(await ask('Bearer nobody'), 401)
  t.equal(await ask(`Bearer ${owner.token}`), 200)
  t.match(await daemon.get('/status'), { pid: owner.pid, intake: { waiting: 0 } })
  await t.rejects(startDaemon(daemon.home, {}), /already worked on/, 'a second daemon is refused')
}
