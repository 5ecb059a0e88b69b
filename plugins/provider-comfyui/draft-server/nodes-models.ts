import { blendLooks, isLook, plainLook, type Look } from './look.js'
import {
  combo,
  float,
  int,
  model,
  NodeException,
  optional,
  seed,
  sizeMax,
  socket,
  text,
  withTip,
  type FileFacts,
  type InputSpec,
  type NodeDefinition,
  type RunningNode,
} from './node-definition.js'

/** Loaders, conditioning, latents and sampling. Inputs, ranges and outputs are those of ComfyUI. */
export const modelNodes: readonly NodeDefinition[] = [
  loader('CheckpointLoaderSimple', 'Load Checkpoint', 'checkpoints', 'ckpt_name', ['MODEL', 'CLIP', 'VAE'], true),
  loader('unCLIPCheckpointLoader', '', 'checkpoints', 'ckpt_name', ['MODEL', 'CLIP', 'VAE', 'CLIP_VISION']),
  loader('UNETLoader', 'Load Diffusion Model', 'diffusion_models', 'unet_name', ['MODEL'], false, {
    weight_dtype: combo('default', 'fp8_e4m3fn', 'fp8_e4m3fn_fast', 'fp8_e5m2'),
  }),
  loader('CLIPLoader', 'Load CLIP', 'text_encoders', 'clip_name', ['CLIP'], false, {
    type: clipTypes(),
    device: device(),
  }),
  loader('DualCLIPLoader', '', 'text_encoders', ['clip_name1', 'clip_name2'], ['CLIP'], false, {
    type: combo('sdxl', 'sd3', 'flux', 'hunyuan_video', 'hidream', 'hunyuan_image'),
    device: device(),
  }),
  {
    ...loader('TripleCLIPLoader', '', 'text_encoders', ['clip_name1', 'clip_name2', 'clip_name3'], ['CLIP']),
    newStyle: 'always',
  },
  loader('VAELoader', 'Load VAE', 'vae', 'vae_name', ['VAE']),
  loader('ControlNetLoader', 'Load ControlNet Model', 'controlnet', 'control_net_name', ['CONTROL_NET']),
  loader('CLIPVisionLoader', 'Load CLIP Vision', 'clip_vision', 'clip_name', ['CLIP_VISION']),
  loader('StyleModelLoader', 'Load Style Model', 'style_models', 'style_model_name', ['STYLE_MODEL']),
  {
    ...loader('UpscaleModelLoader', 'Load Upscale Model', 'upscale_models', 'model_name', ['UPSCALE_MODEL']),
    newStyle: 'always',
  },
  loraLoader('LoraLoader', 'Load LoRA', true),
  loraLoader('LoraLoaderModelOnly', 'LoraLoaderModelOnly', false),
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

function node(
  name: string,
  category: string,
  inputs: Record<string, InputSpec>,
  outputs: string[],
  evaluate?: NodeDefinition['evaluate'],
): NodeDefinition {
  return { name, category, inputs, outputs, ...(evaluate && { evaluate }) }
}

function newer(definition: NodeDefinition): NodeDefinition {
  return { ...definition, newStyle: '0.12.1' }
}

function loader(
  name: string,
  displayName: string,
  folder: string,
  input: string | string[],
  outputs: string[],
  hasTip = false,
  more: Record<string, InputSpec> = {},
): NodeDefinition {
  const names = [input].flat()
  const builtIn = folder === 'vae' ? ['pixel_space'] : []
  const file = model(folder, ...builtIn)
  return {
    name,
    displayName: displayName || name,
    category: 'loaders',
    inputs: {
      ...Object.fromEntries(names.map(each => [each, hasTip ? withTip(file, 'A model file.') : file])),
      ...more,
    },
    outputs,
    loadsModel: true,
    evaluate: ({ inputs, files }) => {
      for (const each of names) {
        if (!builtIn.includes(String(inputs[each]))) readModel(files, folder, String(inputs[each]))
      }
      return { outputs: outputs.map(() => plainLook) }
    },
  }
}

/** Raises what the server raises for a file that is missing or no model. */
function readModel(files: FileFacts, folder: string, name: string): void {
  const state = files.modelState(folder, name)
  if (state === 'absent') {
    throw new NodeException('FileNotFoundError', `Model in folder '${folder}' with filename '${name}' not found.`)
  }
  if (state === 'unreadable') {
    throw new NodeException('safetensors._safetensors_rust.SafetensorError', 'The header of the file is too small')
  }
}

function loraLoader(name: string, displayName: string, withClip: boolean): NodeDefinition {
  const strength = () => float(1, -100, 100, 0.01)
  const tip = (spec: InputSpec, sentence: string) => (withClip ? withTip(spec, sentence) : spec)
  return {
    name,
    displayName,
    category: 'loaders',
    inputs: {
      model: tip(socket('MODEL'), 'What the LoRA changes.'),
      ...(withClip && { clip: tip(socket('CLIP'), 'What the LoRA changes.') }),
      lora_name: tip(model('loras'), 'The file.'),
      strength_model: tip(strength(), 'How strongly.'),
      ...(withClip && { strength_clip: tip(strength(), 'How strongly.') }),
    },
    outputs: withClip ? ['MODEL', 'CLIP'] : ['MODEL'],
    evaluate: ({ inputs, files }) => {
      readModel(files, 'loras', String(inputs.lora_name))
      const lora = { talent: String(inputs.lora_name), effective: Number(inputs.strength_model) }
      const before = isLook(inputs.model) ? inputs.model : plainLook
      return { outputs: [{ ...before, loras: [...(before.loras ?? []), lora] }, inputs.clip] }
    },
  }
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

function clipTypes(): InputSpec {
  return combo(
    ...['stable_diffusion', 'stable_cascade', 'sd3', 'stable_audio', 'mochi', 'ltxv', 'pixart', 'cosmos', 'lumina2'],
    ...['wan', 'hidream', 'chroma', 'ace', 'omnigen2', 'qwen_image', 'hunyuan_image', 'flux2', 'ovis'],
  )
}

function device(): InputSpec {
  return optional({ ...combo('default', 'cpu'), options: { advanced: true } })
}
