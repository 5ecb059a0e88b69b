import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { foundry, foundryJson } from './foundry.js'

const server = await startDraftServer({ faults: { prepared: true } })
t.teardown(() => server.close())
const at = ['--server', server.url]
const kit = 'dot_id: a\nversion: 1.0.0\ndescription: a tall keeper of a lighthouse\n'

t.test('a field that was meant for another is told on stderr and in the answer', async t => {
  const dir = t.testdir({ 'foundry.yaml': '', 'a.yaml': `${kit}slider:\n  mecha: 0\n` })
  const { code, answer, err } = await foundryJson<{ warnings: object[] }>(['render', 'a.yaml', ...at], { cwd: dir })
  t.equal(code, 0)
  t.match(err, /^warning a\.yaml:4:1: slider: .*did you mean "sliders"\?$/m)
  t.match(answer.warnings, [{ code: 'KIT_FIELD_UNKNOWN', line: 4, column: 1, path: 'slider' }])
  t.notMatch(err, /no such talent/, 'that a persona has no LoRA of its own is no news')
})

t.test('an address without its scheme is the mistake of who wrote it', async t => {
  const dir = t.testdir({
    'foundry.yaml': '',
    'a.yaml': kit,
    sick: { 'foundry.yaml': 'servers: [{name: g, url: "gpu1:8188"}]\n' },
  })
  const render = (words: string[], env = {}) => foundry(['render', 'a.yaml', ...words], { cwd: dir, env })
  const option = await render(['--server', 'localhost:8188'])
  t.match(option, { code: 2, err: /--server localhost:8188 is not .*: write --server http:\/\/localhost:8188/ })
  t.notMatch(option.err, /foundry\.yaml/)
  t.match(await render([], { FOUNDRY_SERVER: 'gpu1' }), {
    code: 2,
    err: /FOUNDRY_SERVER=gpu1 .*write FOUNDRY_SERVER=http:\/\/gpu1/,
  })
  const file = await foundry(['doctor'], { cwd: join(dir, 'sick') })
  t.match(file.out, /foundry\.yaml: servers\.g\.url: .*http:\/\/gpu1:8188/)
  const words = ['avatars', '--persona-manifest', 'm.json', '--output-root', '.']
  t.match(await foundry([...words, '--api-url', 'gpu1:8188'], { cwd: dir }), {
    code: 2,
    err: /--api-url gpu1:8188 is not .*: write --api-url http:\/\/gpu1:8188/,
  })
})

t.test('where no server answers, each is told with its cause', async t => {
  const page = createServer((_, response) => response.end('<html>hello'))
  const sick = createServer((_, response) => response.writeHead(502).end())
  const [pageUrl, sickUrl] = await Promise.all([page, sick].map(listen))
  t.teardown(() => [page, sick].forEach(each => each.close()))
  const dir = t.testdir({ 'foundry.yaml': '', 'a.yaml': kit })
  const urls = ['http://127.0.0.1:9', pageUrl ?? '', sickUrl ?? '']
  const { code, err } = await foundry(['render', 'a.yaml', ...urls.flatMap(url => ['--server', url])], { cwd: dir })
  t.equal(code, 3)
  t.match(err, /http:\/\/127\.0\.0\.1:9 [^;]*ECONNREFUSED/)
  t.match(err, new RegExp(`${pageUrl} [^;]*JSON`))
  t.match(err, new RegExp(`${sickUrl} [^;]*502`))
  t.match(err, /pass --server URL/)
})

async function listen(each: Server): Promise<string> {
  await new Promise<void>(resolve => each.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(each.address() as AddressInfo).port}`
}

t.test('a path that leads nowhere is told in full, with what the shell may have made of it', async t => {
  const dir = t.testdir({ 'foundry.yaml': '' })
  const render = async (path: string) => (await foundry(['render', path, ...at], { cwd: dir })).err
  t.match(await render('gone.yaml'), `gone.yaml cannot be read (there is no ${join(dir, 'gone.yaml')})`)
  t.match(await render('nightly/*.yaml'), /the pattern matched no file/)
  t.match(await render('manifests\\a.yaml'), /between folders stands \/: manifests\/a\.yaml/)
  t.match(await render('C:Usersjoa.yaml'), /the shell took the \\ out of it/)
})

t.test('an unknown template or workflow is one error with what there is', async t => {
  const dir = t.testdir({ 'foundry.yaml': '', 'a.yaml': kit })
  interface Answer {
    refused: { problems: { severity: string; code: string; allowed?: string }[] }[]
  }
  const errorsOf = async (...words: string[]) => {
    const { code, answer } = await foundryJson<Answer>(['render', 'a.yaml', ...at, ...words], { cwd: dir })
    t.equal(code, 2)
    return answer.refused.flatMap(each => each.problems).filter(each => each.severity === 'error')
  }
  const template = await errorsOf('--templates', 'portrait-of-a-hero')
  t.match(template, [{ code: 'TEMPLATE_UNKNOWN', allowed: /hero-portrait/ }])
  t.equal(template.length, 1)
  const workflow = await errorsOf('--workflow', 'sd15')
  t.match(workflow, [{ code: 'WORKFLOW_UNKNOWN', allowed: /sd15-text/ }])
  t.equal(workflow.length, 1)
  t.equal((await errorsOf('--workflow', 'gone.json')).length, 1)
})

t.test('a home that is named is never made in passing', async t => {
  const dir = t.testdir({ 'a.yaml': kit, work: { 'a.yaml': kit } })
  const call = { cwd: dir }
  for (const words of [
    ['render', 'a.yaml', ...at],
    ['render', 'a.yaml', '--dry-run', ...at],
    ['daemon', '--draft', '--port', '0'],
  ])
    t.match(
      await foundry([...words, '--home', 'stduio'], call),
      { code: 2, err: /foundry init .*stduio"/ },
      words.join(' '),
    )
  t.notOk(existsSync(join(dir, 'stduio')))
  t.match(
    await foundry(['render', 'a.yaml', ...at], { cwd: join(dir, 'work') }),
    { code: 0 },
    'the current folder may be',
  )
  t.ok(existsSync(join(dir, 'work/.foundry')))
})

t.test('avatars names its own options, and at its end where the avatars lie', async t => {
  const dir = t.testdir({ 'foundry.yaml': '' })
  const files = {
    'run/characters/persona_manifest.json': JSON.stringify([
      { call_id: 'c', speaker: 'S00', persona_path: 'characters/c/left/S00/persona.md' },
    ]),
    'run/characters/c/left/S00/persona.md': 'A tall keeper of a lighthouse.\n',
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), text)
  }
  const avatars = (root: string, url: string) =>
    foundry(
      [
        'avatars',
        '--persona-manifest',
        'run/characters/persona_manifest.json',
        '--output-root',
        root,
        '--api-url',
        url,
      ],
      { cwd: dir },
    )
  t.match(await avatars('rnu', server.url), {
    code: 2,
    err: `--output-root rnu is no folder (looked for ${join(dir, 'rnu')})`,
  })
  t.match(await avatars('run', 'http://127.0.0.1:9'), { code: 3, err: /ECONNREFUSED.*pass --api-url URL/ })
  const folder = join(dir, 'run/comfyui_images/avatar')
  const done = await avatars('run', server.url)
  t.equal(done.code, 0, done.err)
  t.match(done.out, `avatars     ${folder}\n  index     ${folder}/image_manifest.json\n`)
})

t.test('talents sliders lists what a kit may say', async t => {
  const dir = t.testdir({ 'foundry.yaml': '' })
  const { code, out } = await foundry(['talents', 'sliders'], { cwd: dir })
  t.equal(code, 0)
  t.match(out, /^mecha +Mecha \(avatar\.style\.mecha\) +Creature \(avatar\.style\.creature\)$/m)
  t.match(out, /^finishes: flat, gloss, /m)
  t.match(await foundryJson(['talents', 'sliders'], { cwd: dir }), {
    answer: { sliders: [{ slider: 'mecha', left: { label: 'Mecha' } }, { slider: 'animal' }], finishes: ['flat'] },
  })
})
