import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { appendFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { foundry, foundryApart, foundryJson } from './foundry.js'
import { tinyTemplates } from '../tiny-templates.js'

const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const at = ['--server', server.url]

const kit = (id: string) => JSON.stringify({ dot_id: id, version: '1.0.0', description: `the ${id} of the harbour` })

const files = { 'foundry.yaml': 'templates: [tiny, small]', templates: tinyTemplates }

interface Answer {
  runs: { run: string; state: string; counts: Record<string, number> }[]
}

const limitMs = 60_000

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const giveUpAt = Date.now() + limitMs
  while (!(await isSo())) {
    if (Date.now() > giveUpAt) throw new RangeError(`not within ${limitMs} ms: ${what}`)
    await sleep(25)
  }
}

/** A process of ours in the background, with what it answers in the end. */
function start(words: readonly string[], cwd: string) {
  let child: ChildProcess | undefined
  const ended = foundryApart(words, { cwd, started: each => (child = each) })
  return { ended, kill: (signal: NodeJS.Signals) => child?.kill(signal) }
}

t.test('every command works the same with a daemon and without', async t => {
  const home = t.testdir({ ...files, manifests: {}, 'a.json': kit('a') })
  const call = { cwd: home }
  const daemon = start(['daemon', '--port', '0', ...at], home)
  await until(async () => (await foundryJson<{ daemon?: boolean }>(['status'], call)).answer.daemon === true, 'daemon')
  const asked: Record<string, [words: string[], code: number, out: RegExp]> = {
    status: [['status'], 0, /runs {3}1 done/],
    list: [['runs'], 0, /a-[0-9a-f]{10} +done +2\/2/],
    show: [['runs', 'show', 'a'], 0, /a\/tiny-0001 +done +images/],
    events: [['runs', 'events', 'a'], 0, /"kind":"run-accepted"/],
    verify: [['verify', 'a'], 0, /2 images with their traces/],
    'cancel too late': [['runs', 'cancel', 'a'], 2, /^$/],
    'retry for nothing': [['runs', 'retry', 'a'], 2, /^$/],
    drops: [['drops'], 0, /No drop was seen/],
    'an unknown run': [['runs', 'show', 'zebra'], 2, /^$/],
    prune: [['runs', 'prune', '--days', '0', '--dry-run'], 0, /Would remove 1 run\n {2}a-/],
  }
  const sayings: string[][] = []
  const askAll = async () => {
    const said: string[] = []
    for (const [title, [words, code, out]] of Object.entries(asked)) {
      const ended = await foundry(words, call)
      t.match(ended, { code, out }, title)
      if (title !== 'status' && title !== 'events') said.push(ended.out)
    }
    const [run = ''] = await readdir(join(home, 'runs'))
    const image = join('runs', run, 'images/a/tiny-0001.png')
    t.match(await foundry(['reproduce', image, '--output', 'again.png', ...at], call), {
      code: 0,
      out: /pixels the same/,
    })
    sayings.push(said)
  }
  const own = await foundry(['render', 'a.json', '--count', '1', ...at], call)
  t.equal(own.code, 0)
  const { answer: unchanged } = await foundryJson<{ isConfigChanged: boolean }>(['status'], call)
  t.equal(unchanged.isConfigChanged, false)
  await appendFile(join(home, 'foundry.yaml'), '\nprivacy: redact\n')
  t.match(await foundry(['status'], call), { err: /foundry\.yaml was changed since/ })
  t.match(await foundry(['render', 'a.json', '--count', '1', ...at], call), { err: /foundry\.yaml was changed since/ })
  t.notMatch(own.err, /no effect/, 'the servers of the daemon were named')
  await askAll()
  const away = await foundry(['runs', 'rm', 'a'], call)
  t.match(away, { code: 0, out: /Removed a-/ })
  t.match(await foundry(['render', 'a.json'], call), { code: 0 })
  daemon.kill('SIGTERM')
  t.equal((await daemon.ended).code, 0)
  await askAll()
  t.same(
    sayings[1]?.map(each => each.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d/g, '')),
    sayings[0]?.map(each => each.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d/g, '')),
  )
})

t.test('drafts that a daemon would make real are refused', async t => {
  const real = await startDraftServer({ isDisguised: true })
  t.teardown(() => real.close())
  const home = t.testdir({ ...files, manifests: {}, 'a.json': kit('a') })
  const daemon = start(['daemon', '--port', '0', '--server', real.url], home)
  const call = { cwd: home }
  await until(async () => {
    const { answer } = await foundryJson<{ servers?: { state: string }[] }>(['status'], call)
    return answer.servers?.[0]?.state === 'ready'
  }, 'daemon ready')
  t.match(await foundryJson(['render', 'a.json', '--draft'], call), {
    code: 2,
    answer: { error: { code: 'USAGE_INVALID', message: /not drafts.*--home DIR/ } },
  })
  const elsewhere = await foundry(['render', 'a.json', '--dry-run', '--server', 'http://127.0.0.1:9'], call)
  t.match(elsewhere, {
    // The server of the daemon lacks the model.
    code: 1,
    err: /http:\/\/127\.0\.0\.1:9 has no effect: process \d+ works on this home .*stop it \("kill \d+"\)/,
  })
  daemon.kill('SIGTERM')
  await daemon.ended
})

t.test('two commands on one home at once: the second goes through the first, and takes over from it', async t => {
  const home = t.testdir({ ...files, 'a.json': kit('a'), 'b.json': kit('b') })
  server.setFaults({ jobMs: 30_000 })
  t.teardown(() => server.setFaults({ jobMs: 0 }))
  const sent = server.ledger.length
  const areKnown = (count: number) => async () =>
    (await foundryJson<Answer>(['runs', 'list'], { cwd: home })).answer.runs.length === count
  const first = start(['render', 'a.json', '--templates', 'tiny', '--count', '2', '--json', ...at], home)
  await until(() => server.ledger.length > sent, 'the first job')
  const second = start(['render', 'b.json', '--templates', 'tiny', '--count', '4', '--json', ...at], home)
  await until(areKnown(2), 'the run of the second')
  server.setFaults({ jobMs: 100 })
  server.loseQueue()
  const ends = await Promise.all([first.ended, second.ended])
  t.same(
    ends.map(each => each.code),
    [0, 0],
    ends.map(each => each.err).join('\n'),
  )
  t.equal((JSON.parse(ends[1]?.out ?? '{}') as Answer).runs[0]?.counts['done'], 4)
  const lost = server.ledger.filter(({ outcome }) => outcome === 'lost').length
  t.ok(lost <= 1, 'what the server lost')
  t.equal(server.ledger.length - sent - lost, 6, 'nothing else was rendered twice')

  server.setFaults({ jobMs: 30_000 })
  const third = start(['render', 'a.json', '--fresh', '--templates', 'tiny', '--count', '3', ...at], home)
  await until(() => server.ledger.length > sent + lost + 6, 'the third command')
  const fourth = start(['render', 'b.json', '--fresh', '--templates', 'tiny', '--count', '2', '--json', ...at], home)
  await until(areKnown(4), 'both')
  third.kill('SIGKILL')
  server.setFaults({ jobMs: 0 })
  server.loseQueue()
  const [killed, taken] = await Promise.all([third.ended, fourth.ended])
  t.equal(killed.code, null)
  t.equal(taken.code, 0, taken.err)
  t.match(await foundry(['render', 'a.json', '--templates', 'tiny', '--count', '3', ...at], { cwd: home }), {
    code: 0,
  })
})

t.test('a folder that is no home stays none', async t => {
  const dir = t.testdir({ 'a.json': kit('a') })
  for (const words of [['runs'], ['status'], ['drops'], ['verify', 'x'], ['runs', 'rm', 'x'], ['talents', 'list']]) {
    const ended = await foundryJson(words, { cwd: dir })
    t.match(ended, { code: 2, answer: { error: { code: 'HOME_MISSING', message: /foundry init/ } } }, words.join(' '))
  }
  t.match(await foundry(['doctor', '--draft'], { cwd: dir }), {
    code: 1,
    out: /✘ home: .* is none\n.*foundry init/,
  })
  t.match(await foundry(['render', 'gone.json', '--draft'], { cwd: dir }), { code: 2 })
  t.same(await readdir(dir), ['a.json'])
  t.match(await foundry(['render', 'a.json', '--draft'], { cwd: dir }), {
    code: 0,
    err: /\.foundry\/ are kept in/,
  })
  t.ok(existsSync(join(dir, '.foundry')))
  await writeFile(join(dir, 'foundry.yaml'), 'servers: 3\nfamly: sd15\n')
  const sick = await foundry(['doctor'], { cwd: dir })
  t.match(sick, { code: 1, out: /✘ configuration: foundry\.yaml:1.*servers/ })
  t.match(await foundryJson(['runs'], { cwd: dir }), { code: 2, answer: { error: { code: 'CONFIG_INVALID' } } })
})

t.test('a reader that goes away changes no exit code', async t => {
  const home = t.testdir({ ...files, 'a.json': kit('a') })
  const run = foundryApart(['render', 'a.json', ...at], {
    cwd: home,
    started: child => {
      child.stdout?.destroy()
      child.stderr?.destroy()
    },
  })
  t.equal((await run).code, 0)
  let child: ChildProcess | undefined
  const serving = foundryApart(['draft-server', '--port', '0'], { cwd: home, started: each => (child = each) })
  if (child?.stdout) await once(child.stdout, 'data')
  child?.kill('SIGINT')
  t.match(await serving, { code: 0, out: /The draft server answers at http/ })
  t.match(await foundry(['draft-server', '--option', 'jobMS=2'], { cwd: home }), {
    code: 2,
    err: /jobMS: The draft server has no such option/,
  })
})
