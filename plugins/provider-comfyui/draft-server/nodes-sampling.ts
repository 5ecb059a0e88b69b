import { blendLooks, isLook, plainLook, type Look } from './look.js'
import {
  combo,
  float,
  int,
  newer,
  node,
  optional,
  seed,
  sizeMax,
  socket,
  text,
  withTip,
  type InputSpec,
  type NodeDefinition,
  type RunningNode,
} from './node-definition.js'

/** Conditioning, latents and sampling. Inputs, ranges and outputs are those of ComfyUI. */
export const samplingNodes: readonly NodeDefinition[] = [
  {
    name: 'CLIPTextEncode',
    displayName: 'CLIP Text Encode (Prompt)',
    category: 'conditioning',
    inputs: {
      text: withTip(text({ multiline: true, dynamicPrompts: true }), 'The words.'),
      clip: withTip(socket('CLIP'), 'What encodes them.'),
    },
    outputs: ['CONDITIONING'],
    evaluate: ({ inputs }) => ({ outputs: [{ ...blendLooks(inputs), words: String(inputs.text) }] }),
  },
  node('CLIPSetLastLayer', 'conditioning', { clip: socket('CLIP'), stop_at_clip_layer: int(-1, -24, -1) }, ['CLIP']),
  node(
    'CLIPTextEncodeFlux',
    'advanced/conditioning/flux',
    { clip: socket('CLIP'), clip_l: text(), t5xxl: text(), guidance: float(3.5, 0, 100, 0.1) },
    ['CONDITIONING'],
  ),
  node('CLIPTextEncodeSDXL', 'advanced/conditioning', sdxlInputs(), ['CONDITIONING'], node => ({
    // The sizes told to the encoder are no size of a picture.
    outputs: [{ ...blendLooks(node.inputs), width: 0, height: 0 }],
  })),
  node(
    'FluxGuidance',
    'advanced/conditioning/flux',
    { conditioning: socket('CONDITIONING'), guidance: float(3.5, 0, 100, 0.1) },
    ['CONDITIONING'],
  ),
  node(
    'ConditioningZeroOut',
    'advanced/conditioning',
    { conditioning: socket('CONDITIONING') },
    ['CONDITIONING'],
    n => ({
      outputs: [{ ...blendLooks(n.inputs), words: '' }],
    }),
  ),
  node(
    'ConditioningCombine',
    'conditioning',
    { conditioning_1: socket('CONDITIONING'), conditioning_2: socket('CONDITIONING') },
    ['CONDITIONING'],
  ),
  node(
    'ConditioningConcat',
    'conditioning',
    { conditioning_to: socket('CONDITIONING'), conditioning_from: socket('CONDITIONING') },
    ['CONDITIONING'],
  ),
  {
    ...node('ControlNetApplyAdvanced', 'conditioning/controlnet', controlNetInputs(), ['CONDITIONING', 'CONDITIONING']),
    outputNames: ['positive', 'negative'],
    evaluate: ({ inputs }) => ({ outputs: [inputs.positive, inputs.negative] }),
  },
  node(
    'CLIPVisionEncode',
    'conditioning',
    { clip_vision: socket('CLIP_VISION'), image: socket('IMAGE'), crop: combo('center', 'none') },
    ['CLIP_VISION_OUTPUT'],
  ),
  node(
    'StyleModelApply',
    'conditioning/style_model',
    {
      conditioning: socket('CONDITIONING'),
      style_model: socket('STYLE_MODEL'),
      clip_vision_output: socket('CLIP_VISION_OUTPUT'),
      strength: float(1, 0, 10, 0.001),
      strength_type: combo('multiply', 'attn_bias'),
    },
    ['CONDITIONING'],
    n => ({ outputs: [n.inputs.conditioning] }),
  ),
  node(
    'ReferenceLatent',
    'advanced/conditioning/edit_models',
    { conditioning: socket('CONDITIONING'), latent: optional(socket('LATENT')) },
    ['CONDITIONING'],
    n => ({ outputs: [n.inputs.conditioning] }),
  ),
  node('ModelSamplingFlux', 'advanced/model', fluxShiftInputs(), ['MODEL'], n => ({ outputs: [n.inputs.model] })),
  node('ModelSamplingSD3', 'advanced/model', { model: socket('MODEL'), shift: float(3, 0, 100, 0.01) }, ['MODEL']),
  node('EmptyLatentImage', 'latent', latentSize(512, 8), ['LATENT']),
  { ...node('EmptySD3LatentImage', 'latent/sd3', latentSize(1024, 16), ['LATENT']), newStyle: 'always' },
  {
    ...node('KSampler', 'sampling', kSamplerInputs(), ['LATENT'], sample),
  },
  node(
    'KSamplerAdvanced',
    'sampling',
    {
      model: socket('MODEL'),
      add_noise: combo('enable', 'disable'),
      noise_seed: seed(),
      steps: int(20, 1, 10000),
      cfg: float(8, 0, 100, 0.1, { round: 0.01 }),
      sampler_name: combo(...samplers()),
      scheduler: combo(...schedulers()),
      positive: socket('CONDITIONING'),
      negative: socket('CONDITIONING'),
      latent_image: socket('LATENT'),
      start_at_step: int(0, 0, 10000),
      end_at_step: int(10000, 0, 10000),
      return_with_leftover_noise: combo('disable', 'enable'),
    },
    ['LATENT'],
    sample,
  ),
  newer(node('RandomNoise', 'sampling/custom_sampling/noise', { noise_seed: seed() }, ['NOISE'])),
  newer(
    node('KSamplerSelect', 'sampling/custom_sampling/samplers', { sampler_name: combo(...samplers()) }, ['SAMPLER']),
  ),
  newer(
    node(
      'BasicScheduler',
      'sampling/custom_sampling/schedulers',
      {
        model: socket('MODEL'),
        scheduler: combo(...schedulers()),
        steps: int(20, 1, 10000),
        denoise: float(1, 0, 1, 0.01),
      },
      ['SIGMAS'],
      n => ({ outputs: [{ ...plainLook, steps: Number(n.inputs.steps) }] }),
    ),
  ),
  newer(
    node(
      'BasicGuider',
      'sampling/custom_sampling/guiders',
      { model: socket('MODEL'), conditioning: socket('CONDITIONING') },
      ['GUIDER'],
    ),
  ),
  newer(
    node(
      'CFGGuider',
      'sampling/custom_sampling/guiders',
      {
        model: socket('MODEL'),
        positive: socket('CONDITIONING'),
        negative: socket('CONDITIONING'),
        cfg: float(8, 0, 100, 0.1, { round: 0.01 }),
      },
      ['GUIDER'],
    ),
  ),
  newer({
    ...node(
      'SamplerCustomAdvanced',
      'sampling/custom_sampling',
      {
        noise: socket('NOISE'),
        guider: socket('GUIDER'),
        sampler: socket('SAMPLER'),
        sigmas: socket('SIGMAS'),
        latent_image: socket('LATENT'),
      },
      ['LATENT', 'LATENT'],
      sample,
    ),
    outputNames: ['output', 'denoised_output'],
  }),
]

function schedulers(): string[] {
  return [
    ...['simple', 'sgm_uniform', 'karras', 'exponential', 'ddim_uniform', 'beta', 'normal', 'linear_quadratic'],
    'kl_optimal',
  ]
}

function samplers(): string[] {
  const both = (...names: string[]) => names.flatMap(name => [name, `${name}_cfg_pp`])
  const gpu = (...names: string[]) => names.flatMap(name => [name, `${name}_gpu`])
  return [
    ...both('euler', 'euler_ancestral'),
    ...['heun', 'heunpp2', 'exp_heun_2_x0', 'exp_heun_2_x0_sde', 'dpm_2', 'dpm_2_ancestral', 'lms', 'dpm_fast'],
    ...['dpm_adaptive', ...both('dpmpp_2s_ancestral'), ...gpu('dpmpp_sde'), ...both('dpmpp_2m')],
    ...[...gpu('dpmpp_2m_sde', 'dpmpp_2m_sde_heun', 'dpmpp_3m_sde'), 'ddpm', 'lcm', 'ipndm', 'ipndm_v', 'deis'],
    ...[...both('res_multistep', 'res_multistep_ancestral', 'gradient_estimation'), 'er_sde', 'seeds_2', 'seeds_3'],
    ...['sa_solver', 'sa_solver_pece', 'ddim', 'uni_pc', 'uni_pc_bh2'],
  ]
}

async function sample(running: RunningNode) {
  const latent = blendLooks(running.inputs)
  await running.takeSteps(latent.steps ?? 1)
  const size = isLook(running.inputs.latent_image) ? running.inputs.latent_image : latent
  const look: Look = { ...latent, width: size.width, height: size.height, count: size.count, isSampled: true }
  return { outputs: [look, look] }
}

function kSamplerInputs(): Record<string, InputSpec> {
  return {
    model: withTip(socket('MODEL'), 'What denoises.'),
    seed: withTip(seed(), 'Of the noise.'),
    steps: withTip(int(20, 1, 10000), 'How many.'),
    cfg: withTip(float(8, 0, 100, 0.1, { round: 0.01 }), 'Weight of the prompt.'),
    sampler_name: withTip(combo(...samplers()), 'The algorithm.'),
    scheduler: withTip(combo(...schedulers()), 'How noise fades.'),
    positive: withTip(socket('CONDITIONING'), 'What is wanted.'),
    negative: withTip(socket('CONDITIONING'), 'What is not.'),
    latent_image: withTip(socket('LATENT'), 'What is denoised.'),
    denoise: withTip(float(1, 0, 1, 0.01), 'How much is replaced.'),
  }
}

function latentSize(side: number, step: number): Record<string, InputSpec> {
  const length = int(side, 16, sizeMax, { step })
  const tip = (spec: InputSpec) => (step === 8 ? withTip(spec, 'Of the batch.') : spec)
  return { width: tip(length), height: tip(length), batch_size: tip(int(1, 1, 4096)) }
}

function fluxShiftInputs(): Record<string, InputSpec> {
  const length = int(1024, 16, sizeMax, { step: 8 })
  return {
    model: socket('MODEL'),
    max_shift: float(1.15, 0, 100, 0.01),
    base_shift: float(0.5, 0, 100, 0.01),
    width: length,
    height: length,
  }
}

function sdxlInputs(): Record<string, InputSpec> {
  const length = int(1024, 0, sizeMax)
  return {
    clip: socket('CLIP'),
    width: length,
    height: length,
    crop_w: int(0, 0, sizeMax),
    crop_h: int(0, 0, sizeMax),
    target_width: length,
    target_height: length,
    text_g: text(),
    text_l: text(),
  }
}

function controlNetInputs(): Record<string, InputSpec> {
  return {
    positive: socket('CONDITIONING'),
    negative: socket('CONDITIONING'),
    control_net: socket('CONTROL_NET'),
    image: socket('IMAGE'),
    strength: float(1, 0, 10, 0.01),
    start_percent: float(0, 0, 1, 0.001),
    end_percent: float(1, 0, 1, 0.001),
    vae: optional(socket('VAE')),
  }
}
