export type Proof = 'whole' | 'not-yet'

/**
 * Pure: whether a dropped file is known to be complete. Half a JSON document does not parse; half a YAML document may, so that needs
 * a closing `...` line, a `.ready` companion, or `quietMs` without a change. A JSON document that does not parse is half-written
 * until it has been quiet, then it is wrong: the reading says how.
 */
export function proveWhole(
  name: string,
  bytes: Buffer,
  facts: { quietForMs: number; quietMs: number; hasReady: boolean },
): Proof {
  if (facts.hasReady || facts.quietForMs >= facts.quietMs) return 'whole'
  const text = bytes.toString('utf8')
  const isComplete = /\.ya?ml$/i.test(name) ? /(?:^|\n)\.\.\.\s*$/.test(text) : parses(text)
  return isComplete ? 'whole' : 'not-yet'
}

function parses(text: string): boolean {
  try {
    JSON.parse(text.replace(/^\uFEFF/, ''))
    return true
  } catch {
    // Half-written, or wrong: quiet time tells which.
    return false
  }
}
