import { isLook, plainLook } from './look.js'
import {
  always,
  combo,
  float,
  model,
  NodeException,
  optional,
  socket,
  withTip,
  type FileFacts,
  type InputSpec,
  type NodeDefinition,
} from './node-definition.js'

/** What reads model files. Inputs and outputs are those of ComfyUI. */
export const loaderNodes: readonly NodeDefinition[] = [
  loader('CheckpointLoaderSimple', 'checkpoints', ['ckpt_name'], {
    outputs: ['MODEL', 'CLIP', 'VAE'],
    tip: 'The checkpoint file.',
  }),
  loader('unCLIPCheckpointLoader', 'checkpoints', ['ckpt_name'], { outputs: ['MODEL', 'CLIP', 'VAE', 'CLIP_VISION'] }),
  loader('UNETLoader', 'diffusion_models', ['unet_name'], {
    outputs: ['MODEL'],
    more: { weight_dtype: combo('default', 'fp8_e4m3fn', 'fp8_e4m3fn_fast', 'fp8_e5m2') },
  }),
  loader('CLIPLoader', 'text_encoders', ['clip_name'], {
    outputs: ['CLIP'],
    more: { type: combo(...clipTypes()), device: device() },
  }),
  loader('DualCLIPLoader', 'text_encoders', ['clip_name1', 'clip_name2'], {
    outputs: ['CLIP'],
    more: {
      type: combo('sdxl', 'sd3', 'flux', 'hunyuan_video', 'hidream', 'hunyuan_image'),
      device: device(),
    },
  }),
  always(
    loader('TripleCLIPLoader', 'text_encoders', ['clip_name1', 'clip_name2', 'clip_name3'], { outputs: ['CLIP'] }),
  ),
  loader('VAELoader', 'vae', ['vae_name'], { outputs: ['VAE'], builtIn: ['pixel_space'] }),
  loader('ControlNetLoader', 'controlnet', ['control_net_name'], { outputs: ['CONTROL_NET'] }),
  loader('CLIPVisionLoader', 'clip_vision', ['clip_name'], { outputs: ['CLIP_VISION'] }),
  loader('StyleModelLoader', 'style_models', ['style_model_name'], { outputs: ['STYLE_MODEL'] }),
  always(loader('UpscaleModelLoader', 'upscale_models', ['model_name'], { outputs: ['UPSCALE_MODEL'] })),
  loraLoader('LoraLoader', true),
  loraLoader('LoraLoaderModelOnly', false),
]

interface LoaderFacts {
  outputs: string[]
  /** Choices that are no files. */
  builtIn?: string[]
  tip?: string
  more?: Record<string, InputSpec>
}

function loader(name: string, folder: string, inputs: string[], facts: LoaderFacts): NodeDefinition {
  const { outputs, builtIn = [], tip, more } = facts
  const file = model(folder, ...builtIn)
  return {
    name,
    category: 'loaders',
    inputs: { ...Object.fromEntries(inputs.map(each => [each, tip ? withTip(file, tip) : file])), ...more },
    outputs,
    loadsModel: true,
    evaluate: running => {
      for (const each of inputs) {
        const wanted = String(running.inputs[each])
        if (!builtIn.includes(wanted)) readModel(running.files, folder, wanted)
      }
      return { outputs: outputs.map(() => plainLook) }
    },
  }
}

function loraLoader(name: string, withClip: boolean): NodeDefinition {
  const strength = () => float(1, -100, 100, 0.01)
  const tip = (spec: InputSpec, sentence: string) => (withClip ? withTip(spec, sentence) : spec)
  return {
    name,
    category: 'loaders',
    inputs: {
      model: tip(socket('MODEL'), 'What the LoRA changes.'),
      ...(withClip && { clip: tip(socket('CLIP'), 'What the LoRA changes.') }),
      lora_name: tip(model('loras'), 'The file.'),
      strength_model: tip(strength(), 'How strongly.'),
      ...(withClip && { strength_clip: tip(strength(), 'How strongly.') }),
    },
    outputs: withClip ? ['MODEL', 'CLIP'] : ['MODEL'],
    loadsModel: true,
    evaluate: ({ inputs, files }) => {
      readModel(files, 'loras', String(inputs.lora_name))
      const lora = { talent: String(inputs.lora_name), effective: Number(inputs.strength_model) }
      const before = isLook(inputs.model) ? inputs.model : plainLook
      return { outputs: [{ ...before, loras: [...(before.loras ?? []), lora] }, inputs.clip] }
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

function clipTypes(): string[] {
  return [
    ...['stable_diffusion', 'stable_cascade', 'sd3', 'stable_audio', 'mochi', 'ltxv', 'pixart', 'cosmos', 'lumina2'],
    ...['wan', 'hidream', 'chroma', 'ace', 'omnigen2', 'qwen_image', 'hunyuan_image', 'flux2', 'ovis'],
  ]
}

function device(): InputSpec {
  return optional({ ...combo('default', 'cpu'), options: { advanced: true } })
}
