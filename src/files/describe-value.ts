const LENGTH_MAX = 60

/**
 * A value as found, at most 60 characters.
 * Hidden values show kind and size only; `source` is how a scalar is written where that differs.
 */
export function describeValue(
  value: unknown,
  { isHidden, source }: { isHidden: boolean; source?: string | undefined },
): string {
  if (isHidden || typeof value === 'object' || value === undefined) return kindOf(value)
  const written = typeof value === 'string' ? JSON.stringify(value.slice(0, LENGTH_MAX)) : (source ?? String(value))
  return written.length > LENGTH_MAX ? `${written.slice(0, LENGTH_MAX - 1)}…` : written
}

/** `a number`, `text of 12 characters`, `a list of 3 items`, … */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return count(value.length, 'a list of', 'item')
  if (typeof value === 'object') return count(Object.keys(value).length, 'an object of', 'field')
  if (typeof value === 'string') return count(value.length, 'text of', 'character')
  return typeof value === 'number' ? 'a number' : 'true or false'
}

function count(size: number, before: string, noun: string): string {
  return `${before} ${size} ${noun}${size === 1 ? '' : 's'}`
}
