import { freemem, totalmem } from 'node:os'
import { modelNames } from './catalogue.js'
import type { Routes } from './handler.js'
import type { ServerState } from './server-state.js'

/** What the server is and has. */
export function infoRoutes(state: ServerState): Routes {
  const { traits, catalogue, models } = state
  const isFolder = (folder: string) => traits.modelFolders.includes(folder)
  return {
    'GET /object_info': x => x.json(catalogue.describeAll()),
    'GET /object_info/:name': (x, { name = '' }) => {
      const found = catalogue.find(name)
      x.json(found && found.category !== 'unknown' ? { [name]: catalogue.describe(found) } : {})
    },
    'GET /models': x => x.json(traits.modelFolders),
    'GET /models/:folder': (x, { folder = '' }) =>
      isFolder(folder) ? x.json(modelNames(models, folder)) : x.empty(404),
    'GET /embeddings': x => x.json(modelNames(models, 'embeddings').map(name => name.replace(/\.[^.]+$/, ''))),
    'GET /view_metadata/:folder': (x, { folder = '' }) => {
      const name = x.query.get('filename') ?? ''
      const model = models === 'any' ? undefined : models[folder]?.[name]
      if (!model || !name.endsWith('.safetensors')) return x.empty(404)
      if (model.sizeBytes === 0) return x.text(500, stumbled)
      if (model.metadata) x.json(model.metadata)
      else x.empty(404)
    },
    'GET /experiment/models': x => x.json(traits.modelFolders.map(name => ({ name, folders: [] }))),
    'GET /experiment/models/:folder': (x, { folder = '' }) => {
      if (!isFolder(folder)) return x.empty(404)
      const time = state.startedAt / 1000
      x.json(
        modelNames(models, folder).map(name => ({
          name,
          pathIndex: 0,
          modified: time,
          created: time,
          size: models === 'any' ? 0 : (models[folder]?.[name]?.sizeBytes ?? 0),
        })),
      )
    },
    'GET /system_stats': x => x.json(systemStats(state)),
    'GET /features': x => x.json(traits.features),
    'GET /users': x => x.json({ storage: 'server', migrated: false }),
    'GET /settings': x => x.json({}),
    'GET /settings/:id': x => x.json(null),
    'GET /userdata': x => x.text(404, 'Directory not found'),
    'GET /v2/userdata': x => x.json([]),
    'GET /extensions': x => x.json([]),
    'GET /internal/files/:type': x => x.json([]),
  }
}

/** What the real server says when its own code falls over. */
export const stumbled = '500 Internal Server Error\n\nServer got itself in trouble'

function systemStats({ traits, isDisguised }: ServerState) {
  const total = totalmem()
  const free = freemem()
  const memory = { vram_total: total, vram_free: free, torch_vram_total: total, torch_vram_free: free }
  return {
    system: {
      ...traits.system,
      ram_total: total,
      ram_free: free,
      comfyui_version: traits.version,
      installed_templates_version: null,
      python_version: 'none',
      pytorch_version: 'none',
      embedded_python: false,
      argv: ['foundry', 'draft-server'],
      ...(!isDisguised && { foundry_draft: true }),
    },
    devices: [{ name: 'cpu', type: 'cpu', index: null, ...memory }],
  }
}
