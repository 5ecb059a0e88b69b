import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { readPngText, withoutPngText, withPngText } from '../../src/record/png-text.js'
import { foundry, foundryJson } from './foundry.js'

const server = await startDraftServer()
t.teardown(() => server.close())
const at = ['--server', server.url]

interface Verified {
  differences: { what: string }[]
  inputs: number
  images: number
}
interface Reproduced {
  recorded: string
  submitted: string
  samePixels: boolean
  output: string
}

const persona = 'A quiet gardener with a straw hat.'

const callFiles = {
  characters: {
    'persona_manifest.json': JSON.stringify([{ call_id: 'call-1', speaker: 'S00', persona_path: 'characters/p.md' }]),
    'p.md': persona,
  },
}

async function makeHome(dir: string): Promise<string> {
  const home = join(dir, 'home')
  await foundry(['init', home], { cwd: '/' })
  return home
}

/** A home with one run, of an order that names a kit. */
async function renderOrder(dir: string) {
  const home = await makeHome(dir)
  const call = { cwd: home }
  await writeFile(join(home, 'manifests/order.yaml'), 'personas: [aurora.yaml]\ntemplates: [hero-portrait]\n')
  await foundry(['render', 'manifests/order.yaml', ...at], call)
  const [run = ''] = await readdir(join(home, 'runs'))
  return { home, call, run }
}

async function flip(path: string): Promise<() => Promise<void>> {
  const bytes = await readFile(path)
  const changed = Buffer.from(bytes)
  const middle = Math.floor(changed.length / 2)
  changed[middle] = (changed[middle] ?? 0) ^ 1
  await writeFile(path, changed)
  return () => writeFile(path, bytes)
}

t.test('verify finds one flipped byte wherever it is', async t => {
  const { home, call, run } = await renderOrder(t.testdir({}))
  const folder = join(home, 'runs', run)
  t.match(await foundryJson<Verified>(['verify', `runs/${run}/`], call), {
    code: 0,
    answer: { images: 1, differences: [] },
  })
  const talent = 'talents/avatar/avatar.style.mecha'
  const cases: Record<string, [file: string, named: string]> = {
    image: [join(folder, 'images/aurora/hero-portrait-0001.png'), 'images/aurora/hero-portrait-0001.png'],
    trace: [join(folder, 'images/aurora/hero-portrait-0001.trace.json'), 'images/aurora/hero-portrait-0001.trace.json'],
    'run manifest': [join(folder, 'manifest.json'), 'manifest.json'],
    'run.json': [join(folder, 'run.json'), 'run.json'],
    'report.json': [join(folder, 'report.json'), 'report.json'],
    'events.jsonl': [join(folder, 'events.jsonl'), 'events.jsonl'],
    'contact sheet': [join(folder, 'contact-sheet.webp'), 'contact-sheet.webp'],
    drop: [join(home, 'manifests/order.yaml'), 'drop'],
    'a kit of the order': [join(home, 'manifests/aurora.yaml'), 'persona:aurora'],
    workflow: [join(home, 'workflows/sd15-text.json'), 'workflow:sd15-text'],
    weights: [join(home, talent, 'weights.safetensors'), 'weights:avatar.style.mecha'],
  }
  for (const [title, [file, named]] of Object.entries(cases)) {
    const mend = await flip(file)
    const { code, answer } = await foundryJson<Verified>(['verify', run], call)
    t.equal(code, 1, title)
    t.ok(
      answer.differences.some(each => each.what === named),
      `${title}: ${JSON.stringify(answer)}`,
    )
    await mend()
  }
  const prompts = join(home, talent, 'prompts.json')
  await writeFile(prompts, (await readFile(prompts, 'utf8')).replace('mecha', 'mechb'))
  const { out, code } = await foundry(['verify', run], call)
  t.match({ out, code }, { code: 1, out: /✘ talent:avatar\.style\.mecha: recorded/ })
  t.notMatch(out, /source edited/)
})

t.test('verify tells an edited source from a damaged picture', async t => {
  const { home, call, run } = await renderOrder(t.testdir({}))
  const kit = join(home, 'manifests/aurora.yaml')
  await writeFile(kit, `${await readFile(kit, 'utf8')}\n# edited\n`)
  const edited = await foundry(['verify', run], call)
  t.equal(edited.code, 1)
  t.match(
    edited.out,
    /^! persona:aurora \(manifests\/aurora\.yaml\): recorded [0-9a-f]{12}, found [0-9a-f]{12}\n {2}source edited since \(the run is of an older version\); pictures are as recorded\n$/,
  )
  const { code, answer } = await foundryJson<Verified>(['verify', run], call)
  t.equal(code, 1)
  t.match(answer.differences, [{ what: 'persona:aurora', isEdited: true, file: 'manifests/aurora.yaml' }])

  const mend = await flip(join(home, 'runs', run, 'images/aurora/hero-portrait-0001.png'))
  const damaged = await foundry(['verify', run], call)
  t.match(damaged, { code: 1, out: /✘ images\/aurora\/hero-portrait-0001\.png: recorded/ })
  t.match(damaged.out, /! persona:aurora \(manifests\/aurora\.yaml\)/)
  t.notMatch(damaged.out, /pictures are as recorded/)
  await mend()
  await rm(kit)
  const gone = await foundry(['verify', run], call)
  t.match(gone, { code: 1, out: /✘ persona:aurora \(manifests\/aurora\.yaml\): recorded/ })
  t.notMatch(gone.out, /source edited/)
})

t.test('verify finds a private text that is not the one that was rendered', async t => {
  const home = t.testdir({ 'foundry.yaml': '', run: callFiles })
  await foundry(['render', 'run/characters', ...at], { cwd: home })
  const [run = ''] = await readdir(join(home, 'runs'))
  t.match(await foundry(['verify', run], { cwd: home }), { code: 0 })
  await writeFile(join(home, 'run/characters/p.md'), persona.replace('straw', 'grey'))
  t.match(await foundry(['verify', run], { cwd: home }), { code: 1, out: /! text:call-1_S00: [^]*source edited since/ })
})

t.test('reproduce posts the recorded graph', async t => {
  const elsewhere = t.testdir({ other: {}, kept: { run: callFiles, 'foundry.yaml': '' } })
  const home = await makeHome(elsewhere)
  await foundry(['render', 'manifests/aurora.yaml', '--templates', 'hero-portrait', ...at], { cwd: home })
  const [run = ''] = await readdir(join(home, 'runs'))
  const image = join(home, 'runs', run, 'images/aurora/hero-portrait-0001.png')
  const copy = join(elsewhere, 'other', 'copy.png')
  await writeFile(copy, await readFile(image))

  const sent = server.ledger.length
  const alone = await foundryJson<Reproduced>(['reproduce', 'copy.png', ...at], { cwd: join(elsewhere, 'other') })
  t.match(alone, { code: 0, answer: { samePixels: true } })
  t.equal(alone.answer.recorded, alone.answer.submitted)
  const [first, again] = server.ledger.slice(sent - 1)
  t.equal(again?.graphSha256, first?.graphSha256, 'the server was sent the very same graph')
  t.same(
    (await readdir(join(elsewhere, 'other'))).sort(),
    ['copy.png', 'copy.reproduced.png'],
    'no home is left behind',
  )

  const refused: Record<string, [bytes: Buffer, code: string]> = {
    'a stripped picture': [await sharp(image).png().toBuffer(), 'IMAGE_UNTRACED'],
    'another tool’s picture': [
      await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
        .png()
        .toBuffer(),
      'IMAGE_UNTRACED',
    ],
    'no picture': [Buffer.from('not a picture'), 'IMAGE_DAMAGED'],
    'half a picture': [(await readFile(image)).subarray(0, -2000), 'IMAGE_DAMAGED'],
    'damaged pixels': [breakPixels(await readFile(image)), 'IMAGE_DAMAGED'],
    'an altered record': [alterGraph(await readFile(image)), 'IMAGE_ALTERED'],
  }
  for (const [title, [bytes, code]] of Object.entries(refused)) {
    await writeFile(copy, bytes)
    const ended = await foundryJson<{ error: { code: string; message: string } }>(['reproduce', copy, ...at], {
      cwd: home,
    })
    t.match(ended, { code: 2, answer: { error: { code } } }, title)
    t.notMatch(ended.answer.error.message, /server/, 'no server is to blame')
  }
  t.equal(server.ledger.length, sent + 1, 'no server was asked')
  const whole = await readFile(image)
  await writeFile(image, Buffer.concat([whole, Buffer.from('more')]))
  t.match(await foundryJson(['reproduce', image, ...at], { cwd: home }), {
    code: 2,
    answer: { error: { code: 'IMAGE_DAMAGED', message: /not those that its trace records/ } },
  })
  await writeFile(image, whole)
  t.match(await foundryJson(['reproduce', 'gone.png'], { cwd: home }), { code: 2 })
  const noServer = ['reproduce', image, '--server', 'http://127.0.0.1:9']
  t.match(await foundryJson(noServer, { cwd: home }), { code: 3, answer: { error: { code: 'SERVER_NONE' } } })
  t.match(await foundryJson([...noServer, '--dry-run'], { cwd: home }), { code: 0 })

  const kept = join(elsewhere, 'kept')
  await foundry(['render', 'run/characters', ...at], { cwd: kept })
  const [calls = ''] = await readdir(join(kept, 'runs'))
  const secret = join(kept, 'runs', calls, 'images/call-1_S00/hero-portrait-0001.png')
  const here = await foundryJson<Reproduced>(['reproduce', secret, ...at], { cwd: kept })
  t.match(here, { code: 0, answer: { samePixels: true } }, 'a private picture, in its home')
  const there = await foundryJson(['reproduce', secret, ...at], { cwd: home })
  t.match(there, { code: 2, answer: { error: { code: 'IMAGE_PRIVATE' } } }, 'a private picture, elsewhere')
  await writeFile(join(kept, 'run/characters/p.md'), 'Somebody else.')
  const changed = await foundryJson(['reproduce', secret, ...at], { cwd: kept })
  t.match(changed, { code: 1, answer: { error: { code: 'SOURCE_CHANGED' } } }, 'a private picture whose text changed')
})

/** Other steps in the graph that the picture carries: an edit by hand. */
function alterGraph(image: Buffer): Buffer {
  const keyword = 'foundry_graph'
  const { text = '' } = readPngText(image).find(each => each.keyword === keyword) ?? {}
  const altered = text.replace(/"steps":\d+/, '"steps":99')
  return withPngText(withoutPngText(image, [keyword]), [{ keyword, text: altered }])
}

/** A PNG whose texts are whole and whose pixels are not. */
function breakPixels(bytes: Buffer): Buffer {
  const broken = Buffer.from(bytes)
  broken.fill(0x5a, broken.indexOf('IDAT') + 40, broken.indexOf('IDAT') + 400)
  return broken
}
