import type { Binding } from '../schema/binding.js'

/**
 * Lines of a binding file (YAML), ready to paste. Strings are quoted as JSON, which YAML reads alike, so that node ids
 * stay text.
 */
export function bindingSnippet(binding: Partial<Binding>): string {
  return Object.entries(binding)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => `${field}: ${flow(value)}`)
    .join('\n')
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([key, inner]) => `${key}: ${flow(inner)}`)
  return `{ ${members.join(', ')} }`
}
