import { imageNodes } from './nodes-images.js'
import { loaderNodes } from './nodes-loaders.js'
import { samplingNodes } from './nodes-sampling.js'
import type { InputSpec, NodeDefinition } from './node-definition.js'
import type { DraftModel } from './options.js'
import type { Traits } from './traits.js'

/** The node classes of a server, and what it says about them. */
export interface Catalogue {
  find(name: string): NodeDefinition | undefined
  /** Whether any class is accepted. */
  readonly isLenient: boolean
  /** Choices of a combo input, undefined where every value is accepted or the input is none. */
  choicesOf(definition: NodeDefinition, spec: InputSpec): readonly string[] | undefined
  /** `[type, options]` as in validation errors. */
  configOf(definition: NodeDefinition, spec: InputSpec): [unknown, Record<string, unknown>]
  /** One entry of `/object_info`. */
  describe(definition: NodeDefinition): Record<string, unknown>
  describeAll(): Record<string, unknown>
}

export interface CatalogueOptions {
  traits: Traits
  models: 'any' | Record<string, Record<string, DraftModel>>
  lenient: boolean
  nodes: readonly NodeDefinition[]
  /** Top-level names of the input folder. */
  inputFiles(): readonly string[]
}

export function createCatalogue(options: CatalogueOptions): Catalogue {
  const { traits, models, lenient } = options
  const byName = new Map(
    [...loaderNodes, ...samplingNodes, ...imageNodes, ...options.nodes].map(each => [each.name, each]),
  )

  const isNewStyle = (definition: NodeDefinition) =>
    definition.newStyle === 'always' || definition.newStyle === traits.version

  /** The choices to show; what is accepted may be more. */
  function listOf(spec: InputSpec): readonly string[] | undefined {
    if (typeof spec.type === 'string') return undefined
    if ('inputFiles' in spec.type) return options.inputFiles()
    if (!('models' in spec.type)) return spec.type.filter(each => !traits.absentChoices.includes(each))
    return [...modelNames(models, spec.type.models), ...(spec.type.also ?? [])]
  }

  function isOpen(definition: NodeDefinition, spec: InputSpec): boolean {
    if (lenient || (typeof spec.type === 'object' && 'models' in spec.type && models === 'any')) return true
    return isNewStyle(definition) && !traits.checksNewCombos
  }

  function configOf(definition: NodeDefinition, spec: InputSpec): [unknown, Record<string, unknown>] {
    const list = listOf(spec)
    if (!list) return [spec.type, { ...spec.options }]
    if (!isNewStyle(definition)) return [list, { ...spec.options }]
    return ['COMBO', { multiselect: false, options: list, ...spec.options }]
  }

  function describe(definition: NodeDefinition): Record<string, unknown> {
    const isNew = isNewStyle(definition)
    const show = (spec: InputSpec) => {
      const [type, facts] = configOf(definition, spec)
      return isNew || spec.options ? [type, facts] : [type]
    }
    const { hidden, outputs } = definition
    const required: Record<string, unknown> = {}
    const optional: Record<string, unknown> = {}
    for (const [name, spec] of Object.entries(definition.inputs)) {
      ;(spec.isOptional ? optional : required)[name] = show(spec)
    }
    const input: Record<string, object> = {
      required,
      ...(Object.keys(optional).length > 0 && { optional }),
      ...(hidden && { hidden }),
    }
    return {
      input,
      input_order: Object.fromEntries(Object.entries(input).map(([part, inputs]) => [part, Object.keys(inputs)])),
      ...(traits.hasNewNodeFacts && { is_input_list: false }),
      output: outputs,
      output_is_list: outputs.map(() => false),
      output_name: definition.outputNames ?? outputs,
      ...(isNew && newFacts(traits, outputs)),
      name: definition.name,
      display_name: definition.displayName ?? definition.name,
      description: '',
      python_module: definition.module ?? 'nodes',
      category: definition.category,
      output_node: definition.isOutput ?? false,
      ...(traits.hasNewNodeFacts && { search_aliases: isNew ? null : [] }),
    }
  }

  return {
    isLenient: lenient,
    find: name => byName.get(name) ?? (lenient ? guessDefinition(name) : undefined),
    choicesOf: (definition, spec) => (isOpen(definition, spec) ? undefined : listOf(spec)),
    configOf,
    describe,
    describeAll: () => Object.fromEntries([...byName].map(([name, definition]) => [name, describe(definition)])),
  }
}

/** Names of a model folder, sorted. A server that accepts any name shows one, so that lists are never empty. */
export function modelNames(models: CatalogueOptions['models'], folder: string): string[] {
  return models === 'any' ? ['any-name-will-do.safetensors'] : Object.keys(models[folder] ?? {}).sort()
}

/**
 * A class that nobody described: it blends whatever it is given. What saves pictures is told by its name, and then
 * behaves like SaveImage.
 */
function guessDefinition(name: string): NodeDefinition {
  const known = imageNodes.find(each => each.name === (/preview/i.test(name) ? 'PreviewImage' : 'SaveImage'))
  const isSaver = /save|preview/i.test(name) && /image/i.test(name)
  if (isSaver && known?.evaluate) {
    return { ...known, name, inputs: {}, outputs: [], evaluate: node => known.evaluate?.(withImages(node)) ?? noResult }
  }
  return { name, category: 'unknown', inputs: {}, outputs: [] }
}

const noResult = { outputs: [] }

function withImages(node: Parameters<NonNullable<NodeDefinition['evaluate']>>[0]) {
  const { images, image, filename_prefix: prefix } = node.inputs
  return { ...node, inputs: { images: images ?? image, filename_prefix: prefix ?? 'ComfyUI' } }
}

function newFacts(traits: Traits, outputs: readonly string[]): Record<string, unknown> {
  return {
    output_tooltips: outputs.map(() => null),
    ...(traits.hasNewNodeFacts && { output_matchtypes: null }),
    deprecated: false,
    experimental: false,
    ...(traits.hasNewNodeFacts && { dev_only: false }),
    api_node: false,
    ...(traits.hasNewNodeFacts && { price_badge: null }),
  }
}
