import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { foundry, foundryJson, foundryJsonApart } from './foundry.js'
import { tinyTemplates } from '../tiny-templates.js'

const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const at = ['--server', server.url]
const nowhere = ['--server', 'http://127.0.0.1:9']

const files = { 'foundry.yaml': 'templates: [tiny, small]\n', templates: tinyTemplates }

interface Answer {
  exitCode: number
  runs: {
    run: string
    state: string
    folder: string
    counts: Record<string, number>
    slots?: number
    isNew?: boolean
  }[]
  refused: { drop: string; problems: { code: string; path?: string }[] }[]
}

const kit = (id: string, words = 'a tall keeper of a lighthouse') =>
  JSON.stringify({ dot_id: id, version: '1.0.0', description: words })

t.test('a folder of good and bad drops: the good ones are rendered, every problem is listed, exit 2', async t => {
  const drops = {
    'a.json': kit('a'),
    'b.yaml': 'dot_id: b\nversion: one\nsliders: { mecha: 3 }\n',
    'c.json': '{ "dot_id": "c", ',
    deep: { 'd.json': kit('d') },
  }
  const dir = t.testdir({ ...files, drops })
  const { code, answer } = await foundryJson<Answer>(['render', 'drops', ...at], { cwd: dir })
  t.match({ code, exitCode: answer.exitCode }, { code: 2, exitCode: 2 })
  t.same(
    answer.runs.map(each => [each.state, each.counts['done']]),
    [
      ['done', 2],
      ['done', 2],
    ],
  )
  t.same(
    answer.refused.map(each => each.problems.map(problem => problem.path)),
    [['version', 'sliders.mecha'], [undefined]],
  )
  t.same(await (await fetch(`${server.url}/history`)).json(), {}, 'the server is told to forget what is committed')
  const again = await foundry(['render', 'drops', ...at], { cwd: dir })
  t.match(again, {
    code: 2,
    out: /2 of 2 already rendered/,
    err: /b\.yaml:2:10: version: .*\n.*b\.yaml:3:19: sliders\.mecha/,
  })
  const alone = await foundryJson<Answer>(['render', 'drops/c.json', ...nowhere], { cwd: dir })
  t.match(alone, { code: 2, answer: { refused: [{ problems: [{}] }] } }, 'a bad drop is told without any server')
})

t.test('the same again sends nothing, a change renders what changed, --fresh renders anew', async t => {
  const dir = t.testdir({ ...files, 'a.json': kit('a') })
  const call = { cwd: dir }
  const sent = async (...words: string[]) => {
    const before = server.ledger.length
    const { code, answer } = await foundryJson<Answer>(['render', 'a.json', ...at, ...words], call)
    return { code, sent: server.ledger.length - before, reused: answer.runs[0]?.counts['reused'], run: answer.runs[0] }
  }
  t.match(await sent(), { code: 0, sent: 2, reused: 0 })
  t.match(await sent(), { code: 0, sent: 0 })
  t.match(await foundryJson(['render', 'a.json', ...nowhere], call), { code: 3 }, 'another renderer is another run')
  t.match(await sent('--count', '2'), { code: 0, sent: 2, reused: 2 })
  t.match(await sent('--fresh'), { code: 0, sent: 2, reused: 0 })
  await writeFile(join(dir, 'a.json'), kit('a', 'a short keeper of bees'))
  t.match(await sent(), { code: 0, sent: 2, reused: 0 })
  await writeFile(join(dir, 'a.json'), kit('a'))
  const back = await sent('--seed', '0')
  t.match(back, { code: 0, sent: 0 }, 'the first version is known')
  const { answer: runs } = await foundryJson<Answer>(['runs'], call)
  t.match(await foundryJson(['runs', 'show', 'a'], call), { code: 0, answer: { run: runs.runs[0]?.run } }, 'the newest')
  const unclear = await foundryJson(['runs', 'rm', 'a'], call)
  t.match(unclear, { code: 2, answer: { error: { code: 'RUN_AMBIGUOUS', message: /Several runs begin with "a"/ } } })
  const trace = JSON.parse(await readFile(join(back.run?.folder ?? '', 'images/a/tiny-0001.trace.json'), 'utf8'))
  t.notOk(trace.result.reusedFrom)
})

t.test('what no server has fails before anything is tried, and is told with what to do', async t => {
  const bare = await startDraftServer({ isDisguised: true, models: {}, faults: { prepared: true } })
  t.teardown(() => bare.close())
  const dir = t.testdir({ 'foundry.yaml': '', 'a.json': kit('a') })
  const words = ['render', 'a.json', '--server', bare.url, '--templates', 'hero-portrait']
  const ended = await foundry(words, { cwd: dir })
  const said =
    /Node \d+ ".*" \(CheckpointLoaderSimple\): the server has no "v1-5-.*\.safetensors": copy .* models\/checkpoints/
  t.match(ended, { code: 1, out: said })
  const { answer } = await foundryJson<{ events: object[] }>(['runs', 'events', 'a'], { cwd: dir })
  t.match(
    answer.events.filter(event => 'slot' in event),
    [{ kind: 'slot-failed', reason: said }],
  )
  t.equal(bare.ledger.length, 0)
})

t.test(
  'after drafts a real server is asked for everything, and draft weights are left out with one warning',
  async t => {
    const real = await startDraftServer({
      isDisguised: true,
      models: { checkpoints: { 'v1-5-pruned-emaonly-fp16.safetensors': { sizeBytes: 1000 } } },
    })
    t.teardown(() => real.close())
    const home = join(t.testdir({}), 'home')
    t.match(await foundry(['init', home], { cwd: '/' }), { code: 0 })
    t.match(await foundry(['render', 'manifests/aurora.yaml', ...at], { cwd: home }), { code: 0 })
    const words = ['render', 'manifests/aurora.yaml', '--server', real.url]
    const first = await foundry(words, { cwd: home })
    t.equal(first.code, 0, first.err)
    t.equal(real.ledger.length, 2)
    t.equal(first.err.split('\n').filter(line => line.startsWith('warning')).length, 1)
    t.match(first.err, /drafts, which no real server is sent.*avatar\.identity\.dot_aurora, avatar\.style\.animal/)
    t.match(await foundry(words, { cwd: home }), { code: 0, out: /2 of 2 already rendered/ })
    t.equal(real.ledger.length, 2)
    const runs = await readdir(join(home, 'runs'))
    const traces = await Promise.all(
      runs
        .filter(each => each.startsWith('aurora'))
        .map(async run =>
          JSON.parse(await readFile(join(home, 'runs', run, 'images/aurora/hero-portrait-0001.trace.json'), 'utf8')),
        ),
    )
    const made = traces.find(each => !each.result.draft)
    t.same(made.request.loras, [])
    t.equal(made.request.leftOut.length, 3)
  },
)

t.test('a real server that gives the same picture for other seeds is found out', async t => {
  const models = { checkpoints: { 'v1-5-pruned-emaonly-fp16.safetensors': { sizeBytes: 1000 } } }
  const real = await startDraftServer({ isDisguised: true, models })
  t.teardown(() => real.close())
  const call = { cwd: t.testdir({ ...files, 'a.json': kit('a') }) }
  real.setFaults({ repeat: 100 })
  const words = ['render', 'a.json', '--templates', 'tiny', '--count', '2', '--server', real.url]
  t.match(await foundryJson<Answer>(words, call), {
    code: 1,
    answer: { runs: [{ counts: { done: 1, failed: 1 } }] },
  })
  t.equal(real.ledger.length, 5, 'it is tried as often as any other job')
  t.match((await foundry(['runs', 'show', 'a'], call)).out, /the server repeats itself/)
})

t.test('exit codes of what goes wrong', async t => {
  const dir = t.testdir({ 'foundry.yaml': '', 'a.json': kit('a'), empty: {} })
  const call = { cwd: dir }
  const cases: Record<string, [words: string[], code: number, error: string]> = {
    'a missing file': [['render', 'gone.yaml', ...at], 2, 'FILE_UNREADABLE'],
    'an empty folder': [['render', 'empty', ...at], 2, 'USAGE_INVALID'],
    'no server': [['render', 'a.json', ...nowhere], 3, 'SERVER_NONE'],
    'no address': [['render', 'a.json', '--server', 'gpu1:8188'], 2, 'USAGE_INVALID'],
    'half a picture': [['render', 'a.json', '--count', '1.5'], 2, 'USAGE_INVALID'],
    'an unknown option': [['render', 'a.json', '--tempaltes', 'x'], 2, 'USAGE_INVALID'],
    'no path': [['render'], 2, 'USAGE_INVALID'],
    'an unknown family': [['render', 'a.json', '--family', 'sd9'], 2, 'USAGE_INVALID'],
  }
  for (const [title, [words, code, error]] of Object.entries(cases))
    t.match(await foundryJson(words, call), { code, answer: { error: { code: error } } }, title)
  const template = await foundryJson<Answer>(['render', 'a.json', '--templates', 'hero-portrai', ...at], call)
  t.match(template, { code: 2, answer: { refused: [{ problems: [{ code: 'TEMPLATE_UNKNOWN' }] }] } })
  t.match(JSON.stringify(template.answer), /did you mean \\"hero-portrait\\"/)
  t.same(
    await foundryJson(['runs'], call).then(({ answer }) => answer),
    { total: 0, all: 0, runs: [] },
    'nothing was accepted',
  )
  const planned = await foundryJson<Answer>(['render', 'a.json', '--dry-run', ...nowhere], call)
  t.match(planned, { code: 0, answer: { runs: [{ slots: 2, isNew: true, state: 'dry run' }] } })
})

t.test('a slot that waits after failures says what it has gone through', async t => {
  const failing = await startDraftServer({ faults: { prepared: true, failNext: 100 } })
  t.teardown(() => failing.close())
  const call = {
    cwd: t.testdir({ ...files, 'foundry.yaml': 'attemptsMax: 20\ntemplates: [tiny]\n', 'a.json': kit('a') }),
  }
  let out = ''
  for (let tries = 0; tries < 20 && !out.includes('tried'); tries++) {
    t.match(await foundry(['render', 'a.json', '--server', failing.url, '--timeout', '1'], call), { code: 124 })
    out = (await foundry(['runs', 'show', 'a'], call)).out
  }
  t.match({ out }, { out: /a\/tiny-0001 +(?:waiting|interrupted) +tried \d+ times?, at last on server-1: \S/ })
})

t.test('some failed, timed out, interrupted, and then done', async t => {
  const dir = t.testdir({ ...files, 'foundry.yaml': 'attemptsMax: 1\ntemplates: [tiny, small]\n', 'a.json': kit('a') })
  const call = { cwd: dir }
  const words = ['render', 'a.json', ...at]
  const hook = `printf '%s|%s' "$FOUNDRY_EXIT_CODE" "$FOUNDRY_RUNS" > done.txt; echo loud`
  server.setFaults({ failNext: 1 })
  const some = await foundryJsonApart<Answer>([...words, '--on-done', hook], call)
  t.match(some, {
    code: 1,
    answer: { exitCode: 1, runs: [{ state: 'failed', counts: { done: 1, failed: 1 } }] },
    err: /loud/,
  })
  const run = some.answer.runs[0]?.run ?? ''
  t.equal(await readFile(join(dir, 'done.txt'), 'utf8'), `1|${run}`)
  t.match(await foundry(['runs', 'show', run, '--state', 'failed'], call), { code: 0, out: /failed {2}\S/ })
  t.match(
    await foundry(words, call),
    { code: 0, out: /2 of 2 rendered/, err: /tried again/ },
    'the same command tries again',
  )

  server.setFaults({ jobMs: 30_000 })
  const late = await foundryJson<Answer>([...words, '--fresh', '--timeout', '0.8'], call)
  t.match(late, { code: 124, answer: { exitCode: 124 } })
  server.loseQueue()
  const sent = server.ledger.length
  const stopped = await foundryJsonApart<Answer>([...words, '--count', '3'], {
    ...call,
    started: child => {
      const look = setInterval(() => {
        if (server.ledger.length <= sent) return
        clearInterval(look)
        child.kill('SIGINT')
      }, 20)
    },
  })
  t.match(stopped, { code: 130, answer: { exitCode: 130, runs: [{ state: 'interrupted', counts: { running: 0 } }] } })
  server.setFaults({ jobMs: 0 })
  server.loseQueue()
  t.match(await foundry([...words, '--count', '3'], call), { code: 0 }, 'the same command continues')
  await foundry([...words.slice(0, 2), ...nowhere, '--on-done', hook], call)
  t.equal(await readFile(join(dir, 'done.txt'), 'utf8'), '3|', 'the hook also hears that there was no server')
})

t.test('a plan leaves nothing behind, and a folder with manifests and talents is a home of its own', async t => {
  const dir = t.testdir({ 'a.json': kit('a'), '.foundry': {}, own: { 'a.json': kit('a'), manifests: {}, talents: {} } })
  const own = join(dir, 'own')
  const plan = await foundry(['render', 'a.json', '--dry-run', ...at], { cwd: own })
  t.match(plan, { code: 0, out: /2 pictures/ })
  t.same((await readdir(own)).sort(), ['a.json', 'manifests', 'talents'])
  const bare = t.testdir({ 'a.json': kit('a') })
  t.match(await foundry(['render', 'a.json', '--dry-run', ...at], { cwd: bare }), { code: 0 })
  t.same(await readdir(bare), ['a.json'])
})

t.test('a seed or count given by hand replaces the exact seeds of an order', async t => {
  const order = JSON.stringify({ personas: ['a.json'], templates: ['tiny'], seeds: [11, 12] })
  const dir = t.testdir({ ...files, 'a.json': kit('a'), 'order.json': order })
  const seedsOf = async (...words: string[]) => {
    const { answer } = await foundryJson<Answer>(['render', 'order.json', ...at, ...words], { cwd: dir })
    const images = join(answer.runs[0]?.folder ?? '', 'images/a')
    const traces = (await readdir(images)).filter(name => name.endsWith('.trace.json'))
    const texts = await Promise.all(traces.map(name => readFile(join(images, name), 'utf8')))
    return texts.map(text => (JSON.parse(text) as { request: { seed: number } }).request.seed)
  }
  t.same((await seedsOf()).sort(), [11, 12])
  const other = await seedsOf('--seed', '5')
  t.equal(other.length, 2)
  t.notOk(other.includes(11) || other.includes(12))
  t.equal((await seedsOf('--count', '3')).length, 3)
})

t.test('a render order is personas × templates × slider values × count', async t => {
  const order = {
    personas: ['a.json', 'b.json'],
    templates: ['hero-portrait', 'full-body'],
    set: { mecha: [0, 0.5, 1] },
    count: 2,
    seed: 5,
  }
  const dir = t.testdir({ 'foundry.yaml': '', 'a.json': kit('a'), 'b.json': kit('b'), 'o.json': JSON.stringify(order) })
  const { answer } = await foundryJson<Answer>(['render', 'o.json', '--dry-run', ...at], { cwd: dir })
  t.equal(answer.runs[0]?.slots, 2 * 2 * 3 * 2)
  const { answer: fewer } = await foundryJson<Answer>(
    ['render', 'o.json', '--dry-run', '--set', 'mecha=0.5', '--count', '1', '--templates', 'full-body', ...at],
    { cwd: dir },
  )
  t.equal(fewer.runs[0]?.slots, 2, 'options replace what the order says')
  await rm(join(dir, 'b.json'))
  t.match(await foundryJson(['render', 'o.json', '--dry-run', ...at], { cwd: dir }), { code: 2 })
})
