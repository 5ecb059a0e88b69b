import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { makeAdapter } from '../make-adapters.js'
import { makeLora } from '../make-weights.js'
import { describedTalent } from '../src/library/sample-talent.js'
import { tinyTemplates } from '../tiny-templates.js'
import { foundry, foundryJson } from './foundry.js'

t.setTimeout(120_000)

const placeholder = '# Mock weights file\n'
const poles = ['anime_mecha', 'anime_creature', 'anime_abstract', 'anime_animal']
const ids = ['avatar.identity.dot_kairo', 'avatar.identity.dot_mira', ...poles.map(pole => `avatar.style.${pole}`)]

/** Six kits as Talent Factory lays them out, and the sliders that name four of them. */
function factoryHome(weightsOf: (at: number) => string | Buffer) {
  const kit = (id: string, at: number) => {
    const [, token] = /identity\.(\w+)/.exec(id) ?? []
    const words = token ? { positive_prompts: [`a ${token}`] } : { style_prompts: [id.split('_').at(-1)] }
    return {
      'talent.json': JSON.stringify({ id, ...describedTalent, ...(token && { token }) }),
      'prompts.json': JSON.stringify({ positive_prompts: [], negative_prompts: [], style_prompts: [], ...words }),
      'base.txt': 'Base model: runwayml/stable-diffusion-v1-5\nSDX version: 1.5\nLoRA rank: 4\n',
      'weights.safetensors': weightsOf(at),
      examples: { 'placeholder.txt': '' },
      controls: {},
    }
  }
  const pole = (at: number) => ({ label: poles[at], talent: `avatar.style.${poles[at]}` })
  const sliders = { mecha: { left: pole(0), right: pole(1) }, animal: { left: pole(2), right: pole(3) } }
  return {
    'foundry.yaml': '',
    talents: { avatar: Object.fromEntries(ids.map((id, at) => [id, kit(id, at)])) },
    plugins: { 'styles-anime': { 'style.yaml': JSON.stringify({ $schema: 'style/1', name: 'anime', sliders }) } },
    templates: tinyTemplates,
    'kairo.json': JSON.stringify({ dot_id: 'kairo', version: '1.0.0', sliders: { mecha: 0.2, animal: 0.9 } }),
    loras: {},
  }
}

const trained = (at: number) => makeLora({ family: 'sd15', rank: 4, seed: 100 + at })

t.test('six kits with placeholders are refused everywhere, each for that reason', async t => {
  const call = { cwd: t.testdir(factoryHome(() => placeholder)) }
  const { code, answer } = await foundryJson<{ usable: string[]; problems: { code: string; file: string }[] }>(
    ['talents', 'validate'],
    call,
  )
  t.equal(code, 1)
  t.same(answer.usable, [])
  const refused = answer.problems.filter(each => each.code === 'TALENT_WEIGHTS_PLACEHOLDER').map(each => each.file)
  t.same(refused.sort(), ids.map(id => `talents/avatar/${id}/weights.safetensors`).sort())
  t.match(await foundryJson(['talents', 'index'], call), { answer: [] })
  t.match(await foundryJson(['talents', 'check'], call), {
    code: 1,
    answer: { failed: 6, files: ids.map(() => ({ problems: [{ message: /header length 8583978964581425187/ }] })) },
  })
  const deployed = await foundryJson<{ placements: object[] }>(['talents', 'deploy', ...ids, '--to', 'loras'], call)
  t.equal(deployed.code, 1)
  t.match(
    deployed.answer.placements,
    ids.map(kit => ({ kit, state: 'refused', reason: /placeholder of 20 bytes/ })),
  )
  t.match(await foundryJson(['talents', 'deploy', '--to', 'loras'], call), {
    code: 0,
    answer: { placements: [], leftOut: [{}, {}, {}, {}, {}, {}] },
  })
  t.same(readdirSync(join(call.cwd, 'loras')), [])
})

t.test('the same six kits with weights are valid, indexed, mixed, deployed and rendered', async t => {
  const home = t.testdir(factoryHome(trained))
  const call = { cwd: home }
  t.match(await foundry(['talents', 'validate'], call), { code: 0, out: /6 of 6 kits can be used\n/ })
  t.match(await foundryJson<{ id: string }[]>(['talents', 'index'], call), {
    answer: ids.toSorted().map(id => ({ id })),
  })
  t.match(await foundryJson(['talents', 'check'], call), { code: 0, answer: { failed: 0 } })

  const checkpoints = { 'v1-5-pruned-emaonly-fp16.safetensors': { sizeBytes: 1000 } }
  const start = async (loras: Record<string, { sizeBytes: number }>) => {
    const server = await startDraftServer({
      isDisguised: true,
      models: { checkpoints, loras },
      faults: { prepared: true },
    })
    t.teardown(() => server.close())
    return server
  }
  const words = ['kairo.json', '--templates', 'tiny', '--server']
  const bare = await start({})
  t.match(await foundry(['render', ...words, bare.url], call), {
    code: 1,
    out: /no LoRA of talent "avatar\.identity\.dot_kairo".*"foundry talents deploy"/,
  })

  const folder = join(home, 'loras')
  t.match(await foundry(['talents', 'deploy', '--to', 'loras'], call), { code: 0, out: /6 files put/ })
  const names = readdirSync(folder)
  const server = await start(
    Object.fromEntries(names.map(name => [name, { sizeBytes: statSync(join(folder, name)).size }])),
  )
  const { code, answer, err } = await foundryJson<{ runs: { folder: string }[] }>(
    ['render', ...words, server.url, '--fresh'],
    call,
  )
  t.equal(code, 0, err)
  const trace = readFileSync(join(answer.runs[0]?.folder ?? '', 'images/kairo/tiny-0001.trace.json'), 'utf8')
  const { request } = JSON.parse(trace) as {
    request: { prompt: object; loras: { talent: string; effective: number }[] }
  }
  const used = ['avatar.identity.dot_kairo', 'avatar.style.anime_animal', 'avatar.style.anime_mecha']
  t.same(request.loras.map(lora => lora.talent).sort(), used)
  t.ok(request.loras.every(lora => lora.effective > 0))
  t.notMatch((await foundry(['doctor', '--server', server.url], call)).out, /lacks its LoRA/)
  const stale = await start({ 'avatar.style.anime_mecha-000000000000.safetensors': { sizeBytes: 1000 } })
  const missing = /talent (\S+): \S+ lacks its LoRA\n.*"foundry talents deploy/g
  const told = (await foundry(['doctor', '--server', stale.url], call)).out.matchAll(missing)
  t.same([...told].map(([, id]) => id).sort(), ids.toSorted(), 'weights of an earlier training are not those')
  t.equal(server.ledger.length, 1)
  t.equal(bare.ledger.length, 0)
})

t.test('talents deploy links, copies, leaves what is there, and writes over nothing', async t => {
  const home = t.testdir({
    ...factoryHome(trained),
    'foundry.yaml': JSON.stringify({
      servers: [
        { name: 'one', url: 'http://127.0.0.1:9', loraFolder: 'loras' },
        { name: 'two', url: 'http://127.0.0.1:10', loraFolder: 'loras' },
        { name: 'three', url: 'http://127.0.0.1:11' },
      ],
    }),
  })
  const call = { cwd: home }
  const [id = ''] = ids
  const weights = join(home, 'talents/avatar', id, 'weights.safetensors')
  const deploy = async (...words: string[]) => {
    const { code, answer } = await foundryJson<{ placements: { state: string; name: string; reason?: string }[] }>(
      ['talents', 'deploy', ...words],
      call,
    )
    return { code, states: answer.placements?.map(each => each.state), placements: answer.placements }
  }
  t.match(await deploy('--dry-run'), { code: 0, states: Array(6).fill('planned') })
  t.same(readdirSync(join(home, 'loras')), [])
  const first = await deploy(id)
  t.match(first, { code: 0, states: ['linked'] }, 'one folder of two servers')
  const name = first.placements[0]?.name ?? ''
  t.match(name, new RegExp(`^${id}-[0-9a-f]{12}\\.safetensors$`))
  t.equal(statSync(join(home, 'loras', name)).ino, statSync(weights).ino)
  t.match(await deploy(id), { code: 0, states: ['there'] })

  mkdirSync(join(home, 'copies'))
  t.match(await deploy(id, '--to', 'copies', '--copy'), { code: 0, states: ['copied'] })
  t.not(statSync(join(home, 'copies', name)).ino, statSync(weights).ino)
  t.ok(readFileSync(join(home, 'copies', name)).equals(readFileSync(weights)))
  writeFileSync(join(home, 'copies', name), 'mine')
  t.match(await deploy(id, '--to', 'copies'), {
    code: 1,
    placements: [{ state: 'refused', reason: /there already, with other bytes/ }],
  })
  t.equal(readFileSync(join(home, 'copies', name), 'utf8'), 'mine')

  renameSync(weights, join(home, 'elsewhere.safetensors'))
  symlinkSync('../../../elsewhere.safetensors', weights)
  mkdirSync(join(home, 'far'))
  t.match(await deploy(id, '--to', 'far'), { code: 0, states: ['linked'] })
  t.ok(readFileSync(join(home, 'far', name)).length > 0, 'a link leads to the file from there, too')
})

t.test('talents deploy refuses drafts, what ComfyUI would ignore, and folders that are not there', async t => {
  const home = t.testdir({
    ...factoryHome(at =>
      at === 0
        ? makeLora({ family: 'sd15', rank: 4, seed: 1, draft: true })
        : makeAdapter({ family: 'sd15', form: 'peft', rank: 4, seed: 1 }),
    ),
    none: {
      'foundry.yaml': JSON.stringify({
        servers: [
          { name: 'a', url: 'http://127.0.0.1:9', loraFolder: 'x' },
          { name: 'b', loraFolder: 'y' },
        ],
      }),
    },
  })
  const call = { cwd: home }
  t.match(await foundry(['talents', 'deploy', ids[0] ?? '', ids[1] ?? '', '--to', 'loras'], call), {
    code: 1,
    out: /refused +avatar\.identity\.dot_kairo, since its weights are made for drafts[^]*dot_mira, since ComfyUI would pass over all/,
  })
  t.match(await foundry(['talents', 'deploy', '--to', 'loras'], call), { code: 0, err: /left out: .*dot_kairo, since/ })
  t.match(await foundry(['talents', 'deploy', 'avatar.style.none', '--to', 'loras'], call), {
    code: 2,
    err: /known are/,
  })
  t.match(await foundry(['talents', 'deploy'], call), { code: 2, err: /--to FOLDER, or set "loraFolder"/ })
  t.match(await foundry(['talents', 'deploy', '--to', 'gone'], call), { code: 2, err: /no such folder/ })
  t.match(await foundry(['talents', 'deploy'], { cwd: join(home, 'none') }), {
    code: 2,
    err: /servers\.a\.loraFolder: .*no such folder[^]*servers\.b\.loraFolder/,
  })
  t.same(readdirSync(join(home, 'loras')), [])
})
