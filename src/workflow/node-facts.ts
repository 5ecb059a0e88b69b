import type { ApiNode } from './api-graph.js'
import { linkAt } from './walk-graph.js'

/** What is known of node classes, core and custom, without asking a server. */

/**
 * Model folders by input name, without the number of several (`clip_name2`, `lora_name_1`); the few classes that use a name for
 * another folder come first.
 */
const folderByClassInput: Readonly<Record<string, string>> = {
  'CLIPVisionLoader.clip_name': 'clip_vision',
  'UpscaleModelLoader.model_name': 'upscale_models',
  'LatentUpscaleModelLoader.model_name': 'latent_upscale_models',
}
const folderByInput: Readonly<Record<string, string>> = {
  ckpt_name: 'checkpoints',
  unet_name: 'diffusion_models',
  clip_name: 'text_encoders',
  vae_name: 'vae',
  lora_name: 'loras',
  control_net_name: 'controlnet',
  style_model_name: 'style_models',
  gligen_name: 'gligen',
  hypernetwork_name: 'hypernetworks',
  ipadapter_file: 'ipadapter',
  instantid_file: 'instantid',
  pulid_file: 'pulid',
}
/** Choices of loader nodes that are no files. */
const builtInModels = new Set(['None', 'none', '', 'pixel_space', 'Baked VAE'])

/** The folder of the model file that this input names, e.g. `checkpoints`; undefined where it names none. */
export function modelFolderOf(node: ApiNode, input: string): string | undefined {
  const plain = input.replace(/_?\d+$/, '')
  const usual = Object.hasOwn(folderByInput, plain) ? folderByInput[plain] : undefined
  return folderByClassInput[`${node.class_type}.${input}`] ?? usual
}

export function isBuiltInModel(name: string): boolean {
  return builtInModels.has(name)
}

/** Whether the node saves pictures under a prefix that can be set. */
export function isSaveNode(node: ApiNode): boolean {
  const hasPictures = ['images', 'image'].some(input => linkAt(node, input)) && !isVideoNode(node)
  return hasPictures && ('filename_prefix' in node.inputs || /^SaveImage$/.test(node.class_type))
}

/** Whether the node saves moving pictures. */
export function isVideoNode({ class_type }: ApiNode): boolean {
  return /^(SaveAnimated(WEBP|PNG)|SaveWEBM|SaveVideo|VHS_VideoCombine)$/.test(class_type)
}

/** Whether the node turns noise into a latent picture (or refines one), judged by what it takes. */
export function isSampler(node: ApiNode): boolean {
  const isGuided = linkAt(node, 'positive') ?? linkAt(node, 'guider')
  return isGuided !== undefined && ['seed', 'noise_seed', 'noise'].some(input => input in node.inputs)
}

/** Whether the node changes a MODEL by LoRA files. */
export function isLoraLoader(node: ApiNode): boolean {
  return /lora/i.test(node.class_type) && linkAt(node, 'model') !== undefined
}

const rewriter =
  /llm|language.?model|ollama|openai|gpt|llama|gemini|qwen|mistral|deepseek|groq|anthropic|chat|textgen|prompt.?(enhanc|expan|generat|upsampl)|superprompt/i

/** Whether the node lets a language model write a new text from its input. */
export function isLanguageModel(node: ApiNode): boolean {
  // Prompt styles and encoders of such families (CLIPTextEncodeHunyuan, TextEncodeQwenImageEdit) encode and write nothing.
  return rewriter.test(node.class_type) && !/encode/i.test(node.class_type)
}

/** Whether the node makes one text from several. */
export function isTextJoiner(node: ApiNode): boolean {
  return /concat|join|combine|append|merge|replace|format/i.test(node.class_type)
}

const textInput = /text|prompt|string|^value$|^clip_[lgh]$|^t5xxl$|^llama$|^positive$|^negative$/i
const settingInput = /mode|type|model|encoder|weight|style|name|path|file|normal|delimiter|separator|system|seed|color/i

/** Whether an input of that name usually holds words of a prompt. */
export function isTextInput(input: string): boolean {
  return textInput.test(input) && !settingInput.test(input)
}
