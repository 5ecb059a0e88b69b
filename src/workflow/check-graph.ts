import type { Problem } from '../errors.js'
import { findNearMiss } from '../files/near-miss.js'
import { isLink } from './api-graph.js'
import type { ApiGraph, ApiNode, Link } from './api-graph.js'
import { checkLiteral } from './check-literal.js'
import { readNodeClass, readOutputs } from './object-info.js'
import type { InputSpec, NodeClass } from './object-info.js'
import { inputPath, nodePath } from './parse-graph.js'
import { nodeAt, upstreamOf } from './walk-graph.js'

/** Unknown classes beyond these are told without the name that was meant: a foreign graph may hold hundreds. */
const suggestionsMax = 20

/**
 * Everything that a server with this `/object_info` would refuse in the graph, or accept and then fail at, with paths such
 * as `["3"].inputs.seed`. Like the server, it looks at the inputs of those nodes only that lead to an output.
 */
export function checkGraph(graph: ApiGraph, objectInfo: Readonly<Record<string, unknown>>): Problem[] {
  const known: ClassByName = new Map()
  for (const { class_type } of Object.values(graph)) {
    const read = known.has(class_type) ? undefined : readNodeClass(objectInfo, class_type)
    if (read) known.set(class_type, read)
  }
  const unknown = Object.entries(graph).filter(([, node]) => !known.has(node.class_type))
  const outputs = Object.entries(graph).filter(([, node]) => known.get(node.class_type)?.isOutput)
  const problems = unknown.map(([id, node], index) =>
    unknownClass(id, node, index < suggestionsMax ? Object.keys(objectInfo) : []),
  )
  if (outputs.length === 0 && unknown.length === 0)
    problems.push(error('WORKFLOW_NO_OUTPUT', 'no node of the workflow gives an output: add a SaveImage node', {}))

  const used = upstreamOf(
    graph,
    [...outputs, ...unknown].map(([id]) => id),
  )
  for (const [id, node] of Object.entries(graph)) {
    const own = known.get(node.class_type)
    if (own && used.has(id)) problems.push(...checkNode({ graph, id, node, known, objectInfo }, own))
  }
  return problems
}

type ClassByName = Map<string, NodeClass>

interface At {
  graph: ApiGraph
  id: string
  node: ApiNode
  known: ClassByName
  objectInfo: Readonly<Record<string, unknown>>
}

function unknownClass(id: string, node: ApiNode, names: readonly string[]): Problem {
  const nearest = findNearMiss(node.class_type, names)
  const message = 'the server has no such node: install the node pack that it comes from'
  return error('WORKFLOW_CLASS_UNKNOWN', message, {
    path: `${nodePath(id)}.class_type`,
    found: titled(node),
    ...(nearest !== undefined && { allowed: `perhaps ${nearest}` }),
  })
}

function checkNode(at: At, { required, optional, hidden }: NodeClass): Problem[] {
  const { id, node } = at
  const problems: Problem[] = []
  for (const [input, spec] of Object.entries(required)) {
    if (!isGiven(node, input, spec))
      problems.push(
        error('WORKFLOW_INPUT_MISSING', 'the node needs this input; defaults are not filled in by the server', {
          path: inputPath(id, input),
          found: titled(node),
        }),
      )
  }
  const specs = { ...optional, ...required }
  for (const [input, value] of Object.entries(node.inputs)) {
    const spec = Object.hasOwn(specs, input) ? specs[input] : undefined
    if (isLink(value)) problems.push(...checkLink(at, input, { link: value, spec }))
    else if (Array.isArray(value))
      problems.push(badLink(id, input, 'a list is read as a link: ["node id", output number]'))
    else if (spec && !isOwnWidget(spec, at.objectInfo))
      problems.push(...checkLiteral(value, spec, inputPath(id, input)))
    if (!spec && !hidden.includes(input) && !isGrown(specs, input))
      problems.push({
        severity: 'warning',
        code: 'WORKFLOW_INPUT_UNKNOWN',
        message: 'the node takes no such input: it changes nothing but what the server may reuse',
        path: inputPath(id, input),
        found: titled(node),
      })
  }
  return problems
}

function isGiven(node: ApiNode, input: string, spec: InputSpec): boolean {
  if (Object.hasOwn(node.inputs, input)) return true
  return spec.kind === 'dynamic' && spec.grows && Object.keys(node.inputs).some(each => each.startsWith(`${input}.`))
}

/** What is always linked, also where the catalogue is only a part of the server's. */
const socketTypes = new Set([
  'MODEL',
  'CLIP',
  'VAE',
  'CONDITIONING',
  'LATENT',
  'IMAGE',
  'MASK',
  'CONTROL_NET',
  'GUIDER',
])

/** A type that no node gives (a colour, a camera) is a widget of the editor, and holds a literal. */
function isOwnWidget(spec: InputSpec, objectInfo: Readonly<Record<string, unknown>>): boolean {
  if (spec.kind !== 'socket' || spec.types.some(type => socketTypes.has(type))) return false
  const given = Object.keys(objectInfo).flatMap(name => readOutputs(objectInfo, name))
  return !spec.types.some(type => given.includes(type))
}

/** Sub-inputs of dynamic inputs, such as `images.image0`. */
function isGrown(specs: Readonly<Record<string, InputSpec>>, input: string): boolean {
  const root = input.split('.', 1)[0] ?? ''
  return root !== input && Object.hasOwn(specs, root) && specs[root]?.kind === 'dynamic'
}

function checkLink(
  { graph, id, known }: At,
  input: string,
  { link: [from, slot], spec }: { link: Link; spec: InputSpec | undefined },
): Problem[] {
  const source = nodeAt(graph, from)
  if (!source) return [badLink(id, input, `the link leads to node ${from}, which is not in the workflow`)]
  const outputs = known.get(source.class_type)?.outputs
  if (!outputs) return []
  const given = outputs[slot]
  if (given === undefined) {
    const message = `node ${from} (${source.class_type}) has ${outputs.length} outputs, and the link asks for number ${slot}`
    return [badLink(id, input, message)]
  }
  const wanted = spec && typesOf(spec)
  if (!wanted || fits(given, wanted)) return []
  const message = `node ${from} (${source.class_type}) gives ${given} where ${wanted.join(' or ')} is needed`
  return [error('WORKFLOW_TYPE_MISMATCH', message, { path: inputPath(id, input) })]
}

/** The types that may be linked to an input; undefined where any may. */
function typesOf(spec: InputSpec): readonly string[] | undefined {
  switch (spec.kind) {
    case 'socket':
      return spec.types
    case 'number':
      return [spec.type]
    case 'text':
      return ['STRING']
    case 'switch':
      return ['BOOLEAN']
    // Versions differ in whether a text may be linked to a choice.
    case 'choice':
      return ['COMBO', 'STRING']
    default:
      return undefined
  }
}

function fits(given: string, wanted: readonly string[]): boolean {
  return given.split(',').some(type => type === '*' || type.startsWith('COMFY_') || wanted.includes(type.trim()))
}

function badLink(id: string, input: string, message: string): Problem {
  return error('WORKFLOW_LINK_INVALID', message, { path: inputPath(id, input) })
}

function titled(node: ApiNode): string {
  return node._meta?.title ? `${node.class_type} "${node._meta.title}"` : node.class_type
}

function error(code: string, message: string, more: Partial<Problem>): Problem {
  return { severity: 'error', code, message, ...more }
}
