import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hasErrors } from '../../../src/errors.js'
import { inspectLora } from '../../../src/library/lora-inspection.js'
import { type AdapterForm, adapterFamilies, adapterForms, makeAdapter } from '../../make-adapters.js'
import { makeLora, type MadeTensor, seededRandom, withHeader, writeSafetensors } from '../../make-weights.js'

async function inspect(t: Test, bytes: Uint8Array, adapterConfig?: object) {
  const folder = t.testdir(adapterConfig ? { 'adapter_config.json': JSON.stringify(adapterConfig) } : {})
  const path = join(folder, 'lora.safetensors')
  writeFileSync(path, bytes)
  return inspectLora(path, { file: 'lora.safetensors' })
}

const layouts: Readonly<Record<AdapterForm, string>> = {
  kohya: 'kohya',
  peft: 'peft',
  diffusers: 'diffusers',
  loha: 'loha',
  lokr: 'lokr',
  dora: 'kohya',
}

for (const family of adapterFamilies)
  for (const form of adapterForms)
    t.test(`inspectLora reads ${form} for ${family}`, async t => {
      const isElsewhere = form === 'peft' || form === 'diffusers'
      const isUnread = isElsewhere && (family === 'sd15' || family === 'sdxl')
      const bytes = makeAdapter({ family, form, rank: 8, seed: 1, alpha: 4 })
      const { found, problems } = await inspect(t, bytes, isElsewhere ? { r: 8, lora_alpha: 4 } : undefined)
      t.match(found?.inspection, {
        verdict: isUnread ? 'nothing' : 'loads',
        facts: { family, layout: layouts[form], rank: { usual: 8, min: 8, max: 8 } },
        dtypes: { F16: Number },
        alpha: isElsewhere
          ? { values: undefined, missing: Number, factor: { usual: 1 }, meant: { factor: { usual: 0.5 } } }
          : { values: { usual: 4, min: 4, max: 4 }, missing: 0, factor: { usual: 0.5 } },
        isConvertible: isElsewhere,
        hash: { sha256: /^[0-9a-f]{64}$/, tensorSha256: /^[0-9a-f]{64}$/ },
      })
      t.same(
        problems.map(each => each.code),
        isElsewhere ? ['LORA_ALPHA_UNREAD'] : [],
      )
    })

t.test('inspectLora reads alphas of every type, and tells where one is missing', async t => {
  for (const alphaType of ['F16', 'BF16', 'F32'] as const) {
    const { found } = await inspect(
      t,
      makeAdapter({ family: 'sdxl', form: 'kohya', rank: 32, seed: 1, alpha: 12.5, alphaType }),
    )
    t.equal(found?.inspection.alpha.values?.usual, 12.5, alphaType)
    t.equal(found?.inspection.alpha.factor?.usual, 12.5 / 32)
  }
  const { found } = await inspect(t, makeAdapter({ family: 'sd15', form: 'kohya', rank: 4, seed: 1, alpha: null }))
  t.match(found?.inspection.alpha, { missing: 3, factor: { usual: 1 } })
  t.notOk(found?.inspection.alpha.values)
})

const peft = { family: 'sd15', form: 'peft', rank: 4, seed: 1 } as const
const block = 'down_blocks.1.attentions.0.transformer_blocks.0'
const half = (...shape: number[]): MadeTensor => ({
  dtype: 'F16',
  shape,
  bytes: Buffer.alloc(shape.reduce((product, size) => product * size, 2)),
})

function pair(name: string, [inputs, outputs]: [number, number]): [string, MadeTensor][] {
  return [
    [`${name}.lora_A.weight`, half(4, inputs)],
    [`${name}.lora_B.weight`, half(outputs, 4)],
  ]
}

t.test('inspectLora says what is passed over, and why', async t => {
  const cases: Record<string, { bytes: Buffer; verdict: string; read: number; unread: object[] }> = {
    'PEFT as it saves a UNet': {
      bytes: makeAdapter({ ...peft, prefix: 'base_model.model.' }),
      verdict: 'nothing',
      read: 0,
      unread: [
        { reason: 'peft-prefix', layers: 3, examples: [`base_model.model.${block}.attn1.to_q`, String, String] },
      ],
    },
    'dotted attention beside the rest': {
      bytes: writeSafetensors(
        new Map([...pair(`unet.${block}.attn2.to_k`, [768, 640]), ...pair(`unet.${block}.ff.net.0.proj`, [640, 5120])]),
      ),
      verdict: 'partly',
      read: 1,
      unread: [{ reason: 'dotted-attention', layers: 1 }],
    },
    'the older names of diffusers': {
      bytes: writeSafetensors(
        new Map([
          [`unet.${block}.attn2.processor.to_k_lora.down.weight`, half(4, 768)],
          [`unet.${block}.attn2.processor.to_k_lora.up.weight`, half(640, 4)],
          [`unet.${block}.attn2.processor.to_out_lora.down.weight`, half(4, 640)],
          [`unet.${block}.attn2.processor.to_out_lora.up.weight`, half(640, 4)],
        ]),
      ),
      verdict: 'loads',
      read: 2,
      unread: [],
    },
    'layers of another model, and of none': {
      bytes: makeLora({
        family: 'sdxl',
        rank: 4,
        seed: 1,
        modules: [
          ['lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k', 2048, 640],
          ['lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q', 320, 320],
          ['lora_te2_text_model_encoder_layers_31_mlp_fc1', 1280, 5120],
          ['lora_te1_text_model_encoder_layers_12_mlp_fc1', 768, 3072],
          ['lora_what', 8, 8],
        ],
      }),
      verdict: 'partly',
      read: 2,
      unread: [
        { reason: 'no-such-layer', layers: 2 },
        { reason: 'unknown-name', layers: 1 },
      ],
    },
    'half of a layer': {
      bytes: writeSafetensors(
        new Map([[`lora_unet_${block.replaceAll('.', '_')}_attn2_to_k.lora_down.weight`, half(4, 768)]]),
      ),
      verdict: 'nothing',
      read: 0,
      unread: [{ reason: 'half', layers: 1 }],
    },
    'the magnitude of DoRA by its name in PEFT': {
      bytes: writeSafetensors(
        new Map([
          ...pair('transformer.transformer_blocks.0.attn.to_q', [3072, 3072]),
          ...pair('transformer.single_transformer_blocks.0.proj_out', [15360, 3072]),
          ['transformer.transformer_blocks.0.attn.to_q.lora_magnitude_vector', half(3072)],
        ]),
      ),
      verdict: 'loads',
      read: 2,
      unread: [{ reason: 'magnitude-name', layers: 1 }],
    },
    'PEFT’s prefix for Flux': {
      bytes: makeAdapter({ ...peft, family: 'flux', prefix: 'base_model.model.' }),
      verdict: 'nothing',
      read: 0,
      unread: [{ reason: 'peft-prefix', layers: 2 }],
    },
    'PEFT’s prefix for SD 3': {
      bytes: makeAdapter({ ...peft, family: 'sd3', prefix: 'base_model.model.' }),
      verdict: 'loads',
      read: 2,
      unread: [],
    },
    'no prefix for Flux': {
      bytes: makeAdapter({ ...peft, family: 'flux', prefix: '' }),
      verdict: 'nothing',
      read: 0,
      unread: [{ reason: 'no-prefix', layers: 2 }],
    },
    'a model whose names are not known': {
      bytes: writeSafetensors(new Map(pair('diffusion_model.blocks.0.cross_attn.k', [1536, 1536]))),
      verdict: 'unjudged',
      read: 1,
      unread: [],
    },
  }
  for (const [title, { bytes, verdict, read, unread }] of Object.entries(cases)) {
    const { found } = await inspect(t, bytes)
    t.equal(found?.inspection.verdict, verdict, title)
    t.equal(found?.inspection.layers.read, read, title)
    t.match(found?.inspection.unread, unread, title)
    t.equal(found?.inspection.unread.length, unread.length, title)
  }
})

t.test('inspectLora counts encoder layers and tensors of no layer', async t => {
  const lora = makeLora({ family: 'sd15', rank: 4, seed: 1, textEncoder: true })
  t.match((await inspect(t, lora)).found?.inspection, {
    layers: { all: 3, read: 3, textEncoder: 1 },
    strays: { tensors: 0 },
  })
  const odd = writeSafetensors(
    new Map([...pair('diffusion_model.x', [8, 8]), ['model.weight', half(4)], ['y.alpha', half(1)]]),
  )
  t.match((await inspect(t, odd)).found?.inspection.strays, { tensors: 2, examples: ['model.weight', 'y.alpha'] })
})

const told = { family: 'sd15', form: 'kohya', rank: 8, seed: 1, alpha: 4 } as const
const contradictions: Record<string, { bytes: Buffer; found: object[] }> = {
  'nothing where they agree': {
    bytes: makeAdapter({
      ...told,
      metadata: { ss_network_dim: '8', ss_network_alpha: '4.0', ss_base_model_version: 'sd_v1' },
    }),
    found: [],
  },
  'nothing of a known bad hash and of words': {
    bytes: makeAdapter({
      ...told,
      metadata: { sshs_model_hash: 'e3b0c44298fc1c14', ss_network_dim: 'Dynamic', ss_network_alpha: 'None' },
    }),
    found: [],
  },
  'another rank': {
    bytes: makeAdapter({ ...told, metadata: { ss_network_dim: '16' } }),
    found: [{ code: 'LORA_METADATA_CONTRADICTS', found: '16', allowed: '8' }],
  },
  'another alpha': {
    bytes: makeAdapter({ ...told, metadata: { ss_network_alpha: '1' } }),
    found: [{ found: '1', allowed: '4' }],
  },
  'another model': {
    bytes: makeAdapter({ ...told, metadata: { ss_base_model_version: 'sdxl_base_v1-0' } }),
    found: [{ found: 'sdxl', allowed: 'sd15' }],
  },
  'other tensors': {
    bytes: makeAdapter({ ...told, metadata: { sshs_model_hash: '0'.repeat(64) } }),
    found: [{ found: '000000000000', message: /sshs_model_hash/ }],
  },
  'an alpha without effect': { bytes: zeroAlpha(), found: [{ code: 'LORA_ALPHA_UNUSABLE' }] },
}

function zeroAlpha(): Buffer {
  const name = 'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k'
  return writeSafetensors(
    new Map([
      [`${name}.alpha`, half()],
      [`${name}.lora_down.weight`, half(4, 768)],
      [`${name}.lora_up.weight`, half(640, 4)],
    ]),
  )
}

for (const [title, { bytes, found }] of Object.entries(contradictions))
  t.test(`inspectLora tells ${title}`, async t => {
    const { problems } = await inspect(t, bytes)
    t.match(problems, found)
    t.equal(problems.length, found.length)
    t.ok(problems.every(each => each.severity === 'warning' && each.file === 'lora.safetensors'))
  })

t.test('inspectLora reads how strong an adapter is meant to be', async t => {
  const factorOf = async (config: object | undefined, metadata?: Record<string, string>) => {
    const { found } = await inspect(t, makeAdapter({ ...peft, ...(metadata && { metadata }) }), config)
    return found?.inspection.alpha.meant
  }
  t.match(await factorOf({ r: 4, lora_alpha: 8 }), { factor: { usual: 2 }, source: 'adapter_config.json' })
  t.match(await factorOf({ r: 4, lora_alpha: 8, use_rslora: true, peft_type: 'LORA' }), { factor: { usual: 4 } })
  t.match(await factorOf({ lora_alpha: 4, alpha_pattern: { 'attn2.to_k': 16 } }), { factor: { usual: 1, max: 4 } })
  t.match(await factorOf({ lora_alpha: 4, alpha_pattern: { 'ttn2.to_k': 16 } }), { factor: { max: 1 } })
  const metadata = { lora_adapter_metadata: '{"unet.r": 4, "unet.lora_alpha": 2, "text_encoder.lora_alpha": 64}' }
  t.match(await factorOf({ lora_alpha: 8 }, metadata), { factor: { usual: 0.5 }, source: 'lora_adapter_metadata' })
  t.equal(await factorOf(undefined), undefined)
})

t.test('inspectLora refuses an adapter that it would have to guess at', async t => {
  const codes = async (config: object) => {
    const { found, problems } = await inspect(t, makeAdapter(peft), config)
    t.notOk(found)
    return problems.map(each => each.code)
  }
  t.same(await codes({ alpha_pattern: { '(a+)+$': 4 } }), ['LORA_PATTERN_INVALID'])
  t.match(await codes({ lora_alpha: '8' }), ['DOCUMENT_TYPE'])
  t.match(await codes({ lora_alpha: 0 }), [/^DOCUMENT_/])
})

t.test('inspectLora refuses what is no LoRA', async t => {
  t.match(await inspect(t, writeSafetensors(new Map([['model.weight', half(4)]]))), {
    found: undefined,
    problems: [{ severity: 'error', code: 'LORA_MISSING', file: 'lora.safetensors' }],
  })
  t.match(await inspect(t, Buffer.from('# Mock weights file\n')), {
    problems: [{ code: 'SAFETENSORS_HEADER_TOO_LARGE' }],
  })
  t.match(await inspectLora(join(t.testdir({}), 'none')), { problems: [{ code: 'FILE_UNREADABLE' }] })
})

t.test('inspectLora refuses more tensors than any LoRA has', async t => {
  const entry = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
  const entries = Array.from({ length: 50_001 }, (_, at) => `"${at}.lora_A":${entry}`)
  t.match(await inspect(t, withHeader(`{${entries.join(',')}}`, Buffer.alloc(0))), {
    found: undefined,
    problems: [{ severity: 'error', code: 'LORA_TENSORS_TOO_MANY', found: '50001' }],
  })
})

t.test('inspectLora reads or refuses 500 hostile files within bounds', async t => {
  const seed = 20260418
  t.comment(`seed ${seed}`)
  const random = seededRandom(seed)
  const path = join(t.testdir({}), 'lora.safetensors')
  const bodies = adapterForms.map((form, at) =>
    makeAdapter({ family: adapterFamilies[at % 4] ?? 'sd15', form, rank: 1, seed }),
  )
  const before = process.memoryUsage().rss
  let refused = 0
  for (let round = 0; round < 500; round++) {
    writeFileSync(path, makeHostile(bodies[round % bodies.length] ?? Buffer.alloc(0), random))
    const { found, problems } = await inspectLora(path)
    if (!found && !hasErrors(problems)) t.fail(`round ${round} is refused without a word`)
    if (found && found.inspection.layers.all === 0) t.fail(`round ${round} has no layers`)
    if (!found) refused++
  }
  t.ok(refused > 200 && refused < 500, `${refused} of 500 are refused`)
  const grownMb = (process.memoryUsage().rss - before) / 2 ** 20
  t.ok(grownMb < 300, `${Math.round(grownMb)} MiB more`)
})

/** One of the ways in which a stranger's file could be meant to harm whoever reads it. */
function makeHostile(body: Buffer, random: () => number): Buffer {
  const pick = (end: number) => Math.floor(random() * end)
  const headerEnd = 8 + Number(body.readBigUInt64LE())
  const copy = Buffer.from(body)
  const entry = (name: string, fields: string) => `${JSON.stringify(name)}:{${fields}}`
  const empty = '"dtype":"F16","shape":[0],"data_offsets":[0,0]'
  switch (pick(10)) {
    case 0:
      copy[pick(headerEnd)] = pick(256)
      return copy
    case 1:
      return copy.subarray(0, pick(copy.length))
    case 2:
      return withHeader(
        copy.subarray(8, headerEnd),
        copy.subarray(headerEnd),
        BigInt(pick(2 ** 31)) << BigInt(pick(33)),
      )
    case 3:
      return withHeader('{"a":'.repeat(1 + pick(50_000)), Buffer.alloc(pick(64)))
    case 4:
      return withHeader(
        `{${Array.from({ length: 1 + pick(3000) }, (_, at) => entry(`${at}.lora_A.weight`, empty)).join(',')}}`,
        Buffer.alloc(0),
      )
    case 5:
      return withHeader(`{${entry(`${'unet.'.repeat(1 + pick(2000))}x.lora_A.weight`, empty)}}`, Buffer.alloc(0))
    case 6:
      return withHeader(
        `{${entry('x.alpha', `"dtype":"F64","shape":[${Array(pick(300)).fill(1).join(',')}],"data_offsets":[0,8]`)},${entry('x.lora_up.weight', '"dtype":"F16","shape":[0,9007199254740991],"data_offsets":[8,8]')}}`,
        Buffer.alloc(8, pick(256)),
      )
    case 7: {
      const metadata = { lora_adapter_metadata: '['.repeat(pick(5000)), ss_tag_frequency: '{"__proto__":{"a":1e999}}' }
      return withHeader(
        `{"__metadata__":${JSON.stringify(metadata)},${copy.subarray(9, headerEnd).toString()}`,
        copy.subarray(headerEnd),
      )
    }
    case 8:
      return withHeader(
        `{${entry('__proto__.lora_down.weight', empty)},${entry('constructor.alpha', empty)}}`,
        Buffer.alloc(0),
      )
    default: {
      const digits = [...copy.subarray(8, headerEnd).entries()].filter(([, byte]) => byte >= 48 && byte <= 57)
      const [at] = digits[pick(digits.length)] ?? [0]
      copy[8 + at] = 48 + pick(10)
      return copy
    }
  }
}
