import type { Look } from './look.js'

/** Type, then options, as `/object_info` shows them. An array as type is a combo; `{models}` one of a model folder. */
export interface InputSpec {
  type: string | readonly string[] | { models: string; also?: readonly string[] } | { inputFiles: true }
  options?: Readonly<Record<string, unknown>>
  isOptional?: boolean
}

export interface NodeDefinition {
  name: string
  displayName?: string
  category: string
  inputs: Readonly<Record<string, InputSpec>>
  outputs: readonly string[]
  outputNames?: readonly string[]
  /** Can be the root of an execution. */
  isOutput?: boolean
  /** Filled in by the server, never by a client. */
  hidden?: Readonly<Record<string, string>>
  /** Declared in the newer style from this version on (`always`: in both versions). */
  newStyle?: 'always' | '0.12.1'
  module?: string
  /** Reads files of models: the first of them in a job pays `modelLoadMs` and `loraLoadMs`. */
  loadsModel?: boolean
  /** What the outputs are; absent: one blended look per output. */
  evaluate?(node: RunningNode): NodeResult | Promise<NodeResult>
  /** The node's own validators by input: a sentence when they refuse a literal. They replace the built-in checks. */
  checks?: Readonly<Record<string, (value: unknown, files: FileFacts) => string | undefined>>
  /** Changes when what the node reads from outside changes. */
  fingerprint?(inputs: Readonly<Record<string, unknown>>, files: FileFacts): string
}

/** What a node may ask about files of the server. */
export interface FileFacts {
  /** SHA-256 of an input file, undefined when absent. `name` may end in ` [output]` or ` [temp]`. */
  hashOf(name: string): string | undefined
  /** Width, height of a picture, undefined when it is none. */
  sizeOf(name: string): Promise<{ width: number; height: number } | undefined>
  modelState(folder: string, name: string): 'fine' | 'unreadable' | 'absent'
}

/** A node while it runs. */
export interface RunningNode {
  readonly id: string
  readonly promptId: string
  /** Links replaced by what they lead to. */
  readonly inputs: Readonly<Record<string, unknown>>
  readonly files: FileFacts
  /**
   * Takes `steps` steps, each with its tick and preview. Rejects when the job is interrupted. Without `msPerStep` the
   * server's own pace counts. `eachStep` runs before the tick of a step, `afterTick` behind it.
   */
  takeSteps(steps: number, pace?: StepPace): Promise<void>
  /** A text frame to everyone. */
  sendText(text: string): void
  /** Saves the pictures of a look and gives what the node reports about them. */
  save(look: Look, prefix: string, type: 'output' | 'temp'): Promise<Record<string, unknown>[]>
}

export interface StepPace {
  msPerStep?: number
  eachStep?(step: number): void | Promise<void>
  afterTick?(step: number): void
}

export interface NodeResult {
  outputs: readonly unknown[]
  /** What `executed` and the history report. */
  ui?: Record<string, unknown>
}

/** An exception as the Python server would report it. */
export class NodeException extends Error {
  constructor(
    /** Qualified Python name. */
    readonly type: string,
    message: string,
  ) {
    super(message)
  }
}

export const sizeMax = 16384

/** A definition in one line. Without `outputs` it gives one picture. */
export function node(
  name: string,
  category: string,
  inputs: Record<string, InputSpec>,
  outputs: string[] = ['IMAGE'],
  evaluate?: NodeDefinition['evaluate'],
): NodeDefinition {
  return { name, category, inputs, outputs, ...(evaluate && { evaluate }) }
}

/** Declared in the newer style by the newer of the imitated versions. */
export const newer = (definition: NodeDefinition): NodeDefinition => ({ ...definition, newStyle: '0.12.1' })
/** Declared in the newer style by both. */
export const always = (definition: NodeDefinition): NodeDefinition => ({ ...definition, newStyle: 'always' })

export const socket = (type: string, options?: Record<string, unknown>): InputSpec => ({
  type,
  ...(options && { options }),
})
export const combo = (...choices: string[]): InputSpec => ({ type: choices })
export const model = (folder: string, ...also: string[]): InputSpec => ({ type: { models: folder, also } })
export const int = (initial: number, min: number, max: number, more: object = {}): InputSpec => ({
  type: 'INT',
  options: { default: initial, min, max, ...more },
})
export const float = (initial: number, min: number, max: number, step: number, more: object = {}): InputSpec => ({
  type: 'FLOAT',
  options: { default: initial, min, max, step, ...more },
})
export const text = (options: Record<string, unknown> = { multiline: true }): InputSpec => ({ type: 'STRING', options })
export const optional = (spec: InputSpec): InputSpec => ({ ...spec, isOptional: true })
export const withTip = (spec: InputSpec, tooltip: string): InputSpec => ({
  ...spec,
  options: { ...spec.options, tooltip },
})
/** The range of seeds ends at 2^64 - 1, which no JavaScript number can hold. */
export const seed = (): InputSpec => ({
  type: 'INT',
  options: { default: 0, min: 0, max: 2n ** 64n - 1n, control_after_generate: true },
})
