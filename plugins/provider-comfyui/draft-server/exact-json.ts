/**
 * JSON with whole numbers beyond 2^53 kept exact as bigint, as Python keeps them. Seeds have 64 bits: a server that
 * rounds them would answer with another graph than it was sent.
 */
export function parseExact(text: string): unknown {
  if (!hasLongNumber(text)) return JSON.parse(text)
  const marked = text.replaceAll(token, found => {
    if (found.startsWith('"') || Number.isSafeInteger(Number(found)) || !/^-?\d+$/.test(found)) return found
    return `"${mark}${found}"`
  })
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  )
}

/** The counterpart of `parseExact`: bigint is written as a bare number. */
export function printExact(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    // It knows no bigint.
    const text = JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? `${mark}${each}` : each))
    return text.replaceAll(markedNumber, '$1')
  }
}

// A private-use character that no prompt holds at the start of a string.
const mark = '\u{F8FF}int:'
const markedNumber = new RegExp(`"${mark}(-?\\d+)"`, 'g')
const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

function hasLongNumber(text: string): boolean {
  for (const [digits] of text.matchAll(/\d{16,}/g)) if (!Number.isSafeInteger(Number(digits))) return true
  return false
}
