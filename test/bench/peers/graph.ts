import { pictureSize, type RaceJob } from './scenarios.js'

export type RaceGraph = Record<string, { class_type: string; inputs: Record<string, unknown> }>

/** The node that saves. */
export const saveNode = '9'

/** What a client posts for a job: the shipped workflow for Stable Diffusion 1.5, with a loader where the job has a LoRA. */
export function makeGraph({ id, lora }: RaceJob, prefix = `peers/${id}`): RaceGraph {
  const [model, clip] =
    lora === undefined
      ? [
          ['4', 0],
          ['4', 1],
        ]
      : [
          ['10', 0],
          ['10', 1],
        ]
  const loader = {
    model: ['4', 0],
    clip: ['4', 1],
    lora_name: `style-${lora}.safetensors`,
    strength_model: 0.8,
    strength_clip: 0.8,
  }
  return {
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'v1-5-pruned-emaonly-fp16.safetensors' } },
    ...(lora !== undefined && { '10': { class_type: 'LoraLoader', inputs: loader } }),
    '5': { class_type: 'EmptyLatentImage', inputs: { ...pictureSize, batch_size: 1 } },
    '6': { class_type: 'CLIPTextEncode', inputs: { text: 'portrait of a character', clip } },
    '7': { class_type: 'CLIPTextEncode', inputs: { text: 'lowres, blurry', clip } },
    '3': {
      class_type: 'KSampler',
      inputs: {
        seed: id,
        steps: 28,
        cfg: 7,
        sampler_name: 'dpmpp_2m',
        scheduler: 'karras',
        denoise: 1,
        model,
        positive: ['6', 0],
        negative: ['7', 0],
        latent_image: ['5', 0],
      },
    },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
    [saveNode]: { class_type: 'SaveImage', inputs: { images: ['8', 0], filename_prefix: prefix } },
  }
}
