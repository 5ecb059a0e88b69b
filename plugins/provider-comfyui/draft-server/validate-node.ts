import type { Catalogue } from './catalogue.js'
import { castLiteral, floatText, pythonRepr, pythonText } from './cast-literal.js'
import { isRecord, type DraftGraph, type DraftNode } from './graph.js'
import type { FileFacts, InputSpec, NodeDefinition } from './node-definition.js'
import type { Traits } from './traits.js'

/** What a graph is judged by. */
export interface ValidationPlace {
  catalogue: Catalogue
  traits: Traits
  files: FileFacts
}

/** One mistake of one node, as the server words it. */
export interface Complaint {
  type: string
  message: string
  details: string
  extra_info: Record<string, unknown>
}

export interface Verdict {
  isValid: boolean
  complaints: Complaint[]
}
export type Verdicts = Map<string, Verdict>

/** Judges a node and everything it depends on; each node once. Casts its literals in place. */
export function validateNode(graph: DraftGraph, id: string, verdicts: Verdicts, place: ValidationPlace): Verdict {
  try {
    return judge(graph, id, verdicts, place)
  } catch (thrown) {
    const raised = asRaised(thrown)
    const verdict = invalid({
      type: 'exception_during_validation',
      message: 'Exception when validating node',
      details: raised.text,
      extra_info: { exception_type: raised.type, traceback },
    })
    verdicts.set(id, verdict)
    return verdict
  }
}

function judge(graph: DraftGraph, id: string, verdicts: Verdicts, place: ValidationPlace): Verdict {
  const known = verdicts.get(id)
  if (known) return known
  const node = graph[id]
  if (!node) throw new Raised('KeyError', pythonRepr(id))
  const definition = place.catalogue.find(node.class_type)
  if (!definition || !isRecord(node.inputs)) throw new Raised('KeyError', "'inputs'")

  // A node met again while it is judged closes a cycle: invalid, and the server says no more about it.
  verdicts.set(id, { isValid: false, complaints: [] })
  const complaints: Complaint[] = []
  let isValid = true
  for (const [name, spec] of inputsOf(definition, node)) {
    const input: JudgedInput = { graph, node, definition, name, spec, place, verdicts }
    const outcome = name in node.inputs ? judgeInput(input) : judgeMissing(name, spec)
    if (outcome === 'branch') isValid = false
    else if (outcome) complaints.push(outcome)
  }
  const verdict = { isValid: isValid && complaints.length === 0, complaints }
  // A verdict that an exception inside has put here stays only until the node itself is done.
  verdicts.set(id, verdict)
  return verdict
}

/** Declared inputs; those of a class that nobody described are whatever it was given. */
function inputsOf(definition: NodeDefinition, node: DraftNode): [string, InputSpec][] {
  const declared = Object.entries(definition.inputs)
  if (declared.length > 0) return declared
  return Object.keys(node.inputs).map(name => [name, { type: '*', isOptional: true }])
}

interface JudgedInput {
  graph: DraftGraph
  node: DraftNode
  definition: NodeDefinition
  name: string
  spec: InputSpec
  place: ValidationPlace
  verdicts: Verdicts
}

type Outcome = Complaint | 'branch' | undefined

function judgeMissing(name: string, spec: InputSpec): Outcome {
  if (spec.isOptional) return undefined
  return {
    type: 'required_input_missing',
    message: 'Required input is missing',
    details: name,
    extra_info: { input_name: name },
  }
}

function judgeInput(input: JudgedInput): Outcome {
  const value = input.node.inputs[input.name]
  return Array.isArray(value) ? judgeLink(input, value) : judgeLiteral(input, value)
}

function judgeLink(input: JudgedInput, value: unknown[]): Outcome {
  const { graph, definition, name, spec, place } = input
  // Shown only in complaints, and long for combos: made when needed.
  const config = () => place.catalogue.configOf(definition, spec)
  if (value.length !== 2) {
    return {
      type: 'bad_linked_input',
      message: 'Bad linked input, must be a length-2 list of [node_id, slot_index]',
      details: name,
      extra_info: { input_name: name, input_config: config(), received_value: value },
    }
  }
  const [from, slot] = value
  const source = typeof from === 'string' ? graph[from] : undefined
  if (!source || typeof from !== 'string') throw new Raised('KeyError', pythonRepr(from))
  const received = outputType(source, slot, place)
  if (!fits(received, spec.type)) {
    const wanted = typeof spec.type === 'string' ? spec.type : 'COMBO'
    return {
      type: 'return_type_mismatch',
      message: 'Return type mismatch between linked nodes',
      details: `${name}, received_type(${received}) mismatch input_type(${wanted})`,
      extra_info: { input_name: name, input_config: config(), received_type: received, linked_node: value },
    }
  }
  return followLink(input, from, value, config)
}

function followLink(
  { graph, name, place, verdicts }: JudgedInput,
  from: string,
  link: unknown[],
  config: () => unknown,
) {
  try {
    return judge(graph, from, verdicts, place).isValid ? undefined : 'branch'
  } catch (thrown) {
    const raised = asRaised(thrown)
    verdicts.set(
      from,
      invalid({
        type: 'exception_during_inner_validation',
        message: 'Exception when validating inner node',
        details: raised.text,
        extra_info: {
          input_name: name,
          input_config: config(),
          exception_message: raised.text,
          exception_type: raised.type,
          traceback,
          linked_node: link,
        },
      }),
    )
    return 'branch'
  }
}

function outputType(source: DraftNode, slot: unknown, { catalogue }: ValidationPlace): string {
  const definition = catalogue.find(source.class_type)
  const type = typeof slot === 'number' ? definition?.outputs[slot] : undefined
  if (type !== undefined) return type
  if (catalogue.isLenient && definition?.outputs.length === 0) return '*'
  throw new Raised('IndexError', 'tuple index out of range')
}

function fits(received: string, wanted: InputSpec['type']): boolean {
  if (typeof wanted !== 'string') return received === 'COMBO' || received === 'STRING' || received === '*'
  if (received === '*' || wanted === '*') return true
  const offered = received.split(',')
  return wanted.split(',').some(each => offered.includes(each))
}

function judgeLiteral({ node, definition, name, spec, place }: JudgedInput, given: unknown): Outcome {
  const received = isRecord(given) && '__value__' in given ? given.__value__ : given
  const facts = () => ({ input_name: name, input_config: place.catalogue.configOf(definition, spec) })
  const cast = castLiteral(spec.type, received)
  if ('complaint' in cast) {
    return {
      type: 'invalid_input_type',
      message: `Failed to convert an input value to a ${String(spec.type)} value`,
      details: `${name}, ${pythonText(received)}, ${cast.complaint}`,
      extra_info: { ...facts(), received_value: received, exception_message: cast.complaint },
    }
  }
  node.inputs[name] = cast.value
  const check = definition.checks?.[name]
  if (check) return refusedByNode(name, check(cast.value, place.files))
  return judgeRange(name, spec, cast.value, facts) ?? judgeChoice(definition, name, spec, cast.value, place)
}

function judgeRange(name: string, spec: InputSpec, value: unknown, facts: () => object): Outcome {
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined
  const show = spec.type === 'FLOAT' ? floatText : pythonText
  const extra = () => ({ ...facts(), received_value: value })
  const { min, max } = spec.options ?? {}
  if (isNumber(min) && value < min) {
    const message = `Value ${show(value)} smaller than min of ${show(min)}`
    return { type: 'value_smaller_than_min', message, details: name, extra_info: extra() }
  }
  if (isNumber(max) && value > max) {
    const message = `Value ${show(value)} bigger than max of ${show(max)}`
    return { type: 'value_bigger_than_max', message, details: name, extra_info: extra() }
  }
  return undefined
}

/** Longer lists are told by their length alone. */
const shownChoicesMax = 20

function judgeChoice(
  definition: NodeDefinition,
  name: string,
  spec: InputSpec,
  value: unknown,
  { catalogue }: ValidationPlace,
): Outcome {
  const choices = catalogue.choicesOf(definition, spec)
  if (!choices || (choices as readonly unknown[]).includes(value)) return undefined
  const isLong = choices.length > shownChoicesMax
  const shown = isLong ? `(list of length ${choices.length})` : pythonText(choices)
  const config = isLong ? null : catalogue.configOf(definition, spec)
  return {
    type: 'value_not_in_list',
    message: 'Value not in list',
    details: `${name}: ${pythonRepr(value)} not in ${shown}`,
    extra_info: { input_name: name, input_config: config, received_value: value },
  }
}

function refusedByNode(name: string, sentence: string | undefined): Outcome {
  if (sentence === undefined) return undefined
  return {
    type: 'custom_validation_failed',
    message: 'Custom validation failed for node',
    details: `${name} - ${sentence}`,
    extra_info: { input_name: name },
  }
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** An exception of the server's own code. */
class Raised extends Error {
  constructor(
    readonly type: string,
    readonly text: string,
  ) {
    super(text)
  }
}

function asRaised(thrown: unknown): Raised {
  if (thrown instanceof Raised) return thrown
  throw thrown
}

function invalid(complaint: Complaint): Verdict {
  return { isValid: false, complaints: [complaint] }
}

const traceback = ['  File "execution.py", line 1, in validate_inputs\n']
