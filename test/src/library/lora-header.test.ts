import t from 'tap'
import { describeLora } from '../../../src/library/lora-header.js'
import { parseSafetensorsHeader, type SafetensorsTensor } from '../../../src/library/safetensors-header.js'
import { makeLora, type LoraOptions } from '../../make-weights.js'

type Shapes = Record<string, readonly number[]>

/** A header of names and shapes alone: nothing here reads offsets. */
function describe(shapes: Shapes, metadata: Record<string, string> = {}) {
  const entries = Object.entries(shapes).map(([name, shape]): [string, SafetensorsTensor] => [
    name,
    { dtype: 'F16', shape, begin: 0, end: 0 },
  ])
  return describeLora({ tensors: new Map(entries), metadata })
}

/** A LoRA of rank 4 in kohya's naming, by module. */
function kohya(modules: Record<string, readonly [inputs: number, outputs: number]>): Shapes {
  return Object.fromEntries(
    Object.entries(modules).flatMap(([name, [inputs, outputs]]) => [
      [`${name}.lora_down.weight`, [4, inputs]],
      [`${name}.lora_up.weight`, [outputs, 4]],
      [`${name}.alpha`, []],
    ]),
  )
}

function describeFile(options: LoraOptions) {
  const file = makeLora(options)
  const headerBytes = Number(file.readBigUInt64LE())
  const bytes = file.subarray(8, 8 + headerBytes)
  const { header } = parseSafetensorsHeader(bytes, { dataBytes: file.length - 8 - headerBytes })
  return header && describeLora(header)
}

for (const family of ['sd15', 'sd2', 'sdxl', 'flux'] as const)
  t.test(`describeLora knows a file for ${family}`, async t => {
    t.match(describeFile({ family, rank: 4, seed: 1 }), {
      family,
      candidates: [family],
      rank: { usual: 4, min: 4, max: 4 },
      layout: 'kohya',
      hasTextEncoder: false,
      modules: 2,
      modulesIgnored: 0,
      isDraft: false,
    })
    t.match(describeFile({ family, rank: 8, seed: 1, textEncoder: true, draft: true }), {
      family,
      rank: { usual: 8 },
      hasTextEncoder: true,
      isDraft: true,
    })
  })

const unet = 'lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q'
const attn2 = 'attentions_0_transformer_blocks_0_attn2_to_k'

const families: Record<string, { shapes: Shapes; metadata?: Record<string, string>; family: string; open?: string[] }> =
  {
    'SD 1.5 by its native names': {
      shapes: kohya({ lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_v: [768, 640] }),
      family: 'sd15',
    },
    'SD 1.5 with the encoder called te1': {
      shapes: kohya({ [`lora_unet_down_blocks_1_${attn2}`]: [768, 640], lora_te1_text_model_x: [768, 768] }),
      family: 'sd15',
    },
    'SDXL by the number of its transformers': {
      shapes: kohya({ lora_unet_down_blocks_2_attentions_0_transformer_blocks_9_attn1_to_q: [1280, 1280] }),
      family: 'sdxl',
    },
    'SDXL by its blocks': {
      shapes: kohya({ lora_unet_up_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q: [1280, 1280] }),
      family: 'sdxl',
    },
    'SDXL by its second encoder': {
      shapes: kohya({ [unet]: [1280, 1280], lora_te2_text_model_x: [1280, 1280] }),
      family: 'sdxl',
    },
    'SD 1 or 2 by blocks that SDXL lacks': {
      shapes: kohya({ lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q: [320, 320] }),
      family: 'unknown',
      open: ['sd15', 'sd2'],
    },
    'SD 2 where metadata decides': {
      shapes: kohya({ lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q: [320, 320] }),
      metadata: { ss_v2: 'True' },
      family: 'sd2',
      open: ['sd15', 'sd2'],
    },
    'nothing where metadata names what shapes exclude': {
      shapes: kohya({ lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q: [320, 320] }),
      metadata: { ss_base_model_version: 'sdxl_base_v1-0' },
      family: 'unknown',
      open: ['sd15', 'sd2'],
    },
    'any UNet by its middle': {
      shapes: kohya({ [unet]: [1280, 1280] }),
      family: 'unknown',
      open: ['sd15', 'sd2', 'sdxl'],
    },
    'no family where several are mixed': {
      shapes: kohya({
        [`lora_unet_down_blocks_1_${attn2}`]: [768, 640],
        [`lora_unet_down_blocks_2_${attn2}`]: [2048, 1280],
      }),
      family: 'unknown',
      open: [],
    },
    'an unknown size of cross-attention': {
      shapes: kohya({ [`lora_unet_down_blocks_1_${attn2}`]: [999, 640] }),
      family: 'unknown',
      open: ['other'],
    },
    'Flux.1 of diffusers': {
      shapes: {
        'transformer.single_transformer_blocks.3.attn.to_k.lora_A.weight': [4, 3072],
        'transformer.single_transformer_blocks.3.attn.to_k.lora_B.weight': [3072, 4],
      },
      family: 'flux',
    },
    'Flux.1 of OneTrainer with its encoder': {
      shapes: kohya({ lora_transformer_single_transformer_blocks_37_proj_out: [15360, 3072], lora_te1_x: [768, 768] }),
      family: 'flux',
    },
    'Flux.2 by its size': { shapes: kohya({ lora_unet_double_blocks_0_img_attn_qkv: [6144, 18432] }), family: 'other' },
    'Flux.2 by the number of its blocks': {
      shapes: kohya({ lora_unet_single_blocks_47_linear2: [1, 1] }),
      family: 'other',
    },
    'Flux.2 by its feed-forward size': {
      shapes: kohya({ lora_unet_double_blocks_0_img_mlp_0: [3072, 18432] }),
      family: 'other',
    },
    'Hunyuan Video': { shapes: kohya({ lora_unet_double_blocks_9_txt_mod_linear: [3072, 18432] }), family: 'other' },
    'Stable Cascade': { shapes: kohya({ lora_prior_unet_down_blocks_0_x: [8, 8] }), family: 'other' },
    Wan: { shapes: kohya({ lora_unet__blocks_0_cross_attn_k: [1536, 1536] }), family: 'other' },
    'Qwen-Image': {
      shapes: kohya({ 'transformer.transformer_blocks.0.img_mlp.net.0.proj': [3072, 12288] }),
      family: 'other',
    },
    'SD 3 by its size': {
      shapes: kohya({ 'transformer.transformer_blocks.0.attn.to_q': [1536, 1536] }),
      family: 'sd3',
    },
    'SD 3 by its native names': {
      shapes: kohya({ 'diffusion_model.joint_blocks.0.x_block.attn.qkv': [1536, 4608] }),
      family: 'sd3',
    },
    'an encoder that several models share': {
      shapes: kohya({ lora_te_text_model_encoder_layers_0_self_attn_q_proj: [768, 768] }),
      family: 'unknown',
      open: ['sd15', 'sdxl', 'sd3', 'flux'],
    },
    'the encoder of SD 2': {
      shapes: kohya({ lora_te_text_model_encoder_layers_0_self_attn_q_proj: [1024, 1024] }),
      family: 'sd2',
    },
    nothing: { shapes: { 'model.weight': [4, 4] }, family: 'unknown', open: [] },
    'metadata alone': {
      shapes: {},
      metadata: { 'modelspec.architecture': 'Flux.1-dev/lora' },
      family: 'flux',
      open: [],
    },
  }

for (const [title, { shapes, metadata, family, open = [family] }] of Object.entries(families))
  t.test(`describeLora tells ${title}`, async t => {
    const found = describe(shapes, metadata)
    t.equal(found.family, family)
    t.same(found.candidates, open)
    t.ok(found.evidence)
  })

const metadataCases: Record<string, [metadata: Record<string, string>, family: string | undefined]> = {
  'kohya SD 1': [{ ss_base_model_version: 'sd_v1' }, 'sd15'],
  'ai-toolkit SD 1': [{ ss_base_model_version: 'sd_1.5' }, 'sd15'],
  'kohya SD 2': [{ ss_base_model_version: 'sd_v2_v' }, 'sd2'],
  'ai-toolkit SDXL': [{ ss_base_model_version: 'sdxl_1.0' }, 'sdxl'],
  'kohya SD 3': [{ ss_base_model_version: 'sd3-medium' }, 'sd3'],
  'kohya Flux': [{ ss_base_model_version: 'flux1' }, 'flux'],
  'modelspec SD 1': [{ 'modelspec.architecture': 'stable-diffusion-v1/lora' }, 'sd15'],
  'modelspec SDXL': [{ 'modelspec.architecture': 'Stable-Diffusion-XL-v1-base/lora' }, 'sdxl'],
  'modelspec SD 3': [{ 'modelspec.architecture': 'stable-diffusion-3-medium/lora' }, 'sd3'],
  'modelspec SD 3.5': [{ 'modelspec.architecture': 'stable-diffusion-v3.5-large/lora' }, 'sd3'],
  'modelspec Flux': [{ 'modelspec.architecture': 'flux-1-dev/lora' }, 'flux'],
  'another model': [{ ss_base_model_version: 'lumina2' }, 'other'],
  'a missing value': [{ ss_base_model_version: 'None' }, undefined],
  'ss_v2 in lower case': [{ ss_v2: 'true' }, 'sd2'],
  'ss_v2 that denies': [{ ss_v2: 'False' }, undefined],
}

for (const [title, [metadata, family]] of Object.entries(metadataCases))
  t.test(`describeLora reads metadata: ${title}`, async t => t.equal(describe({}, metadata).metadataFamily, family))

const sd15 = 'down_blocks.1.attentions.0.transformer_blocks.0.attn2'
const layouts: Record<string, { shapes: Shapes; layout: string; rank?: number; ignored?: number; family?: string }> = {
  'kohya names': { shapes: kohya({ [`lora_unet_down_blocks_1_${attn2}`]: [768, 640] }), layout: 'kohya', rank: 4 },
  'PEFT names with the prefix of diffusers': {
    shapes: { [`unet.${sd15}.to_k.lora_A.weight`]: [8, 768], [`unet.${sd15}.to_k.lora_B.weight`]: [640, 8] },
    layout: 'peft',
    rank: 8,
    ignored: 1,
  },
  'PEFT names as Talent Factory saves them': {
    shapes: { [`base_model.model.${sd15}.to_k.lora_A.weight`]: [16, 768] },
    layout: 'peft',
    rank: 16,
    ignored: 1,
  },
  'names of the training scripts of diffusers': {
    shapes: { [`unet.${sd15}.to_k.lora.down.weight`]: [4, 768] },
    layout: 'diffusers',
    rank: 4,
    ignored: 1,
  },
  'older names of diffusers': {
    shapes: {
      [`unet.${sd15}.processor.to_k_lora.down.weight`]: [4, 768],
      [`unet.${sd15}.processor.to_k_lora.up.weight`]: [640, 4],
    },
    layout: 'diffusers',
    rank: 4,
  },
  'native names of PEFT': {
    shapes: { 'diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.lora_A.weight': [4, 768] },
    layout: 'peft',
    rank: 4,
  },
  'a name that is not of attention': {
    shapes: {
      [`unet.${sd15}.to_k.lora_A.weight`]: [4, 768],
      'unet.down_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj.lora_A.weight': [4, 640],
    },
    layout: 'peft',
    rank: 4,
    ignored: 1,
  },
  'the rank of a file with the up half alone': {
    shapes: { [`lora_unet_down_blocks_1_${attn2}.lora_up.weight`]: [640, 4] },
    layout: 'kohya',
    rank: 4,
    family: 'unknown',
  },
  LoHa: {
    shapes: {
      [`lora_unet_down_blocks_1_${attn2}.hada_w1_a`]: [640, 6],
      [`lora_unet_down_blocks_1_${attn2}.hada_w1_b`]: [6, 768],
      [`lora_unet_down_blocks_1_${attn2}.hada_w2_a`]: [640, 6],
      [`lora_unet_down_blocks_1_${attn2}.hada_w2_b`]: [6, 768],
    },
    layout: 'loha',
    rank: 6,
  },
  LoKr: {
    shapes: {
      [`lora_unet_down_blocks_1_${attn2}.lokr_w1`]: [8, 8],
      [`lora_unet_down_blocks_1_${attn2}.lokr_w2_a`]: [80, 5],
      [`lora_unet_down_blocks_1_${attn2}.lokr_w2_b`]: [5, 96],
    },
    layout: 'lokr',
    rank: 5,
  },
  'LoKr of full factors, which has no rank': {
    shapes: {
      [`lora_unet_down_blocks_1_${attn2}.lokr_w1`]: [8, 8],
      [`lora_unet_down_blocks_1_${attn2}.lokr_w2`]: [80, 96],
    },
    layout: 'lokr',
  },
  'several kinds at once': {
    shapes: {
      ...kohya({ [`lora_unet_down_blocks_1_${attn2}`]: [768, 640] }),
      'lora_unet_conv_in.diff': [320, 4, 3, 3],
    },
    layout: 'mixed',
    rank: 4,
  },
}

for (const [title, { shapes, layout, rank, ignored = 0, family = 'sd15' }] of Object.entries(layouts))
  t.test(`describeLora reads ${title}`, async t => {
    const found = describe(shapes)
    t.match(found, { layout, family, modulesIgnored: ignored })
    t.equal(found.rank?.usual, rank)
  })

t.test('describeLora tells the most frequent rank among all, and the smaller of two', async t => {
  const ranks = (...all: number[]) =>
    describe(Object.fromEntries(all.map((rank, at) => [`lora_unet_m${at}.lora_down.weight`, [rank, 8]]))).rank
  t.same(ranks(32, 4, 16, 16), { usual: 16, min: 4, max: 32 })
  t.same(ranks(32, 4), { usual: 4, min: 4, max: 32 })
  t.same(ranks(), undefined)
})

t.test('describeLora counts no module where an alpha stands alone', async t => {
  t.match(describe({ 'x.alpha': [], 'y.dora_scale': [4] }), { modules: 0, layout: 'unknown' })
})

t.test('describeLora takes only the value 1 for a draft', async t => {
  t.equal(describe({}, { foundry_draft: '1' }).isDraft, true)
  t.equal(describe({}, { foundry_draft: 'true' }).isDraft, false)
})
