import t from 'tap'
import { hasClipLayer, hasUnetLayer, type UnetFamily } from '../../../src/library/unet-layers.js'

/** All places that a name of attention could have, more than any model has. */
function attentionPlaces(): string[] {
  const blocks = [0, 1, 2, 3].flatMap(block =>
    [0, 1, 2, 3].flatMap(at => [`down_blocks_${block}_attentions_${at}`, `up_blocks_${block}_attentions_${at}`]),
  )
  const all = [...blocks, 'mid_block_attentions_0', 'mid_block_attentions_1']
  const parts = ['to_q', 'to_k', 'to_v', 'to_out_0']
  return all.flatMap(block =>
    Array.from({ length: 12 }, (_, index) =>
      ['attn1', 'attn2'].flatMap(kind => parts.map(part => `${block}_transformer_blocks_${index}_${kind}_${part}`)),
    ).flat(),
  )
}

const matrices: Readonly<Record<UnetFamily, number>> = { sd15: 128, sd2: 128, sdxl: 560 }
for (const family of ['sd15', 'sd2', 'sdxl'] as const)
  t.test(`hasUnetLayer knows the ${matrices[family]} attention matrices of ${family}`, async t => {
    t.equal(attentionPlaces().filter(place => hasUnetLayer(place, family)).length, matrices[family])
  })

const places: Record<string, readonly UnetFamily[]> = {
  input_blocks_1_1_transformer_blocks_0_attn1_to_q: ['sd15', 'sd2'],
  input_blocks_4_1_transformer_blocks_0_attn1_to_q: ['sd15', 'sd2', 'sdxl'],
  input_blocks_4_1_transformer_blocks_1_attn1_to_q: ['sdxl'],
  input_blocks_10_1_proj_in: [],
  input_blocks_3_0_op: ['sd15', 'sd2', 'sdxl'],
  input_blocks_9_0_op: ['sd15', 'sd2'],
  input_blocks_0_0: ['sd15', 'sd2', 'sdxl'],
  middle_block_1_transformer_blocks_9_ff_net_0_proj: ['sdxl'],
  middle_block_2_in_layers_2: ['sd15', 'sd2', 'sdxl'],
  output_blocks_0_1_proj_out: ['sdxl'],
  output_blocks_11_1_proj_out: ['sd15', 'sd2'],
  output_blocks_11_0_out_layers_3: ['sd15', 'sd2'],
  output_blocks_2_1_conv: ['sd15', 'sd2', 'sdxl'],
  down_blocks_0_resnets_1_conv2: ['sd15', 'sd2', 'sdxl'],
  down_blocks_3_resnets_0_time_emb_proj: ['sd15', 'sd2'],
  down_blocks_0_resnets_2_conv1: [],
  down_blocks_2_downsamplers_0_conv: ['sd15', 'sd2'],
  up_blocks_1_upsamplers_0_conv: ['sd15', 'sd2', 'sdxl'],
  up_blocks_1_downsamplers_0_conv: [],
  add_embedding_linear_1: ['sdxl'],
  label_emb_0_2: ['sdxl'],
  conv_in: ['sd15', 'sd2', 'sdxl'],
  double_blocks_0_img_attn_qkv: [],
  constructor: [],
}
for (const [place, families] of Object.entries(places))
  t.test(`hasUnetLayer knows who has ${place}`, async t =>
    t.same(
      (['sd15', 'sd2', 'sdxl'] as const).filter(family => hasUnetLayer(place, family)),
      families,
    ),
  )

t.test('hasClipLayer knows layers up to the last one', async t => {
  t.ok(hasClipLayer('text_model_encoder_layers_11_self_attn_q_proj', 12))
  t.notOk(hasClipLayer('text_model_encoder_layers_12_self_attn_q_proj', 12))
  t.ok(hasClipLayer('text_model_encoder_layers_0_mlp_fc2', 12))
  t.notOk(hasClipLayer('text_model_encoder_layers_0_mlp_fc3', 12))
  t.ok(hasClipLayer('text_projection', 32))
})
