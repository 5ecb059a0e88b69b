import { pino } from 'pino'
import type {
  OutputFile,
  ApiGraph,
  Attempt,
  GraphJob,
  Lora,
  ProviderHost,
  RenderEvent,
  RequestPart,
  ServerEntry,
} from '../../../src/plugins/contract.js'

/** A small graph that needs no model, saving at node 3. */
export function smallGraph(seed = 7): ApiGraph {
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color: 255 } },
    '2': { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed, strength: 0.5 } },
    '3': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'ComfyUI' } },
  }
}

/** A graph with a sampler, whose steps can be interrupted, saving at node 3. */
export function sampledGraph(seed: number): ApiGraph {
  const text = (words: string) => ({ class_type: 'CLIPTextEncode', inputs: { text: words, clip: ['4', 1] } })
  return {
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'base.safetensors' } },
    '5': { class_type: 'EmptyLatentImage', inputs: { width: 64, height: 64, batch_size: 1 } },
    '6': text('portrait, soft light'),
    '7': text('blurry'),
    '8': {
      class_type: 'KSampler',
      inputs: {
        model: ['4', 0],
        positive: ['6', 0],
        negative: ['7', 0],
        latent_image: ['5', 0],
        seed,
        steps: 20,
        cfg: 6.5,
        sampler_name: 'euler',
        scheduler: 'normal',
        denoise: 1,
      },
    },
    '9': { class_type: 'VAEDecode', inputs: { samples: ['8', 0], vae: ['4', 2] } },
    '3': { class_type: 'SaveImage', inputs: { images: ['9', 0], filename_prefix: 'ComfyUI' } },
  }
}

export function makeJob(more: Partial<GraphJob> = {}): GraphJob {
  const id = more.id ?? 'jtest'
  return {
    kind: 'graph',
    id,
    run: 'run',
    slot: {
      ordinal: 0,
      id: 'slot',
      series: 0,
      subject: 'mara',
      template: 'hero-portrait',
      view: 'front',
      variation: 0,
      index: 0,
      seed: 7,
    },
    renderHash: 'a'.repeat(64),
    modelSet: 'set',
    target: { renderer: 'comfyui', family: 'sd15', workflow: 'small' },
    graph: smallGraph(),
    save: ['3'],
    loras: [],
    models: [],
    width: 64,
    height: 64,
    isPrivate: false,
    isSizeKnown: true,
    // The provider only hands it on.
    request: { job: id, run: 'run' } as unknown as RequestPart,
    ...more,
  }
}

export function makeLora(more: Partial<Lora> = {}): Lora {
  return {
    talent: 'ink',
    role: 'style',
    raw: 0.5,
    effective: 0.5,
    source: 'test',
    weightsSha256: '0123456789abcdef'.repeat(4),
    sizeBytes: 255,
    hasTextEncoder: true,
    draft: false,
    ...more,
  }
}

let attempts = 0

export function makeAttempt(job = 'jtest', number = 1): Attempt {
  const promptId = `00000000-0000-4000-8000-${String(++attempts).padStart(12, '0')}`
  return { job, number, promptId }
}

export function makeServer(url: string, more: Partial<ServerEntry> = {}): ServerEntry {
  const defaults = { provider: 'comfyui', depth: 2, timeoutSeconds: 5, graceSeconds: 60, jobTimeoutSeconds: 3600 }
  return { ...defaults, name: 'test', url, ...(more as object) }
}

export function makeHost(signal: AbortSignal = new AbortController().signal): ProviderHost {
  return { log: pino({ level: 'silent' }), signal }
}

export async function collect(events: AsyncIterable<RenderEvent>): Promise<RenderEvent[]> {
  const all: RenderEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

/** The event that settled an attempt, in short: `finished: a.png b.png` or `failed: lost`. */
export function outcomeOf(events: readonly RenderEvent[]): string {
  const last = events.at(-1)
  // The beginning of the prompt id in a name differs from test to test.
  const nameOf = ({ filename }: OutputFile) => filename.replace(/-[0-9a-f]{8}_/, '_')
  if (last?.kind === 'finished') return `finished: ${last.outputs.map(nameOf).join(' ')}`
  return last?.kind === 'failed' ? `failed: ${last.failure.reason}` : `ended at ${last?.kind ?? 'nothing'}`
}
