import type { PlannedWorkflow, RunPlan, Series } from '../../../src/schema/run.js'
import type { Slot } from '../../../src/plan/job.js'
import { indexSlots, slotAt } from '../../../src/plan/slots.js'

export function sampleWorkflow(): PlannedWorkflow {
  return {
    name: 'tiny',
    family: 'sd15',
    graphSha256: 'a'.repeat(64),
    bindingSha256: 'b'.repeat(64),
    graph: {
      '1': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'sub\\base.safetensors' } },
      '2': { class_type: 'CLIPTextEncode', inputs: { text: '', clip: ['1', 1] } },
      '3': { class_type: 'EmptyLatentImage', inputs: { width: 8, height: 8, batch_size: 4 } },
      '4': {
        class_type: 'KSampler',
        inputs: { seed: 0, steps: 20, model: ['1', 0], positive: ['2', 0], negative: ['2', 0], latent_image: ['3', 0] },
      },
      '5': { class_type: 'VAEDecode', inputs: { samples: ['4', 0], vae: ['1', 2] } },
      '6': {
        class_type: 'SaveImage',
        inputs: { images: ['5', 0], filename_prefix: 'ComfyUI' },
        _meta: { title: 'Save' },
      },
    },
    binding: {
      family: 'sd15',
      positive: [{ node: '2', input: 'text' }],
      seed: [{ node: '4', input: 'seed' }],
      width: [{ node: '3', input: 'width' }],
      height: [{ node: '3', input: 'height' }],
      batch: [{ node: '3', input: 'batch_size' }],
      steps: [{ node: '4', input: 'steps' }],
      models: [{ node: '1', input: 'ckpt_name', folder: 'checkpoints' }],
      lora: { model: { node: '1', slot: 0 }, clip: { node: '1', slot: 1 } },
      save: ['6'],
    },
  }
}

export function sampleSeries(changes: Partial<Series> = {}): Series {
  return {
    subject: 'pip',
    template: 'tiny',
    workflow: 'tiny',
    width: 64,
    height: 64,
    views: ['front'],
    variations: [{}],
    mixes: [
      {
        positive: [{ text: 'a robot', source: 'persona pip' }],
        negative: [{ text: 'blurry', source: 'template tiny' }],
        loras: [],
        sliders: {},
      },
    ],
    count: 1,
    ...changes,
  }
}

export function samplePlan(...series: Series[]): RunPlan {
  return {
    renderer: 'draft',
    orderSeed: 7,
    series: series.length > 0 ? series : [sampleSeries()],
    workflows: { tiny: sampleWorkflow() },
    inputs: [],
  }
}

export function slotOf(plan: RunPlan, ordinal = 0): Slot {
  const slot = slotAt(indexSlots(plan), ordinal)
  if (!slot) throw new Error(`no slot ${ordinal}`)
  return slot
}
