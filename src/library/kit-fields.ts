import type { Problem } from '../errors.js'
import type { ParsedDocument } from '../files/document.js'
import { findNearMiss } from '../files/near-miss.js'
import { formatPath } from '../files/value-path.js'
import { personaKitSchema } from '../schema/persona-kit.js'

/**
 * Warnings about fields of a kit whose names are near those of known ones that it lacks. Other fields are kept without a
 * word, because kits carry what other programs read.
 */
export function checkKitFields(document: ParsedDocument): Problem[] {
  return findStrangers(personaKitSchema, document.value, []).map(({ path, meant }) => ({
    severity: 'warning',
    code: 'KIT_FIELD_UNKNOWN',
    message: `is not a known field and is passed over: did you mean "${meant}"?`,
    file: document.file,
    ...document.locate(path, 'key'),
    path: formatPath(path),
  }))
}

interface Stranger {
  path: string[]
  meant: string
}

interface Fields {
  properties?: Readonly<Record<string, object>>
}

function findStrangers({ properties }: Fields, value: unknown, path: readonly string[]): Stranger[] {
  if (!properties || typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const missing = Object.keys(properties).filter(name => !Object.hasOwn(value, name))
  return Object.entries(value).flatMap(([key, below]) => {
    const known = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (known) return findStrangers(known, below, [...path, key])
    const meant = findNearMiss(key, missing)
    return meant === undefined ? [] : [{ path: [...path, key], meant }]
  })
}
