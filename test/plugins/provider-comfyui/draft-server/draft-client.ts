import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'undici'
import { WebSocket } from 'ws'
import type { DraftServer } from '../../../../plugins/provider-comfyui/draft-server/draft-server.js'

export interface Answer {
  status: number
  headers: Record<string, unknown>
  bytes: Buffer
  json: unknown
}

export interface SeenFrame {
  type: string
  data: Record<string, unknown>
}

/** A client that keeps everything it saw. */
export class DraftClient {
  readonly answers: { asked: string; answer: Answer }[] = []
  readonly frames: SeenFrame[] = []
  private readonly heard: (() => void)[] = []

  private constructor(
    readonly server: DraftServer,
    readonly socket: WebSocket,
    readonly id: string,
  ) {
    socket.on('message', (data: Buffer, isBinary) => {
      const frame = isBinary
        ? { type: 'binary', data: { kind: data.readUInt32BE(0) } }
        : (JSON.parse(String(data)) as SeenFrame)
      this.frames.push(frame)
      for (const look of this.heard.splice(0)) look()
    })
    socket.on('close', () => this.heard.splice(0).forEach(look => look()))
  }

  static async open(server: DraftServer, id: string = randomUUID()): Promise<DraftClient> {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws?clientId=${id}`)
    const client = new DraftClient(server, socket, id)
    await once(socket, 'open')
    return client
  }

  async ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> {
    const sent = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
    const { statusCode, headers, body: stream } = await request(this.server.url + path, { method, body: sent })
    const bytes = Buffer.from(await stream.arrayBuffer())
    const isJson = String(headers['content-type']).startsWith('application/json')
    const answer = {
      status: statusCode,
      headers,
      bytes,
      json: isJson ? (JSON.parse(String(bytes)) as unknown) : undefined,
    }
    this.answers.push({ asked: `${method} ${path}`, answer })
    return answer
  }

  submit(graph: object, promptId: string, more: object = {}): Promise<Answer> {
    return this.ask('POST', '/prompt', { prompt: graph, client_id: this.id, prompt_id: promptId, ...more })
  }

  /** The first frame that fits, waited for if need be. */
  async frame(fits: (frame: SeenFrame) => boolean): Promise<SeenFrame> {
    for (;;) {
      const found = this.frames.find(fits)
      if (found) return found
      await new Promise<void>(resolve => this.heard.push(resolve))
    }
  }

  async ended(promptId: string): Promise<void> {
    await this.frame(({ type, data }) => type === 'executing' && data.node === null && data.prompt_id === promptId)
  }

  /** Submits, waits for the end, and gives the entry of the history. */
  async run(graph: object, promptId: string, more: object = {}): Promise<HistoryView> {
    await this.submit(graph, promptId, more)
    await this.ended(promptId)
    const { json } = await this.ask('GET', `/history/${promptId}`)
    return (
      (json as Record<string, HistoryView>)[promptId] ?? { outputs: {}, status: { status_str: 'none', messages: [] } }
    )
  }

  close(): void {
    this.socket.terminate()
  }
}

export interface HistoryView {
  outputs: Record<string, { images?: { filename: string; subfolder: string; type: string }[] }>
  status: { status_str: string; messages: [string, Record<string, unknown>][] }
}

/** Three nodes that need no model: one plain picture of 64 × 64. */
export function smallGraph(
  seed: number,
  prefix: string,
): Record<string, { class_type: string; inputs: Record<string, unknown> }> {
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color: 16729156 } },
    '2': { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed, strength: 0.5 } },
    '3': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: prefix } },
  }
}

/** Text to image with a checkpoint and a LoRA, 64 × 96, four steps. */
export function sampledGraph(
  seed: number,
  prefix: string,
): Record<string, { class_type: string; inputs: Record<string, unknown> }> {
  return {
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'any.safetensors' } },
    '10': {
      class_type: 'LoraLoader',
      inputs: {
        model: ['4', 0],
        clip: ['4', 1],
        lora_name: 'style/a.safetensors',
        strength_model: 0.6,
        strength_clip: 0.6,
      },
    },
    '6': { class_type: 'CLIPTextEncode', inputs: { clip: ['10', 1], text: 'portrait, soft light' } },
    '7': { class_type: 'CLIPTextEncode', inputs: { clip: ['10', 1], text: 'blurry' } },
    '5': { class_type: 'EmptyLatentImage', inputs: { width: 64, height: 96, batch_size: 1 } },
    '3': {
      class_type: 'KSampler',
      inputs: {
        model: ['10', 0],
        seed,
        steps: 4,
        cfg: 6,
        sampler_name: 'euler',
        scheduler: 'normal',
        positive: ['6', 0],
        negative: ['7', 0],
        latent_image: ['5', 0],
        denoise: 1,
      },
    },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
    '9': { class_type: 'SaveImage', inputs: { images: ['8', 0], filename_prefix: prefix } },
  }
}
