import type { WidgetSpec } from './widget-specs.js'

/** What stands in a file for the widgets of one node. */
export interface WidgetValues {
  /** Values by input. */
  values: Map<string, unknown>
  /** Inputs that the file has no value for; optional ones too. */
  missing: WidgetSpec[]
  /** Values that their inputs cannot have: from the first on the file and the server differ. */
  unfit: { name: string; value: unknown }[]
  /** How many values were taken, in lists. */
  taken: number
}

/**
 * Gives the values of a node their names. In a list they stand in the order of the widgets; words of control (`randomize`) and
 * of upload buttons stand between them in files of some versions, and are passed over where they are found.
 */
export function nameWidgetValues(
  specs: readonly WidgetSpec[],
  list: readonly unknown[] | Readonly<Record<string, unknown>>,
): WidgetValues {
  const isNamed = !isList(list)
  const found: WidgetValues = { values: new Map(), missing: [], unfit: [], taken: 0 }
  const open = [...specs]
  for (let spec = open.shift(); spec; spec = open.shift()) {
    const value = isNamed ? (Object.hasOwn(list, spec.name) ? list[spec.name] : undefined) : list[found.taken++]
    if (value === undefined || value === null) found.missing.push(spec)
    else if (isFit(value, spec)) found.values.set(spec.name, value)
    else found.unfit.push({ name: spec.name, value })
    open.unshift(...(spec.groups.get(value ?? spec.standard) ?? []))
    if (!isNamed) found.taken += wordsBehind(spec, open, list.slice(found.taken))
  }
  return found
}

const controls = new Set<unknown>(['fixed', 'increment', 'decrement', 'randomize', 'increment-wrap'])
const buttons = new Set<unknown>(['image', 'video', 'audio', 'file'])

function wordsBehind(spec: WidgetSpec, open: readonly WidgetSpec[], [word, filter, ...more]: readonly unknown[]) {
  const hasSurplus = more.length + (filter === undefined ? 1 : 2) > open.length
  if (spec.isBeforeButton) return buttons.has(word) && (hasSurplus || !open[0] || !isFit(word, open[0])) ? 1 : 0
  if (!spec.hasControl || !controls.has(word)) return 0
  // The next input may have such a word for a value of its own.
  if (!hasSurplus && open[0]?.choices.includes(word)) return 0
  return spec.kind === 'choice' && typeof filter === 'string' && more.length + 1 > open.length ? 2 : 1
}

function isFit(value: unknown, { kind, choices }: WidgetSpec): boolean {
  switch (kind) {
    case 'number':
      return typeof value === 'number' || (typeof value === 'string' && value.trim() !== '' && !isNaN(Number(value)))
    case 'text':
      return typeof value !== 'object'
    case 'switch':
      return typeof value === 'boolean' || value === 0 || value === 1 || value === 'true' || value === 'false'
    case 'choice':
      return Array.isArray(value) || choices.some(each => typeof each === typeof value) || choices.length === 0
    case 'other':
      return true
  }
}

function isList(value: WidgetValues['values'] | object): value is readonly unknown[] {
  return Array.isArray(value)
}
