import type { DraftVersion } from './options.js'

/** Where the imitated versions differ. */
export interface Traits {
  version: DraftVersion
  hasJobsApi: boolean
  hasCreateTime: boolean
  hasPreviewMethodPerJob: boolean
  /** Unknown classes are reported as `missing_node_type` with facts, before that as a bare `invalid_prompt`. */
  namesMissingNode: boolean
  /** Combos declared in the newer style are checked. */
  checksNewCombos: boolean
  /** Cached outputs are told in history although the job had no client. */
  tellsCachedToNobody: boolean
  /** Newer node schemas in `/object_info`. */
  hasNewNodeFacts: boolean
  modelFolders: readonly string[]
  /** Choices of combos that came later. */
  absentChoices: readonly string[]
  features: Record<string, unknown>
  system: Record<string, unknown>
  headers: Record<string, string>
}

export function traitsOf(version: DraftVersion): Traits {
  return traits[version]
}

const folders = (latentUpscale: string[]) => [
  ...['checkpoints', 'configs', 'loras', 'vae', 'text_encoders', 'diffusion_models', 'clip_vision', 'style_models'],
  ...['embeddings', 'diffusers', 'vae_approx', 'controlnet', 'gligen', 'upscale_models', ...latentUpscale],
  ...['custom_nodes', 'hypernetworks', 'photomaker', 'classifiers', 'model_patches', 'audio_encoders'],
]

const commonFeatures = { supports_preview_metadata: true, max_upload_size: 100 * 1024 * 1024 }

const traits: Record<DraftVersion, Traits> = {
  '0.12.1': {
    version: '0.12.1',
    hasJobsApi: true,
    hasCreateTime: true,
    hasPreviewMethodPerJob: true,
    namesMissingNode: true,
    checksNewCombos: true,
    tellsCachedToNobody: false,
    hasNewNodeFacts: true,
    modelFolders: folders(['latent_upscale_models']),
    absentChoices: [],
    features: { ...commonFeatures, extension: { manager: { supports_v4: true } } },
    system: { os: 'linux', required_frontend_version: '1.37.11', required_templates_version: '0.8.31' },
    headers: {
      'content-security-policy': [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self' data:",
        "frame-src 'self'",
        "object-src 'self';",
      ].join('; '),
    },
  },
  '0.3.64': {
    version: '0.3.64',
    hasJobsApi: false,
    hasCreateTime: false,
    hasPreviewMethodPerJob: false,
    namesMissingNode: false,
    checksNewCombos: false,
    tellsCachedToNobody: true,
    hasNewNodeFacts: false,
    modelFolders: folders([]),
    absentChoices: ['exp_heun_2_x0', 'exp_heun_2_x0_sde'],
    features: commonFeatures,
    system: { os: 'posix', required_frontend_version: '1.27.10', required_templates_version: '0.1.95' },
    headers: {},
  },
}
