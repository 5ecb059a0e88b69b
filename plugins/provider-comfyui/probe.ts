import type { Probe } from '../../src/plugins/contract.js'
import type { Catalogue } from './catalogue.js'
import type { Http } from './http.js'
import { recordOf } from './json.js'
import type { Shelf } from './shelf.js'

/** The model folders that jobs draw from. */
const probedFolders = [
  'checkpoints',
  'loras',
  'vae',
  'text_encoders',
  'diffusion_models',
  'controlnet',
  'clip_vision',
  'style_models',
  'upscale_models',
  'embeddings',
]

interface Parts {
  http: Http
  catalogue: Catalogue
}

/** Lists of files are long and seldom change; a job that misses one has them asked anew at once. */
const namesAgeMs = 30_000

/**
 * Asks a server anew what it is, and what it has if that was not asked a moment ago. Routes that older servers and forks lack
 * leave their fields empty.
 */
export async function probeServer({ http, catalogue }: Parts, signal: AbortSignal): Promise<Probe> {
  const startedAt = performance.now()
  const [identity, folders, queue] = await Promise.all([
    catalogue.identity(0),
    catalogue.folders(namesAgeMs),
    http.getJson('/prompt', { signal }),
  ])
  const { renderer, version, cacheMode, vramTotalBytes, vramFreeBytes } = identity
  const wanted = probedFolders.filter(folder => folders?.includes(folder) ?? true)
  const shelves = await Promise.all(
    wanted.map(async folder => [folder, await catalogue.shelf(folder, namesAgeMs)] as const),
  )
  const found = shelves.filter((entry): entry is readonly [string, Shelf] => entry[1] !== undefined)
  const { queue_remaining: queueRemaining } = recordOf(recordOf(queue)['exec_info'])
  return {
    renderer,
    ...(version !== undefined && { version }),
    models: Object.fromEntries(found.map(([folder, shelf]) => [folder, shelf.names])),
    modelSizes: Object.fromEntries(found.map(([folder, shelf]) => [folder, shelf.sizes])),
    ...(vramTotalBytes !== undefined && { vramTotalBytes }),
    ...(vramFreeBytes !== undefined && { vramFreeBytes }),
    queueRemaining: typeof queueRemaining === 'number' ? queueRemaining : 0,
    ...(cacheMode !== undefined && { cacheMode }),
    tookMs: performance.now() - startedAt,
  }
}
