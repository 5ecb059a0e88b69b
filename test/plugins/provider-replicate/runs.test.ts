import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PlannedRun } from '../../../src/operations/plan.js'
import type { RunSummary } from '../../../src/operations/run-summary.js'
import type { ServerStatus } from '../../../src/farm/worker-host.js'
import { foundry, foundryApart, foundryJson, foundryJsonApart } from '../../cli/foundry.js'
import { sha256 } from '../../../src/files/hash.js'
import { paintPicture } from '../../paint-picture.js'
import { FakeReplicate, token } from './fake-replicate.js'

t.setTimeout(120_000)
const id = 'black-forest-labs/flux-2-pro'
const env = { REPLICATE_API_TOKEN: token }
const template = {
  'tiny.template.yaml': `id: tiny
title: Tiny
subject: persona
negative: [blurry]
views: [{ id: front }]
sizes: { sd15: { width: 64, height: 64 }, flux: { width: 256, height: 320 } }
...
`,
}
const hero = ['a.json', '--templates', 'tiny']

interface Home {
  fake: FakeReplicate
  cwd: string
}

interface Rendered {
  exitCode: number
  runs: { run: string; state: string; counts: Record<string, number>; folder: string; spent?: RunSummary['spent'] }[]
}

async function openHome(t: Test, { price, more = '' }: { price?: number; more?: string } = {}): Promise<Home> {
  const fake = await FakeReplicate.start()
  t.teardown(() => fake.close())
  const options = price === undefined ? '' : `, options: { models: { ${id}: { price: ${price} } } }`
  const entry = `{ name: hosted, provider: replicate, url: '${fake.url}', token: '\${REPLICATE_API_TOKEN}'${options} }`
  const cwd = t.testdir({
    'foundry.yaml': `servers:\n  - ${entry}\n${more}`,
    'a.json': JSON.stringify({ dot_id: 'a', version: '1.0.0', description: 'a ranger' }),
    templates: template,
  })
  return { fake, cwd }
}

function traceOf(folder: string): { request: Record<string, unknown>; result: Record<string, unknown> } {
  const images = join(folder, 'images', 'a')
  const name = readdirSync(images).find(each => each.endsWith('.trace.json')) ?? ''
  return JSON.parse(readFileSync(join(images, name), 'utf8')) as ReturnType<typeof traceOf>
}

t.test('a home with an account alone renders with its first workflow, and records what was paid', async t => {
  const { fake, cwd } = await openHome(t, { price: 0.04 })
  const plan = await foundryJson<{ runs: PlannedRun[] }>(['plan', ...hero, '--count', '3'], { cwd, env })
  t.same(plan.answer.runs[0]?.asks, [{ currency: 'USD', amount: 0.12, pictures: 3, unknown: 0 }])
  t.match(
    (await foundry(['plan', ...hero, '--count', '3'], { cwd, env })).out,
    /without negative words: the workflow takes none\n.*price +0\.12 USD for 3 pictures/s,
  )
  const [series] = plan.answer.runs[0]?.plan ?? []
  t.same(series?.leftOut?.at(-1), { what: 'negative', reason: 'the workflow takes none' })
  t.equal(fake.creates, 0, 'a plan costs nothing')

  const { code, answer } = await foundryJson<Rendered>(['render', ...hero, '--count', '3'], { cwd, env })
  t.equal(code, 0)
  t.equal(fake.creates, 3)
  const [run] = answer.runs
  t.same(run?.spent, [{ currency: 'USD', amount: 0.12, pictures: 3, unknown: 0 }])
  const folder = run?.folder ?? ''
  const { request, result } = traceOf(folder)
  t.match(request, { renderer: 'replicate', workflow: 'replicate-flux-2-pro', width: 256, height: 320, negative: [] })
  t.same((request['leftOut'] as object[]).at(-1), { what: 'negative', reason: 'the workflow takes none' })
  t.match(result, { price: { amount: 0.04, currency: 'USD' }, width: 256, height: 320, server: { name: 'hosted' } })
  t.match(fake.ledger[0], {
    model: id,
    input: { aspect_ratio: 'custom', width: 256, height: 320, output_format: 'png' },
    cancelAfter: '1800s',
  })
  t.notOk('filename_prefix' in (fake.ledger[0]?.input ?? {}))
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as { spent: object }
  t.same(manifest.spent, run?.spent)
  t.equal((await foundry(['verify', run?.run ?? ''], { cwd, env })).code, 0)
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(each => each.isFile())
  for (const file of files) t.notOk(readFileSync(join(file.parentPath, file.name)).includes(token), 'no key is written')

  t.equal((await foundry(['render', ...hero, '--count', '3'], { cwd, env })).code, 0)
  const more = await foundryJson<Rendered>(['render', ...hero, '--count', '4'], { cwd, env })
  t.equal(fake.creates, 4, 'what is there is not paid for again')
  t.same(more.answer.runs[0]?.spent, [{ currency: 'USD', amount: 0.04, pictures: 1, unknown: 0 }])
  const { result: reused } = traceOf(more.answer.runs[0]?.folder ?? '')
  t.ok(reused['reusedFrom'])
  t.notOk('price' in reused, 'what was taken over cost nothing again')
})

t.test('a picture is reproduced from itself, by the same request', async t => {
  const { fake, cwd } = await openHome(t)
  const { answer } = await foundryJson<Rendered>(['render', ...hero], { cwd, env })
  t.same(answer.runs[0]?.spent, [{ currency: 'USD', pictures: 1, unknown: 1 }], 'an unknown price is not 0')
  const images = join(answer.runs[0]?.folder ?? '', 'images', 'a')
  const image = readdirSync(images).find(each => each.endsWith('.png')) ?? ''
  const again = await foundryJson<object>(['reproduce', join(images, image)], { cwd, env })
  t.match(again.answer, { sameGraph: true, samePixels: true, server: 'hosted' })
  t.same(fake.ledger[1]?.input, fake.ledger[0]?.input)
})

t.test('a workflow without pixels gets the ratio nearest to those of the template', async t => {
  const { fake, cwd } = await openHome(t)
  const words = ['render', ...hero, '--workflow', 'replicate-flux-kontext-pro']
  t.equal((await foundry(words, { cwd, env })).code, 0)
  t.match(fake.ledger, [{ model: 'black-forest-labs/flux-kontext-pro', input: { aspect_ratio: '4:5' } }])
})

t.test('what does not fit together is refused with what to do', async t => {
  const { fake, cwd } = await openHome(t)
  const graph = await foundry(['render', ...hero, '--workflow', 'sd15-text'], { cwd, env })
  t.equal(graph.code, 2)
  t.match(graph.err, /sd15-text is a graph of ComfyUI.*replicate-flux-2-pro, replicate-flux-kontext-pro/s)
  const drafts = await foundry(['render', ...hero, '--draft', '--workflow', 'replicate-flux-2-pro'], { cwd, env })
  t.equal(drafts.code, 2)
  t.match(drafts.err, /rendered by replicate alone.*"provider: replicate" in foundry\.yaml/s)
  t.equal(fake.creates, 0)
})

t.test('beside a server that costs nothing, an account renders only what asks for it', async t => {
  const { fake, cwd } = await openHome(t, { more: '  - { name: far, url: "http://127.0.0.1:9" }\n' })
  const plain = await foundryJson<{ runs: { plan: { workflow: string }[] }[] }>(['render', ...hero, '--dry-run'], {
    cwd,
    env,
  })
  t.match(plain.answer, { runs: [{ plan: [{ workflow: 'sd15-text' }] }] })
  t.equal((await foundry(['render', ...hero, '--workflow', 'replicate-flux-2-pro'], { cwd, env })).code, 0)
  t.equal(fake.creates, 1)
})

t.test('a token that is not accepted is told at once, and never shown', async t => {
  const { fake, cwd } = await openHome(t)
  const wrong = { REPLICATE_API_TOKEN: 'r8_wrongwrongwrong' }
  const { code, out, err } = await foundry(['render', ...hero], { cwd, env: wrong })
  t.equal(code, 3)
  t.match(err, /does not accept the token \(401\)/)
  t.notMatch(out + err, /r8_wrong/)
  t.equal(fake.creates, 0)
})

t.test('an account without credit keeps its jobs waiting, and says so', async t => {
  const { fake, cwd } = await openHome(t)
  fake.parts = [{ status: 402, body: { title: 'Insufficient credit', detail: 'You have insufficient credit' } }]
  const { code } = await foundry(['render', ...hero, '--timeout', '3'], { cwd, env })
  t.equal(code, 124, 'not failed: it waits')
  const again = await foundryJson<Rendered>(['render', ...hero], { cwd, env })
  t.match(again.answer.runs[0]?.counts, { done: 1, failed: 0 })
  t.equal(fake.creates, 1)
})

t.test('what nobody knows the fate of is held, and never paid for again by itself', async t => {
  const { fake, cwd } = await openHome(t)
  fake.parts = [{ loses: 'before' }]
  const { code, answer } = await foundryJson<Rendered>(['render', ...hero], { cwd, env })
  t.not(code, 0)
  const { run = '', counts } = answer.runs[0] ?? {}
  t.match(counts, { held: 1 })
  t.equal(fake.asked.filter(({ method }) => method === 'POST').length, 1)
  const why = await foundry(['why', run], { cwd, env })
  t.match(why.out, /Nobody knows whether hosted.*has taken it.*runs retry/s)
  t.equal((await foundry(['runs', 'retry', run], { cwd, env })).code, 0)
  t.equal((await foundry(['render', ...hero], { cwd, env })).code, 0)
  t.equal(fake.creates, 1)
})

t.test('an answer that was lost is found in the list: paid once', async t => {
  const { fake, cwd } = await openHome(t)
  fake.parts = [{ loses: 'after' }]
  t.equal((await foundry(['render', ...hero], { cwd, env })).code, 0)
  t.equal(fake.creates, 1)
})

t.test('a process that is killed while the service renders goes on polling: paid once', async t => {
  const { fake, cwd } = await openHome(t)
  fake.jobMs = 4000
  const polled = () => fake.asked.some(({ method, path }) => method === 'GET' && /predictions\/p/.test(path))
  t.equal((await killedWhen(polled, ['render', ...hero], cwd)).code, null)
  // Under another name it is the same account.
  const config = join(cwd, 'foundry.yaml')
  writeFileSync(config, readFileSync(config, 'utf8').replace('name: hosted', 'name: renamed'))
  const { code } = await foundryJsonApart<Rendered>(['render', ...hero], { cwd, env })
  t.equal(code, 0)
  t.equal(fake.creates, 1)
})

t.test('a prediction of an account that is listed no more is held, and not begun anew elsewhere', async t => {
  const { fake, cwd } = await openHome(t)
  fake.jobMs = 1500
  const polled = () => fake.asked.some(({ method, path }) => method === 'GET' && /predictions\/p/.test(path))
  await killedWhen(polled, ['render', ...hero], cwd)
  const { answer } = await foundryJsonApart<Rendered>(['render', ...hero, '--draft', '--timeout', '20'], { cwd, env })
  t.match(answer.runs[0]?.state, 'done', 'drafts are a run of their own')
  const { answer: runs } = await foundryJson<{ runs: RunSummary[] }>(['runs', 'list'], { cwd, env })
  t.match(runs.runs.find(({ renderer }) => renderer === 'replicate')?.counts, { done: 0, failed: 0 })
  t.equal(fake.creates, 1)
})

t.test('a process that is killed before it hears the answer finds its prediction: paid once', async t => {
  const { fake, cwd } = await openHome(t)
  let open = () => {}
  fake.gate = new Promise(resolve => (open = resolve))
  await killedWhen(() => fake.creates > 0, ['render', ...hero], cwd)
  open()
  const { code, answer } = await foundryJsonApart<Rendered>(['render', ...hero], { cwd, env })
  t.equal(code, 0)
  t.match(answer.runs[0]?.counts, { done: 1 })
  t.equal(fake.creates, 1)
  t.match(traceOf(answer.runs[0]?.folder ?? '').result, { price: { currency: 'USD' } })
})

t.test('pictures are made after references, and a process that is killed finds them again: paid once', async t => {
  const { fake, cwd } = await openHome(t)
  const large = await paintPicture(320, 320)
  writeFileSync(join(cwd, 'face.png'), large)
  const words = ['render', ...hero, '--reference', 'face.png']
  let open = () => {}
  fake.gate = new Promise(resolve => (open = resolve))
  await killedWhen(() => fake.creates > 0, words, cwd)
  open()
  const { code, answer } = await foundryJsonApart<Rendered>(words, { cwd, env })
  t.equal(code, 0)
  t.equal(fake.creates, 1)
  t.match(fake.ledger[0]?.input, { input_images: [`${fake.url}/files/f1`] })
  const { folder = '', run = '' } = answer.runs[0] ?? {}
  t.match(traceOf(folder).request, { references: [{ sha256: sha256(large), sizeBytes: large.length }] })
  t.equal((await foundry(['verify', run], { cwd, env })).code, 0)

  const images = join(folder, 'images', 'a')
  const image = readdirSync(images).find(each => each.endsWith('.png')) ?? ''
  const again = await foundryJson<object>(['reproduce', join(images, image)], { cwd, env })
  t.match(again.answer, { sameGraph: true, samePixels: true })
  t.equal(fake.uploads, 2)
  t.strictSame([...fake.files.keys()], ['f1'], 'what the killed process has left alone is still there')
  const one = await foundry([...words, '--workflow', 'replicate-flux-kontext-pro'], { cwd, env })
  t.equal(one.code, 0)
  t.match(fake.ledger[2], { model: /flux-kontext-pro/, input: { input_image: `${fake.url}/files/f3` } })
  const two = [...words, '--reference', 'face.png', '--workflow', 'replicate-flux-kontext-pro']
  t.match(await foundry(two, { cwd, env }), { code: 2, err: /takes fewer reference pictures.*1 or fewer/s })
})

t.test('a model that is gone fails what wants it, with what takes its place', async t => {
  const { fake, cwd } = await openHome(t)
  fake.parts = [{ status: 404, body: { detail: 'The requested resource could not be found.' } }]
  const words = ['render', ...hero, '--workflow', 'replicate-flux-kontext-pro']
  const { code, out } = await foundry(words, { cwd, env })
  t.equal(code, 1)
  t.match(out, /does not offer the model .*flux-kontext-pro any more: use black-forest-labs\/flux-2-pro/)
  t.equal(fake.creates, 0)
})

t.test('doctor finds the workflows of an account able to run, and a token that is not accepted', async t => {
  const { fake, cwd } = await openHome(t)
  const { code, out } = await foundry(['doctor'], { cwd, env })
  t.equal(code, 0)
  t.match(out, /server hosted .*: replicate, 0 queued/)
  t.match(out, /workflow replicate-flux-2-pro on hosted: can run/)
  t.notMatch(out, /sd15-text on hosted/)
  const wrong = await foundry(['doctor'], { cwd, env: { REPLICATE_API_TOKEN: 'r8_wrong' } })
  t.match(wrong.out, /does not accept the token \(401\).*\n +mend its entry in foundry\.yaml/)
  t.equal(fake.creates, 0)
})

t.test('a server list tells an account by its name and state', async t => {
  const { cwd } = await openHome(t)
  const { answer } = await foundryJson<{ servers: ServerStatus[] }>(['servers', 'list'], { cwd, env })
  t.match(answer.servers, [{ name: 'hosted', provider: 'replicate' }])
})

/** Ends the command by SIGKILL as soon as something is so. */
async function killedWhen(isSo: () => boolean, words: readonly string[], cwd: string) {
  return foundryApart(words, {
    cwd,
    env,
    started: child => {
      void (async () => {
        while (!isSo() && child.exitCode === null) await sleep(10)
        child.kill('SIGKILL')
      })()
    },
  })
}
