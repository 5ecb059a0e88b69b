import { hasErrors } from '../errors.js'
import type { Problem } from '../errors.js'
import type { Binding, InputRef } from '../schema/binding.js'
import { families } from '../schema/template.js'
import type { ApiGraph } from './api-graph.js'
import { askUnsampled } from './ask-unsampled.js'
import { bindingSnippet } from './binding-snippet.js'
import { checkBinding } from './check-binding.js'
import { describeBinding, describeInput } from './describe-binding.js'
import type { Finding } from './describe-binding.js'
import { findClipLink, findLoraAnchor } from './find-lora-anchor.js'
import { findModels } from './find-models.js'
import { findSamplers } from './find-samplers.js'
import type { Sampler } from './find-samplers.js'
import { findSize } from './find-size.js'
import { findText } from './find-text.js'
import type { FoundText, Polarity } from './find-text.js'
import { foreignModel, guessFamily } from './guess-family.js'
import { literalBehind } from './literal-behind.js'
import { isSaveNode, isSampler, isVideoNode } from './node-facts.js'
import { ask, describeNode, miss, warn } from './questions.js'
import { findLoadedPictures } from './references.js'
import { compareIds, nodeAt, upstreamOf } from './walk-graph.js'

export interface Analysis {
  /** Complete and checked; absent while a problem is an error. */
  binding?: Binding
  /** Questions (WORKFLOW_AMBIGUOUS, with the candidates and lines to paste), misses and warnings. */
  problems: Problem[]
  /** What was found so far, for people to check. */
  found: Finding[]
}

/**
 * Binds an unknown workflow: from its save node back to the sampler, and from there to texts, seed, size, models and the
 * place for LoRAs. `hints` are fields of a binding that are known already; they are taken as they are and answer questions.
 */
export function analyseGraph(graph: ApiGraph, { hints = {} }: { hints?: Partial<Binding> } = {}): Analysis {
  const problems: Problem[] = []
  const save = hints.save ?? chooseSave(graph, problems)
  const among = upstreamOf(graph, [save, saveCandidates(graph), Object.keys(graph)].find(ids => ids.length > 0) ?? [])
  const samplers = findSamplers(graph, among)
  if (samplers.length === 0) problems.push(...askUnsampled(graph, { among, hints }))

  const texts = bindTexts(graph, samplers, { hints, problems })
  const found: Partial<Binding> = {
    ...texts,
    ...bindNumbers(graph, samplers),
    ...bindSize(graph, samplers, { among, hints, problems }),
    ...bindReferences(graph, { found: { ...texts, save }, hints, problems }),
    models: findModels(graph, among),
    ...bindLora(graph, samplers, { among, hints, problems }),
    save,
  }
  const family = bindFamily(graph, { among, found, hints, problems })
  const known = withoutEmpty({ ...family, ...found, ...hints })
  if (samplers.length > 0 && !known.seed)
    problems.push(miss('seed', 'no seed leads to the sampler: name the input that takes it'))
  if (isComplete(known) && !hasErrors(problems)) problems.push(...checkBinding(graph, known))
  if (!known.negative && !hints.negative && known.family !== 'flux' && !problems.some(each => each.path === 'negative'))
    problems.push(warn('negative', 'WORKFLOW_NEGATIVE_MISSING', 'the workflow takes no negative prompt: none is sent'))
  const isUsable = isComplete(known) && !hasErrors(problems)
  return { ...(isUsable && { binding: known }), problems, found: describeBinding(graph, known) }
}

interface Context {
  hints: Partial<Binding>
  problems: Problem[]
}

function chooseSave(graph: ApiGraph, problems: Problem[]): string[] {
  const candidates = saveCandidates(graph)
  if (candidates.length <= 1) {
    if (candidates.length === 0) problems.push(noSave(graph))
    return candidates
  }
  const first = { save: candidates.slice(-1) }
  const named = candidates.map(id => describeNode(graph, id))
  problems.push(
    ask('save', 'several nodes save a picture, and a slot takes one', { candidates: named, example: first }),
  )
  return []
}

function noSave(graph: ApiGraph): Problem {
  const videos = Object.keys(graph).filter(id => test(graph, id, isVideoNode))
  const found = videos.map(id => describeNode(graph, id)).join(', ')
  const message = 'no node saves a picture: add a SaveImage node behind the last picture'
  return { ...miss('save', message), ...(found && { found: `what makes videos: ${found}` }) }
}

/** Save nodes; those that show a sampler's work are preferred to those that keep a prepared picture. */
function saveCandidates(graph: ApiGraph): string[] {
  const all = Object.keys(graph).filter(id => test(graph, id, isSaveNode))
  const sampled = all.filter(id => [...upstreamOf(graph, [id])].some(each => test(graph, each, isSampler)))
  return (sampled.length > 0 ? sampled : all).sort(compareIds)
}

function test(graph: ApiGraph, id: string, is: typeof isSampler): boolean {
  const node = nodeAt(graph, id)
  return node !== undefined && is(node)
}

function bindTexts(graph: ApiGraph, samplers: readonly Sampler[], { hints, problems }: Context): Partial<Binding> {
  const texts = (polarity: Polarity) =>
    findText(
      graph,
      samplers.flatMap(each => each[polarity]),
      polarity,
    )
  const positive = texts('positive')
  const negative = texts('negative')
  if (!hints.positive && samplers.length > 0) reportText(graph, positive, { field: 'positive', problems })
  if (!hints.negative) reportText(graph, negative, { field: 'negative', problems })

  const taken = hints.positive ?? positive.inputs
  const own = negative.inputs.filter(ref => !taken.some(each => each.node === ref.node && each.input === ref.input))
  if (own.length < negative.inputs.length && own.length === 0 && !hints.negative)
    problems.push(
      warn(
        'negative',
        'WORKFLOW_NEGATIVE_SHARED',
        'positive and negative come from one text: no negative prompt is sent',
      ),
    )
  return { positive: positive.inputs, negative: own }
}

function reportText(graph: ApiGraph, text: FoundText, { field, problems }: { field: Polarity; problems: Problem[] }) {
  const { inputs, candidates, rewriters } = text
  if (candidates.length > 0) {
    const named = candidates.map(ref => describeInput(graph, ref))
    const example = { [field]: candidates.slice(0, 1) }
    problems.push(ask(field, `several texts may be the ${field} prompt`, { candidates: named, example }))
  } else if (inputs.length === 0 && field === 'positive') {
    problems.push(miss(field, 'no text leads to the sampler: name the input that takes the prompt'))
  }
  if (inputs.length > 0 && rewriters.length > 0) {
    const found = rewriters.map(id => describeNode(graph, id)).join(', ')
    const encoders = bindingSnippet({ [field]: text.encoders })
    const message = `a language model rewrites the ${field} prompt on its way; to send it as it is, bind ${encoders}`
    problems.push({ ...warn(field, 'WORKFLOW_PROMPT_REWRITTEN', message), found })
  }
}

function bindNumbers(graph: ApiGraph, samplers: readonly Sampler[]): Partial<Binding> {
  const literals = (refs: readonly InputRef[], kind: 'number' | 'string') =>
    unique(refs.flatMap(ref => literalBehind(graph, ref, kind) ?? []))
  const all = (field: 'seed' | 'steps' | 'cfg' | 'sampler' | 'scheduler') => samplers.flatMap(each => each[field])
  return {
    seed: literals(all('seed'), 'number'),
    steps: literals(all('steps'), 'number'),
    cfg: literals(all('cfg'), 'number'),
    sampler: literals(all('sampler'), 'string'),
    scheduler: literals(all('scheduler'), 'string'),
  }
}

function bindSize(
  graph: ApiGraph,
  samplers: readonly Sampler[],
  { among, hints, problems }: Context & { among: ReadonlySet<string> },
): Partial<Binding> {
  const start = samplers.find(each => each.latent)
  const size = findSize(graph, start?.latent, among)
  if (size.width.length === 0 && !hints.width)
    problems.push(
      warn(
        'width',
        'WORKFLOW_SIZE_FIXED',
        'pictures keep the size that the workflow gives them, whatever a template asks for',
      ),
    )
  return { ...size }
}

/** One loaded picture is what the others are made after; the order of several is for people to say. */
function bindReferences(
  graph: ApiGraph,
  { found, hints, problems }: Context & { found: Partial<Binding> },
): Partial<Binding> {
  const known = { ...found, ...hints }
  const loaded = findLoadedPictures(graph, known.save ?? [], known)
  if (hints.references || loaded.length < 2) return { references: loaded }
  const named = loaded.map(ref => describeInput(graph, ref)).join('; ')
  const message =
    'several nodes load a picture, and keep what they load now: to have runs set them, say in which order, e.g. ' +
    bindingSnippet({ references: loaded })
  problems.push({ ...warn('references', 'WORKFLOW_REFERENCES_UNORDERED', message), allowed: named })
  return {}
}

function bindLora(
  graph: ApiGraph,
  samplers: readonly Sampler[],
  { among, hints, problems }: Context & { among: ReadonlySet<string> },
): Partial<Binding> {
  if (hints.lora) return {}
  const foreign = foreignModel(graph, among)
  if (foreign !== undefined) {
    problems.push(warn('lora', 'WORKFLOW_LORA_UNPLACED', `${foreign}: no talent fits, and none is mixed in`))
    return {}
  }
  const anchors = samplers.flatMap(({ model }) => (model ? findLoraAnchor(graph, model, 'model') : []))
  const [model] = anchors
  if (!model) {
    problems.push(warn('lora', 'WORKFLOW_LORA_UNPLACED', 'no MODEL leads to the sampler: talents cannot be mixed in'))
    return {}
  }
  if (anchors.some(each => each.node !== model.node || each.slot !== model.slot))
    problems.push(
      warn('lora', 'WORKFLOW_LORA_PARTIAL', 'the samplers use different models: talents go into the first one only'),
    )
  const clipLink = findClipLink(
    graph,
    samplers.flatMap(each => each.positive),
  )
  return { lora: { model, ...(clipLink && { clip: findLoraAnchor(graph, clipLink, 'clip') }) } }
}

function bindFamily(
  graph: ApiGraph,
  { among, found, hints, problems }: Context & { among: ReadonlySet<string>; found: Partial<Binding> },
): Partial<Binding> {
  if (hints.family) return {}
  const { width = [], height = [], batch = [] } = { ...found, ...hints }
  const guess = guessFamily(graph, {
    among,
    models: hints.models ?? found.models ?? [],
    size: { width, height, batch },
  })
  if (!guess.family) {
    const message = `the family of the model is not clear: ${guess.because}`
    problems.push(ask('family', message, { candidates: [...families], example: { family: families[0] } }))
    return {}
  }
  if (!guess.isCertain)
    problems.push({
      ...warn('family', 'WORKFLOW_FAMILY_GUESSED', `taken for ${guess.family}, because ${guess.because}`),
      allowed: families.join(', '),
    })
  return { family: guess.family }
}

function isComplete(binding: Partial<Binding>): binding is Binding {
  return Boolean(binding.family && binding.positive?.length && binding.seed?.length && binding.save?.length)
}

function withoutEmpty(binding: Partial<Binding>): Partial<Binding> {
  return Object.fromEntries(
    Object.entries(binding).filter(([, value]) => !(Array.isArray(value) && value.length === 0)),
  )
}

function unique(refs: readonly InputRef[]): InputRef[] {
  return [...new Map(refs.map(ref => [`${ref.node}\n${ref.input}`, ref])).values()]
}
