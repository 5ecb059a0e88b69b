import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inflateSync } from 'node:zlib'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { requestOf } from '../../src/record/carried-record.js'
import { foundry, foundryApart, foundryJson, packageFolder } from './foundry.js'

const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())

const speakers = ['S00', 'S01']
const workflowFolder = join(packageFolder, 'test/fixtures/workflows')

/** What must never leave: planted wherever a pipeline keeps it. */
const planted = {
  audio: 'Interview Jane Roe 2026.wav',
  person: 'Jane Roe',
  mail: 'jane.roe@private.example',
  spoken: 'call me on +44 7700 900123 tonight',
  phone: '7700 900123',
  folder: '/home/jane.roe/recordings',
  persona: 'She walks with a silver heron cane and hums old ferry songs.',
  sentence: 'We meet under the cracked bell tower before the market opens.',
}

const persona = (speaker: string) =>
  `# Persona\n\n${planted.persona} Speaker ${speaker}.\n\nWrite to ${planted.mail} or look in ${planted.folder}.\n`

function callFolder(calls: readonly string[] = ['call-1']) {
  const entries = calls.flatMap(call =>
    speakers.map(speaker => ({
      call_id: call,
      channel: 'left-vocals',
      speaker,
      persona_path: `C:\\Users\\jane.roe\\run\\characters\\${call}\\left-vocals\\${speaker}\\persona.md`,
      source_audio_paths: [`${planted.folder}/${planted.audio}`],
      audio_samples: [{ file: planted.audio }],
    })),
  )
  const texts = (call: string) => ({
    [call]: {
      'left-vocals': Object.fromEntries(
        speakers.map(speaker => [speaker, { 'persona.md': persona(`${call} ${speaker}`) }]),
      ),
    },
  })
  const segments = `[00:00:01.000 - 00:00:04.000] ${planted.sentence}\n${planted.spoken}\n`
  return {
    characters: {
      'persona_manifest.json': JSON.stringify(entries),
      ...Object.assign({}, ...calls.map(texts)),
    },
    speakers: Object.fromEntries(
      calls.map(call => [call, { 'left-vocals': { 'left-vocals_segments.txt': segments } }]),
    ),
  }
}

interface RenderAnswer {
  exitCode: number
  runs: { run: string; folder: string; counts: Record<string, number> }[]
}

t.test('the older command line, word for word', async t => {
  const dir = t.testdir({ home: { 'foundry.yaml': '' }, 'run-20260101-000000': callFolder() })
  const root = join(dir, 'run-20260101-000000')
  const words = ['avatars', '--persona-manifest', join(root, 'characters/persona_manifest.json'), '--output-root', root]
  const call = { cwd: join(dir, 'home') }
  const options = [...words, '--api-url', server.url, '--initial-prompt', 'ink drawing', '--batch-size', '3']

  const before = server.ledger.length
  const first = await foundryJson<RenderAnswer>(options, call)
  t.match(first, { code: 0, answer: { exitCode: 0 } })
  t.equal(server.ledger.length - before, 3, 'one picture per speaker, one backdrop per call')
  const avatars = join(root, 'comfyui_images/avatar')
  const manifest = JSON.parse(await readFile(join(avatars, 'image_manifest.json'), 'utf8'))
  t.same(manifest, {
    backdrops: { 'call-1': 'comfyui_images/avatar/backdrops/call-1.png' },
    personas: {
      'call-1_S00': 'comfyui_images/avatar/call-1/S00/call-1_S00.png',
      'call-1_S01': 'comfyui_images/avatar/call-1/S01/call-1_S01.png',
    },
  })
  t.same(await sizeOf(join(avatars, 'call-1/S00/call-1_S00.png')), [1024, 1024])
  t.same(await sizeOf(join(avatars, 'backdrops/call-1.png')), [1368, 768])

  await rm(avatars, { recursive: true })
  t.match(await foundryJson(options, call), { code: 0 })
  t.equal(server.ledger.length - before, 3, 'the same again sends nothing')
  t.equal((await readdir(avatars)).length, 3, 'and the pictures lie where the older tools look')

  const elsewhere = join(dir, 'copy', 'run-20260101-000000')
  await cp(root, elsewhere, { recursive: true })
  await rm(join(elsewhere, 'comfyui_images'), { recursive: true })
  const moved = options.map(word => word.replace(root, elsewhere))
  t.match(await foundryJson(moved, call), { code: 0 })
  t.equal((await readdir(join(elsewhere, 'comfyui_images/avatar'))).length, 3, 'a copied call folder gets its own')
  t.equal(server.ledger.length - before, 3)
})

t.test('runs of one call folder share its manifest, and drafts leave real pictures alone', async t => {
  const real = await startDraftServer({
    isDisguised: true,
    models: { checkpoints: { 'sd_xl_base_1.0.safetensors': { sizeBytes: 1000 } } },
  })
  t.teardown(() => real.close())
  const dir = t.testdir({ home: { 'foundry.yaml': '' }, run: callFolder() })
  const root = join(dir, 'run')
  const avatars = 'comfyui_images/avatar'
  const file = join(root, avatars, 'image_manifest.json')
  const words = ['avatars', '--persona-manifest', join(root, 'characters/persona_manifest.json'), '--output-root', root]
  const call = { cwd: join(dir, 'home') }
  const render = async (...list: string[]) => {
    const ended = await foundry([...words, ...list], call)
    t.equal(ended.code, 0, ended.err)
    return ended
  }
  const rendererOf = async (name: string) =>
    JSON.parse(await readFile(join(root, avatars, name.replace('.png', '.trace.json')), 'utf8')).request.renderer
  const recordOf = async (name: string) => requestOf(await readFile(join(root, avatars, name)))
  const [S00, S01, backdrop] = ['call-1/S00/call-1_S00.png', 'call-1/S01/call-1_S01.png', 'backdrops/call-1.png']
  const whole = {
    backdrops: { 'call-1': `${avatars}/${backdrop}` },
    personas: { 'call-1_S00': `${avatars}/${S00}`, 'call-1_S01': `${avatars}/${S01}` },
  }

  await rename(join(root, 'speakers'), join(root, 'later'))
  await render('--api-url', real.url)
  await rename(join(root, 'later'), join(root, 'speakers'))
  t.same(JSON.parse(await readFile(file, 'utf8')), { backdrops: {}, personas: whole.personas })
  const earlier = { personas: { ...whole.personas, old: join(root, avatars, 'old.png'), lost: `${avatars}/lost.png` } }
  const foreign = { 'call-0': '/elsewhere/call-0.png', 'call-00': '../../outside.png', 'call-000': 7 }
  await writeFile(join(dir, 'outside.png'), '')
  await writeFile(join(root, avatars, 'old.png'), 'of the older generator')
  await writeFile(file, JSON.stringify({ ...earlier, backdrops: foreign }))
  await rm(join(root, avatars, S01))

  const draft = await render('--draft', '--backdrop-workflow', 'sdxl-backdrop')
  t.match(draft.err, /warning Real pictures lie where drafts belong.*\(found \S+\/call-1_S00\.png\)/)
  t.same(JSON.parse(await readFile(file, 'utf8')), {
    backdrops: whole.backdrops,
    personas: { ...whole.personas, old: `${avatars}/old.png` },
  })
  t.same(await Promise.all([S00, S01, backdrop].map(rendererOf)), ['comfyui', 'draft', 'draft'])
  t.equal((await recordOf(S00))?.renderer, 'comfyui')

  const run = (await recordOf(S01))?.run
  const other = await render('--draft', '--initial-prompt', 'ink')
  t.match(other.err, /\(found \S+\/call-1_S00\.png\)/)
  t.not((await recordOf(S01))?.run, run, 'a draft takes the place of a draft')
  const last = await render('--api-url', real.url)
  t.notMatch(last.err, /Real pictures/)
  t.same(await Promise.all([S00, S01, backdrop].map(rendererOf)), ['comfyui', 'comfyui', 'comfyui'])
  t.equal((await recordOf(backdrop))?.renderer, 'comfyui')
})

t.test('a workflow file that is named must be there', async t => {
  const dir = t.testdir({ home: { 'foundry.yaml': '', 'bad.json': '{"1": ', 'folder.json': {} }, run: callFolder() })
  const root = join(dir, 'run')
  const words = ['avatars', '--persona-manifest', join(root, 'characters/persona_manifest.json'), '--output-root', root]
  const call = { cwd: join(dir, 'home') }
  for (const option of ['--avatar-workflow', '--backdrop-workflow']) {
    for (const name of ['gone.json', 'folder.json', 'bad.json', 'nosuch']) {
      const ended = await foundry([...words, '--api-url', server.url, option, name], call)
      t.equal(ended.code, 2, `${option} ${name}: ${ended.err}`)
      t.ok(ended.err.includes(name.endsWith('.json') && name !== 'bad.json' ? join(call.cwd, name) : name), ended.err)
      t.equal(ended.out, '')
    }
  }
  t.notOk(existsSync(join(root, 'comfyui_images')))
  t.match(await foundry(words.slice(0, 3), call), { code: 2, err: /--output-root/ })
})

t.test('a speaker without a text is a skipped picture, counted and named', async t => {
  const dir = t.testdir({ home: { 'foundry.yaml': '' }, run: callFolder() })
  const root = join(dir, 'run')
  await rm(join(root, 'speakers'), { recursive: true })
  await rm(join(root, 'characters/call-1/left-vocals/S01/persona.md'))
  const words = ['avatars', '--persona-manifest', join(root, 'characters/persona_manifest.json'), '--output-root', root]
  const call = { cwd: join(dir, 'home') }
  const ended = await foundry([...words, '--api-url', server.url], call)
  t.equal(ended.code, 0, ended.err)
  t.match(ended.out, /: 1 of 1 rendered, 2 skipped\n/)
  t.match(ended.out, / skipped +call-1_S01\/hero-portrait: the path leads outside.*no such file lies inside\n/)
  t.match(ended.out, / skipped +call-1\/backdrop: no transcript/)
  const run = (await readdir(join(call.cwd, 'runs'))).find(name => name.startsWith('run')) ?? ''
  const { answer } = await foundryJson<{ counts: object; slots: object[] }>(['runs', 'show', run], call)
  t.match(answer.counts, { slots: 3, done: 1, skipped: 2 })
  t.match(answer.slots, [{}, { slot: 'call-1_S01/hero-portrait', state: 'skipped', reason: /no such file/ }, {}])

  await writeFile(join(root, 'characters/call-1/left-vocals/S01/persona.md'), persona('call-1 S01'))
  const again = await foundry([...words, '--api-url', server.url], call)
  t.match(again, { code: 0, out: /: 2 of 2 rendered.*, 1 skipped\n/ })
})

t.test('the user’s own workflow keeps its size, and is bound whatever its traits', async t => {
  const own = ['three-loras-language-model', 'second-pass', 'cfg-guider-seed-node']
  const dir = t.testdir({ home: { 'foundry.yaml': '' } })
  for (const name of own) {
    const root = join(dir, `run-${name}`)
    await mkdir(root)
    await writeTree(root, callFolder())
    const file = join(workflowFolder, `${name}.json`)
    const graph = JSON.parse(await readFile(file, 'utf8')) as Record<string, { inputs: Record<string, unknown> }>
    const latent = Object.values(graph).find(node => 'width' in node.inputs && 'batch_size' in node.inputs)
    const words = [
      'avatars',
      '--persona-manifest',
      join(root, 'characters/persona_manifest.json'),
      '--output-root',
      root,
    ]
    const ended = await foundry([...words, '--api-url', server.url, '--avatar-workflow', file], {
      cwd: join(dir, 'home'),
    })
    t.equal(ended.code, 0, `${name}: ${ended.err}`)
    const trace = JSON.parse(
      await readFile(join(root, 'comfyui_images/avatar/call-1/S00/call-1_S00.trace.json'), 'utf8'),
    )
    t.same([trace.request.width, trace.request.height], [latent?.inputs['width'], latent?.inputs['height']], name)
    t.equal(trace.request.workflow, name)
  }
})

t.test('the gate set to reject names what it found and where, set to off it lets through', async t => {
  const dir = t.testdir({
    home: {
      'foundry.yaml': 'privacy: reject\n',
      'jo.json': JSON.stringify({ dot_id: 'jo', version: '1.0.0', description: `ask ${planted.mail}` }),
    },
    run: callFolder(),
  })
  const call = { cwd: join(dir, 'home') }
  const manifest = join(dir, 'run/characters/persona_manifest.json')
  const words = ['render', 'jo.json', manifest, '--dry-run', '--server', server.url]
  const { code, answer, err } = await foundryJson<{
    refused: { problems: { code: string; path?: string; file?: string; found?: string; message: string }[] }[]
  }>(words, call)
  t.equal(code, 2)
  const errors = answer.refused.map(each => each.problems.filter(problem => problem.code === 'PERSONAL_DATA'))
  t.match(errors[0], [{ path: 'persona.description of jo', found: 'email' }])
  t.match(errors[1], [
    { path: '[0].persona_path', message: /email, path/ },
    { path: '[1].persona_path' },
    { file: 'speakers/call-1', message: /phone/ },
  ])
  t.notOk(`${JSON.stringify(answer)}${err}`.includes(planted.mail))
  await writeFile(join(dir, 'home/foundry.yaml'), 'privacy: off\n')
  t.match(await foundryJson(words, call), { code: 0 })
})

t.test('nothing that was written holds a word of planted personal data', async t => {
  const dir = t.testdir({
    home: { 'foundry.yaml': 'quietSeconds: 0.2\nrescanSeconds: 1\ncallFolders: [../watched]\n' },
    watched: callFolder(['call-3']),
    run: callFolder(['call-1', 'call-2']),
  })
  const home = join(dir, 'home')
  const root = join(dir, 'run')
  const words = ['avatars', '--persona-manifest', join(root, 'characters/persona_manifest.json'), '--output-root', root]
  const said: string[] = []
  const run = async (...list: string[]) => {
    const { out, err } = await foundry(list, { cwd: home })
    said.push(out, err)
  }
  await run(...words, '--api-url', server.url, '--initial-prompt', `for ${planted.mail}`, '-v')
  const kit = {
    dot_id: 'jo',
    version: '1.0.0',
    description: `Ask ${planted.mail}, ${planted.phone.replace(' ', '')} or see ${planted.folder}/x.png`,
    finish: planted.mail,
  }
  await writeFile(join(dir, 'jo.json'), JSON.stringify(kit))
  await run('render', join(dir, 'jo.json'), '--server', server.url, '-v', '--prompt', `by ${planted.mail}`)
  await run('render', join(root, 'characters'), '--draft', '-v')
  await writeFile(join(root, 'characters', 'broken.json'), '')
  await writeFile(
    join(dir, 'bad.json'),
    JSON.stringify([{ call_id: 1, persona_path: `${planted.folder}/${planted.audio}` }]),
  )
  await run('render', join(dir, 'bad.json'), '--draft', '--json')
  for (const name of await readdir(join(home, 'runs'))) {
    await run('runs', 'show', name, '--json')
    await run('runs', 'events', name)
    await run('verify', name, '--json')
  }
  await run('status', '--json')
  said.push(...(await watchOnce(home, join(dir, 'watched'))))

  const kept = [home, ...[root, join(dir, 'watched')].map(each => join(each, 'comfyui_images'))]
  const files = (await Promise.all(kept.map(filesUnder))).flat()
  t.ok(files.filter(file => file.endsWith('.png')).length >= 12, 'pictures were made')
  const secrets = [...Object.values(planted), 'silver heron', 'bell tower', 'jane.roe', '7700900123', 'Roe 2026']
  for (const secret of secrets) {
    t.notOk(said.join('\n').includes(secret), `nobody says "${secret}"`)
    for (const file of files) {
      if ((await openText(file)).includes(secret)) t.fail(`${file.slice(dir.length)} holds "${secret}"`)
    }
  }
  for (const file of files.filter(each => !each.includes('/.foundry/journal/')))
    if ((await openText(file)).includes(join(dir, 'run', 'characters'))) t.fail(`${file} tells where the drop lies`)
})

/** A daemon that renders what lies in a watched call folder, and what it said. */
async function watchOnce(home: string, folder: string): Promise<string[]> {
  let child: ChildProcess | undefined
  const ended = foundryApart(['daemon', '--port', '0', '--server', server.url], {
    cwd: home,
    started: each => (child = each),
  })
  const giveUpAt = Date.now() + 20_000
  while (!existsSync(join(folder, 'comfyui_images/avatar/image_manifest.json')) && Date.now() < giveUpAt)
    await sleep(50)
  child?.kill('SIGTERM')
  const { code, out, err } = await ended
  t.equal(code, 0, 'the daemon ends')
  return [out, err]
}

/** Bytes as text, with the compressed texts of a picture opened. */
async function openText(file: string): Promise<string> {
  const bytes = await readFile(file)
  const plain = bytes.toString('latin1') + bytes.toString('utf8')
  if (!file.endsWith('.png')) return plain
  let opened = plain
  for (let at = bytes.indexOf('zTXt'); at >= 0; at = bytes.indexOf('zTXt', at + 4)) {
    const start = bytes.indexOf(0, at + 4) + 2
    opened += inflateSync(bytes.subarray(start)).toString('utf8')
  }
  return opened
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}

/** Pixels of a PNG, from its header. */
async function sizeOf(file: string): Promise<[number, number]> {
  const bytes = await readFile(file)
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
}

type Tree = { [name: string]: string | Tree }

async function writeTree(folder: string, tree: Tree): Promise<void> {
  for (const [name, value] of Object.entries(tree)) {
    const path = join(folder, name)
    if (typeof value === 'string') await writeFile(path, value)
    else {
      await mkdir(path)
      await writeTree(path, value)
    }
  }
}
