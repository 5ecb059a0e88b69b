import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { foundry, foundryApart, foundryJson, foundryJsonApart } from './foundry.js'
import { tinyTemplates } from '../tiny-templates.js'

t.setTimeout(120_000)
const kit = (id: string) => JSON.stringify({ dot_id: id, version: '1.0.0' })
const files = { 'foundry.yaml': '', 'a.json': kit('a'), templates: tinyTemplates }
const hero = ['a.json', '--templates', 'tiny']

interface Plan {
  before: { runs: number; slots: number }
  runs: {
    run: string
    toRender: number
    reused?: number
    rendered: number
    servers: { server: string; slots: number; workS: number }[]
    lacks: { server: string; slots: number; problems: string[] }[]
    endsIn?: { lowS: number; highS: number }
    unfit?: object
    disk: { bytes: number; basis: string }
    price?: number
  }[]
}

/** Draft weights are never sent to a real server: these pass for trained ones. */
function train(home: string): Record<string, { sizeBytes: number }> {
  const loras: Record<string, { sizeBytes: number }> = {}
  for (const path of readdirSync(join(home, 'talents'), { recursive: true }) as string[]) {
    if (!path.endsWith('.safetensors')) continue
    const file = join(home, 'talents', path)
    const bytes = readFileSync(file)
    const length = Number(bytes.readBigUInt64LE(0))
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as { __metadata__?: Record<string, string> }
    delete header.__metadata__?.['foundry_draft']
    const text = Buffer.from(JSON.stringify(header).padEnd(length, ' '))
    const trained = Buffer.concat([bytes.subarray(0, 8), text, bytes.subarray(8 + length)])
    writeFileSync(file, trained)
    const id = path.split(/[\\/]/).at(-2) ?? ''
    loras[`${id}.safetensors`] = { sizeBytes: trained.length }
  }
  return loras
}

t.test('a plan shares among servers, and says what one lacks and where to copy it', async t => {
  const home = join(t.testdir({}), 'home')
  await foundry(['init', home], { cwd: '/' })
  const loras = train(home)
  const checkpoints = { 'v1-5-pruned-emaonly-fp16.safetensors': { sizeBytes: 1000 } }
  const { 'avatar.style.mecha.safetensors': mecha, ...fewer } = loras
  t.ok(mecha)
  const whole = await startDraftServer({
    isDisguised: true,
    models: { checkpoints, loras },
  })
  const lacking = await startDraftServer({ isDisguised: true, models: { checkpoints, loras: fewer } })
  t.teardown(() => Promise.all([whole.close(), lacking.close()]))
  const servers = [
    { name: 'gpu1', url: whole.url },
    { name: 'gpu2', url: lacking.url },
  ]
  writeFileSync(join(home, 'foundry.yaml'), JSON.stringify({ servers }))
  const call = { cwd: home }
  const words = ['manifests/aurora.yaml', '--templates', 'hero-portrait', '--count', '6']

  const { code, answer } = await foundryJson<Plan>(['plan', ...words], call)
  t.equal(code, 0)
  const copy = /no LoRA of talent "avatar\.style\.mecha".*copy the weights of the kit.*models\/loras/
  t.match(answer.runs, [
    {
      isNew: true,
      toRender: 6,
      rendered: 0,
      reused: 0,
      held: 0,
      servers: [{ server: 'gpu1', slots: 6 }],
      lacks: [{ server: 'gpu2', slots: 6, problems: [copy] }],
      switches: { models: 1, loras: 0 },
      unmeasured: [/sd15\/sd15-text.*nobody has rendered one yet/, /loading/],
      disk: { basis: 'estimated' },
      away: [],
    },
  ])
  t.notOk(answer.runs[0]?.endsIn, 'no number is invented')
  t.notOk('price' in (answer.runs[0] ?? {}))
  t.equal(answer.runs[0]?.unfit, undefined)
  t.match(await foundry(['plan', ...words], call), {
    code: 0,
    out: /6 pictures, 6 to render[^]*servers +gpu1 6\n[^]*gpu2 +cannot render 6 pictures:\n +.*copy[^]*unknown[^]*disk/,
  })
  t.match(await foundryJson<Plan>(['runs'], call), { answer: { all: 0 } }, 'nothing was accepted')
  t.equal(whole.ledger.length + lacking.ledger.length, 0)

  await foundry(['render', ...words], call)
  const after = await foundryJson<Plan>(['render', ...words.slice(0, -1), '20', '--dry-run'], call)
  t.match(after.answer.runs, [{ toRender: 14, reused: 6, disk: { basis: 'measured' }, endsIn: { lowS: Number } }])
  t.match(await foundryJson<Plan>(['plan', ...words], call), { answer: { runs: [{ rendered: 6, toRender: 0 }] } })
  const fresh = await foundryJson<Plan>(['plan', ...words, '--fresh'], call)
  t.match(fresh.answer.runs, [{ isNew: true, toRender: 6, reused: 0 }])
  const preview = await foundryJson<Plan>(['plan', ...words.slice(0, -1), '40', '--preview', '4'], call)
  t.match(preview.answer.runs, [{ toRender: 8, reused: 2, held: 30 }])

  const priced = servers.map(each => ({ ...each, pricePerHour: 36_000 }))
  writeFileSync(join(home, 'foundry.yaml'), JSON.stringify({ servers: priced }))
  const paid = await foundryJson<Plan>(['plan', ...words, '--seed', '4'], call)
  const [{ price, servers: [share] = [] } = {}] = paid.answer.runs
  t.match(share, { server: 'gpu1', slots: 6 })
  t.ok(Math.abs(Number(price) - 10 * (share?.workS ?? 0)) <= 0.5, `${price} for ${share?.workS} s at 10 a second`)
  t.match(await foundry(['plan', ...words, '--seed', '4'], call), { out: new RegExp(`price +${price}`) })

  writeFileSync(join(home, 'foundry.yaml'), JSON.stringify({ servers: servers.slice(1) }))
  const none = await foundryJson<Plan>(['plan', ...words, '--seed', '5'], call)
  t.equal(none.code, 1)
  t.match(none.answer.runs, [{ servers: [], unfit: { slots: 6, servers: [{ server: 'gpu2', reason: copy }] } }])
  t.notOk(none.answer.runs[0]?.endsIn)
})

t.test('a model that is larger than a card is planned for, and rendered by, the server with room', async t => {
  const models = { checkpoints: { 'v1-5-pruned-emaonly-fp16.safetensors': { sizeBytes: 2 ** 20 } } }
  const start = () => startDraftServer({ isDisguised: true, models })
  const [small, big] = [await start(), await start()]
  t.teardown(() => Promise.all([small.close(), big.close()]))
  const servers = [
    { name: 'small', url: small.url, vramGB: 0.5 / 1024 },
    { name: 'big', url: big.url },
  ]
  const home = t.testdir({ ...files, 'foundry.yaml': JSON.stringify({ servers }) })
  const { answer } = await foundryJson<Plan>(['plan', ...hero, '--count', '8'], { cwd: home })
  t.match(answer.runs, [{ servers: [{ server: 'big', slots: 8 }] }])
  t.match(await foundry(['render', ...hero, '--count', '8'], { cwd: home }), { code: 0 })
  t.strictSame([small.ledger.length, big.ledger.length], [0, 8])
})

t.test('what was measured survives a restart', async t => {
  const server = await startDraftServer({ faults: { prepared: true, jobMs: 100, steps: 1 } })
  t.teardown(() => server.close())
  const call = { cwd: t.testdir(files) }
  const at = ['--server', server.url]
  await foundry(['render', ...hero, '--count', '8', ...at], call)
  const { answer } = await foundryJsonApart<Plan>(['plan', ...hero, '--count', '100', '--seed', '3', ...at], call)
  const { lowS = 0, highS = 0 } = answer.runs[0]?.endsIn ?? {}
  t.ok(lowS > 3 && highS < 60 && lowS < highS, `${lowS} to ${highS} s for 100 pictures of 100 ms`)
})

t.test('a plan refuses what cannot be rendered, and plans the rest', async t => {
  const server = await startDraftServer({})
  t.teardown(() => server.close())
  const call = { cwd: t.testdir({ ...files, 'b.json': '{"dot_id": 7}' }) }
  const { code, answer } = await foundryJson<Plan>(['plan', 'a.json', 'b.json', '--server', server.url], call)
  t.equal(code, 2)
  t.match(answer, { runs: [{ run: /^a-/ }], refused: [{ drop: /b\.json$/, problems: [{ severity: 'error' }] }] })
  const said = await foundry(['plan', 'a.json', 'b.json', '--server', server.url], call)
  t.match(said, { code: 2, out: /^a-.*2 to render/, err: /error b\.json is refused/ })
  const away = await foundryJson<Plan>(['plan', 'a.json', '--server', 'http://127.0.0.1:9'], call)
  t.match(away, { code: 0, answer: { runs: [{ toRender: 2, servers: [], away: [{ reason: /not reachable/ }] }] } })
})

t.test('with a daemon: what waits before it counts, runs tell when they end, and each slot why it is so', async t => {
  const server = await startDraftServer({ faults: { prepared: true, jobMs: 150 } })
  t.teardown(() => server.close())
  const config = { servers: [{ name: 'gpu1', url: server.url }], attemptsMax: 2 }
  const home = t.testdir({
    'foundry.yaml': JSON.stringify(config),
    'a.json': kit('a'),
    'b.json': kit('b'),
    'c.json': kit('c'),
    templates: tinyTemplates,
    manifests: {},
  })
  const call = { cwd: home }
  const why = async (...words: string[]) =>
    (await foundryJson<{ cause: string; why: string }>(['why', ...words], call)).answer
  let child: { kill(signal: NodeJS.Signals): unknown } | undefined
  const daemon = foundryApart(['daemon', '--port', '0'], { ...call, started: started => (child = started) })
  const until = async (isMeant: () => Promise<boolean>) => {
    while (!(await isMeant())) await sleep(50)
  }
  await until(async () => (await foundry(['status'], call)).out.includes('Process '))

  const long = foundryApart(['render', ...hero, '--count', '300'], call)
  const shown = async (run: string) =>
    (
      await foundryJson<{ run: string; counts: { done: number }; endsIn?: { lowS: number; highS: number } }>(
        ['runs', 'show', run, '--limit', '1'],
        call,
      )
    ).answer
  await until(async () => ((await shown('a')).counts?.done ?? 0) >= 6)
  // What is to come is not reckoned anew for every look.
  await until(async () => (await shown('a')).endsIn !== undefined)
  t.match(await shown('a'), { endsIn: { lowS: Number, highS: Number } })
  t.match(await foundryJson(['status'], call), { answer: { endsIn: { lowS: Number } } })
  t.match(await foundry(['runs'], call), { out: /ends in .* (s|min) / })

  const { answer } = await foundryJson<Plan>(['plan', 'b.json', '--templates', 'tiny', '--priority', 'batch'], call)
  t.match(answer, { before: { runs: 1 }, runs: [{ toRender: 1 }] })
  t.ok(answer.before.slots > 100)
  const { lowS = 0 } = answer.runs[0]?.endsIn ?? {}
  t.ok(lowS > 5, `${lowS} s: the others come first`)

  t.match(await why('a', 'a/tiny-0001'), {
    state: 'done',
    why: /^It was rendered on gpu1 at attempt 1: .*0001\.png/,
  })
  // Between two jobs a place is free for a moment.
  const waiting = async () => why('a', 'a/tiny-0300')
  let told = await waiting()
  while (told.cause === 'turn') told = await waiting()
  t.match(told, {
    cause: 'places',
    why: /gpu1 has 2 of 2\); \d+ pictures of its run/,
  })
  const { servers } = (await foundryJson<{ servers: { jobs: { slot: string }[] }[] }>(['status'], call)).answer
  t.ok(servers[0]?.jobs.length)
  const later = foundryApart(['render', 'b.json', '--templates', 'tiny', '--priority', 'batch'], call)
  await until(async () => (await foundry(['runs'], call)).out.includes('b-'))
  await until(async () => (await why('b')).cause === 'priority')
  t.match(await why('b'), {
    slot: 'b/tiny-0001',
    why: /pictures? of higher priority come first \(a-[0-9a-f]+\)/,
  })
  await foundry(['runs', 'pause', 'b'], call)
  t.match(await why('b'), { cause: 'paused', why: /^Its run is paused by .*: "foundry runs resume b-/ })
  await foundry(['runs', 'cancel', 'a'], call)
  t.match(await why('a', 'a/tiny-0300'), { state: 'cancelled', why: /^It was cancelled by .* at 20/ })
  t.match(await why('a'), { state: 'cancelled' }, 'the first that is not done')
  t.match(await foundry(['why', 'a', 'a/nothing-0001'], call), { code: 2, err: /no slot "a\/nothing-0001"/ })
  t.match(await foundry(['why', `j${'a'.repeat(26)}`], call), { code: 2, err: /No attempt was ever made of a job/ })
  const { events } = (await foundryJson<{ events: { kind: string; job?: string }[] }>(['runs', 'events', 'a'], call))
    .answer
  const job = events.find(each => each.kind === 'attempt-leased')?.job ?? ''
  t.match(await why(job), { run: /^a-/, slot: 'a/tiny-0001', state: 'done' })

  server.setFaults({ failNext: 2, jobMs: 0 })
  await foundry(['render', 'c.json', '--templates', 'tiny'], call)
  t.match(await why('c'), { state: 'failed', why: /^It failed at attempt 2 on gpu1: / })
  await foundry(['runs', 'resume', 'b'], call)
  await Promise.all([long, later])
  child?.kill('SIGTERM')
  await daemon
  t.match(await foundry(['why', 'a', 'a/tiny-0001'], call), {
    code: 0,
    out: /^a\/tiny.* is done\n {2}It was rendered/,
  })
})

t.test('what nobody works on says so', async t => {
  const server = await startDraftServer({ faults: { prepared: true } })
  t.teardown(() => server.close())
  const call = { cwd: t.testdir(files) }
  const at = ['--server', server.url]
  await foundry(['render', ...hero, '--count', '4', '--preview', '2', ...at], call)
  t.match(await foundry(['why', 'a'], call), { out: /is held\n {2}Waits for approval.*"foundry runs approve a-/ })
  await foundry(['runs', 'approve', 'a'], call)
  t.match(await foundry(['why', 'a'], call), {
    code: 0,
    out: /is waiting\n {2}Nobody works on this home: "foundry render"/,
  })
})
