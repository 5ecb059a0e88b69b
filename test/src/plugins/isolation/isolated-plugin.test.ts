import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { type IsolationBounds, isolationBounds } from '../../../../src/plugins/isolation/bounds.js'
import { isolatedPlugin } from '../../../../src/plugins/isolation/isolated-plugin.js'
import { hashPlugin } from '../../../../src/plugins/hash-plugin.js'
import { plainNode } from '../../../plain-node.js'
import { facts, picture } from '../gate-facts.js'
import { silent } from '../plugin-home.js'

/** Small enough for a test; who starts in peace has time for it. */
const bounds: Partial<IsolationBounds> = {
  hookMsMax: 10_000,
  heapMiBMax: 48,
  memoryMiBMax: 200,
  outputBytesMax: 100_000,
  pauseMs: 0,
  endsMax: 1000,
}

/** What can go wrong in a hook, and how it is told. */
const faults: Record<string, { code: string; told: RegExp }> = {
  throws: { code: "throw new RangeError('broken by jo@example.com')", told: /broken by \[email\]/ },
  'never settles': { code: 'await new Promise(() => {})', told: /no answer within 900 ms/ },
  'loops without end': { code: 'for (;;);', told: /no answer within 900 ms/ },
  aborts: { code: 'process.abort()', told: /ended by itself, with SIGABRT/ },
  crashes: {
    code: "process.kill(process.pid, 'SIGSEGV'); await new Promise(() => {})",
    told: /ended by itself, with SIGSEGV/,
  },
  exits: { code: 'process.exit(0)', told: /ended by itself, with exit code 0/ },
  'throws elsewhere': {
    code: "setTimeout(() => { throw new RangeError('late') }); await new Promise(() => {})",
    told: /threw outside of its hooks: late/,
  },
  'prints without end': {
    code: "for (;;) { process.stdout.write('x'.repeat(4096)); process.stderr.write('y'.repeat(4096)); await new Promise(setImmediate) }",
    told: /printed or answered more than 100000 bytes/,
  },
  'answers without end': {
    code: "return { verdict: 'refuse', reason: 'x'.repeat(200_000) }",
    told: /more than 100000/,
  },
  'takes 1 GB': { code: 'Buffer.alloc(1 << 30).fill(1); await new Promise(() => {})', told: /MiB of memory, and may/ },
  'fills its heap': {
    code: 'for (const kept = []; ;) kept.push(new Array(50_000).fill(kept.length))',
    told: /heap needs more than 48 MiB|MiB of memory, and may/,
  },
}

/** Those that every hook is tried with; the others say more of the same. */
const everywhere = ['throws', 'never settles', 'loops without end', 'crashes', 'prints without end', 'takes 1 GB']

/** A plugin whose hooks do what the subject says, and which is opened and closed as its options say. */
const source = (kind: string, load = '') => `
const faults = { ${Object.entries(faults).map(([name, { code }]) => `'${name}': async () => { ${code} }`)} }
${load}
const hook = async ({ subject }) => (await faults[subject]?.()) ?? { verdict: 'pass' }
export default {
  kind: '${kind}', name: 'own', version: '1.2.0', options: { type: 'object' },
  async open({ opening, closing }) {
    await faults[opening]?.()
    return { beforeDispatch: hook, beforeCommit: hook, told: hook, close: () => faults[closing]?.() }
  },
}`

const place = t.testdir({})
let made = 0

async function isolated(code: string, some: Partial<IsolationBounds> = {}) {
  const folder = join(place, `${++made}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'index.js'), code)
  const of = { plugin: 'own', code: join(folder, 'index.js'), folder, sha256: await hashPlugin(folder) }
  const plugin = await isolatedPlugin(of, { ...bounds, ...some })
  return { folder, plugin }
}

async function openGate(t: Test, code: string, some: Partial<IsolationBounds> = {}, log = silent) {
  const { folder, plugin } = await isolated(code, some)
  assert(plugin?.kind === 'gate')
  const gate = await plugin.open({}, { log })
  t.teardown(() => gate.close?.())
  assert(gate.beforeDispatch && gate.beforeCommit)
  return { folder, plugin, dispatch: gate.beforeDispatch.bind(gate), commit: gate.beforeCommit.bind(gate), gate }
}

/** Each hook, called with a subject. */
async function openHooks(
  t: Test,
  some?: Partial<IsolationBounds>,
): Promise<Record<string, (subject: string) => unknown>> {
  const { dispatch, commit } = await openGate(t, source('gate'), some)
  const { plugin } = await isolated(source('observer'), some)
  assert(plugin?.kind === 'observer')
  const observer = await plugin.open({}, { log: silent })
  t.teardown(() => observer.close?.())
  return {
    beforeDispatch: subject => dispatch({ ...facts, subject }),
    beforeCommit: subject => commit({ ...picture, subject }),
    told: subject => observer.told({ kind: 'slot-done', at: 1, subject }),
  }
}

const isSlow = (name: string) => name === 'never settles' || name === 'loops without end'

t.test('an isolated plugin is told from its own process', async t => {
  const { plugin } = await isolated(source('gate'))
  t.match(plugin, { kind: 'gate', name: 'own', version: '1.2.0', options: { type: 'object' } })
  t.match((await isolated(source('engine'))).plugin, { kind: 'engine' })
  t.equal((await isolated('export default 1')).plugin, undefined)
})

t.test('whatever goes wrong in a hook is named within its bound, and the next call is answered', async t => {
  const [patient, hasty] = await Promise.all([openHooks(t), openHooks(t, { hookMsMax: 900 })])
  const named = { beforeDispatch: Object.keys(faults), beforeCommit: everywhere, told: everywhere }
  for (const [hook, names] of Object.entries(named))
    for (const name of names)
      await t.rejects(
        async () => (isSlow(name) ? hasty : patient)[hook]?.(name),
        { code: 'PLUGIN_HOOK_FAILED', details: { plugin: 'own', hook }, message: faults[name]?.told },
        `${hook} ${name}`,
      )
  for (const hooks of [patient, hasty])
    for (const [hook, call] of Object.entries(hooks)) await t.resolves(async () => call('mara'), hook)
})

t.test('so it is while it is loaded, opened and closed', async t => {
  const { plugin } = await isolated(source('gate'))
  assert(plugin?.kind === 'gate')
  const { plugin: short } = await isolated(source('gate'), { loadMsMax: 3000 })
  assert(short?.kind === 'gate')
  const messageOf = (name: string) => (isSlow(name) ? /no answer within 3000 ms/ : faults[name]?.told)
  // Of what takes its time one of each kind is enough.
  for (const name of everywhere.filter(each => each !== 'never settles')) {
    const loading = isolated(source('gate', faults[name]?.code), isSlow(name) ? { loadMsMax: 3000 } : {})
    const message = messageOf(name)
    await t.rejects(loading, { code: 'PLUGIN_HOOK_FAILED', details: { hook: 'load' }, message }, `load ${name}`)
  }
  for (const name of everywhere.filter(each => each !== 'loops without end')) {
    const message = messageOf(name)
    const opening = (async () => (isSlow(name) ? short : plugin).open({ opening: name }, { log: silent }))()
    await t.rejects(opening, { code: 'PLUGIN_HOOK_FAILED', message }, `open ${name}`)
  }
  const { plugin: hasty } = await isolated(source('gate'), { hookMsMax: 900 })
  assert(hasty?.kind === 'gate')
  for (const closing of ['loops without end', 'crashes']) {
    const gate = await hasty.open({ closing }, { log: silent })
    await t.rejects(async () => gate.close?.(), { code: 'PLUGIN_HOOK_FAILED', details: { hook: 'close' } }, closing)
    await t.rejects(async () => gate.beforeDispatch?.(facts), { message: /it is closed/ })
  }
})

t.test('the bounds are those of the page', async t => {
  const page = readFileSync(new URL('../../../../../plugins/README.md', import.meta.url), 'utf8')
  const { loadMsMax, hookMsMax, heapMiBMax, memoryMiBMax, outputBytesMax, endsMax, restMs } = isolationBounds
  const told = `${loadMsMax / 1000} s to load, ${hookMsMax / 1000} s for each hook, ${heapMiBMax} MiB of heap, ${memoryMiBMax} MiB of memory, ${outputBytesMax / 2 ** 20} MiB`
  t.ok(page.replaceAll(/\s+/g, ' ').includes(told), told)
  t.ok(page.replaceAll(/\s+/g, ' ').includes(`${endsMax} times in a row rests for ${restMs / 60_000} minutes`))
})

t.test('calls go one at a time, so that a fault harms nobody else', async t => {
  const { dispatch } = await openGate(t, source('gate'))
  const others = ['mara', 'aborts', 'mara', 'throws', 'mara'].map(subject => dispatch({ ...facts, subject }))
  const outcomes = await Promise.allSettled(others)
  t.strictSame(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  )
})

t.test('a process that ends again and again rests, and is started again after that', async t => {
  const { dispatch } = await openGate(t, source('gate'), { endsMax: 2, restMs: 400 })
  for (const _ of [1, 2]) await t.rejects(async () => dispatch({ ...facts, subject: 'aborts' }), { message: /SIGABRT/ })
  await t.rejects(async () => dispatch(facts), { message: /ended 2 times in a row, and is started again in 1 s/ })
  await sleep(400)
  t.match(await dispatch(facts), { verdict: 'pass' })
})

t.test('a picture of 20 MB goes over whole', async t => {
  const code = `import { createHash } from 'node:crypto'
    export default { kind: 'gate', name: 'own', version: '1.0.0', options: {}, open: () => ({ beforeDispatch: () => ({ verdict: 'pass' }),
      beforeCommit: ({ bytes, seed, server }) => ({ verdict: 'hold', reason: [seed, server, bytes.length,
        createHash('sha256').update(bytes).digest('hex')].join(' ') }) }) }`
  const { commit } = await openGate(t, code, { hookMsMax: 5000 })
  const { createHash } = await import('node:crypto')
  for (const size of [0, 1, 20_000_000]) {
    const bytes = Buffer.alloc(size, 'picture')
    const reason = `7 one ${size} ${createHash('sha256').update(bytes).digest('hex')}`
    t.strictSame(await commit({ ...picture, bytes }), { verdict: 'hold', reason })
  }
})

t.test('it knows nothing of the environment, finds the contract, and its log is part of the log', async t => {
  process.env['FOUNDRY_TEST_TOKEN'] = 'secret'
  t.teardown(() => delete process.env['FOUNDRY_TEST_TOKEN'])
  const code = `import { hashJson } from 'persona-foundry/plugin'
    class Own {
      beforeDispatch() { return { verdict: 'refuse', reason: JSON.stringify(process.env) + hashJson(1).length } }
      beforeCommit() {}
    }
    export default { kind: 'gate', name: 'own', version: '1.0.0', options: {}, open(options, { log }) {
      log.info({ answer: 42 }, 'opened'); log.debug('not wanted'); return new Own() } }`
  const lines: string[] = []
  const log = pino({}, new Writable({ write: (chunk, _, done) => (lines.push(String(chunk)), done()) }))
  const { dispatch } = await openGate(t, code, {}, log)
  const { reason } = (await dispatch(facts)) as { reason: string }
  t.match(reason, /64$/)
  t.match(reason, /"PATH"/)
  t.notMatch(reason, /secret|NODE_OPTIONS/)
  t.match(
    lines.map(line => JSON.parse(line) as object),
    [{ level: 30, answer: 42, msg: 'opened' }],
  )
})

t.test('code that has changed since the start is not run', async t => {
  const { folder, dispatch } = await openGate(t, source('gate'))
  await t.rejects(async () => dispatch({ ...facts, subject: 'aborts' }))
  writeFileSync(join(folder, 'index.js'), `${source('gate')}\n`)
  await t.rejects(async () => dispatch(facts), { message: /code has changed since the start/ })
})

t.test('its process ends with the foundry, also in an endless loop, and so does what it has started', async t => {
  const dir = t.testdir({
    'package.json': '{"type":"module"}',
    'index.js': `import { spawn } from 'node:child_process'
      import { writeFileSync } from 'node:fs'
      export default { kind: 'gate', name: 'own', version: '1.0.0', options: {}, open: ({ file }) => ({ beforeDispatch() {
        const other = spawn('sleep', ['60'])
        writeFileSync(file, process.pid + ' ' + other.pid + '\\n')
        for (;;);
      } }) }`,
    'foundry.js': `import { isolatedPlugin } from '${new URL('../../../../src/plugins/isolation/isolated-plugin.js', import.meta.url).href}'
      const [folder, file] = process.argv.slice(2)
      const plugin = await isolatedPlugin({ plugin: 'own', code: folder + '/index.js', folder })
      const gate = await plugin.open({ file }, { log: { level: 'info' } })
      await gate.beforeDispatch({})`,
  })
  const file = join(dir, 'pids')
  const foundry = spawn(...plainNode([join(dir, 'foundry.js'), dir, file]), { stdio: 'inherit' })
  await until(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'))
  const pids = readFileSync(file, 'utf8').trim().split(' ').map(Number)
  t.equal(pids.filter(isAlive).length, 2)
  foundry.kill('SIGKILL')
  await until(() => !pids.some(isAlive))
})

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(20)
}

/** One that has ended and was not waited for is no longer alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
