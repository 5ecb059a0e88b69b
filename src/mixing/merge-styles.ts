import type { Problem } from '../errors.js'
import type { Style } from '../schema/style.js'

/** A style and the name under which its plugin is blamed. */
export interface OwnedStyle {
  plugin: string
  style: Style
}

/**
 * The tables of all style plugins in one, in the given order, named after all of them (`anime+noir`; `none` without any).
 * Where two plugins define the same key differently the first counts, and a problem names both: an error for a slider,
 * because it decides about LoRAs, a warning for words.
 */
export function mergeStyles(owned: readonly OwnedStyle[]): { style: Style; problems: Problem[] } {
  const problems: Problem[] = []
  const styles = owned.map(({ style }) => style)
  const merge = <Value>(table: Table, entriesOf: (style: Style) => Readonly<Record<string, Value>> | undefined) =>
    mergeTable(
      owned.map(({ plugin, style }) => ({ plugin, entries: entriesOf(style) ?? {} })),
      table,
      problems,
    )
  const style: Style = {
    name: styles.map(({ name }) => name).join('+') || 'none',
    sliders: merge('sliders', ({ sliders }) => sliders),
    finish: merge('finish', ({ finish }) => finish),
    tone: merge('tone', ({ tone }) => tone),
    palette: merge('palette', ({ palette }) => palette),
    words: styles.flatMap(({ words }) => words ?? []),
    negative: styles.flatMap(({ negative }) => negative ?? []),
  }
  return { style, problems }
}

type Table = 'sliders' | 'finish' | 'tone' | 'palette'

function mergeTable<Value>(
  owned: readonly { plugin: string; entries: Readonly<Record<string, Value>> }[],
  table: Table,
  problems: Problem[],
): Record<string, Value> {
  const firstByKey = new Map<string, { plugin: string; value: Value }>()
  for (const { plugin, entries } of owned) {
    for (const [key, value] of Object.entries(entries)) {
      const first = firstByKey.get(key)
      if (!first) firstByKey.set(key, { plugin, value })
      else if (!isSame(first.value, value)) problems.push(conflict({ table, key }, first.plugin, plugin))
    }
  }
  return Object.fromEntries([...firstByKey].map(([key, { value }]) => [key, value]))
}

// A difference only in the order of fields is reported as well: rather one warning too many than a silent choice.
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function conflict({ table, key }: { table: Table; key: string }, first: string, second: string): Problem {
  return {
    severity: table === 'sliders' ? 'error' : 'warning',
    code: 'STYLE_CONFLICT',
    message: `The plugins ${first} and ${second} define this differently: that of ${first} counts`,
    path: `${table}.${key}`,
    found: second,
  }
}
