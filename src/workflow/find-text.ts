import type { InputRef } from '../schema/binding.js'
import { isLink } from './api-graph.js'
import type { ApiGraph, ApiNode, Link } from './api-graph.js'
import { isLanguageModel, isTextInput, isTextJoiner } from './node-facts.js'
import { compareIds, inputAt, linksOf, nodeAt, pastReroutes } from './walk-graph.js'

export type Polarity = 'positive' | 'negative'

export interface FoundText {
  /** The inputs that take the prompt. Empty where the conditioning has no words, or where `candidates` must be asked for. */
  inputs: InputRef[]
  /** Texts that may be the prompt, where it is not clear which. */
  candidates: InputRef[]
  /** The text inputs of the encoders: binding one of them overrides whatever stands before it. */
  encoders: InputRef[]
  /** Language-model nodes that write the prompt anew on its way. */
  rewriters: string[]
}

/** The words behind these conditionings: through conditioning nodes to the text encoders, through text nodes to literals. */
export function findText(graph: ApiGraph, conditionings: readonly Link[], polarity: Polarity): FoundText {
  const rewriters = new Set<string>()
  const groups = findEncoders(graph, conditionings, polarity)
  const texts = groups.map(group => group.map(input => literalsBehind(graph, input, polarity, rewriters)))
  const all = unique(texts.flat(2)).sort((a, b) => compareIds(a.node, b.node))
  const isClear = texts.every(group => group.every(literals => literals.length === 1))
  const inputs = isClear && sayTheSame(graph, texts) ? all : chooseByTitle(graph, all, polarity)
  const encoders = groups.flat()
  const linked = encoders.filter(ref => isLink(inputAt(graph, ref)))
  const candidates = inputs.length > 0 ? [] : unique([...all, ...linked])
  return { inputs, candidates, encoders, rewriters: [...rewriters] }
}

/** The text inputs of every encoder on the way up, grouped by encoder. */
function findEncoders(graph: ApiGraph, conditionings: readonly Link[], polarity: Polarity): InputRef[][] {
  const seen = new Set<string>()
  const encoders: InputRef[][] = []
  const open = [...conditionings]
  for (let link = open.shift(); link; link = open.shift()) {
    const [id] = pastReroutes(graph, link)
    const node = nodeAt(graph, id)
    // What is zeroed out says nothing, whatever its words are.
    if (!node || seen.has(id) || node.class_type === 'ConditioningZeroOut') continue
    seen.add(id)
    const inner = conditioningLinks(node, polarity)
    const texts = inner.length > 0 ? [] : textInputs(node, polarity)
    if (texts.length > 0) encoders.push(texts.map(input => ({ node: id, input })))
    else if (inner.length > 0) open.push(...inner)
    else open.push(...switchedLinks(node))
  }
  return encoders
}

function conditioningLinks(node: ApiNode, polarity: Polarity): Link[] {
  const links = linksOf(node)
  const hasBoth = ['positive', 'negative'].every(name => links.some(([input]) => input === name))
  return links.filter(([input]) => (hasBoth ? input === polarity : /cond/i.test(input))).map(([, link]) => link)
}

/** Switches and unknown nodes: whatever may pass on a conditioning or a text, but not the models that it is made with. */
function switchedLinks(node: ApiNode): Link[] {
  const other = /model|clip|vae|image|latent|mask|control|pixels|samples|hook|area/i
  return linksOf(node)
    .filter(([input]) => !other.test(input))
    .map(([, link]) => link)
}

function textInputs(node: ApiNode, polarity: Polarity): string[] {
  const names = Object.entries(node.inputs)
    .filter(([input, value]) => isTextInput(input) && (typeof value === 'string' || isLink(value)))
    .map(([input]) => input)
  const side = (word: Polarity) => names.filter(name => name.toLowerCase().includes(word))
  const isPair = side('positive').length > 0 && side('negative').length > 0
  return isPair ? side(polarity) : names
}

/**
 * The literals that decide a text. Where the link leads to none (a caption made from a picture), it is the input itself:
 * binding it replaces the link.
 */
function literalsBehind(graph: ApiGraph, ref: InputRef, polarity: Polarity, rewriters: Set<string>): InputRef[] {
  const value = inputAt(graph, ref)
  if (!isLink(value)) return [ref]
  const seen = new Set<string>()
  const found: InputRef[] = []
  const open: Link[] = [value]
  for (let link = open.shift(); link; link = open.shift()) {
    const [id] = pastReroutes(graph, link)
    const node = nodeAt(graph, id)
    if (!node || seen.has(id)) continue
    seen.add(id)
    if (isLanguageModel(node)) rewriters.add(id)
    const names = textInputs(node, polarity)
    const links = names.map(name => node.inputs[name]).filter(isLink)
    const mayBeUnnamed = names.length === 0 || isLanguageModel(node)
    const onward = links.length === 0 && mayBeUnnamed ? switchedLinks(node) : links
    open.push(...onward)
    // Beside a link, a literal is an instruction or the text that was shown last, except where texts are joined.
    if (onward.length === 0 || isTextJoiner(node))
      found.push(...ownLiterals(node, names).map(input => ({ node: id, input })))
  }
  const meant = found.filter(each => inputAt(graph, each) !== '')
  const literals = unique(meant.length > 0 ? meant : found)
  return literals.length > 0 ? literals : [ref]
}

function ownLiterals(node: ApiNode, names: string[]): string[] {
  const literals = names.filter(name => typeof node.inputs[name] === 'string')
  if (literals.length > 0 || names.length > 0) return literals
  const strings = Object.keys(node.inputs).filter(name => typeof node.inputs[name] === 'string')
  return strings.length === 1 && !linksOf(node).length ? strings : []
}

/** Encoders of a base and its refiner, or of two passes, hold the same words: all of them take the prompt. */
function sayTheSame(graph: ApiGraph, groups: readonly InputRef[][][]): boolean {
  const words = groups.map(group => JSON.stringify([...new Set(group.flat().map(ref => inputAt(graph, ref)))]))
  return new Set(words).size <= 1
}

function chooseByTitle(graph: ApiGraph, candidates: readonly InputRef[], polarity: Polarity): InputRef[] {
  const other = polarity === 'positive' ? /negative/i : /positive/i
  for (const wanted of [new RegExp(`\\b${polarity}\\b`, 'i'), /\bprompt\b/i]) {
    const titled = candidates.filter(({ node }) => {
      const title = nodeAt(graph, node)?._meta?.title ?? ''
      return wanted.test(title) && !other.test(title)
    })
    if (new Set(titled.map(({ node }) => node)).size === 1) return titled
  }
  return []
}

function unique(refs: readonly InputRef[]): InputRef[] {
  return [...new Map(refs.map(ref => [`${ref.node}\n${ref.input}`, ref])).values()]
}
