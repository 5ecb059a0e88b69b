/**
 * What stands for everything heavy that flows through a graph (models, conditionings, latents, pictures): just what a
 * draft needs to know about it. Numbers and texts flow as themselves.
 */
export interface Look {
  readonly kind: 'look'
  /** Pixels; 0 while nothing has said a size. */
  width: number
  height: number
  /** Pictures in the batch. */
  count: number
  seed?: number
  words?: string
  negative?: string
  steps?: number
  /** 0xRRGGBB of a plain picture. */
  colour?: number
  /** Whether a sampler made it: only then it is painted as a draft. */
  isSampled?: boolean
  loras?: { talent: string; effective: number }[]
}

export const plainLook: Look = { kind: 'look', width: 0, height: 0, count: 1 }

export function isLook(value: unknown): value is Look {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'look'
}

/**
 * What a node makes of its inputs unless it says otherwise: the looks behind all its sockets, blended, with the sizes,
 * seeds and texts of its own widgets laid over them. Good enough for nodes nobody has described.
 */
export function blendLooks(inputs: Readonly<Record<string, unknown>>): Look {
  const blend: Look = { ...plainLook }
  for (const [name, value] of Object.entries(inputs)) if (isLook(value)) addLook(blend, name, value)
  for (const [name, value] of Object.entries(inputs)) if (!isLook(value)) addWidget(blend, name, value)
  return blend
}

function addLook(blend: Look, name: string, look: Look): void {
  if (name.startsWith('negative')) {
    if (look.words) blend.negative ??= look.words
    return
  }
  if (blend.width === 0) Object.assign(blend, { width: look.width, height: look.height, count: look.count })
  if (look.words && !blend.words?.includes(look.words)) blend.words = join(blend.words, look.words)
  if (look.negative !== undefined) blend.negative ??= look.negative
  if (look.seed !== undefined) blend.seed ??= look.seed
  if (look.steps !== undefined) blend.steps ??= look.steps
  if (look.colour !== undefined) blend.colour ??= look.colour
  if (look.isSampled) blend.isSampled = true
  for (const lora of look.loras ?? []) if (!blend.loras?.includes(lora)) blend.loras = [...(blend.loras ?? []), lora]
}

const textNames = new Set(['text', 'clip_l', 't5xxl', 'text_g', 'text_l', 'prompt', 'positive_prompt'])

function addWidget(blend: Look, name: string, value: unknown): void {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number === 'number') {
    if ((name === 'width' || name === 'height') && number > 0) blend[name] = Math.round(number)
    if (name === 'seed' || name === 'noise_seed') blend.seed = number
    if (name === 'steps') blend.steps = number
    if (name === 'batch_size' && number > 0) blend.count = number
    if (name === 'color') blend.colour = number
  }
  if (typeof value === 'string' && textNames.has(name) && value) blend.words = join(blend.words, value)
}

function join(first: string | undefined, second: string): string {
  return first ? `${first}, ${second}` : second
}
