import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { convertLora } from '../../../src/library/lora-convert.js'
import { inspectLora } from '../../../src/library/lora-inspection.js'
import { type AdapterFamily, makeAdapter } from '../../make-adapters.js'
import { type MadeTensor, writeSafetensors } from '../../make-weights.js'

interface Read {
  metadata: Record<string, string>
  tensors: Map<string, { shape: number[]; dtype: string; bytes: Buffer }>
}

/** Read anew, with nothing of what is tested. */
function readTensors(path: string): Read {
  const file = readFileSync(path)
  const headerEnd = 8 + Number(file.readBigUInt64LE())
  const { __metadata__: metadata, ...entries } = JSON.parse(file.subarray(8, headerEnd).toString()) as Record<
    string,
    never
  >
  const tensors = Object.entries<{ shape: number[]; dtype: string; data_offsets: [number, number] }>(entries).map(
    ([
      name,
      {
        shape,
        dtype,
        data_offsets: [begin, end],
      },
    ]) => [name, { shape, dtype, bytes: file.subarray(headerEnd + begin, headerEnd + end) }] as const,
  )
  return { metadata: metadata ?? {}, tensors: new Map(tensors) }
}

function place(t: Test, bytes: Buffer, adapterConfig?: object) {
  const folder = t.testdir({
    'source.safetensors': bytes,
    ...(adapterConfig && { 'adapter_config.json': JSON.stringify(adapterConfig) }),
  })
  return { source: join(folder, 'source.safetensors'), to: join(folder, 'made.safetensors') }
}

const block = 'down_blocks.1.attentions.0.transformer_blocks.0'
const made = (...shape: number[]): MadeTensor => ({
  dtype: 'F16',
  shape,
  bytes: Buffer.alloc(
    shape.reduce((product, size) => product * size, 2),
    shape.join(),
  ),
})
const pair = (name: string, [inputs, outputs]: [number, number]): [string, MadeTensor][] => [
  [`${name}.lora_A.weight`, made(4, inputs)],
  [`${name}.lora_B.weight`, made(outputs, 4)],
]

t.test('convertLora renames what PEFT saves of a UNet, and adds the alphas it was trained with', async t => {
  const metadata = { format: 'pt', sshs_model_hash: 'a'.repeat(64), note: 'é' }
  const bytes = makeAdapter({ family: 'sd15', form: 'peft', rank: 4, seed: 1, prefix: 'base_model.model.', metadata })
  const { source, to } = place(t, bytes, { r: 4, lora_alpha: 8, alpha_pattern: { 'attn2.to_k': 2 } })
  const conversion = await convertLora(source, { to })
  t.match(conversion, {
    renamed: 6,
    alphas: 3,
    before: { layers: { read: 0 } },
    after: { verdict: 'loads', unread: [] },
  })
  t.not(conversion.before.hash.sha256, conversion.after?.hash.sha256)
  t.match(conversion.after?.alpha, { values: { usual: 8, min: 2, max: 8 }, missing: 0, factor: { usual: 2, min: 0.5 } })
  const { tensors, metadata: now } = readTensors(to)
  t.same(now, { format: 'pt', note: 'é', foundry_converted_from: conversion.before.hash.sha256 })
  const before = readTensors(source).tensors
  for (const [path, name] of Object.entries({
    [`${block}.attn1.to_q`]: 'attn1_to_q',
    [`${block}.attn2.to_k`]: 'attn2_to_k',
    [`${block}.attn2.to_out.0`]: 'attn2_to_out_0',
  })) {
    const module = `lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_${name}`
    t.same(tensors.get(`${module}.lora_down.weight`), before.get(`base_model.model.${path}.lora_A.weight`), name)
    t.same(tensors.get(`${module}.lora_up.weight`), before.get(`base_model.model.${path}.lora_B.weight`), name)
    t.match(tensors.get(`${module}.alpha`), { shape: [], dtype: 'F32' })
  }
  t.equal(tensors.size, 9)
  t.ok(readFileSync(source).equals(bytes), 'the source stays')
  const again = await convertLora(source, { to })
  t.equal(again.after?.hash.sha256, conversion.after?.hash.sha256, 'the same again is the same file')
  t.match(await convertLora(to), { renamed: 0, alphas: 0, after: undefined }, 'and it needs no other')
})

const cases: Record<string, { tensors: [string, MadeTensor][]; config?: object; expected: string[] }> = {
  'the names of diffusers with both text encoders of SDXL': {
    tensors: [
      [`unet.${block}.attn2.to_k.lora.down.weight`, made(4, 2048)],
      [`unet.${block}.attn2.to_k.lora.up.weight`, made(640, 4)],
      ['text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.down.weight', made(4, 768)],
      ['text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight', made(768, 4)],
      ...pair('text_encoder_2.text_model.encoder.layers.31.self_attn.q_proj', [1280, 1280]),
    ],
    expected: [
      'lora_te1_text_model_encoder_layers_0_self_attn_q_proj.alpha',
      'lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight',
      'lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight',
      'lora_te2_text_model_encoder_layers_31_self_attn_q_proj.alpha',
      'lora_te2_text_model_encoder_layers_31_self_attn_q_proj.lora_down.weight',
      'lora_te2_text_model_encoder_layers_31_self_attn_q_proj.lora_up.weight',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.alpha',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight',
    ],
  },
  'older names beside newer ones, an adapter’s name, and an alpha that is there': {
    tensors: [
      [`unet.${block}.attn1.processor.to_out_lora.down.weight`, made(4, 640)],
      [`unet.${block}.attn1.processor.to_out_lora.up.weight`, made(640, 4)],
      [`unet.${block}.attn2.to_k.lora_A.default.weight`, made(4, 768)],
      [`unet.${block}.attn2.to_k.lora_B.default.weight`, made(640, 4)],
      [`unet.${block}.attn2.to_k.alpha`, { dtype: 'F16', shape: [], bytes: Buffer.from([0, 0x3c]) }],
    ],
    expected: [
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0.alpha',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0.lora_down.weight',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0.lora_up.weight',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.alpha',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight',
    ],
  },
  'a text encoder as PEFT saves it': {
    tensors: [
      ...pair('base_model.model.text_model.encoder.layers.11.mlp.fc1', [768, 3072]),
      ...pair(`base_model.model.${block}.attn2.to_k`, [768, 640]),
    ],
    expected: [
      'lora_te_text_model_encoder_layers_11_mlp_fc1.alpha',
      'lora_te_text_model_encoder_layers_11_mlp_fc1.lora_down.weight',
      'lora_te_text_model_encoder_layers_11_mlp_fc1.lora_up.weight',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.alpha',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight',
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight',
    ],
  },
  'PEFT’s prefix for Flux': {
    tensors: pair('base_model.model.single_transformer_blocks.0.proj_out', [15360, 3072]),
    expected: [
      'transformer.single_transformer_blocks.0.proj_out.alpha',
      'transformer.single_transformer_blocks.0.proj_out.lora_A.weight',
      'transformer.single_transformer_blocks.0.proj_out.lora_B.weight',
    ],
  },
  'the alpha alone where the names are fine': {
    tensors: pair('transformer.transformer_blocks.0.attn.to_q', [1536, 1536]),
    config: { r: 4, lora_alpha: 16, use_rslora: true },
    expected: [
      'transformer.transformer_blocks.0.attn.to_q.alpha',
      'transformer.transformer_blocks.0.attn.to_q.lora_A.weight',
      'transformer.transformer_blocks.0.attn.to_q.lora_B.weight',
    ],
  },
}

for (const [title, { tensors, config, expected }] of Object.entries(cases))
  t.test(`convertLora converts ${title}`, async t => {
    const { source, to } = place(t, writeSafetensors(new Map(tensors)), config)
    const { after } = await convertLora(source, { to })
    t.same([...readTensors(to).tensors.keys()].sort(), expected)
    t.match(after, { verdict: 'loads', unread: [], alpha: { missing: 0 }, isConvertible: false })
    if (config) t.equal(after?.alpha.values?.usual, 32, 'alpha times the root of the rank')
  })

t.test('convertLora gives the magnitude of DoRA its name and the shape of a column', async t => {
  const tensors = [
    ...pair(`base_model.model.${block}.attn2.to_k`, [768, 640]),
    [`base_model.model.${block}.attn2.to_k.lora_magnitude_vector`, made(640)] as [string, MadeTensor],
    [`base_model.model.down_blocks.1.resnets.0.conv1.lora_A.weight`, made(4, 320, 3, 3)] as [string, MadeTensor],
    [`base_model.model.down_blocks.1.resnets.0.conv1.lora_B.weight`, made(640, 4, 1, 1)] as [string, MadeTensor],
    [`base_model.model.down_blocks.1.resnets.0.conv1.lora_magnitude_vector`, made(1, 640, 1, 1)] as [
      string,
      MadeTensor,
    ],
  ]
  const { source, to } = place(t, writeSafetensors(new Map(tensors)))
  await convertLora(source, { to })
  const now = readTensors(to).tensors
  t.match(now.get('lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.dora_scale'), {
    shape: [640, 1],
    bytes: made(640).bytes,
  })
  t.same(now.get('lora_unet_down_blocks_1_resnets_0_conv1.dora_scale')?.shape, [640, 1, 1, 1])
})

t.test('convertLora makes every PEFT and diffusers file load whole', async t => {
  for (const family of ['sd15', 'sdxl'] satisfies AdapterFamily[])
    for (const form of ['peft', 'diffusers'] as const)
      for (const prefix of ['unet.', 'base_model.model.', '']) {
        const { source, to } = place(t, makeAdapter({ family, form, rank: 4, seed: 1, prefix }))
        t.match((await convertLora(source, { to })).after, { verdict: 'loads', facts: { family, layout: 'kohya' } })
        t.match((await inspectLora(to)).found?.inspection.facts, { modulesIgnored: 0 }, `${family} ${form} ${prefix}`)
      }
})

t.test('convertLora replaces a file, and keeps the old one beside it', async t => {
  const bytes = makeAdapter({ family: 'sd15', form: 'peft', rank: 4, seed: 1 })
  const { source } = place(t, bytes)
  const folder = join(source, '..')
  t.match(await convertLora(source, { isDryRun: true }), { renamed: 6, after: undefined })
  t.ok(readFileSync(source).equals(bytes), 'a dry run writes nothing')
  const { before, after, kept = '' } = await convertLora(source)
  t.equal(kept, join(folder, `weights-${before.hash.sha256.slice(0, 12)}.safetensors`))
  t.ok(readFileSync(kept).equals(bytes))
  t.equal(after?.verdict, 'loads')
  t.equal(readdirSync(folder).length, 2, 'nothing half-made is left')
  t.notOk((await convertLora(source)).after, 'a second time there is nothing to do')
})

t.test('convertLora refuses, and leaves everything as it was', async t => {
  const peft = makeAdapter({ family: 'sd15', form: 'peft', rank: 4, seed: 1 })
  const { source, to } = place(t, peft)
  writeFileSync(to, 'mine')
  await t.rejects(convertLora(source, { to }), { code: 'USAGE_INVALID', message: /is there already/ })
  t.equal(readFileSync(to, 'utf8'), 'mine')
  await t.rejects(convertLora(source, { to: source }), { code: 'USAGE_INVALID' })
  t.ok(readFileSync(source).equals(peft))

  const twice = place(
    t,
    writeSafetensors(
      new Map(
        [`unet.${block}.attn2.to_k`, `base_model.model.${block}.attn2.to_k`].flatMap(name => pair(name, [768, 640])),
      ),
    ),
  )
  await t.rejects(convertLora(twice.source, { to: twice.to }), { code: 'WEIGHTS_INVALID', message: /same name/ })
  const unknown = place(t, writeSafetensors(new Map(pair('base_model.model.who.knows', [8, 8]))))
  await t.rejects(convertLora(unknown.source, { to: unknown.to }), { code: 'USAGE_INVALID', message: /--family/ })
  await t.rejects(convertLora(join(source, '../none'), { to }), { code: 'WEIGHTS_INVALID' })
  const half = place(t, peft.subarray(0, -1))
  await t.rejects(convertLora(half.source, { to: half.to }), { code: 'WEIGHTS_INVALID' })
  t.notOk(existsSync(half.to))
})

t.test('convertLora takes the family that it is told where the file leaves it open', async t => {
  const { source, to } = place(
    t,
    writeSafetensors(new Map(pair('base_model.model.mid_block.attentions.0.proj_in', [8, 8]))),
  )
  t.match(await convertLora(source, { to, family: 'sdxl' }), { after: { verdict: 'loads', facts: { family: 'sdxl' } } })
})
