import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { startDraftServer, type DraftServer } from '../../../../plugins/provider-comfyui/draft-server/draft-server.js'
import {
  float,
  int,
  NodeException,
  optional,
  socket,
  text,
  type NodeDefinition,
} from '../../../../plugins/provider-comfyui/draft-server/node-definition.js'
import type { DraftModel, DraftVersion, Faults } from '../../../../plugins/provider-comfyui/draft-server/options.js'

/** Recorded waits are this much shorter when replayed. */
export const timeScale = 0.25

export interface RecorderServer {
  server: DraftServer
  /** Live: a name added here is a file that appeared on the disk. */
  models: Record<string, Record<string, DraftModel>>
}

/**
 * Holds the slow jobs of a recording at each step until the replay has come as far as the recording had at that step:
 * so requests meet a running job where they met it on the real server, however busy this machine is.
 */
export interface StepGate {
  /** Milliseconds to wait per second of a step that nothing holds, undefined while it must not happen yet. */
  waitMs(promptId: string, step: number): number | undefined
}

/** A draft server set up like the ones that were recorded: the same test nodes, model files and inputs. */
export async function startRecorderServer(
  version: DraftVersion,
  gate: StepGate,
  faults: Partial<Faults>,
): Promise<RecorderServer> {
  const square = { width: 16, height: 16 }
  const example = await sharp({ create: { ...square, channels: 3, background: '#468' } })
    .png()
    .toBuffer()
  const face = await sharp({ create: { ...square, channels: 4, background: { r: 90, g: 60, b: 30, alpha: 0.5 } } })
    .png()
    .toBuffer()
  const models = recordedModels()
  const server = await startDraftServer({
    version,
    models,
    lenient: false,
    nodes: [slowSteps(gate), needsEven],
    input: { 'example.png': example, 'faces/face.png': face },
    faults,
  })
  return { server, models }
}

function recordedModels(): RecorderServer['models'] {
  const empty = (...names: string[]) => Object.fromEntries(names.map(name => [name, { sizeBytes: 0 }]))
  const metadata = {
    ss_network_dim: '8',
    ss_network_alpha: '4',
    ss_base_model_version: 'sd_v1',
    ss_tag_frequency: '{"10_ink": {"ink drawing": 12}}',
    modelspec_title: 'recorder test lora',
  }
  return {
    checkpoints: empty('fake.safetensors', 'xl/other.safetensors'),
    loras: {
      ...empty('ink.safetensors', 'style/x.safetensors'),
      'style/meta.safetensors': { sizeBytes: 255, metadata },
    },
    vae: empty('vae-a.safetensors'),
    text_encoders: empty('clip_l.safetensors', 't5xxl_fp8.safetensors'),
    diffusion_models: empty('flux-dev.safetensors'),
    clip_vision: empty('sigclip.safetensors'),
    style_models: empty('redux.safetensors'),
    controlnet: empty('canny.safetensors'),
    upscale_models: empty('4x.pth'),
    embeddings: empty('neg.pt'),
  }
}

const slowSteps = (gate: StepGate): NodeDefinition => ({
  name: 'SlowSteps',
  category: 'recorder',
  inputs: {
    image: socket('IMAGE'),
    steps: int(5, 1, 1000),
    seconds_per_step: float(0.2, 0, 60, 0.01),
    raise_at: int(0, 0, 1000),
    text: optional(text({ default: '' })),
    salt: optional({ type: 'INT', options: { default: 0 } }),
  },
  hidden: { unique_id: 'UNIQUE_ID' },
  outputs: ['IMAGE'],
  async evaluate({ inputs, promptId, takeSteps, sendText }) {
    const steps = Number(inputs.steps)
    await takeSteps(steps, {
      msPerStep: 0,
      async eachStep(step) {
        let waitMs = gate.waitMs(promptId, step)
        for (; waitMs === undefined; waitMs = gate.waitMs(promptId, step)) await sleep(gatePollMs)
        await sleep(waitMs * Number(inputs.seconds_per_step))
        if (step === inputs.raise_at) throw new NodeException('RuntimeError', `SlowSteps raised at step ${step}`)
      },
      afterTick(step) {
        if (inputs.text) sendText(`${String(inputs.text)} ${step}/${steps}`)
      },
    })
    return { outputs: [inputs.image] }
  },
})

const gatePollMs = 2

const needsEven: NodeDefinition = {
  name: 'NeedsEven',
  category: 'recorder',
  inputs: { image: socket('IMAGE'), number: int(2, 0, 100) },
  outputs: ['IMAGE'],
  checks: { number: value => (Number(value) % 2 === 1 ? 'number must be even' : undefined) },
}
