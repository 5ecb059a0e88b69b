import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { ownHome } from '../../src/files/own-home.js'
import { startDraft } from '../recovery/processes.js'
import { type Call, foundry, foundryApart, foundryJson } from './foundry.js'
import { tinyTemplates } from '../tiny-templates.js'

const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const at = ['--server', server.url]

interface Answer {
  isNew: boolean
  rendered: number
  runs: { run: string; state: string; isNew: boolean; rendered: number; counts: Record<string, number> }[]
}

const kit = JSON.stringify({ dot_id: 'a', version: '1.0.0', description: 'a keeper of bees' })
const files = { 'foundry.yaml': 'templates: [tiny, small]', 'a.json': kit, templates: tinyTemplates }

const limitMs = 60_000

async function until(isSo: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + limitMs
  while (!isSo()) {
    if (Date.now() > giveUpAt) throw new RangeError(`not within ${limitMs} ms`)
    await sleep(20)
  }
}

/** A process whose words are acted upon as they come. */
async function foundryUntil(words: readonly string[], call: Call, acts: [said: string, act: () => unknown][]) {
  let kill: (signal: NodeJS.Signals) => void = () => undefined
  let err = ''
  const ended = foundryApart(words, {
    ...call,
    started: child => {
      kill = signal => child.kill(signal)
      child.stderr?.on('data', chunk => (err += String(chunk)))
    },
  })
  const sent = server.ledger.length
  for (const [said, act] of acts) {
    await until(() => (said === 'a job' ? server.ledger.length > sent : err.includes(said)))
    await act()
  }
  return { ended, kill: (signal: NodeJS.Signals) => kill(signal), said: () => err }
}

t.test('the first Ctrl C says what happens, the second ends at once', async t => {
  const dir = t.testdir(files)
  server.setFaults({ jobMs: 30_000 })
  const { ended, kill, said } = await foundryUntil(['render', 'a.json', ...at], { cwd: dir }, [
    ['a job', () => undefined],
  ])
  kill('SIGINT')
  await until(() => said().includes('stopping'))
  kill('SIGINT')
  t.match(await ended, { code: 130, err: /stopping: letting \d jobs? finish.*again to stop at once/ })
  server.setFaults({ jobMs: 0 })
  server.loseQueue()
})

t.test('--fresh given again continues what it began, and says so', async t => {
  const call = { cwd: t.testdir(files) }
  const words = ['render', 'a.json', ...at]
  t.match(await foundryJson<Answer>(words, call), { code: 0, answer: { isNew: true, rendered: 2 } })
  t.match(await foundryJson<Answer>(words, call), {
    answer: { isNew: false, rendered: 0, runs: [{ rendered: 0 }] },
  })
  server.setFaults({ jobMs: 30_000 })
  const late = await foundryJson<Answer>([...words, '--fresh', '--timeout', '0.5'], call)
  t.match(late, { code: 124, answer: { isNew: true, rendered: 0 } })
  server.setFaults({ jobMs: 0 })
  server.loseQueue()
  const half = late.answer.runs[0]?.run ?? ''
  const again = await foundryJson<Answer>([...words, '--fresh'], call)
  t.match(again, {
    code: 0,
    err: `${half} was begun by an earlier --fresh and is not finished: it goes on`,
    answer: { isNew: false, rendered: 2, runs: [{ run: half, state: 'done' }] },
  })
  const anew = await foundryJson<Answer>([...words, '--fresh'], call)
  t.match(anew, { code: 0, answer: { isNew: true, rendered: 2 } })
  t.not(anew.answer.runs[0]?.run, half)
})

t.test('a run that is cancelled while it is waited for ends with what to type', async t => {
  const call = { cwd: t.testdir(files) }
  server.setFaults({ jobMs: 30_000 })
  const { ended } = await foundryUntil(['render', 'a.json', ...at], call, [['a job', () => undefined]])
  t.match(await foundry(['runs', 'cancel', 'a'], call), { code: 0, out: /is cancell/ })
  t.match(await ended, { code: 1, out: /2 cancelled[^]*to go on {2}foundry runs retry a-[0-9a-f]{10}/ })
  server.setFaults({ jobMs: 0 })
  t.match(await foundryJson<Answer>(['render', 'a.json', ...at], call), { code: 0, answer: { rendered: 2 } })
})

t.test('drafts and servers together are refused, with both named', async t => {
  const call = { cwd: t.testdir(files) }
  const both = await foundryJson(['render', 'a.json', '--draft', ...at], call)
  t.match(both, { code: 2, answer: { error: { code: 'USAGE_INVALID', message: /--draft.*--server/ } } })
})

t.test('a server that dies meanwhile is named, and once more when it is back', async t => {
  const dir = t.testdir(files)
  const own = await startDraft(join(dir, 'ledger.jsonl'), { faults: { prepared: true, jobMs: 2000 } })
  t.teardown(() => own.kill())
  const { ended } = await foundryUntil(['render', 'a.json', '--server', own.url], { cwd: dir }, [
    ['0 of 2', () => own.kill()],
    ['does not answer', () => own.start()],
  ])
  const { code, err } = await ended
  t.equal(code, 0, err)
  t.match(err, /server http\S+ does not answer \(.+\); waiting – Ctrl C stops, --timeout S bounds it\n/)
  t.equal(err.match(/does not answer/g)?.length, 1, err)
  t.equal(err.match(/answers again/g)?.length, 1, err)
})

t.test('where nothing goes on, the reason is told', async t => {
  const home = t.testdir({ ...files, 'foundry.yaml': 'templates: [tiny]\nlimits: { sd15: 0 }' })
  const { code, err } = await foundry(['render', 'a.json', ...at, '--timeout', '7'], { cwd: home })
  t.equal(code, 124)
  t.equal(err.match(/a-[0-9a-f]{10} does not go on: [^\n]*The limit "sd15" is 0/g)?.length, 1, err)
})

t.test('a run is of one renderer: where drafts and real servers are listed, the real ones render it', async t => {
  const real = await startDraftServer({
    isDisguised: true,
    models: { checkpoints: { 'v1-5-pruned-emaonly-fp16.safetensors': { sizeBytes: 1000 } } },
  })
  t.teardown(() => real.close())
  const servers = (...list: string[]) => ({
    'a.json': kit,
    templates: { ...tinyTemplates },
    'foundry.yaml': JSON.stringify({
      templates: ['tiny', 'small'],
      servers: list.map((url, index) => ({ name: `s${index}`, url })),
    }),
  })
  const dir = t.testdir({
    embedded: servers('draft', real.url),
    addresses: servers(server.url, real.url),
    away: servers('draft', 'http://127.0.0.1:9'),
  })
  for (const home of ['embedded', 'addresses']) {
    const { length } = real.ledger
    const ended = await foundry(['render', 'a.json', '--count', '3'], { cwd: join(dir, home) })
    t.match(ended, { code: 0, out: /6 of 6 rendered/ }, home)
    if (home === 'embedded')
      t.equal(ended.err.match(/Drafts and real servers are listed together.* by s1/g)?.length, 1, ended.err)
    t.equal(real.ledger.length - length, 6, home)
  }
  const away = { cwd: join(dir, 'away') }
  t.match(await foundryJson(['render', 'a.json'], away), { code: 3, answer: { error: { code: 'SERVER_NONE' } } })
  t.match(await foundry(['render', 'a.json', '--draft'], away), { code: 0, out: /2 of 2 rendered/ })
})

t.test('another command that tries the same run again at the same moment is followed', async t => {
  const dir = t.testdir(files)
  await mkdir(join(dir, '.foundry'))
  const ownership = await ownHome(dir)
  t.teardown(() => ownership.release())
  const folder = join(dir, 'runs', 'a-1')
  const shown = { run: 'a-1', state: 'done', counts: { slots: 2, done: 2 }, folder, slots: [], total: 2 }
  const ready = { name: 's', state: 'ready', renderer: 'draft' }
  const answers: Record<string, object> = {
    status: { renderer: 'draft', servers: [ready] },
    servers: { servers: [ready] },
    submit: { ...shown, isNew: false, state: 'failed', slots: 2, warnings: [], plan: [] },
    'runs.retry': { error: { code: 'RUN_STATE_UNFIT', message: 'Run a-1 is running: it cannot be tried again' } },
    'runs.show': shown,
  }
  const asked: string[] = []
  const http = createServer((request, response) => {
    const name = (request.url ?? '').split('/').at(-1) ?? ''
    asked.push(name)
    void json(request).then(() => response.end(JSON.stringify(answers[name])))
  })
  ownership.server.on('connection', socket => http.emit('connection', socket))
  t.match(await foundryApart(['render', 'a.json'], { cwd: dir }), { code: 0, out: /2 of 2/ })
  t.ok(asked.includes('runs.retry'))
})

t.test('the plan of a sweep lists every value, or counts them', async t => {
  const dir = t.testdir({})
  await foundry(['init', 'home'], { cwd: dir })
  const plan = async (values: string) =>
    (
      await foundry(
        [
          'render',
          'manifests/aurora.yaml',
          '--templates',
          'hero-portrait',
          '--draft',
          '--dry-run',
          '--set',
          `mecha=${values}`,
        ],
        { cwd: join(dir, 'home') },
      )
    ).out
  t.match(await plan('0,0.5,1'), / · mecha 0, 0\.5, 1 · /)
  t.match(
    await plan('0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,1'),
    / · mecha 10 values from 0 to 1 · .*avatar\.style\.mecha [\d.]+, [\d.]+/,
  )
})
