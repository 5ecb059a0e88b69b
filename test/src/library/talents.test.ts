import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { readTalent, readTalents } from '../../../src/library/talents.js'
import { draftKits, makeLora, withHeader } from '../../make-weights.js'
import { describedTalent } from './sample-talent.js'

const placeholder = '# Mock weights file\n'
const weights = makeLora({ family: 'sd15', rank: 16, seed: 1 })
const style = 'avatar.style.mecha'

type Folder = NonNullable<Parameters<Test['testdir']>[0]>
type KitParts = Record<string, unknown> & { talent?: object }

/** A kit as Talent Factory leaves it, or with other parts: undefined leaves a part out. */
function makeKit(id: string, { talent = {}, ...files }: KitParts = {}): Folder {
  const isIdentity = id.startsWith('avatar.identity.')
  const described = { ...describeKit(id), ...talent }
  const all = {
    'talent.json': JSON.stringify(described, null, 2),
    'weights.safetensors': weights,
    'prompts.json': JSON.stringify({ positive_prompts: [isIdentity ? 'a dot_kairo' : 'mecha'], negative_prompts: [] }),
    'base.txt': 'Base model: runwayml/stable-diffusion-v1-5\r\nSDX version: 1.5\r\nLoRA rank: 16\r\n',
    'LICENSE.txt': 'Private',
    ...files,
  }
  // Every part is text, bytes or a folder of those.
  return Object.fromEntries(Object.entries(all).filter(([, content]) => content !== undefined)) as Folder
}

function describeKit(id: string) {
  return {
    id,
    ...describedTalent,
    ...(id.startsWith('avatar.identity.') && { token: 'dot_kairo' }),
    lora_rank: 16,
    default_weight: 1,
    negatives: 'photo, text,, watermark ',
    created_at: '2025-08-20T14:03:11.218347',
    training_config: { resolution: 640, max_train_steps: 3000, learning_rate: 1e-4, batch_size: 1 },
    metadata: { description: '', tags: [], author: '', license: 'Private' },
  }
}

const factoryIds = [
  'avatar.identity.dot_kairo',
  'avatar.identity.dot_mira',
  'avatar.style.anime_mecha',
  'avatar.style.anime_creature',
  'avatar.style.anime_abstract',
  'avatar.style.anime_animal',
]

function factoryTree(t: Test, bytes: string | Buffer): string {
  const asFound = () => ({
    'LICENSE.txt': undefined,
    examples: { 'placeholder.txt': '' },
    'weights.safetensors': bytes,
  })
  return t.testdir({ talents: { avatar: Object.fromEntries(factoryIds.map(id => [id, makeKit(id, asFound())])) } })
}

t.test('readTalents refuses the weights of six kits as Talent Factory leaves them', async t => {
  const root = factoryTree(t, placeholder)
  const { talents, problems } = await readTalents([join(root, 'talents')], { root })
  t.same(
    talents.map(talent => talent.id),
    [...factoryIds].sort(),
  )
  for (const talent of talents) {
    t.equal(talent.usable, false)
    t.notOk(talent.weights)
    t.match(talent.problems, [
      {
        severity: 'error',
        code: 'TALENT_WEIGHTS_PLACEHOLDER',
        message: /20 bytes, never sent to a server: .*header length 8583978964581425187 exceeds the limit/,
        file: `talents/avatar/${talent.id}/weights.safetensors`,
      },
      { severity: 'warning', code: 'TALENT_LICENSE_MISSING' },
      { severity: 'warning', code: 'TALENT_EXAMPLES_FEW' },
    ])
  }
  t.equal(problems.length, 18)
})

t.test('readTalents takes the same six kits with weights', async t => {
  const { talents, refused, problems } = await readTalents([factoryTree(t, weights)])
  t.equal(talents.length, 6)
  t.same(refused, [])
  t.ok(talents.every(talent => talent.usable))
  t.ok(problems.every(problem => problem.severity === 'warning'))
  t.match(
    talents.find(talent => talent.id === 'avatar.identity.dot_kairo'),
    {
      role: 'identity',
      token: 'dot_kairo',
      negatives: ['photo', 'text', 'watermark'],
      file: { default_weight: 1, lora_rank: 16 },
      prompts: { positive_prompts: ['a dot_kairo'] },
      weights: {
        sizeBytes: weights.length,
        sha256: /^[0-9a-f]{64}$/,
        tensorSha256: /^[0-9a-f]{64}$/,
        family: 'sd15',
        rank: 16,
        layout: 'kohya',
        hasTextEncoder: false,
        modulesIgnored: 0,
        isDraft: false,
      },
    },
  )
  t.notOk('token' in (talents.find(talent => talent.role === 'style') ?? {}))
})

const identity = 'avatar.identity.dot_kairo'
const notLora = withHeader('{"model.weight":{"dtype":"U8","shape":[2000],"data_offsets":[0,2000]}}', Buffer.alloc(2000))
const peft = makeLora({
  family: 'sd15',
  rank: 16,
  seed: 1,
  modules: [['base_model.model.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k', 768, 64]],
})

interface KitCase {
  id?: string
  kit: KitParts
  found: { code: string; severity?: string; path?: string; line?: number; found?: string }[]
}

const kits: Record<string, KitCase> = {
  'a whole kit': { kit: {}, found: [] },
  'an identity': { id: identity, kit: {}, found: [] },
  'a date with a zone': { kit: { talent: { created_at: '2025-08-20T14:03:11+02:00' } }, found: [] },
  'a date that is none': {
    kit: { talent: { created_at: 'yesterday' } },
    found: [{ code: 'TALENT_DATE_INVALID', path: 'created_at', found: 'yesterday' }],
  },
  'a month that is none': {
    kit: { talent: { created_at: '2025-13-20T14:03:11' } },
    found: [{ code: 'TALENT_DATE_INVALID' }],
  },
  'another id than the folder': {
    kit: { talent: { id: 'avatar.style.other' } },
    found: [{ code: 'TALENT_ID_MISMATCH', severity: 'error', path: 'id', line: 2, found: 'avatar.style.other' }],
  },
  'an identity without a token': {
    id: identity,
    kit: { talent: { token: undefined } },
    found: [{ code: 'TALENT_TOKEN_MISSING', severity: 'error', path: 'token' }],
  },
  'prompts without the token': {
    id: identity,
    kit: { 'prompts.json': '{"positive_prompts": ["a girl"]}' },
    found: [{ code: 'TALENT_PROMPT_WITHOUT_TOKEN', path: 'positive_prompts[0]', line: 1 }],
  },
  'prompts that are no prompts': {
    kit: { 'prompts.json': '{"positive_prompts": "mecha"}' },
    found: [{ code: 'DOCUMENT_TYPE', severity: 'error', path: 'positive_prompts' }],
  },
  'no prompts': { kit: { 'prompts.json': undefined }, found: [{ code: 'TALENT_PROMPTS_MISSING' }] },
  'no licence': { kit: { 'LICENSE.txt': undefined }, found: [{ code: 'TALENT_LICENSE_MISSING' }] },
  'two examples': { kit: { examples: { 'a.png': '', 'b.JPG': '' } }, found: [{ code: 'TALENT_EXAMPLES_FEW' }] },
  'three examples': { kit: { examples: { 'a.png': '', 'b.jpg': '', 'c.jpeg': '' } }, found: [] },
  'another size': {
    kit: { talent: { size_mb: 0.5 } },
    found: [{ code: 'TALENT_SIZE_MISMATCH', path: 'size_mb', line: 9, found: '0.5' }],
  },
  'another rank': {
    kit: { talent: { lora_rank: 8 }, 'base.txt': undefined },
    found: [{ code: 'TALENT_RANK_MISMATCH', path: 'lora_rank', found: '8' }],
  },
  'another base text': {
    kit: { 'base.txt': 'Base model: other\nSDX version: 1.5\nLoRA rank: 32\nNote: free' },
    found: [
      { code: 'TALENT_BASE_MISMATCH', line: 1, found: 'other' },
      { code: 'TALENT_BASE_MISMATCH', line: 3, found: '32' },
    ],
  },
  // The lines are read in one pass, whatever stands in them.
  'a base text of nothing but spaces, and names of the prototype': {
    kit: { 'base.txt': `${' '.repeat(60_000)}\nconstructor: x\n__proto__: y\nLoRA rank: 32` },
    found: [{ code: 'TALENT_BASE_MISMATCH', line: 4, found: '32' }],
  },
  'weights for another base model': {
    kit: { 'weights.safetensors': makeLora({ family: 'sdxl', rank: 16, seed: 1 }) },
    found: [{ code: 'TALENT_FAMILY_MISMATCH', severity: 'error', path: 'sdx_version' }],
  },
  'weights for another base model by their metadata alone': {
    kit: {
      'weights.safetensors': makeLora({
        family: 'sd15',
        rank: 16,
        seed: 1,
        modules: [['lora_unet_conv_in', 64, 64]],
        metadata: { ss_base_model_version: 'sdxl_base_v1-0' },
      }),
    },
    found: [{ code: 'TALENT_FAMILY_MISMATCH', severity: 'warning' }],
  },
  'metadata that contradicts the shapes': {
    kit: { 'weights.safetensors': makeLora({ family: 'sd15', rank: 16, seed: 1, metadata: { ss_v2: 'True' } }) },
    found: [{ code: 'TALENT_METADATA_CONTRADICTS', found: 'sd2' }],
  },
  'names that ComfyUI passes over': {
    kit: { 'weights.safetensors': peft },
    found: [{ code: 'TALENT_WEIGHTS_IGNORED' }],
  },
  'weights that are no LoRA': {
    kit: { 'weights.safetensors': notLora },
    found: [{ code: 'TALENT_WEIGHTS_NOT_LORA', severity: 'error' }],
  },
  'half of the weights': {
    kit: { 'weights.safetensors': weights.subarray(0, -1) },
    found: [{ code: 'SAFETENSORS_LAYOUT_INVALID', severity: 'error' }],
  },
  'no weights': {
    kit: { 'weights.safetensors': undefined },
    found: [{ code: 'TALENT_WEIGHTS_MISSING', severity: 'error' }],
  },
  'weights that are a folder': {
    kit: { 'weights.safetensors': {} },
    found: [{ code: 'FILE_NOT_REGULAR', severity: 'error' }],
  },
  'a base text that is a folder': { kit: { 'base.txt': {} }, found: [{ code: 'FILE_NOT_REGULAR', severity: 'error' }] },
}

for (const [title, { id = style, kit, found }] of Object.entries(kits))
  t.test(`readTalent reads ${title}`, async t => {
    const folder = join(t.testdir({ [id]: makeKit(id, kit) }), id)
    const { talent, problems } = await readTalent(folder)
    const expected = found.map(each => ({ severity: 'warning', ...each }))
    t.match(problems, expected)
    t.equal(problems.length, expected.length, 'no more problems')
    t.equal(talent?.usable, !expected.some(each => each.severity === 'error'))
    t.ok(problems.every(problem => problem.file?.startsWith(relative('', folder))))
  })

t.test('readTalent gives no talent without a talent.json, and still looks at the rest', async t => {
  const cases: Record<string, [file: string | undefined, code: string]> = {
    missing: [undefined, 'TALENT_FILE_MISSING'],
    broken: ['{"id": ', 'DOCUMENT_INCOMPLETE'],
    empty: ['{}', 'DOCUMENT_REQUIRED'],
  }
  for (const [title, [file, code]] of Object.entries(cases)) {
    const kit = makeKit(style, { 'talent.json': file, 'weights.safetensors': placeholder })
    const { talent, problems } = await readTalent(join(t.testdir({ [style]: kit }), style))
    t.notOk(talent, title)
    t.match(problems[0], { severity: 'error', code })
    t.ok(problems.some(problem => problem.code === 'TALENT_WEIGHTS_PLACEHOLDER'))
  }
})

t.test('readTalent reports what is wrong in talent.json all at once, with lines', async t => {
  const talent = { sdx_version: '2.1', lora_rank: 500, default_weight: '1', unheard: true }
  const { problems } = await readTalent(join(t.testdir({ [style]: makeKit(style, { talent }) }), style))
  const errors = problems.filter(problem => problem.severity === 'error')
  t.same(errors.map(problem => problem.path).sort(), ['default_weight', 'lora_rank', 'sdx_version', 'unheard'])
  t.ok(errors.every(problem => (problem.line ?? 0) > 1))
})

t.test('readTalent names files by their whole path where they lie outside of the root', async t => {
  const root = t.testdir({ home: {}, kits: { [style]: makeKit(style, { 'LICENSE.txt': undefined }) } })
  const folder = join(root, 'kits', style)
  t.match(await readTalent(folder, { root: join(root, 'home') }), { problems: [{ file: join(folder, 'LICENSE.txt') }] })
  t.match(await readTalent(folder, { root }), { problems: [{ file: join('kits', style, 'LICENSE.txt') }] })
})

t.test('readTalent says what became of a folder that is gone', async t => {
  const { talent, problems } = await readTalent(join(t.testdir({}), 'none'))
  t.notOk(talent)
  t.match(problems[0], { severity: 'error', code: 'FILE_UNREADABLE' })
})

t.test('readTalents finds kits four folders down, each once', async t => {
  const kit = makeKit(style)
  const root = t.testdir({
    a: { b: { c: { [style]: kit } } },
    deep: { a: { b: { c: { 'avatar.style.deep': makeKit('avatar.style.deep') } } } },
    '.hidden': { 'avatar.style.hidden': makeKit('avatar.style.hidden') },
    note: { 'readme.txt': '' },
  })
  symlinkSync(root, join(root, 'a', 'loop'))
  symlinkSync(join(root, 'nowhere'), join(root, 'broken'))
  symlinkSync(join(root, 'a'), join(root, 'again'))
  const { talents, problems } = await readTalents([root, join(root, 'a'), join(root, 'none')])
  t.same(
    talents.map(talent => talent.id),
    [style],
  )
  t.same(problems, [])
})

t.test('readTalents takes a folder that is itself a kit, and follows links to kits', async t => {
  const root = t.testdir({ store: { [style]: makeKit(style) }, talents: {} })
  t.equal((await readTalents([join(root, 'store', style)])).talents.length, 1)
  symlinkSync(join(root, 'store', style), join(root, 'talents', style))
  t.equal((await readTalents([join(root, 'talents')])).talents.length, 1)
})

t.test('readTalents names a kit that lost its talent.json', async t => {
  const root = t.testdir({ [style]: makeKit(style, { 'talent.json': undefined }) })
  const { talents, refused, problems } = await readTalents([root])
  t.same(talents, [])
  t.match(refused, [{ folder: join(root, style), problems: [{ code: 'TALENT_FILE_MISSING' }] }])
  t.equal(problems.length, refused[0]?.problems.length)
})

t.test('readTalents keeps the first of two kits with the same id', async t => {
  const root = t.testdir({ one: { [style]: makeKit(style) }, two: { [style]: makeKit(style) } })
  const { talents, refused, problems } = await readTalents([join(root, 'two'), join(root, 'one')])
  t.match(talents, [{ folder: join(root, 'two', style) }])
  t.match(refused, [{ folder: join(root, 'one', style) }])
  t.match(problems, [{ severity: 'error', code: 'TALENT_DUPLICATE' }])
})

t.test('readTalents says that a folder cannot be looked through', async t => {
  const root = t.testdir({ file: '' })
  t.match(await readTalents([join(root, 'file')]), { talents: [], problems: [{ code: 'TALENT_FOLDER_UNREADABLE' }] })
})

t.test('readTalents reads 200 kits with one weights file each', async t => {
  const root = t.testdir({})
  for (let at = 0; at < 200; at++) {
    const id = `avatar.style.n${at}`
    mkdirSync(join(root, id))
    writeFileSync(join(root, id, 'talent.json'), JSON.stringify(describeKit(id)))
    writeFileSync(join(root, id, 'weights.safetensors'), weights)
  }
  t.equal((await readTalents([root])).talents.filter(talent => talent.usable).length, 200)
})

t.test('the shipped kits load without a problem, as drafts', async t => {
  const { talents, problems } = await readTalents([findShipped()])
  t.same(problems, [])
  t.same(
    talents.map(talent => talent.id),
    Object.keys(draftKits).sort(),
  )
  for (const { id, usable, weights, file } of talents) {
    t.ok(usable)
    t.match(weights, { isDraft: true, family: 'sd15', hasTextEncoder: false })
    t.ok(file.metadata?.tags?.includes('draft'))
    t.ok(file.intended_mix?.every(other => other in draftKits))
    const options = draftKits[id]
    t.ok(options && readFileSync(weights?.path ?? '').equals(makeLora(options)), `${id} is made by make-weights`)
  }
})

/** Data is not compiled: it lies in the source tree, beside the folder that is run. */
function findShipped(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return join(folder, 'talents')
}
