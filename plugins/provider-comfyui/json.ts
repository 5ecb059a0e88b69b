/**
 * JSON as Python writes it: `NaN` and the infinities may stand where a number belongs, and become null.
 * Integers beyond 2^53 are rounded; nothing that is read from a server depends on one.
 * Throws SyntaxError for anything else that is not JSON.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (thrown) {
    if (!bareWord.test(text)) throw thrown
    return JSON.parse(text.replaceAll(stringOrBareWord, found => (found.startsWith('"') ? found : 'null'))) as unknown
  }
}

/** Whether a value is an object with keys: neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object itself, or an empty one in place of anything else. */
export function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}

/** The array itself, or an empty one in place of anything else. */
export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : []
}

const bareWord = /NaN|Infinity/
const stringOrBareWord = /"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/gs
