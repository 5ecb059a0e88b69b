import { blendLooks, isLook, type Look } from './look.js'
import {
  always,
  combo,
  float,
  int,
  newer,
  node,
  NodeException,
  seed,
  sizeMax,
  socket,
  text,
  withTip,
  type FileFacts,
  type InputSpec,
  type NodeDefinition,
  type NodeResult,
  type RunningNode,
} from './node-definition.js'

/** Latents into pictures and back, pictures, masks, plain values, and what saves. */
export const imageNodes: readonly NodeDefinition[] = [
  {
    ...node('VAEDecode', 'latent', {
      samples: withTip(socket('LATENT'), 'What is decoded.'),
      vae: withTip(socket('VAE'), 'What decodes.'),
    }),
    displayName: 'VAE Decode',
  },
  node('VAEDecodeTiled', '_for_testing', {
    samples: socket('LATENT'),
    vae: socket('VAE'),
    tile_size: int(512, 64, 4096, { step: 32 }),
    overlap: int(64, 0, 4096, { step: 32 }),
    temporal_size: int(64, 8, 4096, { step: 4 }),
    temporal_overlap: int(8, 4, 4096, { step: 4 }),
  }),
  node('VAEEncode', 'latent', { pixels: socket('IMAGE'), vae: socket('VAE') }, ['LATENT']),
  node(
    'VAEEncodeForInpaint',
    'latent/inpaint',
    { pixels: socket('IMAGE'), vae: socket('VAE'), mask: socket('MASK'), grow_mask_by: int(6, 0, 64, { step: 1 }) },
    ['LATENT'],
  ),
  node('SetLatentNoiseMask', 'latent/inpaint', { samples: socket('LATENT'), mask: socket('MASK') }, ['LATENT']),
  node('RepeatLatentBatch', 'latent/batch', { samples: socket('LATENT'), amount: int(1, 1, 64) }, ['LATENT'], n =>
    change(n, look => ({ count: look.count * Number(n.inputs.amount) })),
  ),
  node(
    'LatentFromBatch',
    'latent/batch',
    { samples: socket('LATENT'), batch_index: int(0, 0, 63), length: int(1, 1, 64) },
    ['LATENT'],
    n => change(n, look => ({ count: Math.min(look.count, Number(n.inputs.length)) })),
  ),
  node(
    'LatentUpscale',
    'latent',
    {
      samples: socket('LATENT'),
      upscale_method: combo('nearest-exact', 'bilinear', 'area', 'bicubic', 'bislerp'),
      ...sides(8),
      crop: combo('disabled', 'center'),
    },
    ['LATENT'],
    n => change(n, look => scaled(look, n.inputs)),
  ),
  node(
    'LatentUpscaleBy',
    'latent',
    {
      samples: socket('LATENT'),
      upscale_method: combo('nearest-exact', 'bilinear', 'area', 'bicubic', 'bislerp'),
      scale_by: float(1.5, 0.01, 8, 0.01),
    },
    ['LATENT'],
    n => change(n, look => multiplied(look, Number(n.inputs.scale_by))),
  ),
  {
    ...node('LoadImage', 'image', { image: inputFile() }, ['IMAGE', 'MASK'], loadImage),
    displayName: 'Load Image',
    checks: { image: refuseAbsentFile },
    fingerprint: ({ image }, files) => files.hashOf(String(image)) ?? '',
  },
  {
    ...node(
      'LoadImageMask',
      'mask',
      { image: inputFile(), channel: combo('alpha', 'red', 'green', 'blue') },
      ['MASK'],
      loadImage,
    ),
    checks: { image: refuseAbsentFile },
    fingerprint: ({ image }, files) => files.hashOf(String(image)) ?? '',
  },
  {
    ...node(
      'SaveImage',
      'image',
      {
        images: withTip(socket('IMAGE'), 'What is saved.'),
        filename_prefix: withTip(text({ default: 'ComfyUI' }), 'Folder and beginning of the file name.'),
      },
      [],
      n => save(n, String(n.inputs.filename_prefix), 'output'),
    ),
    displayName: 'Save Image',
    isOutput: true,
    hidden: { prompt: 'PROMPT', extra_pnginfo: 'EXTRA_PNGINFO' },
  },
  {
    ...node('PreviewImage', 'image', { images: socket('IMAGE') }, [], n => save(n, '', 'temp')),
    displayName: 'Preview Image',
    isOutput: true,
    hidden: { prompt: 'PROMPT', extra_pnginfo: 'EXTRA_PNGINFO' },
  },
  node(
    'EmptyImage',
    'image',
    {
      width: int(512, 1, sizeMax, { step: 1 }),
      height: int(512, 1, sizeMax, { step: 1 }),
      batch_size: int(1, 1, 4096),
      color: int(0, 0, 0xffffff, { step: 1, display: 'color' }),
    },
    ['IMAGE'],
    emptyImage,
  ),
  node('ImageScale', 'image/upscaling', scaleInputs(), ['IMAGE'], n => change(n, look => scaled(look, n.inputs))),
  node(
    'ImageScaleBy',
    'image/upscaling',
    { image: socket('IMAGE'), upscale_method: upscaleMethods(), scale_by: float(1, 0.01, 8, 0.01) },
    ['IMAGE'],
    n => change(n, look => multiplied(look, Number(n.inputs.scale_by))),
  ),
  always(
    node(
      'ImageUpscaleWithModel',
      'image/upscaling',
      { upscale_model: socket('UPSCALE_MODEL'), image: socket('IMAGE') },
      ['IMAGE'],
      n => change(n, look => multiplied(look, upscaleFactor)),
    ),
  ),
  node('ImageInvert', 'image', { image: socket('IMAGE') }),
  node('ImageBatch', 'image', { image1: socket('IMAGE'), image2: socket('IMAGE') }, ['IMAGE'], n =>
    change(n, look => ({ count: look.count + (isLook(n.inputs.image2) ? n.inputs.image2.count : 0) })),
  ),
  newer(
    node('ImageAddNoise', 'image', {
      image: socket('IMAGE'),
      seed: withTip(seed(), 'Of the noise.'),
      strength: float(0.5, 0, 1, 0.01),
    }),
  ),
  always(
    node('ImageBlur', 'image/postprocessing', {
      image: socket('IMAGE'),
      blur_radius: int(1, 1, 31, { step: 1 }),
      sigma: float(1, 0.1, 10, 0.1),
    }),
  ),
  always(
    node('ImageBlend', 'image/postprocessing', {
      image1: socket('IMAGE'),
      image2: socket('IMAGE'),
      blend_factor: float(0.5, 0, 1, 0.01),
      blend_mode: combo('normal', 'multiply', 'screen', 'overlay', 'soft_light', 'difference'),
    }),
  ),
  newer(
    node('ImageCrop', 'image/transform', {
      image: socket('IMAGE'),
      width: int(512, 1, sizeMax, { step: 1 }),
      height: int(512, 1, sizeMax, { step: 1 }),
      x: int(0, 0, sizeMax, { step: 1 }),
      y: int(0, 0, sizeMax, { step: 1 }),
    }),
  ),
  newer(
    node(
      'SolidMask',
      'mask',
      {
        value: float(1, 0, 1, 0.01),
        width: int(512, 1, sizeMax, { step: 1 }),
        height: int(512, 1, sizeMax, { step: 1 }),
      },
      ['MASK'],
    ),
  ),
  newer(node('InvertMask', 'mask', { mask: socket('MASK') }, ['MASK'])),
  newer(node('MaskToImage', 'mask', { mask: socket('MASK') })),
  newer(
    node('ImageToMask', 'mask', { image: socket('IMAGE'), channel: combo('red', 'green', 'blue', 'alpha') }, ['MASK']),
  ),
  primitive('PrimitiveInt', 'INT', { min: -(2n ** 63n - 1n), max: 2n ** 63n - 1n, control_after_generate: true }),
  primitive('PrimitiveFloat', 'FLOAT', { min: -(2 ** 63), max: 2 ** 63, step: 0.1 }),
  primitive('PrimitiveString', 'STRING', { multiline: false }),
  primitive('PrimitiveStringMultiline', 'STRING', { multiline: true }),
  primitive('PrimitiveBoolean', 'BOOLEAN', {}),
  always(
    node(
      'StringConcatenate',
      'utils/string',
      { string_a: text(), string_b: text(), delimiter: text({ default: '', multiline: false }) },
      ['STRING'],
      ({ inputs: i }) => ({ outputs: [`${String(i.string_a)}${String(i.delimiter)}${String(i.string_b)}`] }),
    ),
  ),
  {
    ...node('PreviewAny', 'utils', { source: socket('*') }, [], ({ inputs: { source } }) => ({
      outputs: [],
      ui: { text: [isLook(source) ? '' : String(source)] },
    })),
    isOutput: true,
  },
]

const upscaleFactor = 4

function primitive(name: string, type: string, options: Record<string, unknown>): NodeDefinition {
  const evaluate = ({ inputs }: RunningNode) => ({ outputs: [inputs.value] })
  return always(node(name, 'utils/primitive', { value: { type, options } }, [type], evaluate))
}

/** The sizes given, where 0 keeps the proportions. */
function scaled(look: Look, inputs: Readonly<Record<string, unknown>>): Partial<Look> {
  const width = Number(inputs.width)
  const height = Number(inputs.height)
  if (width === 0 && height === 0) return {}
  return {
    width: width || Math.max(1, Math.round((look.width * height) / look.height)),
    height: height || Math.max(1, Math.round((look.height * width) / look.width)),
  }
}

function multiplied(look: Look, factor: number): Partial<Look> {
  return { width: Math.round(look.width * factor), height: Math.round(look.height * factor) }
}

/** The look behind the first socket, changed. Sizes among the widgets are the node's own business. */
function change(running: RunningNode, changes: (look: Look) => Partial<Look>): NodeResult {
  const look = Object.values(running.inputs).find(isLook) ?? blendLooks(running.inputs)
  return { outputs: [{ ...look, ...changes(look) }] }
}

function emptyImage(running: RunningNode): NodeResult {
  const { width, height } = running.inputs
  for (const side of [width, height]) {
    if (Number(side) < 0) throw new NodeException('RuntimeError', `A picture cannot have ${String(side)} pixels`)
  }
  return { outputs: [blendLooks(running.inputs)] }
}

async function loadImage({ inputs, files }: RunningNode): Promise<NodeResult> {
  const size = await files.sizeOf(String(inputs.image))
  if (!size) throw new NodeException('PIL.UnidentifiedImageError', 'cannot identify the image file')
  const look: Look = { kind: 'look', count: 1, ...size }
  return { outputs: [look, look] }
}

function refuseAbsentFile(image: unknown, files: FileFacts): string | undefined {
  return files.hashOf(String(image)) === undefined ? `Invalid image file: ${String(image)}` : undefined
}

async function save({ inputs, save }: RunningNode, prefix: string, type: 'output' | 'temp'): Promise<NodeResult> {
  const { images } = inputs
  if (!isLook(images)) throw new NodeException('AttributeError', `'${typeof images}' object has no attribute 'shape'`)
  return { outputs: [], ui: { images: await save(images, prefix, type) } }
}

function inputFile(): InputSpec {
  return { type: { inputFiles: true }, options: { image_upload: true } }
}

function sides(step: number): Record<string, InputSpec> {
  return { width: int(512, 0, sizeMax, { step }), height: int(512, 0, sizeMax, { step }) }
}

function upscaleMethods(): InputSpec {
  return combo('nearest-exact', 'bilinear', 'area', 'bicubic', 'lanczos')
}

function scaleInputs(): Record<string, InputSpec> {
  return { image: socket('IMAGE'), upscale_method: upscaleMethods(), ...sides(1), crop: combo('disabled', 'center') }
}
