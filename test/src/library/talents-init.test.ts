import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { convertLora } from '../../../src/library/lora-convert.js'
import { initTalent, type InitOptions } from '../../../src/library/talents-init.js'
import { readTalents } from '../../../src/library/talents.js'
import { makeAdapter } from '../../make-adapters.js'
import { makeLora, type LoraOptions } from '../../make-weights.js'

const style = 'avatar.style.ink'
const identity = 'avatar.identity.dot_kairo'
const weights = (more: Partial<LoraOptions> = {}) => makeLora({ family: 'sd15', rank: 8, seed: 1, ...more })

function place(t: Test, bytes: Buffer | string, more: Record<string, string> = {}) {
  const root = t.testdir({ talents: { avatar: {} }, in: { 'lora.safetensors': bytes, ...more } })
  const folders = join(root, 'talents/avatar')
  const init = (id: string, options: Partial<InitOptions> = {}) =>
    initTalent(id, {
      from: join(root, 'in/lora.safetensors'),
      folder: join(folders, id),
      areTagsTaken: true,
      ...options,
    })
  return { root, folders, init }
}

t.test('initTalent makes a kit that has no problem', async t => {
  const bytes = weights()
  const { folders, init } = place(t, bytes)
  const kit = await init(style, { license: 'CC-BY-4.0', token: 'inky' })
  t.same(kit.problems, [])
  const { talents, problems } = await readTalents([folders])
  t.same(problems, [])
  t.match(talents, [
    { id: style, usable: true, file: { lora_rank: 8, sdx_version: '1.5', default_weight: 0.8, token: 'inky' } },
  ])
  const folder = join(folders, style)
  t.same(readdirSync(folder).sort(), ['LICENSE.txt', 'base.txt', 'prompts.json', 'talent.json', 'weights.safetensors'])
  t.ok(readFileSync(join(folder, 'weights.safetensors')).equals(bytes))
  t.equal(readFileSync(join(folder, 'LICENSE.txt'), 'utf8'), 'CC-BY-4.0\n')
  t.match(kit.taken, [/^base model runwayml\/stable-diffusion-v1-5, the usual one/])
  t.same(readdirSync(folders), [style], 'nothing half-made is left')
})

t.test('initTalent reads words, licence and date, and says where each comes from', async t => {
  const metadata = {
    ss_tag_frequency: JSON.stringify({ '10_anna meier': { ink: 9, 'brush strokes': 5, paper: 4, desk: 1 } }),
    'modelspec.license': 'MIT',
    ss_training_finished_at: '1700000000',
  }
  const { init } = place(t, weights({ family: 'sdxl', metadata }))
  const kit = await init(style)
  t.match(kit, {
    file: {
      sdx_version: 'xl',
      base_model: 'stabilityai/stable-diffusion-xl-base-1.0',
      created_at: '2023-11-14T22:13:20.000Z',
      metadata: { license: 'MIT' },
    },
    prompts: { style_prompts: ['ink, brush strokes, paper'] },
  })
  t.match(
    kit.taken.join('\n'),
    /MIT" from modelspec\.license[^]*"ink, brush strokes, paper" from ss_tag_frequency: .*private/,
  )
  t.notMatch(JSON.stringify([kit.file, kit.prompts]), /meier/)
  const without = await init('avatar.style.none', { areTagsTaken: false })
  t.same(without.prompts.style_prompts, [])
  t.notMatch(without.taken.join('\n'), /ink/)
})

t.test('initTalent makes kits of FLUX.1 and SD3', async t => {
  const flux = place(t, weights({ family: 'flux' }))
  t.match(await flux.init(style), {
    problems: [],
    file: { sdx_version: 'flux', base_model: 'black-forest-labs/FLUX.1-dev' },
  })
  const sd3 = place(t, makeAdapter({ family: 'sd3', form: 'peft', rank: 4, seed: 1 }))
  const baseModel = 'stabilityai/stable-diffusion-3.5-medium'
  t.match(await sd3.init(style, { baseModel }), { problems: [], file: { sdx_version: '3', base_model: baseModel } })
})

t.test('initTalent takes the phrase that calls before any tag', async t => {
  const metadata = { 'modelspec.trigger_phrase': 'kairo_x', ss_tag_frequency: '{"a":{"desk":1}}' }
  const { init } = place(t, weights({ metadata }))
  t.match(await init(style), { prompts: { style_prompts: ['kairo_x'] } })
  const kit = await init(identity)
  t.match(kit, { file: { token: 'kairo_x', default_weight: 1 }, prompts: { positive_prompts: ['a kairo_x'] } })
  t.match(await init('avatar.identity.other', { token: 'other', defaultWeight: 0.5 }), {
    file: { token: 'other', default_weight: 0.5 },
    prompts: { positive_prompts: ['a other'] },
  })
})

t.test('initTalent asks at once for everything that it cannot know', async t => {
  const modules = [['lora_unet_mid_block_attentions_0_proj_in', 8, 8]] as const
  const metadata = { ss_tag_frequency: '{"a":{"ohwx":7}}' }
  const { folders, init } = place(t, weights({ modules, metadata }))
  await t.rejects(init(identity), {
    code: 'USAGE_INVALID',
    message:
      /cannot be made .* yet: its base model is not certain \(sd15 or sd2 or sdxl\): add --family .*; .*--token WORD \(its most frequent tags are ohwx\)/,
  })
  t.same(readdirSync(folders), [])
  t.match(await init(identity, { family: 'sdxl', token: 'ohwx' }), { file: { sdx_version: 'xl' } })
})

const refused: Record<
  string,
  { bytes: Buffer | string; id?: string; options?: Partial<InitOptions>; code: string; message: RegExp }
> = {
  'an id that is none': { bytes: weights(), id: '../evil', code: 'USAGE_INVALID', message: /is no id of a talent/ },
  'a model without kits': {
    bytes: weights({ family: 'sd2' }),
    code: 'USAGE_INVALID',
    message: /it is for sd2 .* kits are for sd15, sdxl, sd3, flux/,
  },
  'SD3 without its size': {
    bytes: makeAdapter({ family: 'sd3', form: 'kohya', rank: 4, seed: 1 }),
    code: 'USAGE_INVALID',
    message: /several sizes: add --base-model ID/,
  },
  'a rank that no kit may have': {
    bytes: weights({ rank: 129 }),
    code: 'USAGE_INVALID',
    message: /129 is more than the 128/,
  },
  'a placeholder': { bytes: '# Mock weights file\n', code: 'WEIGHTS_INVALID', message: /not a safetensors file/ },
  'a family that the shapes exclude': {
    bytes: weights(),
    options: { family: 'sdxl' },
    code: 'WEIGHTS_INVALID',
    message: /talent\.json.*sdx_version: the weights are for another base model/,
  },
  'a token that is none': {
    bytes: weights(),
    options: { token: 'two words' },
    code: 'WEIGHTS_INVALID',
    message: /talent\.json.*token/,
  },
}
for (const [title, { bytes, id = style, options, code, message }] of Object.entries(refused))
  t.test(`initTalent refuses ${title}, and leaves nothing`, async t => {
    const { root, folders, init } = place(t, bytes)
    await t.rejects(init(id, options), { code, message })
    t.same(readdirSync(folders), [])
    t.same(readdirSync(root).sort(), ['in', 'talents'])
  })

t.test('initTalent leaves a folder that is there, and wants it to bear the id', async t => {
  const { folders, init } = place(t, weights())
  mkdirSync(join(folders, style))
  writeFileSync(join(folders, style, 'mine.txt'), '')
  await t.rejects(init(style), { code: 'USAGE_INVALID', message: /is there already/ })
  t.same(readdirSync(join(folders, style)), ['mine.txt'])
  await t.rejects(init(style, { folder: join(folders, 'kits') }), { message: /write --to .*kits\/avatar\.style\.ink/ })
  t.notOk(existsSync(join(folders, 'kits')))
})

t.test('initTalent keeps how strong an adapter of PEFT was trained, and not where its owner keeps files', async t => {
  const config = { r: 4, lora_alpha: 8, base_model_name_or_path: '/home/anna/models/x', peft_type: 'LORA' }
  const bytes = makeAdapter({ family: 'sd15', form: 'peft', rank: 4, seed: 1, prefix: 'base_model.model.' })
  const { folders, init } = place(t, bytes, { 'adapter_config.json': JSON.stringify(config) })
  t.match(await init(style), {
    file: { base_model: 'runwayml/stable-diffusion-v1-5' },
    problems: [{ code: 'TALENT_WEIGHTS_IGNORED' }],
  })
  const kept = readFileSync(join(folders, style, 'adapter_config.json'), 'utf8')
  t.same(JSON.parse(kept), { r: 4, lora_alpha: 8 })
  const { after } = await convertLora(join(folders, style, 'weights.safetensors'))
  t.match(after, { verdict: 'loads', alpha: { factor: { usual: 2 } } })
  t.match(await place(t, bytes, { 'adapter_config.json': '{"base_model_name_or_path":"me/own-model"}' }).init(style), {
    file: { base_model: 'me/own-model' },
  })
})
