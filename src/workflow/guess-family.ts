import { families } from '../schema/template.js'
import type { Family } from '../schema/template.js'
import type { BoundModel } from './find-models.js'
import type { Size } from './find-size.js'
import type { ApiGraph } from './api-graph.js'
import { inputAt, nodeAt } from './walk-graph.js'

/** Which family of models a graph is made for, and how that is known. No `family`: it is none that the foundry knows. */
export interface FamilyGuess {
  family?: Family
  /** True where a node says so; false where names or sizes suggest it. */
  isCertain: boolean
  /** What it was judged by, as the end of a sentence. */
  because: string
}

const familyByClass: readonly [RegExp, Family][] = [
  [/^(FluxGuidance|CLIPTextEncodeFlux|ModelSamplingFlux|FluxDisableGuidance)$/, 'flux'],
  [/^CLIPTextEncodeSDXL(Refiner)?$/, 'sdxl'],
  [/^(CLIPTextEncodeSD3|SkipLayerGuidanceSD3)$/, 'sd3'],
]
/** `type` of the loaders of text encoders. */
const familyByEncoderType: Readonly<Record<string, Family>> = {
  flux: 'flux',
  sdxl: 'sdxl',
  sd3: 'sd3',
  stable_diffusion: 'sd15',
}
/** What loaders that have no `type` load. */
const encoderTypeByClass: Readonly<Record<string, string>> = {
  CLIPLoader: 'stable_diffusion',
  TripleCLIPLoader: 'sd3',
  QuadrupleCLIPLoader: 'hidream',
}
const familyByName: readonly [RegExp, Family][] = [
  [/flux(?![-_. ]?2)/i, 'flux'],
  [/(?<![a-z])sd[-_.]?3|stable[-_.]?diffusion[-_.]?v?3/i, 'sd3'],
  [/sdxl|sd_xl|xl[_\-.]|pony|illustrious|noobai/i, 'sdxl'],
  [/v1[-_.]5|sd[-_]?1[-_.]?5|sd15/i, 'sd15'],
]
/** Both sides of a picture that the older models cannot compose. */
const sdxlSidePx = 832

export function guessFamily(
  graph: ApiGraph,
  { among, models, size }: { among: ReadonlySet<string>; models: readonly BoundModel[]; size: Size },
): FamilyGuess {
  // What the text encoders are for counts first: later models share nodes with FLUX.1 and SD3.
  const byType = byEncoder(graph, among)
  if (byType) return byType
  const classes = [...among].map(id => nodeAt(graph, id)?.class_type ?? '')
  for (const [pattern, family] of familyByClass) {
    const name = classes.find(each => pattern.test(each))
    if (name) return { family, isCertain: true, because: `the workflow has a ${name} node` }
  }
  return byModelName(graph, models) ?? bySize(graph, size)
}

/** Why no talent fits the model, as the start of a sentence: its text encoders are those of none of the families. */
export function foreignModel(graph: ApiGraph, among: ReadonlySet<string>): string | undefined {
  const guess = byEncoder(graph, among)
  return guess && !guess.family ? guess.because : undefined
}

function byEncoder(graph: ApiGraph, among: ReadonlySet<string>): FamilyGuess | undefined {
  for (const node of among) {
    const name = nodeAt(graph, node)?.class_type ?? ''
    if (!/^(Dual|Triple|Quadruple)?CLIPLoader/.test(name)) continue
    const type = inputAt(graph, { node, input: 'type' }) ?? encoderTypeByClass[name.replace(/GGUF$/, '')]
    if (typeof type !== 'string') continue
    const because = `${name} loads text encoders of type ${type}`
    const family = Object.hasOwn(familyByEncoderType, type) ? familyByEncoderType[type] : undefined
    if (family) return { family, isCertain: true, because }
    return { isCertain: false, because: `${because}, which belong to no family known here` }
  }
  return undefined
}

function byModelName(graph: ApiGraph, models: readonly BoundModel[]): FamilyGuess | undefined {
  for (const model of models) {
    if (!/^(checkpoints|diffusion_models)$/.test(model.folder)) continue
    const name = String(inputAt(graph, model))
    const family = familyByName.find(([pattern]) => pattern.test(name))?.[1]
    if (family) return { family, isCertain: false, because: `the model is called ${name}` }
  }
  return undefined
}

function bySize(graph: ApiGraph, { width, height }: Size): FamilyGuess {
  const sides = [...width.slice(0, 1), ...height.slice(0, 1)].map(ref => inputAt(graph, ref))
  if (sides.length < 2 || !sides.every(side => typeof side === 'number'))
    return { isCertain: false, because: `nothing in it tells ${families.join(', ')} apart` }
  const family = sides.every(side => side >= sdxlSidePx) ? 'sdxl' : 'sd15'
  return { family, isCertain: false, because: `its pictures are ${sides.join(' × ')} pixels` }
}
