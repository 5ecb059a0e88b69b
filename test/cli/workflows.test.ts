import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { readTrace } from '../../src/record/carried-record.js'
import { pngHeaderEnd, withPngText } from '../../src/record/png-text.js'
import type { AddedWorkflow } from '../../src/operations/add-workflow.js'
import { changed, node, readSample } from '../src/workflow/samples.js'
import { inSubgraphs, toUi } from '../src/workflow/ui-builder.js'
import { foundry, foundryJson } from './foundry.js'

const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const at = ['--server', server.url]
const objectInfo = (await (await fetch(`${server.url}/object_info`)).json()) as Record<string, unknown>
const plain = readSample('sd15-plain')
const ui = toUi(plain, objectInfo)
const kit = 'dot_id: a\nversion: 1.0.0\ndescription: a tall keeper of a lighthouse\n'
const empty = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123456' } })
  .png()
  .toBuffer()

const home = (files: Record<string, string | Buffer>) => t.testdir({ 'foundry.yaml': '', 'a.yaml': kit, ...files })
const add = (dir: string, ...words: string[]) =>
  foundryJson<AddedWorkflow>(['workflows', 'add', ...words], { cwd: dir })
const written = async (dir: string, name: string) =>
  JSON.parse(await readFile(join(dir, `workflows/${name}.json`), 'utf8')) as unknown

t.test('the format of the editor is converted, bound, written, proven by a picture, and rendered', async t => {
  const dir = home({ 'my flow.json': JSON.stringify(ui) })
  const { code, answer } = await add(dir, 'my flow.json', ...at)
  t.equal(code, 0)
  t.match(answer, { workflow: 'my-flow', format: 'editor', isAdded: true, probe: { state: 'rendered' } })
  t.same(await written(dir, 'my-flow'), plain)
  const probe = answer.probe
  t.match(await sharp(probe?.state === 'rendered' ? probe.picture : '').metadata(), { width: 512, height: 512 })
  const rendered = await foundryJson<{ rendered: number }>(
    ['render', 'a.yaml', '--workflow', 'my-flow', '--templates', 'hero-portrait', ...at],
    { cwd: dir },
  )
  t.match(rendered, { code: 0, answer: { rendered: 1 } })
})

t.test('what is found is told, and where it was written', async t => {
  const dir = home({ 'mine.json': JSON.stringify(plain) })
  const { code, out, err } = await foundry(['workflows', 'add', 'mine.json', ...at], { cwd: dir })
  t.equal(code, 0, err)
  for (const field of ['positive', 'negative', 'seed', 'width', 'sampler', 'models', 'lora.model', 'save'])
    t.match(out, new RegExp(`^${field} +\\d+ `, 'm'), field)
  t.match(
    out,
    /mine is added\n {2}graph {4}.*mine\.json\n {2}binding {2}.*mine\.binding\.yaml\n {2}picture {2}.*mine\.png/,
  )
})

t.test('wrappers and entries of a history are read, the graph that was run first', async t => {
  const tuple = [3, 'id', plain, { extra_pnginfo: { workflow: ui } }, ['9']]
  const forms: Record<string, object> = {
    body: { prompt: plain, client_id: 'x' },
    both: { output: plain, workflow: ui },
    entry: { prompt: tuple, outputs: {}, status: {} },
    history: { 'the-id': { prompt: tuple, outputs: {} } },
    tuple,
    saved: { workflow: ui },
    nested: inSubgraphs(ui),
  }
  const files = Object.entries(forms).map(([name, value]) => [`${name}.json`, JSON.stringify(value)])
  const dir = home(Object.fromEntries(files) as Record<string, string>)
  for (const name of Object.keys(forms)) {
    const { code, answer } = await add(dir, `${name}.json`, '--no-probe', ...at)
    t.equal(code, 0, name)
    t.equal(answer.format, ['saved', 'nested'].includes(name) ? 'editor' : 'api', name)
    t.equal(answer.probe, undefined)
    if (name !== 'nested') t.same(await written(dir, name), plain, name)
  }
})

t.test('a picture gives the workflow that made it, whatever its texts are packed as', async t => {
  const named = changed(plain, { '6': { text: 'Zürich – 東京' } })
  const text = JSON.stringify(named)
  const withChanges = text.replace('"inputs"', '"is_changed":[NaN],"inputs"')
  const pictures = {
    'latin.png': withPngText(empty, [{ keyword: 'prompt', text: withChanges }]),
    'utf8.png': withPngText(empty, [{ keyword: 'prompt', text: Buffer.from(text).toString('latin1') }]),
    'packed.png': withPacked(empty, 'prompt', JSON.stringify(plain)),
    'editor.png': withPngText(empty, [{ keyword: 'workflow', text: JSON.stringify(ui) }]),
  }
  const dir = home(pictures)
  for (const [file, expected] of [
    ['latin', named],
    ['utf8', named],
    ['packed', plain],
    ['editor', plain],
  ] as const) {
    t.equal((await add(dir, `${file}.png`, '--no-probe', ...at)).code, 0, file)
    t.same(await written(dir, file), expected, file)
  }
})

function withPacked(png: Buffer, keyword: string, text: string): Buffer {
  const data = Buffer.concat([Buffer.from(`${keyword}\0\0`, 'latin1'), deflateSync(Buffer.from(text, 'latin1'))])
  const chunk = Buffer.alloc(12 + data.length)
  chunk.writeUInt32BE(data.length)
  chunk.write('zTXt', 4, 'latin1')
  data.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4)
  return Buffer.concat([png.subarray(0, pngHeaderEnd), chunk, png.subarray(pngHeaderEnd)])
}

t.test('files without a workflow are refused with what was found', async t => {
  const dir = home({
    'plain.png': withPngText(empty, [{ keyword: 'Author', text: 'me' }]),
    'cut.png': empty.subarray(0, 60),
    'list.json': '[1, 2]',
    'half.json': '{"1": ',
    'odd.json': JSON.stringify({ '1': { class_type: 'A', inputs: { x: ['9', 0] } } }),
  })
  const refused = async (file: string) => (await foundry(['workflows', 'add', file, ...at], { cwd: dir })).err
  t.match(await refused('plain.png'), /plain\.png: the picture carries no workflow.*found Author/)
  t.match(await refused('cut.png'), /cut\.png: the picture cannot be read/)
  t.match(await refused('list.json'), /list\.json: no workflow is in this file/)
  t.match(await refused('half.json'), /half\.json:1:/)
  t.match(await refused('odd.json'), /odd\.json:1:\d+: \["1"\]\.inputs\.x: the link leads to a node/)
  t.match(await refused('gone.json'), /gone\.json: is not there/)
  t.notOk(existsSync(join(dir, 'workflows')))
})

t.test('the format of the editor needs a server, and its nodes there', async t => {
  const other = {
    ...ui,
    nodes: ui.nodes.map(each => (each.type === 'KSampler' ? { ...each, type: 'KSamplerr' } : each)),
  }
  const dir = home({
    'mine.json': JSON.stringify(ui),
    'api.json': JSON.stringify(plain),
    'other.json': `${JSON.stringify(other, null, 1)}\n`,
  })
  const away = await foundry(['workflows', 'add', 'mine.json', '--server', 'http://127.0.0.1:9'], { cwd: dir })
  t.match(away, { code: 3, err: /mine\.json has the format of the ComfyUI editor.*127\.0\.0\.1:9.*Export \(API\)/ })
  t.match(await foundry(['workflows', 'add', 'mine.json', '--server', 'gpu7'], { cwd: dir }), {
    code: 2,
    err: /No server is named "gpu7"/,
  })
  const byApi = await foundry(['workflows', 'add', 'api.json', '--server', 'gpu7'], { cwd: dir })
  t.match(byApi, { code: 2, err: /No server is named "gpu7"/ }, 'also where the file needs none')
  const unknown = await foundry(['workflows', 'add', 'other.json', ...at], { cwd: dir })
  t.equal(unknown.code, 2)
  t.match(unknown.err, /other\.json:\d+:\d+: nodes\[\d\]: the server has no such node.*KSamplerr.*perhaps KSampler/)
})

t.test('the API format needs no server: then no picture is rendered, and that is told', async t => {
  const dir = home({ 'mine.json': JSON.stringify(plain) })
  const { code, answer } = await add(dir, 'mine.json', '--server', 'http://127.0.0.1:9')
  t.equal(code, 0)
  t.match(answer, { isAdded: true, probe: { state: 'skipped', reason: /no server answered/ } })
})

t.test('two answers are a question, which a file beside it answers', async t => {
  const dir = home({ 'two.json': JSON.stringify(readSample('two-save-nodes')) })
  const asked = await foundry(['workflows', 'add', 'two.json', ...at], { cwd: dir })
  t.equal(asked.code, 2)
  const [, line = ''] = /e\.g\. (save: \[.*?\])/.exec(asked.err) ?? []
  t.match(asked.err, /Nothing is written: answer in two\.binding\.yaml beside the file/)
  t.notOk(existsSync(join(dir, 'workflows')))
  await writeFile(join(dir, 'two.binding.yaml'), `${line}\n`)
  t.match(await add(dir, 'two.json', '--no-probe', ...at), { code: 0, answer: { isAdded: true } })
  await writeFile(join(dir, 'two.binding.yaml'), 'saves: [9]\n')
  const wrong = await foundry(['workflows', 'add', 'two.json', '--name', 'b', ...at], { cwd: dir })
  t.match(wrong, { code: 2, err: /two\.binding\.yaml:1:1: saves: .*did you mean "save"/ })
})

t.test('nothing is replaced without being asked, and nothing is written by a dry run', async t => {
  const dir = home({ 'mine.json': JSON.stringify(plain) })
  const dry = await add(dir, 'mine.json', '--dry-run', ...at)
  t.match(dry, { code: 0, answer: { isAdded: false, probe: undefined } })
  t.notOk(existsSync(join(dir, 'workflows')))
  t.equal((await add(dir, 'mine.json', '--no-probe', ...at)).code, 0)
  const before = await readFile(join(dir, 'workflows/mine.binding.yaml'), 'utf8')
  await writeFile(join(dir, 'workflows/mine.binding.yaml'), `${before}title: mine\n`)
  t.match(await foundry(['workflows', 'add', 'mine.json', ...at], { cwd: dir }), { code: 2, err: /already.*--replace/ })
  t.match(await readFile(join(dir, 'workflows/mine.binding.yaml'), 'utf8'), 'title: mine')
  t.equal((await add(dir, 'mine.json', '--no-probe', '--replace', ...at)).code, 0)
  t.equal(await readFile(join(dir, 'workflows/mine.binding.yaml'), 'utf8'), before)
  t.match(await foundry(['workflows', 'add', 'mine.json', '--name', 'sd15-text', ...at], { cwd: dir }), { code: 2 })
  const outside = await foundry(['workflows', 'add', 'mine.json', '--name', '../x', ...at], { cwd: dir })
  t.match(outside, { code: 2, err: /name/ })
})

t.test('models of no known family are bound when theirs is answered, without a place for talents', async t => {
  const qwen = JSON.stringify(readSample('qwen-image'))
  const dir = home({ 'qwen.json': qwen })
  const words = ['qwen.json', '--no-probe', '--family', 'sdxl', ...at]
  const { answer } = await add(dir, ...words)
  t.match(answer, { isAdded: true })
  t.match(answer.problems, [{ code: 'WORKFLOW_LORA_UNPLACED', message: /qwen_image.*no talent fits/ }])
  t.notMatch(await readFile(join(dir, 'workflows/qwen.binding.yaml'), 'utf8'), /^lora/m)
  t.match(await foundry(['workflows', 'add', '.', ...at], { cwd: dir }), {
    code: 2,
    err: /error [^\s:]+: is not a regular file/,
  })
})

t.test('names and file names cannot break out of what is written', async t => {
  const odd = 'odd\nrenderer: evil.json'
  const dir = home({ [odd]: JSON.stringify(plain), 'b.json': JSON.stringify(plain) })
  t.match(await add(dir, odd, '--name', 'odd', '--no-probe', ...at), { code: 0 })
  const lines = (await readFile(join(dir, 'workflows/odd.binding.yaml'), 'utf8')).split('\n')
  t.match(lines[0], /found in odd renderer: evil\.json\)$/)
  t.match(lines[1], /^family: /)
  t.match(await add(dir, 'b.json', '--name', 'b.json', '--no-probe', ...at), { answer: { workflow: 'b' } })
  await writeFile(join(dir, 'workflows/c.binding.yml'), 'family: flux\n')
  const named = ['workflows', 'add', 'b.json', '--name', 'c', '--no-probe', ...at]
  t.match(await foundry(named, { cwd: dir }), { code: 2, err: /c\.binding\.yml/ })
  t.match(await foundry([...named, '--replace'], { cwd: dir }), { code: 0 })
  t.notOk(existsSync(join(dir, 'workflows/c.binding.yml')), 'which would have counted instead')
})

t.test('a workflow that the server cannot run is added, and what is missing is told', async t => {
  const real = await startDraftServer({
    isDisguised: true,
    lenient: false,
    models: { checkpoints: { 'other.safetensors': { sizeBytes: 1 } } },
  } as Parameters<typeof startDraftServer>[0])
  t.teardown(() => real.close())
  const graph = { ...plain, '99': node('Unknown', { image: ['8', 0] }) }
  const dir = home({ 'mine.json': JSON.stringify(graph) })
  const { code, answer } = await add(dir, 'mine.json', '--server', real.url)
  t.equal(code, 1)
  t.match(answer, { isAdded: true, probe: { state: 'failed', problems: [{ severity: 'error' }] } })
})

const parameters = `parameters:
  cfg: { node: "3", input: cfg, type: number, min: 1, max: 20 }
  sampler: { node: "3", input: sampler_name, type: choice, choices: [euler, heun], default: heun }
  lead: { node: "77", input: text, type: text, title: Words in front }
`
const joined = {
  ...changed(plain, { '3': { positive: ['78', 0] } }),
  '77': node('CLIPTextEncode', { text: 'plain', clip: ['4', 1] }),
  '78': node('ConditioningConcat', { conditioning_to: ['77', 0], conditioning_from: ['6', 0] }),
}
const answers = `positive: [{ node: "6", input: text }]\n${parameters}`

t.test('parameters of a binding are set and swept, and stand in every trace', async t => {
  const dir = home({ 'mine.json': JSON.stringify(joined), 'mine.binding.yaml': answers })
  const added = await add(dir, 'mine.json', '--no-probe', ...at)
  t.match(added, { code: 0 }, added.err)
  t.ok(added.answer.found.some(each => each.field === 'parameters.cfg' && each.node === '3'))
  const listed = await foundry(['workflows'], { cwd: dir })
  t.match(
    listed.out,
    /^mine +sd15\s+--param cfg= {2}a number from 1 to 20\n {2}--param sampler= {2}euler, heun; else heun\n {2}--param lead= {2}a text {2}\(Words in front\)/m,
  )

  const words = ['render', 'a.yaml', '--workflow', 'mine', '--templates', 'hero-portrait', ...at]
  const sweep = ['--param', 'cfg=5,6.5', '--param', 'lead=oil, thick', '--param', 'lead=ink, mail me@example.com']
  const dry = await foundry([...words, ...sweep, '--dry-run'], { cwd: dir })
  t.match(dry.out, /cfg 5, 6\.5/)
  const { code, answer, err } = await foundryJson<{ rendered: number; runs: { run: string; folder: string }[] }>(
    [...words, ...sweep],
    { cwd: dir },
  )
  t.match({ code, rendered: answer.rendered }, { code: 0, rendered: 4 }, err)
  t.match(err, /Personal data is replaced/)
  const [run] = answer.runs
  const shown = await foundryJson<{ slots: { parameters: object; file: string }[] }>(['runs', 'show', run?.run ?? ''], {
    cwd: dir,
  })
  t.strictSame(
    shown.answer.slots.map(slot => slot.parameters),
    [
      { cfg: 5, lead: 'oil, thick' },
      { cfg: 5, lead: 'ink, mail [email]' },
      { cfg: 6.5, lead: 'oil, thick' },
      { cfg: 6.5, lead: 'ink, mail [email]' },
    ],
  )
  for (const { parameters: set, file } of shown.answer.slots) {
    const trace = await readTrace(join(run?.folder ?? '', dirname(file)), basename(file))
    const { cfg } = set as { cfg: number }
    t.match(trace ?? {}, { request: { parameters: { ...set, sampler: 'heun' }, sampler: { cfg, sampler: 'heun' } } })
  }
  const again = await foundryJson<{ rendered: number }>([...words, ...sweep], { cwd: dir })
  t.match(again, { code: 0, answer: { rendered: 0 } }, 'the same values are the same run')
  const file = join(run?.folder ?? '', shown.answer.slots[2]?.file ?? '')
  const reproduced = await foundryJson(['reproduce', file, ...at], { cwd: dir })
  t.match(reproduced, { code: 0, answer: { sameGraph: true, samePixels: true } }, reproduced.err)
})

t.test('orders and kits set parameters as well, and all mistakes are told at once', async t => {
  const order = (lines: string) => `personas: [b.yaml]\nworkflow: mine\ntemplates: [hero-portrait]\n${lines}...\n`
  const dir = home({
    'mine.json': JSON.stringify(joined),
    'mine.binding.yaml': answers,
    'b.yaml': `${kit}parameters: { cfg: 3, lead: ink }\n`,
    'order.yaml': order('parameters: { sampler: [euler, heun] }\n'),
    'wrong.yaml': order('parameters: { sampler: dpm, cgf: 3 }\n'),
  })
  t.equal((await add(dir, 'mine.json', '--no-probe', ...at)).code, 0)
  const { answer, code } = await foundryJson<{ rendered: number; runs: { run: string }[] }>(
    ['render', 'order.yaml', ...at],
    { cwd: dir },
  )
  t.match({ code, rendered: answer.rendered }, { code: 0, rendered: 2 })
  const shown = await foundryJson<{ slots: object[] }>(['runs', 'show', answer.runs[0]?.run ?? ''], { cwd: dir })
  t.match(shown.answer.slots, [
    { parameters: { cfg: 3, lead: 'ink', sampler: 'euler' } },
    { parameters: { cfg: 3, lead: 'ink', sampler: 'heun' } },
  ])
  const wrong = await foundry(['render', 'wrong.yaml', '--param', 'cfg=99', ...at], { cwd: dir })
  t.equal(wrong.code, 2)
  t.match(wrong.err, /parameters\.cfg: .*found "99"; allowed: a number from 1 to 20/)
  t.match(wrong.err, /parameters\.sampler: .*found "dpm"; allowed: euler, heun/)
  t.match(wrong.err, /parameters\.cgf: Workflow mine has no parameter "cgf": did you mean "cfg"\?/)
})
