import { isRecord } from './parse-graph.js'

/** An input that the editor shows as a widget, and that owns a place in `widgets_values`. */
export interface WidgetSpec {
  name: string
  isRequired: boolean
  kind: 'number' | 'text' | 'switch' | 'choice' | 'other'
  /** What takes its place where a file has no value: the default of the server, else that of the editor. */
  standard: unknown
  choices: readonly unknown[]
  /** Whether words that change the value after each run may follow it. */
  hasControl: boolean
  /** Whether the word of an upload button may follow it. */
  isBeforeButton: boolean
  /** Widgets that a choice brings with it, by choice. */
  groups: ReadonlyMap<unknown, readonly WidgetSpec[]>
}

/**
 * The widgets of a class in the order of the editor, by its entry of `/object_info`. Inputs of unknown types count as widgets
 * where `shown` names them, as the node in the file does.
 */
export function readWidgetSpecs(info: Readonly<Record<string, unknown>>, shown: ReadonlySet<string>): WidgetSpec[] {
  const sections = isRecord(info.input) ? info.input : {}
  const order = isRecord(info.input_order) ? info.input_order : {}
  const required = readSection(sections.required, { order: order.required, isRequired: true, prefix: '', shown })
  const last = required.at(-1)
  if (last && isRecord(sections.required) && Object.values(sections.required).some(isUpload)) last.isBeforeButton = true
  return [
    ...required,
    ...readSection(sections.optional, { order: order.optional, isRequired: false, prefix: '', shown }),
  ]
}

/** The editor adds a button behind the required inputs of such a class. */
function isUpload(spec: unknown): boolean {
  const options: unknown = Array.isArray(spec) ? spec[1] : undefined
  return isRecord(options) && Object.keys(options).some(key => key.endsWith('_upload'))
}

interface Section {
  order?: unknown
  isRequired: boolean
  /** In front of the names of sub-inputs. */
  prefix: string
  shown: ReadonlySet<string>
}

function readSection(section: unknown, at: Section): WidgetSpec[] {
  if (!isRecord(section)) return []
  const names = Array.isArray(at.order) ? at.order.filter(name => typeof name === 'string') : Object.keys(section)
  return names.flatMap(name => {
    const spec = section[name]
    const [type, options] = Array.isArray(spec) ? (spec as unknown[]) : []
    return readSpec(`${at.prefix}${name}`, { type, options: isRecord(options) ? options : {} }, at) ?? []
  })
}

function readSpec(
  name: string,
  { type, options }: { type: unknown; options: Record<string, unknown> },
  at: Section,
): WidgetSpec | undefined {
  const kind = kindOf(type, options)
  if (options.forceInput === true || (kind === 'other' && !at.shown.has(name) && !isDynamicChoice(type)))
    return undefined
  const choices = choicesOf(type, options)
  return {
    name,
    isRequired: at.isRequired,
    kind,
    standard: options.default ?? (kind === 'choice' ? choices[0] : standards[kind]),
    choices,
    hasControl:
      Boolean(options.control_after_generate) || (kind === 'number' && /^(?:.*\.)?(?:noise_)?seed$/.test(name)),
    isBeforeButton: false,
    groups: isDynamicChoice(type) ? groupsOf(name, options, at) : new Map(),
  }
}

const standards: Readonly<Record<string, unknown>> = { number: 0, text: '', switch: false }

function kindOf(type: unknown, options: Record<string, unknown>): WidgetSpec['kind'] {
  const told = typeof options.widgetType === 'string' ? options.widgetType : type
  if (Array.isArray(told) || told === 'COMBO' || isDynamicChoice(told)) return 'choice'
  if (told === 'INT' || told === 'FLOAT') return 'number'
  if (told === 'STRING') return 'text'
  return told === 'BOOLEAN' ? 'switch' : 'other'
}

function isDynamicChoice(type: unknown): boolean {
  return typeof type === 'string' && type.startsWith('COMFY_DYNAMICCOMBO')
}

function choicesOf(type: unknown, { options }: Record<string, unknown>): readonly unknown[] {
  if (Array.isArray(type)) return type
  if (!Array.isArray(options)) return []
  return options.map((each: unknown) => (isDynamicChoice(type) && isRecord(each) ? each.key : each))
}

function groupsOf(name: string, { options }: Record<string, unknown>, at: Section): WidgetSpec['groups'] {
  const listed = (Array.isArray(options) ? options : []).filter(isRecord)
  return new Map(
    listed.map(({ key, inputs }) => {
      const sections = isRecord(inputs) ? inputs : {}
      const inner = { ...at, order: undefined, prefix: `${name}.` }
      return [key, [...readSection(sections.required, inner), ...readSection(sections.optional, inner)]]
    }),
  )
}
